import datetime as dt
import json
import os
import re
import sys
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from publishing import signed
from strategies import TAKEN_AT, body, companies

from wegly_analytics.errors import DamagedWarning, SnapshotError
from wegly_analytics.intake.build import Response, SnapshotBuilder
from wegly_analytics.model.tables import LEDGER, TABLES
from wegly_analytics.snapshot.completeness import Completeness
from wegly_analytics.snapshot.files import Files
from wegly_analytics.snapshot.load import load, snapshots, verify
from wegly_analytics.snapshot.sources import Memory
from wegly_analytics.store.checksum import sha256
from wegly_analytics.store.manifest import NAME as MANIFEST
from wegly_analytics.store.manifest import PublishedFile


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
@settings(max_examples=8)
def test_what_is_loaded_is_what_was_saved(tmp_path_factory, company, unreadable):
    builder = SnapshotBuilder()
    for place, deal in enumerate([*company, *[None] * unreadable]):
        builder.add(place, Response(str(place + 1), "fetched", TAKEN_AT, 200, body=body(deal), check_id=False))
    snap = builder.snapshot(TAKEN_AT).assign(extra=None).where(lambda d: d["deal_id"] != "")
    root = tmp_path_factory.mktemp("root")
    path = snap.save(root, personal="keep", allow_incomplete=True)
    assert load(path) == load(root, at=path.name.removeprefix("snapshot=")) == snap
    assert verify(root).empty


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
    left_by_a_dead_process = root.with_name("snapshots.staging-dead") / "deals" / "part-00000.parquet"
    left_by_a_dead_process.parent.mkdir(parents=True)
    left_by_a_dead_process.write_bytes(b"half")
    names = {path.name.removeprefix("snapshot=") for path in root.iterdir()}
    query = (
        f"select title, snapshot from read_parquet('{root}/**/deals/*.parquet', hive_partitioning=true) order by all"
    )
    rows = duckdb.sql(query).fetchall()
    assert [title for title, _ in rows] == ["A", "A", "B", "B"]
    assert {snapshot for _, snapshot in rows} == names
    lazy = pl.scan_parquet(f"{root}/**/tags/*.parquet", hive_partitioning=True).collect()
    assert (lazy["tag"].to_list(), set(lazy["snapshot"])) == (["x", "x"], names)
    deals = pd.concat([pd.read_parquet(path) for path in root.glob("*/deals")])
    assert sorted(deals["title"]) == ["A", "A", "B", "B"]
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
    assert table["published_at"].is_monotonic_increasing, "whatever the time of the data"
    assert table[["deals", "requested", "received", "not_found", "missing"]].to_numpy().tolist() == [
        [2, 2, 2, 0, 0],
        [1, 2, 2, 0, 0],
    ]
    assert (table["bytes"] > 10_000).all()
    assert load(table["path"][1]).filters == ("title = A",)


def test_a_filtered_snapshot_is_loaded_only_by_name(snap, root):
    for _ in range(5):
        path = snap.where(title="A").save(root, personal="keep")
    with pytest.raises(SnapshotError, match="no whole snapshot, only 5 filtered .* as in at='2026"):
        load(root)
    snap.save(root, personal="keep")
    snap.where(title="B").save(root, personal="keep")
    assert load(root) == snap == load(root, at="2026-07-01")
    assert load(path).filters == load(root, at=path.name.removeprefix("snapshot=")).filters == ("title = A",)
    assert json.loads((path / MANIFEST).read_text())["filters"] == ["title = A"]


def columns_read(snap):
    """The columns that were read so far."""
    return {name: sorted(columns) for name, columns in snap.tables._columns.items() if columns}


def test_a_table_is_read_when_it_is_first_needed_and_then_kept(snap, root):
    loaded = load(snap.save(root, personal="keep"))
    assert (len(loaded), loaded.rows["tags"], loaded.completeness) == (2, 1, snap.completeness)
    assert "2 of 2" in repr(loaded) + loaded._repr_html_()
    assert columns_read(loaded) == {}, "the manifest knows all that"
    assert loaded.frame("deals", ["deal_id", "value"]).collect().shape == (2, 2)
    assert columns_read(loaded) == {"deals": ["deal_id", "value"]}
    some = loaded.where(title="A", tag="x")
    assert len(some) == 1
    assert columns_read(loaded) == {"deals": ["deal_id", "title", "value"], "tags": ["deal_id", "tag"]}
    assert some == snap.where(title="A", tag="x")


def test_a_file_that_is_damaged_after_loading_is_reported_when_it_is_read(snap, root):
    path = snap.save(root, personal="keep")
    loaded = load(path)
    (path / "tags/part-00000.parquet").unlink()
    assert len(loaded.deals) == 2
    with pytest.raises(SnapshotError, match="tags/part-00000.parquet cannot be read"):
        _ = loaded.tags


def files_of(file, *, n_rows, sha):
    return Files({"deals": {file: PublishedFile(file.stat().st_size, sha)}}, {"deals": n_rows}, Completeness())


def test_a_table_is_read_in_row_groups_that_are_not_kept(snap, tmp_path):
    deals, file = snap.tables["deals"], tmp_path / "deals.parquet"
    pq.write_table(deals, file, row_group_size=1)
    files = files_of(file, n_rows=2, sha=sha256(file))
    assert [table.num_rows for table in files.batches("deals")] == [1, 1]
    assert pa.concat_tables(files.batches("deals")).equals(deals)
    assert pa.concat_tables(files.batches("deals", ["value", "code"])).equals(deals.select(["value", "code"]))
    assert files._columns["deals"] == {}
    assert pa.concat_tables(Memory(snap.tables).batches("deals")).equals(deals)


def test_batches_of_a_file_that_was_changed_are_refused(snap, tmp_path):
    file = tmp_path / "deals.parquet"
    pq.write_table(snap.tables["deals"], file, row_group_size=1)
    with pytest.raises(SnapshotError, match=r"changed after it was published"):
        next(files_of(file, n_rows=2, sha=64 * "0").batches("deals"))
    with pytest.raises(SnapshotError, match=r"it has 2 rows, published were 3"):
        list(files_of(file, n_rows=3, sha=sha256(file)).batches("deals"))
    reading = files_of(file, n_rows=2, sha=sha256(file)).batches("deals")
    next(reading)
    pq.write_table(snap.tables["deals"], tmp_path / "other", row_group_size=2)
    (tmp_path / "other").replace(file)
    with pytest.raises(SnapshotError):
        list(reading)


def test_drift_is_saved(snap, root):
    again = load(snap.save(root, personal="keep"))
    assert again.drift["path"][0] == "mood"
    assert again.drift.attrs["looked_at"] == 2


def test_an_empty_root_is_a_list_without_rows(root):
    root.mkdir(parents=True)
    table = snapshots(root)
    assert table.empty
    assert str(table["taken_at"].dtype) == "datetime64[us, UTC]"
    with pytest.raises(SnapshotError, match="holds no snapshot; Snapshot.save or `wegly fetch` publishes one there"):
        load(root)


def edit(path, **changes):
    manifest = json.loads((path / MANIFEST).read_text())
    (path / MANIFEST).write_text(signed({k: v for k, v in {**manifest, **changes}.items() if v is not None}))


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda p: (p / "tags/part-00000.parquet").unlink(), "tags/part-00000.parquet cannot be read"),
        (lambda p: (p / "tags/part-00000.parquet").write_bytes(b"PAR1"), "tags/part-00000.parquet was changed"),
        (lambda p: (p / MANIFEST).write_text("{"), "is damaged: it is not valid JSON"),
        (lambda p: edit(p, tables={}), "'tables' lists none, without 'deals'"),
        (lambda p: edit(p, taken_at=None), "is damaged: 'taken_at' is missing"),
        (lambda p: edit(p, drift={"seen": 3}), "is damaged: 'drift.seen' is 3"),
        (lambda p: edit(p, schema_version=99), "newer version wrote it; update wegly_analytics"),
        (
            lambda p: os.replace(p / "tags/part-00000.parquet", p / "deals/part-00000.parquet"),
            "was changed after it was published: it has .* bytes",
        ),
    ],
)
def test_a_damaged_snapshot_is_not_trusted(snap, root, harm, message):
    path = snap.save(root, personal="keep")
    harm(path)
    with pytest.raises(SnapshotError, match=message):
        load(path)


def test_verify_names_every_problem_of_every_snapshot(snap, root):
    paths = [snap.save(root, personal="keep") for _ in range(4)]
    assert verify(root).empty
    assert verify(root).attrs == {"snapshots": 4}
    (paths[0] / MANIFEST).write_text("{")
    (paths[1] / "deals/part-00000.parquet").write_bytes(b"x")
    (paths[1] / "tags/part-00000.parquet").unlink()
    (paths[2] / MANIFEST).unlink()
    (paths[3] / "deals/copy.parquet").write_bytes(b"x")
    table = verify(root)
    name, *others = (path.name.removeprefix("snapshot=") for path in paths)
    assert table["snapshot"].tolist() == [name, others[0], *others]
    assert table["problem"].tolist() == ["damaged manifest", "changed", "missing", "no manifest", "extra"]
    assert table["table"].fillna("").tolist() == ["", "deals", "tags", "", "deals"]
    assert table["path"][1] == str(paths[1] / "deals/part-00000.parquet")
    assert table["detail"].str.len().gt(10).all()
    assert table.attrs == {"snapshots": 4}
    assert verify(paths[1])["problem"].tolist() == ["changed", "missing"]
    assert verify(paths[2])["problem"].tolist() == ["no manifest"]


def test_a_folder_without_a_manifest_does_not_exist(snap, root):
    snap.save(root, personal="keep")
    (root / "snapshot=20990101T000000Z-0000").mkdir()
    assert len(snapshots(root)) == 1


def test_a_snapshot_that_does_not_agree_with_itself_is_not_published(snap, root):
    from dataclasses import replace

    half = replace(snap, tables={**snap.tables, "deals": snap.tables["deals"].slice(1)})
    with pytest.raises(SnapshotError, match="does not agree with itself"):
        half.save(root, personal="keep")
    assert not Path(root).exists()


def test_one_damaged_manifest_does_not_affect_other_snapshots(snap, root):
    old, new = snap.save(root, personal="keep"), later(snap, 1).save(root, personal="keep")
    (old / MANIFEST).write_text("{")
    with pytest.warns(DamagedWarning, match=f"skipped: {re.escape(str(old / MANIFEST))} is damaged") as caught:
        assert load(root) == load(new)
    assert caught[0].filename == __file__, "the warning points to where it was loaded"
    with pytest.warns(DamagedWarning) as caught:
        table = snapshots(root)
    assert table["path"].tolist() == [str(new), str(old)], "it is listed, with its problem"
    assert table["problem"].str.contains("not valid JSON").tolist() == [False, True]
    assert caught[0].filename == __file__
    with pytest.raises(SnapshotError, match="is not valid JSON"):
        load(old)
    (new / MANIFEST).write_text("[]")
    with pytest.warns(DamagedWarning), pytest.raises(SnapshotError, match="is damaged: .* is not an object"):
        load(root)


def test_each_manifest_is_read_once(snap, root):
    paths = [snap.save(root, personal="keep") for _ in range(2)]
    opened, recording = [], [True]
    sys.addaudithook(lambda event, args: opened.append(str(args[0])) if recording and event == "open" else None)
    load(root)
    assert sorted(path for path in opened if path.endswith(MANIFEST)) == [str(path / MANIFEST) for path in paths]
    opened.clear()
    load(root, at=paths[0].name.removeprefix("snapshot="))
    assert [path for path in opened if path.endswith(MANIFEST)] == [str(paths[0] / MANIFEST)]
    recording.clear()  # a hook cannot be removed


def test_whole_and_filtered_snapshots_of_one_time_are_told_apart(snap, root):
    for _ in range(4):
        whole = snap.save(root, personal="keep")
        part = snap.where(title="A").save(root, personal="keep")
        assert load(root) == load(whole) == snap
        assert load(root, at=part.name.removeprefix("snapshot=")).filters == ("title = A",)
    assert snapshots(root)["filters"].tolist() == ["", "title = A"] * 4
