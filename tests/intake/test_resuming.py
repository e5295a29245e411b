"""A fetch that was stopped or killed is resumed."""

import os
import re
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
import time
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from server_side import Numbered, client, requested

from wegly_analytics.errors import (
    ApiError,
    ArchiveError,
    AuthError,
    IncompleteWarning,
    SettingError,
    StaleWarning,
    StoppedError,
)
from wegly_analytics.intake.archive import Archive
from wegly_analytics.intake.fetch import fetch
from wegly_analytics.intake.frontier import walk
from wegly_analytics.intake.read import read
from wegly_analytics.intake.record import Record
from wegly_analytics.intake.refresh import refresh
from wegly_analytics.model.tables import TABLES
from wegly_analytics.sandbox import TOKEN, faults


def same_deals(one, other):
    assert all(one.tables[name].equals(other.tables[name]) for name in TABLES)
    columns = ["requested", "deal_id", "http_status", "message"]
    assert one.ledger[columns].equals(other.ledger[columns])


def test_every_response_is_archived_as_received_before_it_is_parsed(serve, tmp_path):
    server = serve(faults={"3": faults.FAULTS["html"], "4": faults.FAULTS["bad_utf8"], "5": faults.Status(418)})
    with pytest.warns(IncompleteWarning):
        fetch(range(1, 11), client=client(server), archive=tmp_path / "a.sqlite", progress=False)
    kept = {record.requested: record for record in Archive(tmp_path / "a.sqlite")}
    assert len(kept) == 10
    assert kept["1"].body == Numbered().response("1", None)
    assert kept["3"].body.startswith(b"<!doctype html>")
    assert b"\xff\xfe" in kept["4"].body
    assert (kept["5"].status, kept["5"].message.startswith("418 for")) == (418, True)
    assert (kept["10"].status, kept["10"].body[:1]) == (404, b"{")


def test_the_same_line_again_requests_nothing_and_gives_the_same_snapshot(serve, tmp_path):
    server = serve()
    first = fetch(range(1, 101), client=client(server), archive=tmp_path / "a.sqlite", progress=False)
    again = fetch(range(1, 101), client=client(server), archive=tmp_path / "a.sqlite", progress=False)
    assert len(server.requests) == 100
    assert again == first


def test_new_ids_and_ids_that_failed_are_requested(serve, tmp_path):
    bad = {"5": faults.Times(faults.Status(500), 2), "6": faults.Times(faults.FAULTS["html"], 2)}
    server = serve(faults=bad | {"7": faults.Times(faults.Status(403), 1)})
    with pytest.warns(IncompleteWarning, match="1 forbidden, 1 failed, 1 unreadable"):
        fetch(range(1, 61), client=client(server), archive=tmp_path / "a.sqlite", progress=False)
    before = len(server.requests)
    snap = fetch(range(1, 71), client=client(server), archive=tmp_path / "a.sqlite", progress=False)
    assert sorted(map(int, requested(server)[before:])) == [5, 6, 7, *range(61, 71)]
    same_deals(snap, fetch(range(1, 71), client=client(server), progress=False))


def test_a_response_that_is_too_old_is_requested_again(serve, tmp_path):
    server = serve()
    old = datetime.now(UTC) - timedelta(days=9)
    with Archive(tmp_path / "a.sqlite") as archive:
        for code in range(1, 9):
            archive.write(Record(str(code), 200, old, Numbered().response(str(code), None)))
    with pytest.warns(
        StaleWarning, match=rf"8 of 10 responses were taken from .*, the oldest from {old:%Y-%m-%d}; max_age="
    ):
        snap = fetch(range(1, 11), client=client(server), archive=tmp_path / "a.sqlite", progress=False)
    assert sorted(requested(server)) == ["10", "9"]
    assert snap.taken_from == old
    snap = fetch(range(1, 11), client=client(server), archive=tmp_path / "a.sqlite", progress=False, max_age="7d")
    assert sorted(map(int, requested(server)[2:])) == list(range(1, 9))
    assert snap.taken_from > old
    with pytest.raises(SettingError, match="max_age='soon' is not a length of time"):
        fetch([1], client=client(server), archive=tmp_path / "a.sqlite", max_age="soon")


def test_the_whole_snapshot_is_rebuilt_without_network(serve, tmp_path):
    server = serve(faults={"5": faults.Status(418), "6": faults.FAULTS["truncated"]})
    with pytest.warns(IncompleteWarning):
        snap = fetch(range(1, 61), client=client(server), archive=tmp_path / "a.sqlite", progress=False)
    server.stop()
    with pytest.warns(IncompleteWarning):
        again = read(tmp_path / "a.sqlite")
    assert (again.taken_from, again.taken_at) == (snap.taken_from, snap.taken_at)
    by_id = {name: table.sort_by([("deal_id", "ascending")]) for name, table in snap.tables.items()}
    for name in TABLES:
        assert again.tables[name].sort_by([("deal_id", "ascending")]).equals(by_id[name])
    assert again.completeness == snap.completeness


def test_a_failure_does_not_replace_an_earlier_deal(tmp_path):
    now = datetime.now(UTC)
    with Archive(tmp_path / "a.sqlite") as archive:
        archive.write(Record("1", 200, now - timedelta(1), Numbered().response("1", None)))
        archive.write(Record("1", 503, now, message="503"))
        archive.write(Record("2", None, now, message="no response"))
    with pytest.warns(IncompleteWarning):
        ledger = read(tmp_path / "a.sqlite").ledger
    assert ledger[["requested", "outcome"]].values.tolist() == [["1", "fetched"], ["2", "failed"]]
    assert ledger["message"].fillna("").tolist() == ["", "no response"]


def test_a_damaged_record_is_reported_and_requested_again(serve, tmp_path):
    server = serve()
    path = tmp_path / "a.sqlite"
    with Archive(path) as archive:
        for id_ in ("1", "2"):
            archive.write(Record(id_, 200, datetime.now(UTC), Numbered().response(id_, None)))
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE response SET status = 404 WHERE requested = '2'")
    damage = r"read only in part \(record 2 \(requested: '2'\): its checksum is wrong\); what it lacks"
    with pytest.warns(IncompleteWarning, match=damage) as caught:
        snap = fetch([1, 2], client=client(server), archive=path, progress=False)
    assert caught[0].filename == __file__
    assert snap.ledger["outcome"].tolist() == ["fetched", "fetched"]
    assert requested(server) == ["2"]
    with pytest.warns(IncompleteWarning, match="is damaged") as caught:
        assert len(read(path)) == 2
    assert caught[0].filename == __file__, "a warning names the line that called"


def test_an_archive_with_a_damaged_structure_is_not_written_to_but_read(serve, tmp_path):
    server = serve()
    path = tmp_path / "a.sqlite"
    fetch(range(1, 100), client=client(server), archive=path, progress=False)
    content = bytearray(path.read_bytes())
    page = len(content) // 4096 - 1
    content[4096 * page : 4096 * page + 8] = b"\xff" * 8  # the head of a page of records
    path.write_bytes(content)
    server.requests.clear()
    with (
        pytest.warns(IncompleteWarning, match="is damaged"),
        pytest.raises(
            ArchiveError, match=r"a.sqlite is damaged \(.*\): move it aside and run again; wa.read takes what"
        ),
    ):
        fetch(range(1, 100), client=client(server), archive=path, progress=False)
    assert (server.requests, path.read_bytes()) == ([], bytes(content))
    with pytest.warns(IncompleteWarning, match="99 were written"):
        left = read(path)
    assert 50 < len(left.ledger) < 99
    path.rename(tmp_path / "old")
    fetch(range(1, 50), client=client(server), archive=path, progress=False)
    with pytest.warns(IncompleteWarning, match="old is damaged"):
        assert set(read([path, tmp_path / "old"]).ledger["requested"]) >= {str(n) for n in range(1, 50)}


def test_a_record_erased_while_a_run_goes_on_is_requested(serve, tmp_path):
    path = tmp_path / "a.sqlite"
    erased = []

    class Erasing(Numbered):
        def response(self, key, at):
            if key == "20":
                erased.append(Archive(path).erase(datetime.now(UTC) - timedelta(days=1)))
            return super().response(key, at)

    with Archive(path) as archive:
        for code in range(1, 10):
            at = datetime.now(UTC) - timedelta(days=code % 2 * 2)
            archive.write(Record(str(code), 200, at, Numbered().response(str(code), None)))
    server = serve(Erasing())
    snap = fetch(range(1, 21), client=client(server), archive=path, progress=False)
    assert erased == [5]
    assert snap.ledger["requested"].tolist() == [str(code) for code in range(1, 21)]
    assert (snap.completeness.fetched, snap.completeness.not_found) == (18, 2)


def test_two_processes_that_fetch_into_one_archive_get_a_whole_ledger_each(serve, tmp_path):
    server = serve(Numbered(200), latency=0.001)
    program = textwrap.dedent(
        KILLED
        + """
    assert snap.ledger["requested"].tolist() == [str(n) for n in range(1, 401)]
    assert (snap.completeness.fetched, snap.completeness.not_found) == (180, 220)
    """
    ).format(token=TOKEN, url=server.url, archive=str(tmp_path / "a.sqlite"))
    both = [subprocess.Popen([sys.executable, "-c", program]) for _ in range(2)]
    assert [process.wait(60) for process in both] == [0, 0]
    held = Archive(tmp_path / "a.sqlite").count()
    assert (held["records"], held["ids"]) == (len(server.requests), 400)


def test_what_is_not_an_archive_is_named(tmp_path):
    with pytest.raises(SettingError, match="a.sqlite is not an archive: fetch"):
        read(tmp_path / "a.sqlite")
    for call in (read, lambda path: fetch([1], archive=path)):
        with pytest.raises(SettingError, match=r"is a folder, and an archive is a file: .*archive='data/responses.sq"):
            call(tmp_path)


def test_a_folder_that_cannot_be_written_stops_the_run_before_the_first_request(serve, tmp_path):
    server = serve()
    (tmp_path / "file").write_text("x")
    with pytest.raises(ArchiveError, match="cannot write to the archive"):
        fetch([1], client=client(server), archive=tmp_path / "file" / "a.sqlite", progress=False)
    assert server.requests == []


def test_a_full_disk_stops_the_run(serve, tmp_path):
    server = serve()
    program = f"""
        import resource, signal
        import wegly_analytics as wa
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (90_000, 90_000))
        client = wa.Client({TOKEN!r}, base_url={server.url!r}, per_second=None)
        try:
            wa.fetch(range(1, 201), client=client, archive={str(tmp_path / "a.sqlite")!r}, progress=False)
        except wa.errors.ArchiveError as error:
            print(error)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=True)
    assert "; what was written before is kept" in done.stdout
    assert len(server.requests) < 200
    kept = len(list(Archive(tmp_path / "a.sqlite")))
    assert kept > 0
    fetch(range(1, 201), client=client(server), archive=tmp_path / "a.sqlite", progress=False)
    assert sum(n > 1 for n in Counter(requested(server)).values()) <= 8 * 5, "only requests that were under way"


KILLED = """
    import sys
    import wegly_analytics as wa
    client = wa.Client({token!r}, base_url={url!r}, per_second=None)
    snap = wa.fetch(range(1, 401), client=client, archive={archive!r}, workers=4, progress=False)
"""


@pytest.mark.hard
def test_a_fetch_killed_five_times_loses_nothing_and_requests_no_received_id_twice(serve, tmp_path):
    server = serve(Numbered(400), latency=0.002)
    undisturbed = fetch(range(1, 401), client=client(server), progress=False)
    server.requests.clear()
    program = textwrap.dedent(KILLED.format(token=TOKEN, url=server.url, archive=str(tmp_path / "a.sqlite")))
    for kill in range(1, 6):
        held = {record.requested for record in Archive(tmp_path / "a.sqlite")}
        before = len(server.requests)
        process = subprocess.Popen([sys.executable, "-c", program])
        deadline = time.monotonic() + 60
        while len(server.requests) < before + 50 + kill and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.0005)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL, f"the run ended before kill {kill}"
        again = held & set(requested(server)[before:])
        assert not again, f"received before kill {kill}, and requested again: {again}"
    snap = fetch(range(1, 401), client=client(server), archive=tmp_path / "a.sqlite", progress=False)
    same_deals(snap, undisturbed)
    extra = len(server.requests) - 400
    assert extra <= 5 * (4 * 4 + 1), "only requests that were under way is requested twice"


def interrupted_after(seconds, line):
    """Run a line in the main thread, press Ctrl-C meanwhile, and measure how long it took to stop."""
    threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGINT)).start()
    begun = time.monotonic()
    with pytest.raises(StoppedError) as stopped:
        line()
    return stopped.value, time.monotonic() - begun - seconds


def test_ctrl_c_stops_within_two_seconds_and_says_how_to_resume(serve, tmp_path):
    server = serve(faults=lambda id_: faults.Drip(20) if int(id_) > 30 else None)
    api = client(server)
    error, seconds = interrupted_after(
        1.0, lambda: fetch(range(1, 201), client=api, archive=tmp_path / "a.sqlite", progress=False)
    )
    assert seconds < 2
    assert (
        str(error)
        == f"stopped: 27 deals were received and are kept in {tmp_path / 'a.sqlite'}; run the same line again to resume"
    )
    assert isinstance(error, KeyboardInterrupt), "a notebook stops its other cells, too"
    assert len(list(Archive(tmp_path / "a.sqlite"))) == 30
    server.fault = lambda id_: None
    snap = fetch(range(1, 201), client=api, archive=tmp_path / "a.sqlite", progress=False)
    assert len(snap) == 180


def test_ctrl_c_without_archive_says_that_nothing_was_kept(serve):
    server = serve(faults=lambda id_: faults.Drip(20))
    api = client(server)
    error, _ = interrupted_after(0.3, lambda: fetch([1, 2], client=api, progress=False))
    assert str(error).startswith(
        "stopped: 0 deals were received, and were not kept; with archive='data/responses.sqlite' a run can be resumed"
    )
    server.fault = lambda id_: None
    assert api.deal(1).startswith(b"{"), "the client can be used again at once"


def test_a_run_whose_requests_fail_stops_and_keeps_everything(serve, tmp_path):
    server = serve(faults=lambda id_: faults.Status(500) if int(id_) > 60 else None)
    with pytest.raises(ApiError, match=r"of the first \d+ requests failed, more than max_failures=0.05") as stopped:
        fetch(range(1, 2001), client=client(server, attempts=1), archive=tmp_path / "a.sqlite", progress=False)
    # the workers' responses overtake each other, so the run may stop before the last of the 54 deals is counted
    note = re.fullmatch(
        r"(\d+) deals were received and are kept in (.+); run the same line again to resume", *stopped.value.__notes__
    )
    assert note[2] == str(tmp_path / "a.sqlite")
    kept = sum(record.status == 200 for record in Archive(tmp_path / "a.sqlite"))
    assert 54 - 8 <= int(note[1]) <= kept <= 54, "what was counted is kept"
    assert len(server.requests) < 150
    server.fault = lambda id_: None
    snap = fetch(range(1, 201), client=client(server), archive=tmp_path / "a.sqlite", progress=False)
    assert snap.completeness.missing == 0


def test_pages_instead_of_deals_stop_a_run_as_failures_do(serve):
    server = serve(faults=lambda id_: faults.FAULTS["html"])
    with pytest.raises(ApiError, match="max_failures") as stopped:
        fetch(range(1, 200), client=client(server, attempts=1), progress=False)
    assert "were not kept" in stopped.value.__notes__[0]


def test_few_failures_do_not_stop_a_run_nor_does_any_share_that_is_allowed(serve):
    server = serve(faults=lambda id_: faults.Status(500) if int(id_) % 2 else None)
    with pytest.warns(IncompleteWarning):
        fetch(range(1, 49), client=client(server, attempts=1), progress=False)
    with pytest.warns(IncompleteWarning):
        snap = fetch(range(1, 101), client=client(server, attempts=1), progress=False, max_failures=1.0)
    assert snap.completeness.failed == 50
    with pytest.raises(SettingError, match="max_failures=5: give a share"):
        fetch([1], client=client(server), max_failures=5)


def test_a_retry_after_of_hours_stops_the_run(serve):
    server = serve(faults=lambda id_: faults.Status(429, {"Retry-After": "7200"}) if int(id_) > 20 else None)
    with pytest.raises(ApiError, match="the server requests a wait of 7200 s; run again after that"):
        fetch(range(1, 200), client=client(server), progress=False)


def test_a_refused_token_leaves_nothing_final_in_the_archive(serve, tmp_path):
    server = serve()
    with pytest.raises(AuthError):
        fetch(range(1, 20), client=client(server, token="wrong"), archive=tmp_path / "a.sqlite", progress=False)
    snap = fetch(range(1, 20), client=client(server), archive=tmp_path / "a.sqlite", progress=False)
    assert len(snap) == 18


def test_a_walk_finds_all_codes_records_the_gaps_and_requests_no_more(serve, tmp_path):
    server = serve(Numbered(55))
    snap = fetch(walk(misses=12), client=client(server), archive=tmp_path / "a.sqlite", workers=16, progress=False)
    assert sorted(map(int, requested(server))) == list(range(1, 55 + 12 + 1))
    assert snap.ledger["requested"].tolist() == [str(code) for code in range(1, 68)]
    assert (snap.completeness.fetched, snap.completeness.not_found) == (50, 17)
    again = fetch(walk(misses=12), client=client(server), archive=tmp_path / "a.sqlite", progress=False)
    same_deals(again, snap)
    beyond = sorted(map(int, requested(server)[67:]))
    assert beyond == list(range(60 - 4, 68)), "of what was walked only the codes beyond the last deal"


def test_a_walk_or_a_refresh_run_again_finds_the_deals_that_are_new(serve, tmp_path):
    company = Numbered(55)
    server = serve(company)
    archive = tmp_path / "a.sqlite"
    assert len(fetch(walk(misses=12), client=client(server), archive=archive, progress=False)) == 50
    company.last = 63  # within the codes that were not found before
    snap = fetch(walk(misses=12), client=client(server), archive=archive, progress=False)
    assert snap.deals["code"].max() == 63
    company.last = 74
    for last in (74, 79):
        company.last = last
        assert (
            refresh(snap, client=client(server), archive=archive, misses=12, progress=False).deals["code"].max() == last
        )


def test_deals_far_beyond_the_end_of_a_walk_do_not_hide_new_ones(serve, tmp_path):
    company = Numbered(1005)
    server = serve(company, faults=lambda id_: faults.Status(404) if last < int(id_) < 1000 else None)
    archive = tmp_path / "a.sqlite"
    for last in (55, 58):
        fetch([1001], client=client(server), archive=archive, progress=False)
        snap = fetch(walk(misses=12), client=client(server), archive=archive, progress=False)
        assert snap.deals["code"].max() == last


def test_a_walk_is_not_a_list_of_ids():
    from wegly_analytics.model.ids import deal_keys

    with pytest.raises(SettingError, match="list of deal ids"):
        deal_keys(walk())


def test_a_record_from_the_future_has_an_unknown_age(serve, tmp_path):
    path = tmp_path / "a.sqlite"
    deal = b'{"id": "00000000-0000-0000-0000-000000000001", "code": 1, "status": 1}'
    with Archive(path) as archive:  # as another computer's clock dates it
        archive.write(Record("1", 200, datetime(2099, 1, 1, tzinfo=UTC), deal))
    server = serve()
    with pytest.warns(StaleWarning, match="some with a time in the future"):
        snap = fetch([1], client=client(server), archive=path, progress=False)
    for made in (snap, read(path)):
        assert made.taken_at <= datetime.now(UTC)
        assert made.tables["ledger"].column("fetched_at")[0].as_py() <= datetime.now(UTC)
    assert requested(server) == []
    for n in (1, 2):
        snap = refresh(snap, client=client(server), archive=path, misses=0, progress=False)
        assert requested(server) == ["1"] * n, "it does not stand for a newer response"
    server.requests.clear()
    fetch([1], client=client(server), archive=path, max_age="1h", progress=False)
    assert requested(server) == [], "the response that was received since then stands for the deal"
