"""A discrete-event simulation of workers that share one rate of requests to a server with a limit.

The arithmetic under test is the product's own `Pace`; the clock is virtual, and the limits are the sandbox's.
"""

from __future__ import annotations

import heapq
import random
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from itertools import count
from typing import TYPE_CHECKING, NamedTuple

from wegly_analytics.intake.rate_limit import Pace
from wegly_analytics.sandbox.rate_limit import RETRY_AFTER, FixedWindow, Limiter, SlidingWindow, TokenBucket, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

BACKOFF, ATTEMPTS, TOLERATED = 0.5, 5, 25


LIMITERS: dict[str, Callable[[int], Limiter]] = {
    "sliding window": SlidingWindow,
    "fixed window": FixedWindow,
    "bucket of 1": lambda number: TokenBucket(number, 1),
    "bucket of 10": lambda number: TokenBucket(number, 10),
    "bucket of 100": lambda number: TokenBucket(number, 100),
}


@dataclass
class World:
    limiter: Limiter
    asked: float | None = None
    retry_after: str = "1"
    workers: int = 16
    latency: float = 0.02
    is_random: bool = False
    uplink: float = 0.0  # share of the latency before the server decides
    single: float = 0.0  # share of deals that meet one 429 of another reason
    deals: int = 3000
    seed: int = 0


class Outcome(NamedTuple):
    seconds: float
    refused: int
    lost: int
    deals: int

    @property
    def rate(self):
        return (self.deals - self.lost) / self.seconds

    @property
    def share_refused(self):
        return self.refused / (self.deals + self.refused)


class Deal:
    __slots__ = ("attempts", "before", "refusals", "single")

    def __init__(self, single):
        self.single, self.attempts, self.refusals, self.before = single, 0, 0, 0


def simulate(world: World, make=Pace, trace=None) -> Outcome:
    rng = random.Random(world.seed)
    pace = make(world.asked)
    order = count()
    start = 1000 + rng.random()
    events = []
    todo, done, refused, lost, succeeded, end = world.deals, 0, 0, 0, 0, start
    header = RETRY_AFTER[world.retry_after]

    def push(at, *event):
        heapq.heappush(events, (at, next(order), *event))

    for worker in range(world.workers):
        push(start, "free", worker, None, 0)
    while events:
        now, _, kind, worker, deal, extra = heapq.heappop(events)
        if kind == "free":
            if deal is None:
                if not todo:
                    continue
                todo -= 1
                deal = Deal(rng.random() < world.single)
            push(pace.turn(now), "go", worker, deal, pace.pauses)
        elif kind == "go":
            if extra != pace.pauses:
                push(now, "free", worker, deal, 0)
                continue
            deal.before = succeeded
            latency = rng.expovariate(1 / world.latency) if world.is_random else world.latency
            push(now + latency * world.uplink, "arrive", worker, deal, latency * (1 - world.uplink))
        elif kind == "arrive":
            if deal.single:
                deal.single, verdict = False, Verdict(False, 0.0)
            else:
                verdict = world.limiter.take(now, worker)
            push(now + extra + (verdict.seconds if verdict.passes else 0), "done", worker, deal, verdict)
        elif extra.passes:
            pace.succeed(now)
            succeeded += 1
            done += 1
            end = now
            push(now, "free", worker, None, 0)
        else:
            refused += 1
            text = header(extra.seconds, now)
            asked = 0.0
            if text:
                asked = float(text) if text.isdigit() else max(parsedate_to_datetime(text).timestamp() - now, 0.0)
            if deal.before != succeeded and deal.refusals < TOLERATED:
                deal.refusals += 1
            else:
                deal.attempts += 1
                if deal.attempts >= ATTEMPTS:
                    lost += 1
                    end = now
                    push(now, "free", worker, None, 0)
                    pace.refuse(now, asked or BACKOFF)
                    continue
            backoff = BACKOFF * (2 ** (deal.attempts - 1) if deal.attempts > 1 else 1)
            pace.refuse(now, asked or min(backoff + rng.random() * BACKOFF * (deal.attempts > 1), 30))
            if trace is not None:
                trace.append((round(now - start, 3), round(pace.rate(now + (asked or backoff)), 1), succeeded))
            push(now, "free", worker, deal, 0)
    return Outcome(end - start, refused, lost, world.deals)
