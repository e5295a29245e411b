import gzip
import io
import json
import warnings
from contextlib import redirect_stderr
from datetime import UTC, datetime

import pandas as pd
import pyarrow as pa
import pytest
from server_side import client
from strategies import MOMENT, body

from wegly_analytics.errors import (
    AuthError,
    DriftWarning,
    IdError,
    IncompleteWarning,
    OriginError,
    SettingError,
)
from wegly_analytics.intake.fetch import fetch
from wegly_analytics.intake.read import read
from wegly_analytics.sandbox import faults


def test_ids_go_in_and_a_snapshot_comes_out(serve):
    before = datetime.now(UTC)
    snap = fetch(range(1, 101), client=client(serve()), progress=False)
    assert len(snap.deals) == 90
    assert len(snap.tags) == 180
    assert str(snap.completeness) == "90 of 100 requested deals received (90.0 %); 10 not found"
    assert snap.deals["code"].is_monotonic_increasing, "deals are in the order requested"
    assert before <= snap.taken_from <= snap.taken_at <= datetime.now(UTC)
    ledger = snap.ledger
    assert ledger["requested"].tolist() == [str(n) for n in range(1, 101)]
    assert ledger["http_status"].value_counts().to_dict() == {200: 90, 404: 10}
    assert ledger["message"].notna().sum() == 10


def test_a_404_is_not_requested_again(serve):
    server = serve()
    fetch([10, 20, 1], client=client(server), progress=False)
    assert len(server.requests) == 3


def test_an_id_given_twice_is_requested_once(serve):
    server = serve()
    snap = fetch(pd.Series(["1", "01", "2"]), client=client(server), progress=False)
    assert len(server.requests) == 2
    assert len(snap.ledger) == 2


def test_one_deal_under_two_ids_is_one_deal_in_two_ledger_rows(serve):
    snap = fetch([7, "00000000-0000-0000-0000-000000000007"], client=client(serve()), progress=False)
    assert (len(snap.deals), len(snap.tags)) == (1, 2)
    assert snap.ledger["deal_id"].nunique() == 1
    assert snap.completeness.fetched == 2


def test_a_bad_id_stops_the_run_before_the_first_request(serve):
    server = serve()
    with pytest.raises(IdError, match="'x17'"):
        fetch([1, 2, "x17"], client=client(server), progress=False)
    assert server.requests == []


def test_no_ids_make_an_empty_snapshot(serve):
    snap = fetch([], client=client(serve()), progress=False)
    assert (len(snap.deals), len(snap.ledger)) == (0, 0)


def test_a_wrong_token_is_one_error_after_one_request(serve):
    server = serve()
    with pytest.raises(AuthError, match="the token was refused"):
        fetch(range(1, 2001), client=client(server, token="wrong"), progress=False)
    assert len(server.requests) == 1


def test_a_missing_token_is_one_error_before_the_first_request():
    with pytest.raises(AuthError, match="no token: set WEGLY_TOKEN"):
        fetch(range(1, 2001), progress=False)


def test_a_wrong_origin_is_one_error_after_a_few_requests(serve):
    server = serve(origin="https://crm.example.com")
    with pytest.raises(OriginError, match="allowed domain may not be https://example.com"):
        fetch(range(1, 2001), client=client(server, origin="https://example.com"), progress=False)
    assert len(server.requests) == 3


def test_a_token_that_is_revoked_during_a_run_stops_it(serve):
    server = serve(faults={str(n): faults.Status(401) for n in range(50, 60)})
    with pytest.raises(AuthError, match="401 for"):
        fetch(range(1, 2001), client=client(server), progress=False)
    assert len(server.requests) < 150


def test_a_single_forbidden_deal_is_a_ledger_row(serve):
    server = serve(faults={"1": faults.Status(403), "55": faults.Status(403)})
    with pytest.warns(IncompleteWarning, match="2 forbidden: see snap.ledger"):
        snap = fetch(range(1, 61), client=client(server), progress=False)
    forbidden = snap.ledger.query("outcome == 'forbidden'")
    assert forbidden["requested"].tolist() == ["1", "55"]
    assert forbidden["message"].str.startswith("403 for …/deals/").all()


BAD = {
    "2": (faults.FAULTS["html"], "unreadable", "response: expected a JSON object, found '<"),
    "3": (faults.FAULTS["truncated"], "unreadable", "response: expected a JSON object"),
    "4": (faults.wrong_type("code", "four"), "unreadable", "code: expected a whole number, found 'four'"),
    "5": (faults.wrong_type("status", 9), "fetched", "status: expected one of 1, 2, 3, found 9; read as missing"),
    "6": (faults.with_field("mood", "fine"), "fetched", None),
    "7": (faults.wrong_type("value", "12.5"), "fetched", "value: expected a number, found '12.5'; read as 12.5"),
    "8": (faults.FAULTS["empty"], "unreadable", "response: expected a JSON object, found ''"),
    "9": (faults.FAULTS["reset"], "failed", "no response from …/deals/9"),
    "11": (faults.FAULTS["bad_utf8"], "unreadable", "response: expected UTF-8 text"),
    "12": (faults.FAULTS["gzip_bomb"], "unreadable", "response: expected at most 32 MiB, found more"),
    "13": (faults.wrong_type("code", 14), "unreadable", "code: expected deal 13, as requested, found deal 14"),
    "14": (faults.FAULTS["error500"], "failed", "500 for …/deals/14: the server failed"),
    "15": (faults.FAULTS["redirect"], "failed", "redirected to another address"),
    "16": (faults.FAULTS["deep"], "fetched", None),
}


def test_bad_responses_affect_no_other_deal(serve):
    server = serve(faults={id_: fault for id_, (fault, _, _) in BAD.items()})
    with pytest.warns() as caught:
        snap = fetch(range(1, 31), client=client(server), progress=False)
    assert {w.category for w in caught} == {IncompleteWarning, DriftWarning}
    ledger = snap.ledger.set_index("requested")
    for id_, (_, outcome, message) in BAD.items():
        assert ledger.loc[id_, "outcome"] == outcome, id_
        if message is None:
            assert pd.isna(ledger.loc[id_, "message"]), id_
        else:
            assert message in ledger.loc[id_, "message"], id_
    counts = snap.completeness
    assert (counts.requested, counts.not_found) == (30, 3)
    assert counts.fetched == len(snap.deals) == 30 - 3 - counts.missing
    assert "mood" in snap.drift["path"].tolist()


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_bar_shows_found_missing_and_failed(serve):
    server = serve(faults={"5": faults.Status(418)})
    terminal = Terminal()
    with redirect_stderr(terminal), pytest.warns(IncompleteWarning):
        fetch(range(1, 21), client=client(server))
    last = terminal.getvalue().split("\r")[-1]
    assert "20/20" in last
    assert "found=17, missing=2, failed=1" in last


def test_without_progress_nothing_is_written(serve, capsys):
    fetch([1], client=client(serve()), progress=False)
    assert capsys.readouterr() == ("", "")


def test_at_least_one_worker_is_needed(serve):
    with pytest.raises(SettingError, match="workers=0"):
        fetch([1], client=client(serve()), workers=0)


def test_the_number_of_workers_does_not_change_the_snapshot(serve):
    server = serve()
    one, many = (fetch(range(1, 101), client=client(server), workers=w, progress=False) for w in (1, 16))
    for name in one.tables:
        if name != "ledger":
            assert one.tables[name].equals(many.tables[name])


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
    snap = read(saved / name, taken_at=MOMENT)
    assert snap.deals["title"].tolist()[0] == "Ação"
    assert snap.tags["deal_id"].tolist() == ["b"]
    assert snap.ledger["requested"].tolist() == [f"{name}:1", f"{name}:2"]
    assert snap.taken_at == MOMENT


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
    assert snap.drift.attrs["looked_at"] == 2000 + 50


def test_files_may_not_be_given_twice(tmp_path):
    (tmp_path / "x.ndjson").write_bytes(lines(DEALS))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        snap = read([tmp_path / "x.ndjson"])
    assert len(snap.deals) == 2
