"""What a run collects: with an archive in the order requested, whatever was lost meanwhile."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from server_side import Numbered, client, requested

from wegly_analytics.intake.archive import Archive
from wegly_analytics.intake.frontier import Frontier, walk
from wegly_analytics.intake.record import Record
from wegly_analytics.intake.run import Run
from wegly_analytics.sandbox import faults

NOW = datetime.now(UTC)
OLD = NOW - timedelta(days=2)


class Collected:
    """Takes responses as a builder does."""

    def __init__(self):
        self.added = []

    def add(self, position, response):
        self.added.append((position, response.requested, response.outcome))


class LastComesFirst(Numbered):
    """Of eight codes the first takes longest."""

    def response(self, key, at):
        time.sleep(0.002 * (8 - int(key) % 8))
        return super().response(key, at)


def collected(server, frontier, path=None):
    builder = Collected()
    run = Run.of(client=client(server), archive=path, workers=8, progress=False, max_failures=0.05)
    run.collect(frontier, lambda found: found.is_final, builder)
    return builder.added


def outcome(code):
    return "fetched" if code % 10 and code <= 200 else "not_found"


@pytest.mark.parametrize("with_archive", [True, False])
def test_responses_are_added_in_the_order_requested_if_there_is_an_archive(serve, tmp_path, with_archive):
    server = serve(LastComesFirst())
    ids = [*range(40, 1, -1), 1]
    added = collected(server, Frontier(list(map(str, ids))), tmp_path / "a.sqlite" if with_archive else None)
    expected = [(n, str(code), outcome(code)) for n, code in enumerate(ids)]
    assert sorted(added) == expected
    assert (added == expected) == with_archive


def test_archived_and_received_responses_are_added_in_one_order(serve, tmp_path):
    path = tmp_path / "a.sqlite"
    server = serve()
    collected(server, Frontier([str(code) for code in range(60, 0, -2)]), path)
    server.requests.clear()
    added = collected(server, Frontier(["60", "3"], walk(misses=5)), path)
    assert sorted(map(int, requested(server))) == sorted({*range(1, 205)} - {*range(60, 0, -2)})
    codes = [60, 3, 1, 2, *(code for code in range(4, 205) if code != 60)]
    assert added == [(n, str(code), outcome(code)) for n, code in enumerate(codes)]


def test_what_is_erased_during_a_run_is_requested_again_in_its_place(serve, tmp_path):
    path = tmp_path / "a.sqlite"

    class Erasing(Numbered):
        def response(self, key, at):
            if key == "399":
                Archive(path).erase(NOW - timedelta(days=1))
            return super().response(key, at)

    with Archive(path) as archive:
        for code in range(1, 399):
            if code % 10:
                lost = code < 130 or code % 2  # more in a row than are requested together
                at = OLD if lost else NOW
                archive.write(Record(str(code), 200, at, Numbered(400).response(str(code), None)))
    server = serve(Erasing(400))
    added = collected(server, Frontier([str(code) for code in range(1, 401)]), path)
    assert [(position, int(id_)) for position, id_, _ in added] == list(enumerate(range(1, 401)))
    assert sum(found == "fetched" for *_, found in added) == 360
    assert set(requested(server)) >= {"1", "397"}


def test_a_lost_record_whose_deal_cannot_be_received_stops_no_run(serve, tmp_path):
    path = tmp_path / "a.sqlite"

    class Erasing(Numbered):
        def response(self, key, at):
            if key == "9":
                Archive(path).erase(NOW - timedelta(days=1))
            return super().response(key, at)

    with Archive(path) as archive:
        for code in range(1, 9):
            at = OLD if code == 4 else NOW
            archive.write(Record(str(code), 200, at, Numbered().response(str(code), None)))
    server = serve(Erasing(), faults={"4": faults.Status(500)})
    added = collected(server, Frontier([str(code) for code in range(1, 10)]), path)
    assert [found for *_, found in added] == ["fetched"] * 3 + ["failed"] + ["fetched"] * 5
