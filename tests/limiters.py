"""A discrete-event simulation of workers that share one rate of requests to a server with a limit.

The arithmetic under test is the product's own `Pace`; the clock is virtual, and the limits are the sandbox's.
"""

from __future__ import annotations

import heapq
import random
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from itertools import count, product
from statistics import mean
from typing import TYPE_CHECKING, NamedTuple

from wegly_analytics.intake.rate_limit import Pace
from wegly_analytics.sandbox.rate_limit import (
    RETRY_AFTER,
    FixedWindow,
    LeakyBucket,
    Limiter,
    PerConnection,
    SlidingWindow,
    TokenBucket,
    Verdict,
)

if TYPE_CHECKING:
    from collections.abc import Callable

BACKOFF, ATTEMPTS, TOLERATED, ALL_REFUSED = 0.5, 5, 25, 10
"""What `Client` does by default."""

WORKERS, ALLOWED = 16, 100

LIMITERS: dict[str, Callable[[], Limiter]] = {
    "sliding window": lambda: SlidingWindow(ALLOWED),
    "sliding, counts refused": lambda: SlidingWindow(ALLOWED, counts_refused=True),
    "fixed window": lambda: FixedWindow(ALLOWED),
    "fixed from first request": lambda: FixedWindow(ALLOWED, is_aligned=False),
    "bucket of 1": lambda: TokenBucket(ALLOWED, 1),
    "bucket of 10": lambda: TokenBucket(ALLOWED, 10),
    "bucket of 100": lambda: TokenBucket(ALLOWED, 100),
    "leaky bucket": lambda: LeakyBucket(ALLOWED),
    "bucket per connection": lambda: PerConnection(lambda: TokenBucket(ALLOWED / WORKERS, ALLOWED / WORKERS)),
    "window per connection": lambda: PerConnection(lambda: SlidingWindow(ALLOWED // WORKERS)),
}
"""Each allows a hundred requests per second, but the last one: six on each of sixteen connections."""


def allowed(limiter: str) -> int:
    return ALLOWED // WORKERS * WORKERS if limiter == "window per connection" else ALLOWED


@dataclass
class World:
    limiter: Limiter
    asked: float | None = None
    retry_after: str = "1"
    single: float = 0.0
    """The share of the deals whose first request is refused for another reason."""
    deals: int = 3000
    seed: int = 0
    latency: float = 0.02


class Outcome(NamedTuple):
    seconds: float
    refused: int
    lost: int
    deals: int

    @property
    def rate(self) -> float:
        return (self.deals - self.lost) / self.seconds

    @property
    def share_refused(self) -> float:
        return self.refused / (self.deals + self.refused)


@dataclass
class Deal:
    number: int
    is_single: bool
    attempts: int = 0
    refusals: int = 0
    before: int = 0
    sent: float = 0.0


@dataclass
class Client:
    """What `wegly_analytics.Client` decides after a 429, without its threads."""

    pace: Pace
    draw: random.Random
    succeeded: int = 0
    refused: set[int] = field(default_factory=set)

    def succeed(self, now: float) -> None:
        self.succeeded += 1
        self.refused.clear()
        self.pace.succeed(now)

    def refuse(self, deal: Deal, now: float, retry_after: str | None) -> float | None:
        """Return the seconds until the next attempt, or None after the last one."""
        refuses_all = self.succeeded and len(self.refused) > 1
        tolerated = TOLERATED if deal.before != self.succeeded else ALL_REFUSED if refuses_all else 0
        if deal.refusals < tolerated:
            deal.refusals += 1
        else:
            deal.attempts += 1
        if deal.attempts >= ATTEMPTS:
            return None
        self.refused.add(deal.number)
        more = self.draw.random() if deal.attempts > 1 else 0.0
        backoff = min(BACKOFF * (2 ** max(deal.attempts - 1, 0) + more), 30.0)
        asked = 0.0
        if retry_after:
            is_seconds = retry_after.isdigit()
            asked = float(retry_after) if is_seconds else parsedate_to_datetime(retry_after).timestamp() - now
        return self.pace.refuse(now, asked if asked > 0 else backoff, deal.sent)


def simulate(world: World) -> Outcome:
    """Request the deals; time passes from event to event."""
    draw, order = random.Random(world.seed), count()
    client = Client(Pace(world.asked), draw)
    pace = client.pace
    deals = (Deal(number, draw.random() < world.single) for number in range(world.deals))
    start = end = 1000 + draw.random()
    events = [(start, next(order), "free", worker, None, None) for worker in range(WORKERS)]
    refused = lost = 0

    def at(time, event, worker, deal, detail=None):
        heapq.heappush(events, (time, next(order), event, worker, deal, detail))

    while events:
        now, _, event, worker, deal, detail = heapq.heappop(events)
        if event == "free":
            deal = deal or next(deals, None)
            if deal is not None:
                at(pace.turn(now), "turn", worker, deal, pace.changes)
        elif event == "turn" and detail != pace.changes:
            at(now, "free", worker, deal)
        elif event == "turn":
            deal.before, deal.sent = client.succeeded, now
            verdict = Verdict(passes=False) if deal.is_single else world.limiter.take(now, worker)
            deal.is_single = False
            at(now + world.latency + (verdict.seconds if verdict.passes else 0.0), "response", worker, deal, verdict)
        elif detail.passes:
            client.succeed(now)
            end = now
            at(now, "free", worker, None)
        else:
            refused += 1
            seconds = client.refuse(deal, now, RETRY_AFTER[world.retry_after](detail.seconds, now))
            if seconds is None:
                lost += 1
                at(now, "free", worker, None)
            else:
                at(now + seconds, "free", worker, deal)
    return Outcome(end - start, refused, lost, world.deals)


ASKED = {"1x": 1, "5x": 5, "all": None}
RETRY_AFTERS = [name for name in RETRY_AFTER if name != "exact"]


class Cell(NamedTuple):
    """What was reached, as shares."""

    reached: float
    refused: float
    lost: int


def per_second(limiter: str, asked: str) -> float | None:
    """Return the rate that is asked for."""
    times = ASKED[asked]
    return None if times is None else times * allowed(limiter)


def target(retry_after: str, asked: str) -> float:
    """Return the share that is to be reached."""
    return 0.9 if asked == "1x" else 0.65 if retry_after == "5" else 0.8


def is_met(cell: Cell, retry_after: str, asked: str) -> bool:
    """Whether a cell meets its targets."""
    return cell.reached >= target(retry_after, asked) and cell.refused < 0.01 and not cell.lost


def simulated(limiter: str, retry_after: str, asked: str, deals: int = 3000, runs: int = 3) -> Cell:
    """Simulate one cell."""
    rate = per_second(limiter, asked)
    outcomes = [simulate(World(LIMITERS[limiter](), rate, retry_after, deals=deals, seed=seed)) for seed in range(runs)]
    reached = mean(outcome.rate for outcome in outcomes) / allowed(limiter)
    return Cell(reached, mean(outcome.share_refused for outcome in outcomes), sum(outcome.lost for outcome in outcomes))


def table() -> dict[tuple[str, str, str], Cell]:
    """Simulate every limiter, Retry-After and rate asked for."""
    return {key: simulated(*key) for key in product(LIMITERS, RETRY_AFTERS, ASKED)}
