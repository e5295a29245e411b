"""Each limiter lets through exactly what it says, and says when a request would pass."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import pytest

from wegly_analytics.sandbox import Company, Server
from wegly_analytics.sandbox.rate_limit import (
    RETRY_AFTER,
    Changing,
    FixedWindow,
    LeakyBucket,
    PerConnection,
    SlidingWindow,
    TokenBucket,
)


def passed(limiter, times, connection=None):
    return [at for at in times if limiter.take(at, connection).passes]


def every(step, until):
    return [index * step for index in range(round(until / step))]


def test_a_sliding_window_lets_no_second_have_more():
    times = passed(SlidingWindow(10), every(0.03, 5))
    assert max(sum(at <= other < at + 1 for other in times) for at in times) == 10
    assert len(times) == 50


def test_refused_requests_may_count_so_that_only_a_pause_helps():
    limiter = SlidingWindow(10, counts_refused=True)
    assert len(passed(limiter, every(0.03, 5))) == 10
    assert limiter.take(6.5).passes


@pytest.mark.parametrize(("is_aligned", "begins"), [(True, 1.0), (False, 1.7)])
def test_a_fixed_window_begins_anew(is_aligned, begins):
    limiter = FixedWindow(5, is_aligned=is_aligned)
    assert len(passed(limiter, [0.7] * 8)) == 5
    assert limiter.take(0.9).seconds == pytest.approx(begins - 0.9)
    assert not limiter.take(begins - 0.01).passes
    assert len(passed(limiter, [begins] * 8)) == 5


def test_a_bucket_holds_a_burst_and_refills_evenly():
    limiter = TokenBucket(10, 5)
    assert len(passed(limiter, [0.0] * 8)) == 5
    assert limiter.take(0.0).seconds == pytest.approx(0.1)
    assert len(passed(limiter, [100.0] * 8)) == 5
    assert len(passed(TokenBucket(10, 1), every(0.01, 10))) == 100


def test_a_leaky_bucket_delays_and_refuses_only_when_full():
    limiter = LeakyBucket(10, capacity=3)
    verdicts = [limiter.take(0.0) for _ in range(5)]
    assert [verdict.passes for verdict in verdicts] == [True, True, True, True, False]
    assert [verdict.seconds for verdict in verdicts] == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.1])


def test_connections_have_limits_of_their_own():
    limiter = PerConnection(lambda: SlidingWindow(2))
    assert [len(passed(limiter, [0.0] * 5, connection)) for connection in "abc"] == [2, 2, 2]


def test_a_limit_can_change():
    limiter = Changing(SlidingWindow(10), SlidingWindow(2), after=5)
    assert len(passed(limiter, [100.0] * 20)) == 10
    assert len(passed(limiter, [105.0] * 20)) == 2


@pytest.mark.parametrize(
    "limiter",
    [SlidingWindow(3), FixedWindow(3), FixedWindow(3, is_aligned=False), TokenBucket(3), LeakyBucket(3, 2)],
    ids=lambda limiter: type(limiter).__name__,
)
def test_a_request_that_waits_as_long_as_was_said_passes(limiter):
    refused = [verdict for _ in range(10) if not (verdict := limiter.take(0.5)).passes]
    assert refused
    assert limiter.take(0.5 + refused[0].seconds + 1e-6).passes


@pytest.mark.parametrize(("name", "expected"), [("none", None), ("0", "0"), ("1", "1"), ("5", "5"), ("exact", "3")])
def test_a_429_says_when_to_come_back(name, expected):
    assert RETRY_AFTER[name](2.4, 1000.5) == expected


@pytest.mark.parametrize(("name", "second"), [("date, down", 1001), ("date, up", 1002)])
def test_a_429_may_say_a_date(name, second):
    assert parsedate_to_datetime(RETRY_AFTER[name](2.4, 1000.5)) == datetime.fromtimestamp(second, UTC)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"per_second": 5, "limiter": SlidingWindow(5)}, "pass one of them"),
        ({"limiter": 5}, "is not a Limiter"),
        ({"retry_after": "7"}, "pass one of 'none'"),
    ],
)
def test_a_server_names_a_wrong_limit(options, message):
    with pytest.raises(ValueError, match=message):
        Server(Company(), clock=lambda: datetime.now(UTC), **options)
