import io
from contextlib import redirect_stderr
from datetime import UTC, datetime

import pandas as pd
import pytest
from server_side import client

from wegly_analytics.errors import (
    AuthError,
    DriftWarning,
    IdError,
    IncompleteWarning,
    OriginError,
    SettingError,
)
from wegly_analytics.intake.build import Response, SnapshotBuilder
from wegly_analytics.intake.client import Client
from wegly_analytics.intake.fetch import fetch
from wegly_analytics.sandbox import TOKEN, faults


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


def test_without_an_id_there_is_no_snapshot(serve):
    with pytest.raises(IdError, match="there is no id to fetch"):
        fetch([], client=client(serve()), progress=False)


@pytest.mark.parametrize("trouble", [RuntimeError("odd"), OSError("odd"), KeyError("x"), "no bytes", None])
def test_whatever_a_client_of_ones_own_does_costs_one_deal(serve, trouble):
    class Own(Client):
        def deal(self, id):  # noqa: A002
            if id != "3":
                return super().deal(id)
            if isinstance(trouble, Exception):
                raise trouble
            return trouble

    with pytest.warns(IncompleteWarning):
        snap = fetch(range(1, 10), client=Own(TOKEN, base_url=serve().url, per_second=None), progress=False)
    assert snap.completeness.failed == 1
    assert len(snap) == 8


def test_large_responses_are_flattened_before_a_thousand_have_come():
    builder, large = SnapshotBuilder(), b" " * (9 << 20)
    for n in range(3):
        response = Response(str(n + 1), "fetched", datetime.now(UTC), 200, None, large + b'{"id": "d%d"}' % n)
        builder.add(n, response)
    assert builder._waiting_bytes < 16 << 20
    assert len(builder.snapshot(datetime.now(UTC))) == 3


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
    "4": (faults.wrong_type("code", "four"), "unreadable", "code: expected a whole number, found text"),
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
