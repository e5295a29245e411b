"""How an engine is set up."""

import gc
import stat
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from wegly_analytics.store.engines import MEMORY, opened


@pytest.fixture
def connection(tmp_path):
    pq.write_table(pa.table({"deal_id": ["a", "b"]}), tmp_path / "part.parquet")
    return opened("duckdb", {"deals": [tmp_path / "part.parquet"]})[1]


def setting(connection, name):
    return connection.execute(f"SELECT current_setting('{name}')").fetchone()[0]


def test_duckdb_takes_a_bounded_part_of_memory(connection):
    assert setting(connection, "memory_limit") in (MEMORY, "715.2 MiB")


def test_duckdb_writes_what_does_not_fit_where_only_the_owner_can_read_it(connection):
    folder = Path(setting(connection, "temp_directory"))
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_what_duckdb_wrote_is_removed_with_its_connection(tmp_path):
    pq.write_table(pa.table({"n": [1]}), tmp_path / "part.parquet")
    frames, connection = opened("duckdb", {"deals": [tmp_path / "part.parquet"]})
    folder = Path(setting(connection, "temp_directory"))
    connection.execute("SET memory_limit = '40MB'; SET threads = 1")
    connection.execute("CREATE TABLE long AS SELECT range AS n, repeat('x', 20) || range AS t FROM range(2_000_000)")
    assert list(folder.iterdir())
    del frames, connection
    gc.collect()
    assert not folder.exists()
