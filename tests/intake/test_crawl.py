"""A run ends, whatever a worker meets, and holds few bodies."""

import threading
import time

import pytest

from wegly_analytics.errors import StoppedError
from wegly_analytics.intake.archive import Archive
from wegly_analytics.intake.client import Client
from wegly_analytics.intake.crawl import Crawl
from wegly_analytics.intake.fetch import fetch
from wegly_analytics.intake.frontier import Frontier

MEBI = 1 << 20


class Scripted(Client):
    """A client of the user's own: what it returns or raises is what `reply` does."""

    def __init__(self, reply):
        super().__init__("token", base_url="http://127.0.0.1:9", per_second=None)
        self.reply = reply
        self.n_sent = 0

    def deal(self, id):  # noqa: A002
        self.n_sent += 1
        return self.reply(str(id))


def small(id_):
    return b'{"id": "deal-%s", "code": %s, "status": 1}' % (id_.encode(), id_.encode())


def big(id_):
    return small(id_)[:-1] + b', "title": "' + b"x" * (4 * MEBI) + b'"}'


def in_time(work):
    """Run in a thread, so that a hang is a failure; return what was raised."""
    raised = []

    def run():
        try:
            work()
        except BaseException as error:  # noqa: BLE001
            raised.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(10)
    assert not thread.is_alive(), "the run hangs"
    return raised[0] if raised else None


@pytest.mark.parametrize("error", [SystemExit(7), MemoryError("no memory"), GeneratorExit()], ids=repr)
@pytest.mark.parametrize("at", ["1", "20"])
def test_what_ends_a_program_ends_the_run_when_a_client_raises_it(error, at):
    def reply(id_):
        if id_ == at:
            raise error
        return small(id_)

    client = Scripted(reply)
    assert in_time(lambda: fetch(range(1, 61), client=client, progress=False)) is error
    assert client.n_sent < 60


def test_ctrl_c_that_reaches_a_worker_stops_the_run():
    def reply(id_):
        raise KeyboardInterrupt

    assert isinstance(in_time(lambda: fetch([1, 2], client=Scripted(reply), progress=False)), StoppedError)


def test_an_archive_that_raises_anything_ends_the_run(tmp_path):
    class Failing(Archive):
        def write(self, record):
            if record.requested == "5":
                raise RuntimeError("unexpected")
            super().write(record)

    crawl = Crawl(Scripted(small), Frontier([str(n) for n in range(1, 61)]), 4, Failing(tmp_path / "a.sqlite"))
    error = in_time(lambda: list(crawl.records()))
    assert (type(error), str(error)) == (RuntimeError, "unexpected")


def test_a_slow_reader_of_big_bodies_holds_few_of_them_and_gets_all():
    client, workers = Scripted(big), 6
    crawl = Crawl(client, Frontier([str(n) for n in range(1, 41)]), workers)
    most, received = 0, 0
    for record in crawl.records():
        received += 1
        assert len(record.body) > 4 * MEBI
        if received in (2, 10):
            time.sleep(0.3)
        most = max(most, client.n_sent - received)
    assert received == 40
    assert most <= 32 // 4 + workers


def test_a_reader_that_stops_wakes_workers_that_wait_for_room():
    crawl = Crawl(Scripted(big), Frontier([str(n) for n in range(1, 101)]), 6)
    before = set(threading.enumerate())
    records = crawl.records()
    next(records), next(records)
    time.sleep(0.3)
    workers = set(threading.enumerate()) - before
    assert workers
    assert in_time(records.close) is None
    for worker in workers:
        worker.join(5)
        assert not worker.is_alive()
