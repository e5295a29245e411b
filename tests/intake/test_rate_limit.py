import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from wegly_analytics.intake.rate_limit import RateLimit


def test_requests_are_spaced_over_all_threads():
    limit, turns = RateLimit(200), []

    def take():
        limit.wait()
        turns.append(time.monotonic())

    with ThreadPoolExecutor(8) as pool:
        for _ in range(40):
            pool.submit(take)
    assert len(turns) == 40
    assert max(turns) - min(turns) >= 39 / 200 - 0.02


def test_no_two_threads_ever_share_a_turn():
    limit, spaced = RateLimit(1000), []
    lock = threading.Lock()

    def work():
        for _ in range(25):
            limit.wait()
            with lock:
                spaced.append(time.monotonic())

    threads = [threading.Thread(target=work) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(spaced) == 400
    assert max(spaced) - min(spaced) >= 0.399 - 0.02


def test_a_429_of_one_thread_pauses_all_threads_including_those_that_wait():
    limit, turns = RateLimit(20), []

    def take():
        limit.wait()
        turns.append(time.monotonic())

    with ThreadPoolExecutor(4) as pool:
        for _ in range(4):
            pool.submit(take)  # the last has its turn after 0.15 seconds
        time.sleep(0.02)
        refused = time.monotonic()
        limit.refuse(0.25)
    assert sum(turn > refused for turn in turns) == 3
    assert all(turn >= refused + 0.25 for turn in turns if turn > refused)


def test_a_stop_wakes_the_threads_of_a_run_and_no_other():
    limit = RateLimit(None)
    limit.refuse(60)
    stopped = []

    def wait():
        with pytest.raises(InterruptedError):
            limit.wait()
        stopped.append(time.monotonic())

    threads = [threading.Thread(target=wait) for _ in range(4)]
    for thread in threads:
        thread.start()
    limit.stop(threads)
    for thread in threads:
        thread.join(5)
    assert len(stopped) == 4
    limit.sleep(0)


def test_the_rate_halves_at_a_refusal_and_returns_to_the_one_that_was_set():
    limit = RateLimit(40)
    assert limit.rate(time.monotonic()) == 40
    limit.succeed()
    limit.refuse(1.0)
    now = time.monotonic() + 1.0
    assert limit.rate(now) == pytest.approx(10, rel=0.01), "half of the twenty that are believed in now"
    rates = [limit.rate(now + seconds) for seconds in (0.5, 1, 2, 60)]
    assert rates == sorted(rates)
    assert rates[0] == pytest.approx(20, rel=0.01)
    assert rates[-1] == 40, "never more than was requested"


def test_what_the_server_allows_is_measured_between_two_refusals():
    limit = RateLimit(None)
    limit.refuse(0.0)
    begun = time.monotonic()
    for _ in range(30):
        limit.succeed()
        time.sleep(0.01)
    limit.refuse(0.0)
    seen = 30 / (time.monotonic() - begun)
    assert limit.rate(time.monotonic() + 0.5) == pytest.approx(seen, rel=0.1)


def test_refusals_that_were_under_way_together_count_once():
    limit = RateLimit(100)
    for _ in range(32):
        limit.refuse(1.0)
    assert limit.rate(time.monotonic() + 1.5) == pytest.approx(50, rel=0.05)


def test_no_number_of_refusals_stops_the_run():
    limit = RateLimit(100)
    for _ in range(50):
        limit.refuse(0.0)
        time.sleep(0.001)
    assert 0.5 <= limit.rate(time.monotonic()) <= 0.6


def test_a_refusal_never_takes_more_than_half_of_the_rate():
    limit = RateLimit(100)
    limit.refuse(0.0)
    time.sleep(0.6)
    before = limit.rate(time.monotonic())
    limit.succeed()
    limit.refuse(0.0)
    assert limit.rate(time.monotonic() + 0.5) == pytest.approx(before / 2, rel=0.1)


def test_an_unlimited_run_halves_the_rate_that_it_had():
    limit = RateLimit(None)
    limit.wait()
    for _ in range(100):
        limit.succeed()
    time.sleep(0.1)
    limit.refuse(0.0)
    assert 100 < limit.rate(time.monotonic() + 0.5) <= 500
