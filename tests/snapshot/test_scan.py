"""A snapshot on an engine returns the same as the one in memory."""

import os
import subprocess
import sys
from copy import copy
from dataclasses import replace
from functools import cache

import pandas as pd
import polars as pl
import pyarrow.parquet as pq
import pytest
from scanning import EVERY, published, same

import wegly_analytics as wa
from wegly_analytics import metrics
from wegly_analytics.errors import EmptyScopeWarning, MissingColumnError, SettingError, SnapshotError
from wegly_analytics.snapshot.sources import ALL_TABLES
from wegly_analytics.store.manifest import NAME as MANIFEST

ENGINES = ["duckdb", "polars"]
on_every_engine = pytest.mark.parametrize("engine", ENGINES)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return published(tmp_path_factory.mktemp("scan"))


@pytest.fixture(scope="module")
def loaded(root):
    return wa.load(root)


@pytest.fixture(scope="module")
def expected(loaded):
    """Each metric in memory, computed once for all engines."""
    return cache(lambda name: EVERY[name](loaded))


@pytest.fixture(scope="module")
def filtered(loaded):
    """The deals of each filter in memory, chosen once for all engines."""
    return cache(lambda name: loaded.where(**SCOPES[name]))


def unread(snap):
    """The same, but reading a table as a whole fails the test."""
    source = copy(snap.tables)
    source._files = copy(source._files)
    source._files.table = lambda name, columns=None: pytest.fail(f"{name} was read as a whole")
    return replace(snap, tables=source)


def test_every_metric_is_tested():
    assert {name.split()[0] for name in EVERY} == set(metrics.__all__)


@on_every_engine
@pytest.mark.parametrize("name", EVERY)
def test_a_metric_gives_the_same_table_and_reads_no_table_as_a_whole(name, engine, root, expected):
    same(EVERY[name](unread(wa.scan(root, engine))), expected(name))


SCOPES = {
    "one value": {"pipeline": "Vendas"},
    "several": {"status": ["won", "lost"], "pipeline": "Vendas"},
    "missing": {"source": None},
    "a value or missing": {"source": ["Indicação", "(not informed)"]},
    "numbers": {"code": range(1, 500)},
    "quality": {"quality": "clean"},
    "an interval": {"created_at": wa.between("2025-09-01", "2025-11-30"), "value": wa.between(1_000, None)},
    "a period": {"created_at": ["2025-Q4", "2026-02"], "expected_close": wa.between(None, "2026-06")},
    "tags": {"tag": ["Prioridade", "Enterprise"]},
    "no tag": {"tag": None, "pipeline": "Vendas"},
    "values and quality": {"status": "won", "quality": ["won without value", "won without a date"]},
}


@on_every_engine
@pytest.mark.parametrize("scope", SCOPES)
def test_a_filter_stays_on_the_engine_and_keeps_the_same_deals(scope, engine, root, filtered):
    scanned, expected = wa.scan(root, engine).where(**SCOPES[scope]), filtered(scope)
    lazy = unread(scanned)
    assert (lazy.filters, lazy.completeness, lazy.rows, len(lazy)) == (
        expected.filters, expected.completeness, expected.rows, len(expected)
    )  # fmt: skip
    assert str(lazy) == str(expected)
    assert lazy._repr_html_() == expected._repr_html_()
    for name in ALL_TABLES:
        frame = lazy.frame(name).collect("pyarrow").to_native()
        kept = [c for c in frame.column_names if c in ("deal_id", "requested", "in_scope", "tag", "stage_id")]
        assert sorted(map(repr, frame.select(kept).to_pylist())) == sorted(
            map(repr, expected.tables[name].select(kept).to_pylist())
        )
    assert scanned == expected, "whole tables are equal too"


@on_every_engine
def test_an_expression_filters_and_adds_columns_on_every_engine(engine, root, loaded):
    def extended(snap):
        big = snap.where((wa.col("value") > 20_000) & (wa.col("status") == "won"), ~wa.col("source").is_null())
        return big.assign(half=wa.col("value") / 2, size="big", value=wa.col("value") * 2).where(
            wa.col("half") < 30_000
        )

    scanned, expected = extended(wa.scan(root, engine)), extended(loaded)
    lazy = unread(scanned)
    assert lazy.filters == expected.filters
    assert lazy.filters == (
        "value > 20000 and status == won", "not (source is missing)", "half < 30000"
    )  # fmt: skip
    assert 0 < len(lazy) == len(expected)
    same(metrics.win_loss(lazy, by="size"), metrics.win_loss(expected, by="size"))
    assert scanned == expected
    assert scanned.deals["half"].tolist() == (scanned.deals["value"] / 4).tolist()


@on_every_engine
def test_filters_add_up(engine, root, loaded):
    both = wa.scan(root, engine).where(pipeline="Vendas").where(status=["won", "lost"], quality="clean")
    expected = loaded.where(pipeline="Vendas").where(status=["won", "lost"], quality="clean")
    same(metrics.win_rate(unread(both), by="tag"), metrics.win_rate(expected, by="tag"))
    same(metrics.time_in_stage(unread(both)), metrics.time_in_stage(expected))
    assert both == expected


@on_every_engine
def test_whole_tables_are_read_one_by_one_and_only_when_needed(engine, root, loaded):
    scanned = wa.scan(root, engine)
    pd.testing.assert_frame_equal(scanned.tags, loaded.tags)
    assert [name for name, columns in scanned.tables._files._columns.items() if columns] == ["tags"]
    assert scanned == loaded
    assert scanned.check() is scanned
    with pytest.raises(KeyError):
        scanned.tables["dealz"]
    with pytest.raises(SettingError, match="there is no table 'dealz'; there are deals"):
        scanned.frame("dealz")


def test_what_is_saved_from_a_scan_is_what_was_kept(root, loaded, tmp_path):
    path = wa.scan(root, "duckdb").where(pipeline="Vendas").save(tmp_path / "sales", personal="keep")
    assert wa.load(path) == loaded.where(pipeline="Vendas")


@on_every_engine
def test_only_the_columns_that_are_needed_are_read(engine, tmp_path):
    path = wa.sample().save(tmp_path / "snapshots")
    file = path / "deals" / "part-00000.parquet"
    spoil(file, "code")
    assert metrics.win_rate(wa.scan(path, engine, check=False), by="source")["n"].sum() > 0
    with pytest.raises(SnapshotError, match="deals cannot be read"):
        _ = wa.load(path, check=False).deals


def spoil(file, column):
    """Overwrite the data of one column, and not the footer."""
    group = pq.read_metadata(file).row_group(0)
    chunk = next(c for c in map(group.column, range(group.num_columns)) if c.path_in_schema == column)
    start = min(n for n in (chunk.dictionary_page_offset, chunk.data_page_offset) if n is not None)
    whole = bytearray(file.read_bytes())
    whole[start : start + chunk.total_compressed_size] = b"\xff" * chunk.total_compressed_size
    file.write_bytes(whole)


@on_every_engine
def test_a_misspelled_value_is_reported_with_a_similar_one(engine, root):
    scanned = unread(wa.scan(root, engine))
    with pytest.warns(EmptyScopeWarning, match="no deal has pipeline 'Vendsa'; did you mean 'Vendas'") as caught:
        nothing = scanned.where(pipeline="Vendsa")
    assert caught[0].filename == __file__, "the warning points to where the filter was written"
    assert len(nothing) == 0
    assert len(metrics.win_rate(nothing, by="source")) == 0
    assert len(nothing.where(status="won")) == 0, "there is no second warning"


@on_every_engine
def test_a_rule_that_all_deals_break_is_warned_of(engine, root):
    scanned = unread(wa.scan(root, engine))
    broken = scanned.where(deal_id=set(metrics.quality(scanned, rules="won without value")["deal_id"]))
    with pytest.warns(EmptyScopeWarning, match=r"all \d+ deals break a rule: won without value") as caught:
        nothing = broken.where(quality="won without value")
    assert caught[0].filename == __file__
    assert len(nothing) == 0 < len(broken)


@pytest.mark.parametrize(
    ("scope", "error", "message"),
    [
        ({"sorce": "x"}, MissingColumnError, "did you mean 'source'"),
        ({"status": "gained"}, SettingError, "status is one of open, won, lost; 'gained' is not one of them"),
        ({"value": "much"}, SettingError, "value has type double; .* cannot be compared"),
        ({"value": lambda v: v > 3}, SettingError, r"where\(value=a function\) is a function .* write an expression"),
        ({"quality": "tidy"}, SettingError, "there is no rule 'tidy'"),
    ],
)
def test_a_filter_that_cannot_be_applied_is_refused(scope, error, message, root):
    with pytest.raises(error, match=message):
        wa.scan(root, "polars").where(**scope)


def test_what_needs_the_deals_in_memory_suggests_an_expression(root):
    scanned = wa.scan(root, "polars")
    with pytest.raises(
        SettingError,
        match=r'write an expression such as where\(wa\.col\("value"\) > 50_000\), or open it with wa\.load',
    ):
        scanned.where(lambda deals: deals["value"] > 3)
    for column in (lambda deals: deals["value"], [1, 2], pd.Series([1]), wa.custom_field("Segmento"), None):
        with pytest.raises(SettingError, match=r'write an expression such as assign\(size=wa\.col\("value"\) / 1000\)'):
            scanned.assign(size=column)


@pytest.mark.parametrize("engine", ["dukdb", "spark", None, pl, 3])
def test_an_unknown_engine_is_reported_with_the_known_ones(engine, root):
    with pytest.raises(SettingError, match="is not 'duckdb', 'polars' or a Spark session"):
        wa.scan(root, engine)


@on_every_engine
def test_an_engine_that_is_not_installed_is_reported_with_the_remedy(engine, root, monkeypatch):
    monkeypatch.setitem(sys.modules, engine, None)
    with pytest.raises(SettingError, match=rf"pip install 'wegly-analytics\[{engine}\]'"):
        wa.scan(root, engine)


def test_a_scan_is_compared_with_what_was_published(tmp_path):
    snap = wa.sample()
    path = snap.save(tmp_path / "snapshots")
    assert wa.scan(tmp_path / "snapshots", "polars", at=path.name.removeprefix("snapshot=")).taken_at == snap.taken_at
    with pytest.raises(SettingError, match="is one snapshot"):
        wa.scan(path, "polars", at="2026-01-01")
    manifest = (path / MANIFEST).read_text(encoding="utf-8")
    for change, message in [
        (('"rows": 1195', '"rows": 1194'), "'sha256' is .* it was changed"),
        (('"schema_version": 1', '"schema_version": 99'), "newer version"),
        (('"requested"', '"aksed"'), "'completeness': 'requested' is missing"),
        (('"tags"', '"tgas"'), "'sha256' is .* it was changed"),
    ]:
        assert change[0] in manifest
        (path / MANIFEST).write_text(manifest.replace(*change), encoding="utf-8")
        with pytest.raises(SnapshotError, match=message):
            wa.scan(path, "polars")
    (path / MANIFEST).write_text(manifest, encoding="utf-8")
    (path / "tags" / "part-00000.parquet").write_bytes(b"PAR1")
    with pytest.raises(SnapshotError, match="tags.part-00000.parquet was changed"):
        wa.scan(path, "polars")


def test_duckdb_works_on_a_connection_of_its_own(root):
    import duckdb

    duckdb.execute("SET TimeZone = 'Asia/Tokyo'")
    try:
        duckdb.execute("CREATE OR REPLACE TEMP VIEW deals AS SELECT 1 AS one")
        same(metrics.win_loss(wa.scan(root, "duckdb")), metrics.win_loss(wa.load(root)))
        assert duckdb.sql("FROM deals").columns == ["one"]
    finally:
        duckdb.execute("RESET TimeZone")
        duckdb.execute("DROP VIEW deals")


def test_instants_are_utc_whatever_the_time_zone_of_the_machine(root):
    program = (
        "import sys, wegly_analytics as wa\n"
        "for engine in sys.argv[2:]:\n"
        "    print(wa.scan(sys.argv[1], engine).frame('deals').collect_schema()['created_at'])"
    )
    elsewhere = {**os.environ, "TZ": "Asia/Tokyo"}
    command = [sys.executable, "-c", program, root, *ENGINES]
    done = subprocess.run(command, env=elsewhere, check=True, capture_output=True, text=True)
    assert done.stdout.splitlines() == ["Datetime(time_unit='us', time_zone='UTC')"] * len(ENGINES)


@pytest.mark.parametrize("engine", [None, *ENGINES])
def test_a_computed_number_that_is_not_a_number_is_missing(engine, tmp_path):
    root = wa.sample().save(tmp_path, personal="keep")
    snap = (wa.scan(root, engine) if engine else wa.load(root)).assign(zero=0.0)
    snap = snap.assign(ratio=wa.col("zero") / (wa.col("value") - wa.col("value")))  # 0 / 0, or without a value
    assert metrics.win_rate(snap, by="ratio")["ratio"].tolist() == ["(not informed)"]
    assert len(snap.where(ratio=None)) == len(snap)
