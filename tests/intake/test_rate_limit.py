import threading
import time
from concurrent.futures import ThreadPoolExecutor

import limiters
import pytest

from wegly_analytics.intake.rate_limit import Pace, RateLimit


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


def test_the_rate_never_exceeds_what_was_set_and_begins_low():
    pace = Pace(100)
    pace.turn(0.0)
    rates = [pace.rate(at / 10) for at in range(50)]
    assert rates == sorted(rates)
    assert rates[0] == 25
    assert rates[-1] == 98


def test_refusals_that_were_under_way_together_count_once():
    together, alone = Pace(100), Pace(100)
    for pace, refusals in ((together, 32), (alone, 1)):
        pace.turn(0.0)
        for at in range(60):
            pace.succeed(at / 60)
        for _ in range(refusals):
            pace.refuse(1.0, 1.0)
    assert [together.rate(at) for at in (2.0, 3.0, 9.0)] == [alone.rate(at) for at in (2.0, 3.0, 9.0)]


def test_no_number_of_refusals_stops_the_run():
    pace = Pace(100)
    pace.turn(0.0)
    for at in range(50):
        pace.refuse(float(at), 0.5)
    assert pace.rate(60.0) >= 1.0


def test_a_refused_rate_is_what_passed_in_the_second_before():
    pace = Pace(None)
    pace.turn(0.0)
    pace.refuse(1.0, 1.0)
    for at in range(60):
        pace.succeed(3.0 + at / 60)
    pace.refuse(4.0, 1.0)
    assert pace.rate(5.0) <= 60


@pytest.mark.parametrize("asked", [100, 500, None])
@pytest.mark.parametrize("limiter", ["sliding window", "fixed window", "bucket of 1", "bucket of 10", "bucket of 100"])
def test_a_server_that_allows_a_hundred_per_second_is_used_well(limiter, asked):
    outcome = limiters.simulate(limiters.World(limiters.LIMITERS[limiter](100), asked))
    assert outcome.rate >= (90 if asked == 100 else 80)
    assert outcome.share_refused < 0.01
    assert not outcome.lost
