import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from wegly_analytics.store.sort import sorted_rows

SCHEMA = pa.schema([("row", pa.int64()), ("text", pa.string())])


@given(st.lists(st.lists(st.integers(-1, 30), max_size=12), max_size=6), st.integers(1, 40))
def test_rows_are_sorted_by_rank_and_keep_their_order_within_one(tmp_path_factory, batches, per_file):
    folder, tables, first = tmp_path_factory.mktemp("sort"), [], 0
    for ranks in batches:
        rows = pa.array(range(first, first + len(ranks)))
        tables.append((pa.table([rows, rows.cast(pa.string())], schema=SCHEMA), np.array(ranks, np.int64)))
        first += len(ranks)
    found = pa.concat_tables([SCHEMA.empty_table(), *sorted_rows(tables, SCHEMA, folder, per_file)])
    numbered = enumerate(rank for ranks in batches for rank in ranks)
    assert found.column("row").to_pylist() == [n for rank, n in sorted((r, n) for n, r in numbered) if rank >= 0]
    assert found.schema == SCHEMA
    assert list(folder.iterdir()) == []
