"""A refresh requests little, carries the rest, and loses nothing."""

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from server_side import client, requested, uuid_of
from strategies import body

from wegly_analytics.errors import ApiError, EmptyScopeWarning, IncompleteWarning, SettingError, SnapshotError
from wegly_analytics.intake.archive import Archive
from wegly_analytics.intake.fetch import fetch
from wegly_analytics.intake.read import read
from wegly_analytics.intake.record import Record
from wegly_analytics.intake.refresh import refresh
from wegly_analytics.model.tables import TABLES
from wegly_analytics.sandbox import faults
from wegly_analytics.snapshot.load import load

OPEN, WON, LOST = 1, 2, 3
LISTS = {
    "tags": [{"name": "x"}, {"name": "y"}],
    "proposals": [{"id": "p", "total": 5}],
    "participants": [{"id": "z", "person": {"id": "q", "name": "Ana", "contacts": [{"id": "c", "value": "1"}]}}],
    "stage_durations": [{"stage_id": "s", "total_seconds": 60}],
    "custom_fields": [{"field_id": "f", "field_name": "L", "answers": [{"value": "v"}]}],
    "followers": [{"user": {"name": "Rui"}}],
}


def ago(days):
    return (datetime.now(UTC) - timedelta(days)).isoformat()


class Book:
    """Deals by code that a test writes into; a code without a deal gets a 404."""

    def __init__(self, *deals):
        self.deals = {}
        for code, deal in enumerate(deals, start=1):
            self.write(code, **deal)

    def write(self, code, **deal):
        self.deals[code] = {"id": uuid_of(code), "code": code, "updated_at": ago(300)} | LISTS | deal

    def response(self, key, at):
        code = int(key) if key.isdigit() else int(key[-12:])
        return body(self.deals[code]) if code in self.deals else None


def won(days, **more):
    return {"status": WON, "won_date": ago(days)} | more


def lost(days, **more):
    return {"status": LOST, "lost_date": ago(days)} | more


def renew(snap, server, **options):
    return refresh(snap, **{"client": client(server), "progress": False, "misses": 3} | options)


def outcomes(snap):
    return dict(zip(snap.ledger["requested"], snap.ledger["outcome"], strict=True))


def test_a_refresh_requests_what_may_have_changed_and_carries_the_rest(serve):
    book = Book({"status": OPEN}, won(200), lost(200), won(5), lost(29), won(200, updated_at=ago(1)), {"status": 9})
    server = serve(book)
    snap = fetch(range(1, 10), client=client(server), progress=False)
    book.write(1, **won(0), value=70.0)
    book.write(2, title="Not requested again")
    book.write(9, status=OPEN, title="There now; a 404 is not a failure")
    book.write(10, status=OPEN)
    server.requests.clear()
    again = renew(snap, server)
    assert sorted(map(int, requested(server))) == [1, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]
    assert outcomes(again) == {
        **dict.fromkeys("14567", "fetched"),
        **dict.fromkeys("23", "carried"),
        "8": "not_found",
        "9": "fetched",
        "10": "fetched",
        **dict.fromkeys(("11", "12", "13"), "not_found"),
    }
    deals = again.deals.set_index("code")
    assert deals.loc[1, ["status", "value"]].tolist() == ["won", 70.0]
    assert pd.isna(deals.loc[2, "title"]), "a carried deal is as it was"
    assert deals.index.tolist() == [1, 2, 3, 4, 5, 6, 7, 9, 10]
    before, after = (s.ledger.set_index("requested")["fetched_at"] for s in (snap, again))
    assert after["2"] == before["2"]
    assert after["1"] > before["1"]
    assert (again.taken_from, again.taken_at > snap.taken_at) == (snap.taken_from, True)


def test_no_child_row_is_ever_lost(serve):
    book = Book(*[{"status": OPEN} if n % 3 else won(200) for n in range(30)])
    server = serve(book)
    snap = fetch(range(1, 31), client=client(server), progress=False)
    for _ in range(3):
        again = renew(snap, server)
        for name in TABLES:
            assert again.tables[name].equals(snap.tables[name]), name
        snap = again
    book.write(2, status=OPEN, tags=[{"name": "z"}])
    again = renew(snap, server)
    assert again.tags.query("deal_id == @uuid_of(2)")["tag"].tolist() == ["z"], "a new response replaces all its rows"
    assert len(again.tags) == 59


def test_a_deal_is_removed_only_at_the_second_404(serve):
    book = Book({"status": OPEN, "title": "here"}, won(200))
    server = serve(book)
    snap = fetch([1, 2], client=client(server), progress=False)
    kept = book.deals.pop(1)
    once = renew(snap, server)
    row = once.ledger.set_index("requested").loc["1"]
    assert (row["outcome"], row["http_status"], row["fetched_at"]) == ("carried", 404, snap.ledger["fetched_at"][0])
    assert row["message"].endswith("this token may not see it; kept as it was")
    assert row["missed_at"] > row["fetched_at"]
    assert once.deals["title"].tolist()[0] == "here"
    assert len(once.proposals) == 2
    twice = renew(once, server)
    assert outcomes(twice)["1"] == "not_found"
    assert twice.deals["code"].tolist() == [2]
    assert len(twice.proposals) == 1
    book.deals[1] = kept
    back = renew(once, server).ledger.set_index("requested").loc["1"]
    assert (back["outcome"], pd.isna(back["missed_at"]), pd.isna(back["message"])) == ("fetched", True, True)


def test_a_closed_deal_that_was_missed_once_is_requested_again(serve):
    book = Book(won(20), won(200))
    server = serve(book)
    snap = fetch([1, 2], client=client(server), progress=False)
    book.deals.pop(1)
    once = renew(snap, server)
    server.requests.clear()
    assert outcomes(renew(once, server, recent="1d"))["1"] == "not_found"
    assert "1" in requested(server)


def test_a_deal_whose_request_fails_repeatedly_is_kept_as_it_was(serve):
    server = serve(Book({"status": OPEN}, {"status": OPEN}))
    snap = fetch([1, 2], client=client(server), progress=False)
    server.fault = lambda id_: faults.Status(500) if id_ == "1" else None
    for _ in range(3):
        snap = renew(snap, server)
        row = snap.ledger.set_index("requested").loc["1"]
        assert (row["outcome"], row["http_status"]) == ("carried", 500)
        assert row["message"].startswith("500 for …/deals/1")
        assert len(snap) == 2
    server.fault = lambda id_: faults.FAULTS["html"] if id_ == "1" else None
    snap = renew(snap, server)
    assert (outcomes(snap)["1"], len(snap)) == ("carried", 2)
    server.fault = lambda id_: None
    snap = renew(snap, server)
    assert (outcomes(snap)["1"], snap.ledger["missed_at"].notna().any()) == ("fetched", False)


def test_a_404_after_a_failure_is_the_first_404(serve):
    book = Book({"status": OPEN})
    server = serve(book, faults=None)
    snap = fetch([1], client=client(server), progress=False)
    server.fault = lambda id_: faults.Status(500) if id_ == "1" else None
    failed = renew(snap, server)
    server.fault = lambda id_: None
    book.deals.clear()
    first = renew(failed, server)
    assert (outcomes(first)["1"], len(first)) == ("carried", 1)
    assert outcomes(renew(first, server))["1"] == "not_found"


def test_ids_that_failed_are_requested_again(serve):
    server = serve(Book(won(200), won(200), won(200)), faults={"2": faults.Status(500), "3": faults.FAULTS["html"]})
    with pytest.warns(IncompleteWarning):
        snap = fetch([1, 2, 3], client=client(server), progress=False)
    server.fault = lambda id_: None
    again = renew(snap, server)
    assert [outcomes(again)[key] for key in "123"] == ["carried", "fetched", "fetched"]
    assert again.completeness.missing == 0


def test_one_deal_under_two_ids_is_requested_once(serve):
    server = serve(Book({"status": OPEN}))
    snap = fetch([1, uuid_of(1)], client=client(server), progress=False)
    server.requests.clear()
    again = renew(snap, server, misses=0)
    assert requested(server) == ["1"]
    assert outcomes(again) == {"1": "fetched", uuid_of(1): "fetched"}


def test_a_snapshot_of_files_can_be_refreshed(serve, tmp_path):
    book = Book({"status": OPEN}, won(200))
    (tmp_path / "deals.ndjson").write_bytes(b"\n".join(body(deal) for deal in book.deals.values()))
    snap = read(tmp_path / "deals.ndjson")
    book.write(1, **won(0))
    server = serve(book)
    again = renew(snap, server)
    assert requested(server)[0] == uuid_of(1), "a line of a file has no code, but its deal has an id"
    assert again.deals["status"].tolist() == ["won", "won"]
    assert again.ledger["outcome"].tolist()[:2] == ["fetched", "carried"]


def test_new_codes_above_the_highest_known_one_are_requested_unless_misses_is_zero(serve):
    book = Book({"status": OPEN})
    server = serve(book)
    snap = fetch([1], client=client(server), progress=False)
    for code in (2, 4, 7, 12):
        book.write(code, status=OPEN)
    assert renew(snap, server, misses=3).deals["code"].tolist() == [1, 2, 4, 7]
    assert renew(snap, server, misses=0).deals["code"].tolist() == [1]


def test_a_deal_whose_code_belongs_to_another_one_is_kept_and_requested_by_its_id(serve):
    book = Book({"status": OPEN}, {"status": OPEN})
    server = serve(book)
    snap = fetch([1, 2], client=client(server), progress=False)
    book.deals[1] |= {"id": uuid_of(99)}
    again = renew(snap, server)
    assert sorted(again.deals["deal_id"]) == [uuid_of(1), uuid_of(2), uuid_of(99)]
    row = again.ledger.set_index("requested").loc[uuid_of(1)]
    assert (row["outcome"], row["message"]) == ("carried", f"1 is now the code of deal {uuid_of(99)}; kept as it was")
    assert outcomes(again)["1"] == "fetched"
    server.requests.clear()
    renew(again, server)
    assert uuid_of(1) in requested(server)


def test_one_absurd_code_does_not_hide_the_new_ones(serve):
    book = Book(*[{"status": OPEN}] * 5)
    server = serve(book)
    book.write(6, status=OPEN)
    book.deals[6] |= {"code": 10**18 - 1, "id": uuid_of(6)}
    snap = fetch([*range(1, 6), uuid_of(6)], client=client(server), progress=False)
    book.write(7, status=OPEN)
    del book.deals[6]
    with pytest.warns(
        IncompleteWarning, match="not searched for after code 999,999,999,999,999,999.*next lower one is 5"
    ):
        again = renew(snap, server)
    assert again.deals["code"].tolist() == [1, 2, 3, 4, 5, 10**18 - 1, 7]


@pytest.mark.parametrize(
    ("plain", "absurd", "highest"),
    [
        ([1, 2, 3], [10**17, 10**18 - 1], 3),
        ([1], [10**17, 10**18 - 1], 1),
        ([], [10**18 - 1], None),
        ([], [2**63 - 1], None),
        ([1, 2, 3, 4], [10**12, 10**12 + 1, 10**12 + 2], 4),
        ([5, 400, 401], [], 401),
        ([1_700_000_000_000, 1_700_000_000_001], [], 1_700_000_000_001),
    ],
)
def test_the_search_for_new_deals_never_begins_at_an_absurd_code(serve, plain, absurd, highest):
    book = Book()
    ids = []
    for n, code in enumerate(plain + absurd, start=5_001):
        book.write(n, status=OPEN)
        ids.append(uuid_of(n))
        book.deals[n] |= {"code": code, "id": ids[-1]}
    server = serve(book)
    snap = fetch(ids, client=client(server), progress=False)
    server.requests.clear()
    if absurd:
        with pytest.warns(IncompleteWarning, match="probably a mistake of the data"):
            again = renew(snap, server)
    else:
        again = renew(snap, server)
    assert len(again) == len(snap)
    walked = [int(key) for key in requested(server) if key.isdigit()]
    assert all(code < 10**18 for code in walked)
    if highest is None:
        assert walked == []
    else:
        assert sorted(set(walked) - set(plain)) == [highest + n for n in range(1, 4)]


def test_pseudonyms_stay_equal_through_a_refresh(serve, tmp_path):
    book = Book({"status": OPEN}, won(200))
    server = serve(book)
    snap = load(fetch([1, 2], client=client(server), progress=False).save(tmp_path))
    name = snap.participants["person"][0]
    assert name != "Ana"
    again = renew(snap, server)
    assert again.participants["person"].tolist() == [name, name]
    assert load(again.save(tmp_path)).participants["person"].tolist() == [name, name]


def test_a_refresh_that_was_stopped_is_resumed(serve, tmp_path):
    book = Book(*[{"status": OPEN}] * 80)
    server = serve(book)
    snap = fetch(range(1, 81), client=client(server), archive=tmp_path / "a.sqlite", progress=False)
    server.requests.clear()
    server.fault = lambda id_: faults.Status(500) if int(id_) > 55 else None
    with pytest.raises(ApiError, match="max_failures"):
        renew(snap, server, archive=tmp_path / "a.sqlite")
    received = {r.requested for r in Archive(tmp_path / "a.sqlite") if r.status == 200 and r.at > snap.taken_at}
    assert 40 < len(received) <= 55
    server.fault = lambda id_: None
    server.requests.clear()
    again = renew(snap, server, archive=tmp_path / "a.sqlite")
    assert not received & set(requested(server))
    assert (again.completeness.fetched, again.completeness.missing) == (80, 0)


def test_archived_responses_older_than_the_snapshot_are_not_used(serve, tmp_path):
    server = serve(Book({"status": OPEN, "title": "new"}))
    snap = fetch([1], client=client(server), progress=False)
    with Archive(tmp_path / "a.sqlite") as archive:
        archive.write(Record("1", 404, snap.taken_at - timedelta(days=1)))
    assert outcomes(renew(snap, server, archive=tmp_path / "a.sqlite"))["1"] == "fetched"


def test_a_damaged_table_is_reported_before_the_first_request(serve, tmp_path):
    server = serve()
    folder = fetch(range(1, 10), client=client(server), progress=False).save(tmp_path, personal="keep")
    before = len(server.requests)
    file = folder / "tags" / "part-00000.parquet"
    content = bytearray(file.read_bytes())
    content[4:60] = bytes(56)  # the footer stays whole
    file.write_bytes(content)
    with pytest.raises(SnapshotError, match=r"tags.part-00000.parquet was changed after it was published"):
        refresh(load(tmp_path), client=client(server), progress=False)
    assert len(server.requests) == before


def test_a_filtered_snapshot_is_refused(serve):
    snap = fetch([1], client=client(serve(Book({"status": OPEN}))), progress=False)
    with pytest.warns(EmptyScopeWarning):
        cut = snap.where(status="won")
    with pytest.raises(SettingError, match="takes the whole snapshot; apply where"):
        refresh(cut)
    with pytest.raises(SettingError, match="recent='lately'"):
        refresh(snap, recent="lately")


def test_a_company_with_15_percent_open_needs_a_quarter_of_the_requests_at_most(serve):
    deals = [{"status": OPEN} if n % 20 < 3 else won(10 + n) for n in range(1, 1001)]
    server = serve(Book(*deals))
    snap = fetch(range(1, 1001), client=client(server), progress=False)
    server.requests.clear()
    renew(snap, server, misses=50)
    assert 0.15 * 1000 <= len(server.requests) <= 0.25 * 1000


STATES = st.sampled_from(["open", "won", "gone", "error", "page"])


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(rounds=st.lists(st.lists(STATES, min_size=4, max_size=4), min_size=2, max_size=4))
@pytest.mark.filterwarnings("ignore::wegly_analytics.errors.IncompleteWarning")
def test_after_any_series_of_faults_every_id_has_one_row_and_every_deal_its_children(serve, rounds):
    book = Book()
    server = serve(book)
    snap = None
    for states in rounds:
        for code, state in enumerate(states, start=1):
            book.write(code, **(won(200) if state == "won" else {"status": OPEN}))
            if state == "gone":
                del book.deals[code]
        book.write(5, status=OPEN)  # one request succeeds, so that no run stops
        by_code = dict(zip("1234", states, strict=True))
        broken = {"error": faults.Status(500), "page": faults.FAULTS["html"]}
        server.fault = lambda id_, by_code=by_code, broken=broken: broken.get(by_code.get(id_))
        api = client(server, attempts=1)
        had = 0 if snap is None else len(snap)
        snap = (
            fetch(range(1, 6), client=api, progress=False, max_failures=1)
            if snap is None
            else renew(snap, server, client=api, max_failures=1, misses=0)
        )
        assert snap.ledger["requested"].tolist() == ["1", "2", "3", "4", "5"]
        received = snap.ledger["outcome"].isin(["fetched", "carried"]).sum()
        assert received == len(snap) == len(snap.tags) / 2 == len(snap.participants) == len(snap.contacts)
        assert len(snap) >= had - states.count("gone"), "only a 404 removes a deal"
    server.stop()
