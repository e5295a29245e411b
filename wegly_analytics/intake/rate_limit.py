"""One rate of requests for all threads, adapted to what the server allows."""

from __future__ import annotations

import math
import time
from threading import Condition, Lock, Thread, current_thread
from typing import TYPE_CHECKING, Final
from weakref import WeakSet

if TYPE_CHECKING:
    from collections.abc import Iterable

_LEAST: Final = 1.0
"""Requests per second below which no 429 lowers the rate: a stricter server requests waits, which are obeyed."""

_SHORTEST: Final = 0.05
"""Seconds that a measured interval has at least, so that no rate is computed from an instant."""

_RECOVERY: Final = 0.5
"""Seconds from half the learned rate back to it; short, because a server's token bucket saves little unused time."""

_GROWTH: Final = 0.001
"""After that the rate grows by this share of the learned rate, times the cube of the seconds: slowly near the limit,
and fast when the limit was met long ago."""

_EARLY_GROWTH: Final = 2.0
"""The same while the server has refused only once, and its limit is not known yet."""


class RateLimit:
    """One rate of requests, shared by all threads.

    The rate is the one that was set, until the server responds with 429. Then no request starts for as long as the
    server says; the rate halves, returns within half a second to what the server has shown to allow, and grows from
    there to the rate that was set. What the server allows is measured from its second refusal on: the requests that
    succeeded between two refusals, per second; but never less than half of what was tried, because some refusals have
    other reasons than the rate.

    Parameters
    ----------
    per_second
        Requests per second; None for no limit.

    Attributes
    ----------
    succeeded
        How many requests got another response than 429.

    Examples
    --------
    >>> limit = RateLimit(40)
    >>> limit.rate(0.0)
    40
    """

    def __init__(self, per_second: float | None) -> None:
        self._set = math.inf if per_second is None else per_second
        self._learned = math.inf
        self._is_measured = False
        self._refused_at: float | None = None
        self._succeeded_then = 0
        self._resumes = 0.0
        self._next = 0.0
        self._began: float | None = None
        self._pauses = 0
        self._lock = Lock()
        self._changed = Condition()
        self._stopped: WeakSet[Thread] = WeakSet()
        self.succeeded = 0

    def rate(self, now: float) -> float:
        """Return the requests per second that are allowed at a time of the monotonic clock."""
        if math.isinf(self._learned):
            return self._set
        since = max(now - self._resumes, 0.0)
        growth = _GROWTH if self._is_measured else _EARLY_GROWTH
        share = min(0.5 + 0.5 * since / _RECOVERY, 1.0) + growth * max(since - _RECOVERY, 0.0) ** 3
        return min(self._learned * share, self._set)

    def wait(self) -> None:
        """Wait for this thread's turn.

        Raises
        ------
        InterruptedError
            If this thread was stopped.
        """
        while True:
            with self._lock:
                now = time.monotonic()
                if self._began is None:
                    self._began = now
                turn = max(now, self._next)
                self._next = turn + 1.0 / self.rate(turn)
                pauses = self._pauses
            self.sleep(turn - now)
            if pauses == self._pauses:
                return  # else a pause began meanwhile, and this turn is void

    def succeed(self) -> None:
        """Count a request that got another response than 429."""
        with self._lock:
            self.succeeded += 1

    def refuse(self, seconds: float) -> None:
        """Record a 429: start no request for so many seconds, and lower the rate.

        Refusals of requests that were under way together count once.
        """
        with self._lock:
            now = time.monotonic()
            if now >= self._resumes:
                self._learn(now)
            if now + seconds > self._resumes:
                self._next = self._resumes = now + seconds
                self._pauses += 1

    def _learn(self, now: float) -> None:
        """Halve the rate, but not below what succeeded since the last refusal."""
        succeeded = self.succeeded - self._succeeded_then
        rate, seen = self.rate(now), 0.0
        if math.isinf(rate):
            rate = max(succeeded, 1) / max(now - (self._began or now), _SHORTEST)
        self._is_measured = self._refused_at is not None and succeeded > 0
        if self._refused_at is not None:
            seen = succeeded / max(now - self._refused_at, _SHORTEST)
        self._learned = max(seen, rate / 2, _LEAST)
        self._refused_at, self._succeeded_then = now, self.succeeded

    def sleep(self, seconds: float) -> None:
        """Sleep, but wake when this thread is stopped, and raise `InterruptedError` then."""
        with self._changed:
            if self._changed.wait_for(lambda: current_thread() in self._stopped, timeout=max(seconds, 0.0)):
                raise InterruptedError("the run was stopped")

    def stop(self, threads: Iterable[Thread]) -> None:
        """Wake threads that wait, and let none of them start a further request; other threads are not affected."""
        with self._changed:
            self._stopped.update(threads)
            self._changed.notify_all()
