"""What people naturally pass wrongly to `load`, `scan`, `snapshots`, `verify` and `save`, and the errors."""

import pandas as pd
import pytest

import wegly_analytics as wa
from wegly_analytics.errors import MissingColumnError, SettingError, SnapshotError

MISTAKES = {
    "a folder that does not exist": (lambda r, s: wa.load(r / "nowhere"), SnapshotError, "nowhere does not exist: Snapshot.save or"),
    "a file of responses": (lambda r, s: wa.load(r / "deals.ndjson"), SnapshotError, r"is a file, not a folder of snapshots; wa\.read"),
    "an empty text": (lambda r, s: wa.load(""), SettingError, r"load\(''\): name the folder of snapshots, such as load\(\"data/snap"),
    "nothing": (lambda r, s: wa.load(None), SettingError, r"load\(None\): name the folder of snapshots"),
    "a snapshot in memory": (lambda r, s: wa.load(s), SettingError, r"load\(<Snapshot .*\): name the folder"),
    "an empty folder": (lambda r, s: wa.load(r / "empty"), SnapshotError, "empty holds no snapshot; Snapshot.save or `wegly fetch`"),
    "the folder above": (lambda r, s: wa.load(r), SnapshotError, r"holds no snapshot; did you mean .*/snapshots\?"),
    "a table of a snapshot": (lambda r, s: wa.load(one(r) / "deals"), SnapshotError, "it is a table of the snapshot .*snapshot="),
    "a file of a snapshot": (lambda r, s: wa.load(one(r) / "deals/part-00000.parquet"), SnapshotError, "is a file, not a folder"),
    "a snapshot and a time": (lambda r, s: wa.load(one(r), at="2026-07-02"), SettingError, "is one snapshot; pass its root to choose by at="),
    "a time in words": (lambda r, s: wa.load(r / "snapshots", at="last week"), SettingError, "'last week' is neither an instant such as '2026-11-23'"),
    "a time as a number": (lambda r, s: wa.load(r / "snapshots", at=2026), SettingError, "2026 is neither an instant such as"),
    "a misspelt name": (lambda r, s: wa.load(r / "snapshots", at="20260101T000000.0Z-aaaa"), SettingError, "name of a snapshot, as wa.snapshots lists"),
    "a time before the first": (lambda r, s: wa.load(r / "snapshots", at="2020-01-01"), SnapshotError, "taken by 2020-01-01; the first was taken at 2026"),
    "a database that is not an engine": (lambda r, s: wa.scan(r / "snapshots", "duck"), SettingError, "'duck' is not .*; did you mean 'duckdb'"),
    "pandas as an engine": (lambda r, s: wa.scan(r / "snapshots", "pandas"), SettingError, "engine='pandas' is not 'duckdb', 'polars' or a Spark session$"),
    "a module as an engine": (lambda r, s: wa.scan(r / "snapshots", pd), SettingError, "is not 'duckdb', 'polars' or a Spark session"),
    "an engine before the folder": (lambda r, s: wa.scan("duckdb", r / "snapshots"), SettingError, "is not 'duckdb', 'polars'"),
    "scanning a file": (lambda r, s: wa.scan(r / "deals.ndjson", "polars"), SnapshotError, "is a file, not a folder of snapshots"),
    "listing a file": (lambda r, s: wa.snapshots(r / "deals.ndjson"), SnapshotError, "is a file, not a folder of snapshots; name the folder"),
    "listing nothing": (lambda r, s: wa.snapshots(""), SettingError, r"snapshots\(''\): name the folder of snapshots"),
    "verifying nothing": (lambda r, s: wa.verify(r / "empty"), SnapshotError, "empty holds no snapshot; Snapshot.save"),
    "verifying the folder above": (lambda r, s: wa.verify(r), SnapshotError, r"holds no snapshot; did you mean .*/snapshots\?"),
    "saving to a file": (lambda r, s: s.save(r / "deals.ndjson"), SettingError, "deals.ndjson is a file: name the folder of snapshots"),
    "saving nowhere": (lambda r, s: s.save(""), SettingError, r"save\(''\): name the folder of snapshots, such as save"),
    "saving into a snapshot": (lambda r, s: s.save(one(r)), SettingError, "is one snapshot and never changes: name its root, save"),
    "an unknown mode": (lambda r, s: s.save(r / "new", personal="hide"), SettingError, "personal='hide' is "),
    "an unknown personal column": (lambda r, s: s.save(r / "new", columns={"deals.titel": "drop"}), MissingColumnError, "did you mean 'deals.title'"),
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    wa.sample().save(folder / "snapshots")
    (folder / "empty").mkdir()
    (folder / "deals.ndjson").write_text("{}\n")
    return folder


def one(folder):
    return next((folder / "snapshots").iterdir())


@pytest.mark.parametrize(("call", "error", "message"), MISTAKES.values(), ids=MISTAKES)
def test_a_natural_mistake_is_refused_with_the_remedy(call, error, message, folder):
    with pytest.raises(error, match=message):
        call(folder, wa.sample())
    assert not (folder / "new").exists()
    assert len(wa.snapshots(folder / "snapshots")) == 1
