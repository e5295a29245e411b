"""A discrete-event simulation of workers that share one rate of requests to a server with a limit.

The arithmetic under test is the product's own `Pace`; the clock is virtual, and the limits are the sandbox's.
"""

from __future__ import annotations

import heapq
import random
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from itertools import count
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
}
"""Each allows a hundred requests per second."""


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
