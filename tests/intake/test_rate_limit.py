import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from wegly_analytics.intake.rate_limit import Budget


def test_requests_are_spaced_over_all_threads():
    budget, turns = Budget(200), []

    def take():
        budget.wait()
        turns.append(time.monotonic())

    with ThreadPoolExecutor(8) as pool:
        for _ in range(40):
            pool.submit(take)
    assert len(turns) == 40
    assert max(turns) - min(turns) >= 39 / 200 - 0.02


def test_no_two_threads_ever_share_a_turn():
    budget, spaced = Budget(1000), []
    lock = threading.Lock()

    def work():
        for _ in range(25):
            budget.wait()
            with lock:
                spaced.append(time.monotonic())

    threads = [threading.Thread(target=work) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(spaced) == 400
    assert max(spaced) - min(spaced) >= 0.399 - 0.02


def test_what_one_thread_hears_all_obey_also_those_that_wait_already():
    budget, turns = Budget(20), []

    def take():
        budget.wait()
        turns.append(time.monotonic())

    with ThreadPoolExecutor(4) as pool:
        for _ in range(4):
            pool.submit(take)  # the last has its turn after 0.15 seconds
        time.sleep(0.02)
        refused = time.monotonic()
        budget.refuse(0.5)
    assert sum(turn > refused for turn in turns) == 3
    assert all(turn >= refused + 0.5 for turn in turns if turn > refused)


def test_a_stop_wakes_everyone():
    budget = Budget(None)
    budget.refuse(60)
    stopped = []

    def wait():
        with pytest.raises(InterruptedError):
            budget.wait()
        stopped.append(time.monotonic())

    threads = [threading.Thread(target=wait) for _ in range(4)]
    for thread in threads:
        thread.start()
    budget.stop()
    for thread in threads:
        thread.join(5)
    assert len(stopped) == 4
    with pytest.raises(InterruptedError):
        budget.sleep(0)
    budget.resume()
    budget.sleep(0)


def test_the_rate_halves_at_a_refusal_and_comes_back_to_what_was_asked_for():
    budget = Budget(40)
    assert budget.rate(time.monotonic()) == 40
    budget.succeed()
    budget.refuse(1.0)
    now = time.monotonic() + 1.0
    assert budget.rate(now) == pytest.approx(10, rel=0.01), "half of the twenty that are believed in now"
    rates = [budget.rate(now + seconds) for seconds in (0.5, 1, 2, 60)]
    assert rates == sorted(rates)
    assert rates[0] == pytest.approx(20, rel=0.01)
    assert rates[-1] == 40, "never more than was requested"


def test_between_two_refusals_it_is_seen_what_the_server_allows():
    budget = Budget(None)
    budget.refuse(0.0)
    begun = time.monotonic()
    for _ in range(30):
        budget.succeed()
        time.sleep(0.01)
    budget.refuse(0.0)
    seen = 30 / (time.monotonic() - begun)
    assert budget.rate(time.monotonic() + 0.5) == pytest.approx(seen, rel=0.1)


def test_refusals_that_were_under_way_together_count_once():
    budget = Budget(100)
    for _ in range(32):
        budget.refuse(1.0)
    assert budget.rate(time.monotonic() + 1.5) == pytest.approx(50, rel=0.05)


def test_nothing_drives_the_rate_to_nothing():
    budget = Budget(100)
    for _ in range(50):
        budget.refuse(0.0)
        time.sleep(0.001)
    assert 0.5 <= budget.rate(time.monotonic()) <= 0.6


def test_a_refusal_never_takes_more_than_half_however_little_passed_since_the_last():
    budget = Budget(100)
    budget.refuse(0.0)
    time.sleep(0.6)
    before = budget.rate(time.monotonic())
    budget.succeed()
    budget.refuse(0.0)
    assert budget.rate(time.monotonic() + 0.5) == pytest.approx(before / 2, rel=0.1)


def test_an_unlimited_run_halves_the_rate_that_it_had():
    budget = Budget(None)
    budget.wait()
    for _ in range(100):
        budget.succeed()
    time.sleep(0.1)
    budget.refuse(0.0)
    assert 100 < budget.rate(time.monotonic() + 0.5) <= 500
