import gzip
import json
import warnings
from datetime import UTC, datetime

import pyarrow as pa
import pytest
from strategies import TAKEN_AT, body

from wegly_analytics.errors import DriftWarning, IncompleteWarning, SettingError
from wegly_analytics.intake.read import read

DEALS = [{"id": "a", "code": 1, "title": "Ação"}, {"id": "b", "code": 2, "tags": [{"name": "x"}]}]


def lines(deals):
    return b"\n".join(body(deal) for deal in deals) + b"\n\n"


@pytest.fixture
def saved(tmp_path):
    """The same deals in every form that can be read."""
    (tmp_path / "a.ndjson").write_bytes(lines(DEALS))
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(lines(DEALS)))
    (tmp_path / "a.ndjson.zst").write_bytes(pa.compress(lines(DEALS), codec="zstd", asbytes=True))
    (tmp_path / "a.json").write_text(json.dumps(DEALS, indent=2))
    (tmp_path / "a.json.gz").write_bytes(gzip.compress(json.dumps(DEALS).encode()))
    for n, deal in enumerate(DEALS):
        (tmp_path / f"one{n}.json").write_text(json.dumps(deal, indent=2))
    return tmp_path


@pytest.mark.parametrize("name", ["a.ndjson", "a.jsonl.gz", "a.ndjson.zst", "a.json", "a.json.gz"])
def test_saved_responses_are_read_without_network(saved, name):
    snap = read(saved / name, taken_at=TAKEN_AT)
    assert snap.deals["title"].tolist()[0] == "Ação"
    assert snap.tags["deal_id"].tolist() == ["b"]
    assert snap.ledger["requested"].tolist() == [f"{name}:1", f"{name}:2"]
    assert snap.taken_at == TAKEN_AT


def test_several_files_are_one_snapshot(saved):
    snap = read([saved / "one0.json", str(saved / "one1.json")])
    assert snap.deals["deal_id"].tolist() == ["a", "b"]
    written = datetime.fromtimestamp((saved / "one1.json").stat().st_mtime, UTC)
    assert snap.taken_at == written


def test_of_several_versions_of_a_deal_the_newest_is_read(tmp_path):
    old = {"id": "a", "title": "old", "updated_at": "2026-01-01T00:00:00Z", "tags": [{"name": "o"}] * 3}
    new = {"id": "a", "title": "new", "updated_at": "2026-02-01T00:00:00Z", "tags": [{"name": "n"}]}
    filler = [{"id": f"f{n}"} for n in range(1500)]
    for order in ([old, *filler, new], [new, *filler, old]):
        (tmp_path / "x.ndjson").write_bytes(lines(order))
        snap = read(tmp_path / "x.ndjson")
        assert len(snap.deals) == 1501
        assert snap.tags["tag"].tolist() == ["n"]
        assert len(snap.ledger) == 1502


def test_a_response_that_cannot_be_read_is_a_ledger_row(tmp_path):
    (tmp_path / "x.ndjson").write_bytes(lines(DEALS) + b"<html>\n")
    (tmp_path / "y.json").write_text("{")
    (tmp_path / "z.json").write_text('[1, {"id": "c"}]')
    with pytest.warns(IncompleteWarning, match="3 unreadable"):
        snap = read([tmp_path / name for name in ("x.ndjson", "y.json", "z.json")])
    assert snap.ledger["outcome"].tolist() == [
        "fetched",
        "fetched",
        "unreadable",
        "unreadable",
        "unreadable",
        "fetched",
    ]
    assert snap.ledger["requested"].tolist()[2:5] == ["x.ndjson:3", "y.json:1", "z.json:1"]


@pytest.mark.parametrize(("name", "content"), [("none.json", None), ("x.ndjson.gz", b"no gzip")])
def test_a_file_that_cannot_be_opened_is_named(tmp_path, name, content):
    if content:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(SettingError, match=f"{name} cannot be read: "):
        read(tmp_path / name)


def test_drift_is_warned_of_once(tmp_path):
    (tmp_path / "x.ndjson").write_bytes(lines([{"id": str(n), f"new{n % 7}": 1} for n in range(3000)]))
    with pytest.warns(DriftWarning) as caught:
        snap = read(tmp_path / "x.ndjson")
    assert [str(w.message) for w in caught] == [
        "received fields that are not documented: new0, new1, new2, new3, new4, …; see snap.drift"
    ]
    assert snap.drift.attrs["looked_at"] == 3000


def test_files_may_not_be_given_twice(tmp_path):
    (tmp_path / "x.ndjson").write_bytes(lines(DEALS))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        snap = read([tmp_path / "x.ndjson"])
    assert len(snap.deals) == 2
