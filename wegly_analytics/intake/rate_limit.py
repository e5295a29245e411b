"""One rate of requests for all threads together, which learns what the server allows."""

from __future__ import annotations

import math
import time
from threading import Event, Lock
from typing import Final

_LEAST: Final = 1.0
"""Requests per second below which no 429 drives the rate: a stricter server is obeyed by waiting as long as it says."""

_MOMENT: Final = 0.05
"""Seconds that an unlimited run is taken to have lasted at least, when it is requested how fast it was."""

_RETURN: Final = 0.5
"""Seconds from half the learned rate back to it; short, for a server with a bucket lets unused time go to waste."""

_CREEP: Final = 0.001
"""By so much of the learned rate, times the cube of the seconds, it grows after that: slowly near what is allowed, and
fast when that was long ago."""

_SEARCH: Final = 2.0
"""The same while the server has refused only once, and what it allows is not known yet."""


class Budget:
    """One rate of requests, shared by every thread.

    The rate is the one requested until the server answers 429. Then nobody asks for as long as the server says, and the
    rate halves, comes back within half a second to what the server has shown to allow, and creeps on from there to the
    rate requested. What the server allows is known from its second refusal on: as many requests as it let pass between
    two refusals, by the time between them; but never less than half of what was tried, for some refusals have other
    reasons than the rate.

    Parameters
    ----------
    per_second
        Requests per second; None for no limit.

    Attributes
    ----------
    passed
        How many requests the server has answered otherwise than by 429.
    """

    def __init__(self, per_second: float | None) -> None:
        self._asked_for = math.inf if per_second is None else per_second
        self._learned = math.inf
        self._is_measured = False
        self._refused_at: float | None = None
        self._passed_then = 0
        self._resumes = 0.0
        self._next = 0.0
        self._began: float | None = None
        self._pauses = 0
        self._lock = Lock()
        self._stopped = Event()
        self.passed = 0

    def rate(self, now: float) -> float:
        """Say how many requests per second are allowed at a moment of the monotonic clock."""
        if math.isinf(self._learned):
            return self._asked_for
        since = max(now - self._resumes, 0.0)
        growth = _CREEP if self._is_measured else _SEARCH
        share = min(0.5 + 0.5 * since / _RETURN, 1.0) + growth * max(since - _RETURN, 0.0) ** 3
        return min(self._learned * share, self._asked_for)

    def wait(self) -> None:
        """Wait for this thread's turn.

        Raises
        ------
        InterruptedError
            If `stop` was called.
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
        """Note a request that was let pass."""
        with self._lock:
            self.passed += 1

    def refuse(self, seconds: float) -> None:
        """Note a 429: let no turn begin within so many seconds, and lower the rate.

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
        """Halve the rate, but not below what the server let pass since its last refusal."""
        passed = self.passed - self._passed_then
        rate, seen = self.rate(now), 0.0
        if math.isinf(rate):
            rate = max(passed, 1) / max(now - (self._began or now), _MOMENT)
        self._is_measured = self._refused_at is not None and passed > 0
        if self._refused_at is not None:
            seen = passed / max(now - self._refused_at, _MOMENT)
        self._learned = max(seen, rate / 2, _LEAST)
        self._refused_at, self._passed_then = now, self.passed

    def sleep(self, seconds: float) -> None:
        """Sleep, but wake when `stop` is called, and raise `InterruptedError` then."""
        if self._stopped.wait(seconds) if seconds > 0 else self._stopped.is_set():
            raise InterruptedError("the run was stopped")

    def stop(self) -> None:
        """Wake every waiting thread; no further turn begins."""
        self._stopped.set()

    def resume(self) -> None:
        """Allow turns again."""
        self._stopped.clear()
