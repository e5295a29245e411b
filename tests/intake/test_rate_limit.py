import threading
import time
from concurrent.futures import ThreadPoolExecutor

import limiters
import pytest
from server_side import client

from wegly_analytics.intake.rate_limit import Pace, RateLimit
from wegly_analytics.sandbox.rate_limit import Changing, FixedWindow, SlidingWindow


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


def test_two_429s_in_a_row_pause_all_threads_including_those_that_wait():
    limit, turns = RateLimit(20), []

    def take():
        limit.wait()
        turns.append(time.monotonic())

    with ThreadPoolExecutor(4) as pool:
        for _ in range(4):
            pool.submit(take)  # the last has its turn after 0.15 seconds
        time.sleep(0.02)
        refused = time.monotonic()
        limit.refuse(0.25, refused, "1")
        limit.refuse(0.25, refused, "2")
    assert sum(turn > refused for turn in turns) == 3
    assert all(turn >= refused + 0.25 for turn in turns if turn > refused)


def test_a_single_429_pauses_only_its_own_deal():
    limit = RateLimit(20)
    sent = limit.wait()
    assert limit.refuse(60, sent, "1") == 60
    begun = time.monotonic()
    limit.wait()
    assert time.monotonic() - begun < 1


def test_a_stop_wakes_the_threads_of_a_run_and_no_other():
    limit = RateLimit(None)
    limit.refuse(60, limit.wait(), "1")
    limit.refuse(60, limit.wait(), "2")
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


def paced(pace, begin, end, per_second=None):
    """Requests that pass, one after the other, at the pace's own rate or another."""
    at = begin
    while at < end:
        pace.succeed(at)
        at += 1 / (per_second or pace.rate(at))


def test_refusals_that_were_under_way_together_count_once():
    together, alone = Pace(100), Pace(100)
    for pace, refusals in ((together, 32), (alone, 2)):
        pace.turn(0.0)
        paced(pace, 0.0, 1.0, 60)
        for _ in range(refusals):
            pace.refuse(1.0, 1.0, 0.9)
    assert [together.rate(at) for at in (2.0, 3.0, 9.0)] == [alone.rate(at) for at in (2.0, 3.0, 9.0)]


def test_no_number_of_refusals_stops_the_run():
    pace = Pace(100)
    pace.turn(0.0)
    for at in range(50):
        pace.refuse(float(at), 0.5, at - 0.1)
    assert pace.rate(60.0) >= 1.0


def test_a_refused_rate_is_what_passed_in_the_second_before():
    pace = Pace(None)
    pace.turn(0.0)
    for _ in range(2):
        pace.refuse(1.0, 1.0, 0.9)
    paced(pace, 2.1, 4.0, 60)
    for _ in range(2):
        pace.refuse(4.0, 1.0, 3.9)
    assert 45 <= pace.rate(5.0) <= 60


def test_a_refusal_after_an_idle_time_does_not_slow_the_run_to_a_crawl():
    pace = Pace(100)
    pace.turn(0.0)
    paced(pace, 0.1, 5.0)
    pace.refuse(20.0, 1.0, pace.turn(19.9))
    assert pace.rate(21.0) > 80
    pace.refuse(22.0, 1.0, pace.turn(21.9))
    assert pace.rate(24.0) > 40


def test_pauses_grow_and_the_rate_stays_while_nothing_passes():
    pace = Pace(100)
    pace.turn(0.0)
    paced(pace, 0.1, 2.0)
    now, waits = 2.0, []
    for _ in range(2):
        wait = pace.refuse(now, 1.0, now)
    rate = pace.rate(2.0 + wait + 2.0)
    for _ in range(8):
        now += wait
        wait = pace.refuse(now, 1.0, now)
        waits.append(wait)
    assert waits == sorted(waits)
    assert waits[-1] > 10
    pace.succeed(now + wait)
    assert pace.rate(now + wait + 2.0) == pytest.approx(rate, rel=0.1)


@pytest.mark.parametrize("asked", [100, 500, None])
@pytest.mark.parametrize(
    "name", ["sliding window", "fixed window", "bucket of 1", "bucket of 10", "bucket of 100", "leaky bucket"]
)
def test_a_server_that_allows_a_hundred_per_second_is_used_well(name, asked):
    outcome = limiters.simulate(limiters.World(limiters.LIMITERS[name](), asked))
    assert outcome.rate >= (90 if asked == 100 else 80)
    assert outcome.share_refused < 0.01
    assert not outcome.lost


@pytest.mark.parametrize("retry_after", ["none", "1", "5"])
@pytest.mark.parametrize(("asked", "least"), [(5, 2), (100, 20)])
def test_single_refusals_of_another_reason_do_not_slow_the_run_to_a_crawl(asked, least, retry_after):
    no_limit = SlidingWindow(10**6)
    outcome = limiters.simulate(limiters.World(no_limit, asked, retry_after, single=0.05, deals=2000))
    assert outcome.rate > least
    assert not outcome.lost


@pytest.mark.parametrize("retry_after", ["none", "1", "5"])
def test_a_window_of_a_minute_loses_no_deal(retry_after):
    window = FixedWindow(600, 60)
    outcome = limiters.simulate(limiters.World(window, 50, retry_after, deals=1500))
    assert outcome.rate > 12
    assert not outcome.lost


def test_a_limit_that_falls_is_found_again():
    changing = Changing(SlidingWindow(100), SlidingWindow(20), 5)
    outcome = limiters.simulate(limiters.World(changing, deals=1000))
    assert outcome.seconds < 5 + (1000 - 500) / 20 * 1.6
    assert outcome.share_refused < 0.05


@pytest.mark.hard
def test_the_simulation_agrees_with_real_http(serve):
    server = serve(limiter=limiters.LIMITERS["bucket of 10"](), retry_after="0", latency=0.02)
    api = client(server, attempts=5, backoff=limiters.BACKOFF)
    codes = [code for code in range(1, 200) if code % 10] * 2
    begun = time.monotonic()
    with ThreadPoolExecutor(limiters.WORKERS) as pool:
        bodies = list(pool.map(api.deal, codes))
    real = len(codes) / (time.monotonic() - begun)
    simulated = limiters.simulated("bucket of 10", "0", "all", deals=len(codes)).reached * limiters.ALLOWED
    assert all(bodies)
    assert 0.5 * simulated < real < 1.2 * simulated


def test_a_window_longer_than_the_pauses_that_were_asked_loses_no_deal(serve):
    server = serve(limiter=FixedWindow(20, 1.5), retry_after="none")
    api = client(server, attempts=3, backoff=0.1)
    with ThreadPoolExecutor(8) as pool:
        bodies = list(pool.map(api.deal, [1, 2, 3, 4, 5, 6, 7, 8, 9] * 5))
    assert len(bodies) == 45
