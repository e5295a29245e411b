"""The rate limits that servers have: what passes, and what a 429 says of when to come back.

They know no clock: the sandbox's server gives them its own, and a simulation its virtual one.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections import deque
from email.utils import formatdate
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping


class Verdict(NamedTuple):
    """Whether a request passes; the seconds its response is held back, or else until a request would pass."""

    passes: bool
    seconds: float = 0.0


class Limiter(ABC):
    """A limit of requests; each request is declared by its time, in seconds of any clock, and its connection."""

    @abstractmethod
    def take(self, now: float, connection: Hashable = None) -> Verdict:
        """Take one request, or refuse it."""


class SlidingWindow(Limiter):
    """So many requests in any so many seconds; refused ones may count, too."""

    def __init__(self, number: int, seconds: float = 1.0, *, counts_refused: bool = False) -> None:
        self._number, self._seconds, self._counts_refused = number, seconds, counts_refused
        self._taken: deque[float] = deque()

    def take(self, now: float, connection: Hashable = None) -> Verdict:  # noqa: ARG002
        """Take one request, or refuse it."""
        while self._taken and self._taken[0] <= now - self._seconds:
            self._taken.popleft()
        passes = len(self._taken) < self._number
        if passes or self._counts_refused:
            self._taken.append(now)
        return Verdict(passes, 0.0 if passes else max(self._taken[-self._number] + self._seconds - now, 0.0))


class FixedWindow(Limiter):
    """So many requests in each window, which begin at multiples of its length, or at the first request after one."""

    def __init__(self, number: int, seconds: float = 1.0, *, is_aligned: bool = True) -> None:
        self._number, self._seconds, self._is_aligned = number, seconds, is_aligned
        self._begun, self._taken = -math.inf, 0

    def take(self, now: float, connection: Hashable = None) -> Verdict:  # noqa: ARG002
        """Take one request, or refuse it."""
        if now >= self._begun + self._seconds:
            self._begun = now - now % self._seconds if self._is_aligned else now
            self._taken = 0
        if self._taken < self._number:
            self._taken += 1
            return Verdict(passes=True)
        return Verdict(passes=False, seconds=self._begun + self._seconds - now)


class TokenBucket(Limiter):
    """So many requests per second on average, and so many at once; without a number, those of one second."""

    def __init__(self, per_second: float, capacity: float | None = None) -> None:
        self._rate = per_second
        self._capacity = max(per_second if capacity is None else capacity, 1.0)
        self._available, self._updated = self._capacity, -math.inf

    def take(self, now: float, connection: Hashable = None) -> Verdict:  # noqa: ARG002
        """Take one request, or refuse it."""
        self._available = min(self._available + (now - self._updated) * self._rate, self._capacity)
        self._updated = now
        if self._available >= 1 - 1e-9:  # so that a sum of fractions is a whole token
            self._available -= 1
            return Verdict(passes=True)
        return Verdict(passes=False, seconds=(1 - self._available) / self._rate)


class LeakyBucket(Limiter):
    """Requests wait in line and pass evenly, so many per second; one that finds the line full is refused."""

    def __init__(self, per_second: float, capacity: int = 10) -> None:
        self._spacing, self._capacity, self._next = 1 / per_second, capacity, -math.inf

    def take(self, now: float, connection: Hashable = None) -> Verdict:  # noqa: ARG002
        """Take one request, or refuse it."""
        turn = max(self._next, now)
        if turn - now > self._capacity * self._spacing:
            return Verdict(passes=False, seconds=turn - now - self._capacity * self._spacing)
        self._next = turn + self._spacing
        return Verdict(passes=True, seconds=turn - now)


class PerConnection(Limiter):
    """A limit for each connection."""

    def __init__(self, limiter: Callable[[], Limiter]) -> None:
        self._limiter = limiter
        self._limiters: dict[Hashable, Limiter] = {}

    def take(self, now: float, connection: Hashable = None) -> Verdict:
        """Take one request, or refuse it."""
        return self._limiters.setdefault(connection, self._limiter()).take(now)


class Changing(Limiter):
    """One limit until a number of seconds after the first request, and another one from then on."""

    def __init__(self, first: Limiter, second: Limiter, after: float) -> None:
        self._first, self._second, self._after = first, second, after
        self._changes = math.inf

    def take(self, now: float, connection: Hashable = None) -> Verdict:
        """Take one request, or refuse it."""
        self._changes = min(self._changes, now + self._after)
        return (self._first if now < self._changes else self._second).take(now, connection)


RETRY_AFTER: Final[Mapping[str, Callable[[float, float], str | None]]] = {
    "none": lambda _wait, _now: None,
    "0": lambda _wait, _now: "0",
    "1": lambda _wait, _now: "1",
    "5": lambda _wait, _now: "5",
    "date, down": lambda _wait, now: formatdate(math.floor(now + 1), usegmt=True),
    "date, up": lambda _wait, now: formatdate(math.ceil(now + 1), usegmt=True),
    "exact": lambda wait, _now: str(max(math.ceil(wait), 1)),
}
"""What a 429 says in Retry-After, by the seconds until a request would pass and the time in seconds since 1970."""
