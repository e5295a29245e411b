import datetime as dt
import json
import os
import re
import time
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import MOMENT, body, companies

from wegly_analytics.errors import DamagedWarning, SettingError, SnapshotError
from wegly_analytics.intake.build import Response, SnapshotBuilder
from wegly_analytics.model.tables import LEDGER, TABLES
from wegly_analytics.snapshot.load import load, snapshots, verify
from wegly_analytics.store.manifest import NAME as MANIFEST


@pytest.fixture
def snap(snapshot_of):
    return snapshot_of({"title": "A", "tags": [{"name": "x"}], "mood": 1}, {"title": "B", "value": 3})


@pytest.fixture
def root(tmp_path):
    return tmp_path / "data" / "snapshots"


def later(snap, days):
    from dataclasses import replace

    return replace(snap, taken_at=snap.taken_at + dt.timedelta(days))


pytestmark = pytest.mark.filterwarnings("ignore::wegly_analytics.errors.DriftWarning")


@given(companies(max_size=4), st.integers(0, 3))
@settings(max_examples=15)
def test_what_is_loaded_is_what_was_saved(tmp_path_factory, company, unreadable):
    assembly = SnapshotBuilder()
    for place, deal in enumerate([*company, *[None] * unreadable]):
        assembly.add(place, Response(str(place + 1), "fetched", MOMENT, 200, body=body(deal), check_id=False))
    snap = assembly.snapshot(MOMENT).assign(extra=None).where(lambda d: d["deal_id"] != "")
    root = tmp_path_factory.mktemp("root")
    path = snap.save(root, personal="keep", allow_incomplete=True)
    assert load(path) == load(root, at=path.name.removeprefix("snapshot=")) == snap
    assert verify(root) == []


def test_a_snapshot_is_a_folder_of_plain_parquet(snap, root):
    path = snap.save(root, personal="keep")
    assert path.parent == root
    assert re.fullmatch(r"snapshot=\d{8}T\d{6}\.\d{6}Z-[0-9a-f]{4}", path.name)
    assert sorted(p.name for p in path.iterdir()) == sorted([MANIFEST, *TABLES, "ledger"])
    assert os.listdir(root.parent) == ["snapshots"], "nothing is left beside the root"


def test_every_table_is_there_also_empty_with_types_and_meanings(snap, root):
    path = snap.save(root, personal="keep")
    for name, table in {**TABLES, "ledger": LEDGER}.items():
        schema = pq.read_schema(path / name / "part-00000.parquet")
        assert schema.metadata[b"personal_mode"] == b"keep"
        assert schema.with_metadata(dict(table.schema.metadata)).equals(table.schema, check_metadata=True), name


def test_other_tools_read_it(snap, root):
    snap.save(root, personal="keep")
    later(snap, 1).save(root, personal="keep")
    query = f"select title, snapshot from read_parquet('{root}/*/deals/*.parquet', hive_partitioning=true) order by all"
    rows = duckdb.sql(query).fetchall()
    assert [title for title, _ in rows] == ["A", "A", "B", "B"]
    assert len({snapshot for _, snapshot in rows}) == 2
    assert pl.read_parquet(f"{root}/*/tags/*.parquet")["tag"].to_list() == ["x", "x"]
    assert len(pd.read_parquet(next(root.glob("*/proposals")))) == 0


def test_the_last_published_is_loaded_or_the_one_of_a_time(snap, root):
    paths = [later(snap, days).save(root, personal="keep") for days in (3, 0, 1)]
    assert load(root) == later(snap, 1)
    assert load(root, at="2026-07-05") == later(snap, 3)
    assert load(root, at="2026-07-02") == later(snap, 1)
    assert load(root, at="2026-07-02T11:59:59") == snap
    assert load(root, at=dt.datetime(2026, 7, 1, 9, tzinfo=dt.timezone(dt.timedelta(hours=-3)))) == snap
    assert load(root, at=paths[2].name.removeprefix("snapshot=")) == later(snap, 1)


def test_the_list_says_when_how_many_and_how_complete(snap, root):
    later(snap, 1).save(root, personal="keep")
    snap.where(title="A").save(root, personal="keep")
    table = snapshots(root)
    assert table["taken_at"].is_monotonic_increasing
    assert table[["deals", "requested", "received", "not_found", "missing"]].to_numpy().tolist() == [
        [1, 2, 2, 0, 0],
        [2, 2, 2, 0, 0],
    ]
    assert (table["bytes"] > 10_000).all()
    assert load(table["path"][0]).filters == ("title = A",)


def test_a_filtered_snapshot_is_never_loaded_unasked(snap, root):
    for _ in range(5):
        path = snap.where(title="A").save(root, personal="keep")
    with pytest.raises(SnapshotError, match="no whole snapshot, only 5 filtered .* as in at='2026"):
        load(root)
    snap.save(root, personal="keep")
    snap.where(title="B").save(root, personal="keep")
    assert load(root) == snap == load(root, at="2026-07-01")
    assert load(path).filters == load(root, at=path.name.removeprefix("snapshot=")).filters == ("title = A",)
    assert json.loads((path / MANIFEST).read_text())["filters"] == ["title = A"]


def held(snap):
    """The columns that were read so far."""
    return {name: sorted(columns) for name, columns in snap.tables._columns.items() if columns}


def test_a_table_is_read_when_it_is_first_needed_and_then_kept(snap, root):
    loaded = load(snap.save(root, personal="keep"))
    assert (len(loaded), loaded.rows["tags"], loaded.completeness) == (2, 1, snap.completeness)
    assert "2 of 2" in repr(loaded) + loaded._repr_html_()
    assert held(loaded) == {}, "the manifest knows all that"
    assert loaded.frame("deals", ["deal_id", "value"]).collect().shape == (2, 2)
    assert held(loaded) == {"deals": ["deal_id", "value"]}
    some = loaded.where(title="A", tag="x")
    assert len(some) == 1
    assert held(loaded) == {"deals": ["deal_id", "title", "value"], "tags": ["deal_id", "tag"]}
    assert some == snap.where(title="A", tag="x")


def test_a_file_that_is_damaged_after_loading_is_named_when_it_is_needed(snap, root):
    path = snap.save(root, personal="keep")
    loaded = load(path)
    (path / "tags/part-00000.parquet").unlink()
    assert len(loaded.deals) == 2
    with pytest.raises(SnapshotError, match="tags cannot be read"):
        _ = loaded.tags


def test_drift_and_scope_are_saved(snap, root):
    again = load(snap.save(root, personal="keep"))
    assert again.drift["path"][0] == "mood"
    assert again.drift.attrs["looked_at"] == 2


def test_an_empty_root_is_a_list_without_rows(root):
    root.mkdir(parents=True)
    table = snapshots(root)
    assert table.empty
    assert str(table["taken_at"].dtype) == "datetime64[us, UTC]"
    with pytest.raises(SnapshotError, match="holds no snapshot$"):
        load(root)


def test_what_cannot_be_loaded_is_named(snap, root):
    with pytest.raises(SnapshotError, match="is no folder of snapshots"):
        load(root)
    path = snap.save(root, personal="keep")
    with pytest.raises(SnapshotError, match="holds no snapshot taken by 2020-01-01"):
        load(root, at="2020-01-01")
    with pytest.raises(SettingError, match="neither an instant such as"):
        load(root, at="last week")
    with pytest.raises(SettingError, match="is one snapshot"):
        load(path, at="2026-07-02")


def edit(path, **changes):
    manifest = json.loads((path / MANIFEST).read_text())
    (path / MANIFEST).write_text(json.dumps({k: v for k, v in {**manifest, **changes}.items() if v is not None}))


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda p: (p / "tags/part-00000.parquet").unlink(), "tags cannot be read"),
        (lambda p: (p / "tags/part-00000.parquet").write_bytes(b"PAR1"), "tags cannot be read"),
        (lambda p: (p / MANIFEST).write_text("{"), "cannot be read"),
        (lambda p: edit(p, tables=None), "cannot be trusted: KeyError"),
        (lambda p: edit(p, tables={}), "has no table 'deals'"),
        (lambda p: edit(p, taken_at=None), "cannot be trusted: KeyError"),
        (lambda p: edit(p, taken_at="soon"), "cannot be trusted: ValueError"),
        (lambda p: edit(p, schema_version=99), "newer version"),
        (lambda p: os.replace(p / "tags/part-00000.parquet", p / "deals/part-00000.parquet"), "has 1 rows, published"),
    ],
)
def test_a_damaged_snapshot_is_not_trusted(snap, root, harm, message):
    path = snap.save(root, personal="keep")
    harm(path)
    with pytest.raises(SnapshotError, match=message):
        load(path)


def test_verify_finds_every_changed_file(snap, root):
    path = snap.save(root, personal="keep")
    (path / "deals/part-00000.parquet").write_bytes(b"x")
    (path / "tags/part-00000.parquet").unlink()
    assert [s.removeprefix(str(path)) for s in verify(root)] == [
        "/deals/part-00000.parquet is not what was published",
        "/tags/part-00000.parquet is missing",
    ]
    assert len(verify(path)) == 2


def test_a_folder_without_a_manifest_does_not_exist(snap, root):
    snap.save(root, personal="keep")
    (root / "snapshot=20990101T000000Z-0000").mkdir()
    assert len(snapshots(root)) == 1


def test_an_unwritable_place_is_a_clear_error(snap, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(
        SnapshotError, match=r"cannot write a snapshot to .*file/root: Not a directory; nothing was left"
    ):
        snap.save(tmp_path / "file" / "root")


def test_a_full_disk_leaves_nothing(snap, tmp_path):
    """A limit on file sizes stands in for a full disk; in a child, for the limit cannot be lifted again."""
    program = f"""
import resource, signal
from pathlib import Path
from wegly_analytics.snapshot.load import load
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
snap = load({str(snap.save(tmp_path / "source"))!r})
resource.setrlimit(resource.RLIMIT_FSIZE, (9_000, 9_000))
snap.save({str(tmp_path / "full")!r})
"""
    import subprocess
    import sys

    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "SnapshotError: cannot write a snapshot to" in result.stderr
    assert "File too large; nothing was left" in result.stderr
    assert [p.name for p in tmp_path.iterdir() if "full" in p.name] == ["full"]
    assert list((tmp_path / "full").iterdir()) == []


def test_what_a_dead_process_left_is_swept_when_it_is_stale(snap, root):
    root.mkdir(parents=True)
    fresh, stale = (root.with_name(f"snapshots.staging-{n}") for n in ("fresh", "stale"))
    for folder in (fresh, stale):
        (folder / "deals").mkdir(parents=True)
    two_days_ago = time.time() - 2 * 24 * 3600
    os.utime(stale, (two_days_ago, two_days_ago))
    snap.save(root, personal="keep")
    assert fresh.exists()
    assert not stale.exists()


def test_a_snapshot_that_does_not_agree_with_itself_is_not_published(snap, root):
    from dataclasses import replace

    half = replace(snap, tables={**snap.tables, "deals": snap.tables["deals"].slice(1)})
    with pytest.raises(SnapshotError, match="does not agree with itself"):
        half.save(root, personal="keep")
    assert not Path(root).exists()


def test_one_damaged_manifest_hinders_no_other_snapshot(snap, root):
    old, new = snap.save(root, personal="keep"), later(snap, 1).save(root, personal="keep")
    (old / MANIFEST).write_text("{")
    with pytest.warns(DamagedWarning, match=f"skipped: {re.escape(str(old / MANIFEST))} cannot be read"):
        assert load(root) == load(new)
    with pytest.warns(DamagedWarning):
        assert snapshots(root)["path"].tolist() == [str(new)]
    with pytest.raises(SnapshotError, match="cannot be read"):
        load(old)
    (new / MANIFEST).write_text("[]")
    with pytest.warns(DamagedWarning), pytest.raises(SnapshotError, match="cannot be trusted"):
        load(root)


def test_whole_and_filtered_snapshots_of_one_time_are_told_apart(snap, root):
    for _ in range(8):
        whole = snap.save(root, personal="keep")
        part = snap.where(title="A").save(root, personal="keep")
        assert load(root) == load(whole) == snap
        assert load(root, at=part.name.removeprefix("snapshot=")).filters == ("title = A",)
    assert snapshots(root)["filters"].tolist() == ["", "title = A"] * 8


def test_publication_never_goes_back_within_a_root(snap, root):
    (root / "snapshot=29990101T000000.000000Z-beef").mkdir(parents=True)
    assert snap.save(root, personal="keep").name > "snapshot=29990101T000000.000000Z-ffff"


@pytest.mark.parametrize("name", ["../deals.parquet", "/etc/passwd", "..", "a/b.parquet", ""])
def test_a_manifest_names_files_of_its_own_folder_only(snap, root, name):
    path = snap.save(root, personal="keep")
    tables = json.loads((path / MANIFEST).read_text())["tables"]
    tables["deals"]["files"] = {name: next(iter(tables["deals"]["files"].values()))}
    edit(path, tables=tables)
    with pytest.raises(SnapshotError, match="is not the name of a file in the table's folder"):
        load(path)
