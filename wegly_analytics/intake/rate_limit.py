"""One rate of requests for all threads, adapted to what the server allows."""

from __future__ import annotations

import math
import time
from collections import deque
from threading import Condition, Lock, Thread, current_thread
from typing import TYPE_CHECKING, Final
from weakref import WeakSet

if TYPE_CHECKING:
    from collections.abc import Iterable

_LEAST: Final = 1.0
"""Requests per second below which no 429 lowers the rate: a stricter server requests waits, which are obeyed."""

_START: Final = 25.0
"""Requests per second at the start, so that a limit is met near its rate and with few requests under way."""

_DOUBLING: Final = 0.25
"""Seconds in which the rate doubles at the start: 100 a second are reached in half a second."""

_SHARE: Final = 0.98
"""The share of a rate that is used: clocks differ, and threads do not wake on time."""

_LESS: Final = 0.93
"""The share of a rate that is tried again after it was refused: at most three more refusals find one a fifth lower."""

_AGAIN: Final = 8.0
"""Pauses; a refusal that follows the last one sooner says that the rate was still too high."""

_GROWTH: Final = 0.002
"""The share by which the rate grows per pause that passes: a further refusal costs a pause, and comes after ten."""


class Pace:
    """The arithmetic of a rate of requests; it knows no clock and no threads.

    The rate begins low, doubles quickly up to the one that was set, and is lowered by refusals. At the first, what
    passed in the last second is what a window allows, but a bucket that was just emptied allows up to the rate that was
    tried: the rate begins at the former and approaches the latter within a second or two. From the second refusal on
    it is what passed in the last second, less if refused again soon, and grows slowly.

    Parameters
    ----------
    per_second
        Requests per second; None for no limit.

    Examples
    --------
    >>> pace = Pace(10)
    >>> [round(pace.turn(0.0), 2) for _ in range(3)]
    [0.0, 0.1, 0.2]
    """

    def __init__(self, per_second: float | None) -> None:
        self._set = math.inf if per_second is None else per_second * _SHARE
        self._passed: deque[float] = deque()
        self._refusals = 0
        self._base = self._toward = self._set
        self._pause = 1.0
        self._next = 0.0
        self._resumes: float | None = None
        self.pauses = 0

    def rate(self, now: float) -> float:
        """Return the requests per second that are allowed at a time."""
        since = max(now - (now if self._resumes is None else self._resumes), 0.0)
        if not self._refusals:
            rate = _START * 2 ** min(since / _DOUBLING, 40.0)
        elif self._refusals == 1:
            rate = self._toward - (self._toward - self._base) * math.exp(-since)
        else:
            rate = self._base * (1 + _GROWTH * since / self._pause)
        return min(rate, self._set)

    def turn(self, now: float) -> float:
        """Return when the next request may start; each call is another request."""
        if self._resumes is None:
            self._resumes = now
        turn = max(now, self._next)
        self._next = turn + 1.0 / self.rate(turn)
        return turn

    def succeed(self, now: float) -> None:
        """Count a request that got another response than 429."""
        self._passed.append(now)
        self._forget(now)

    def refuse(self, now: float, seconds: float) -> None:
        """Record a 429: start no request for so many seconds; refusals of requests under way together count once."""
        if self._resumes is None or now >= self._resumes:
            self._learn(now, max(seconds, 0.5))
        if self._resumes is None or now + seconds > self._resumes:
            self._next = self._resumes = now + seconds
            self.pauses += 1

    def _learn(self, now: float, pause: float) -> None:
        tried, since = self.rate(now), now - (now if self._resumes is None else self._resumes)
        self._forget(now)
        passed = min(len(self._passed), tried)
        self._refusals += 1
        if self._refusals == 1:
            self._base = max(passed * _SHARE, _LEAST)
            self._toward = max(tried * _LESS, self._base)
        else:
            if since < 1.0:
                passed = max(passed, tried / 2)  # less than a second shows little
            is_again = self._refusals > 2 and since < _AGAIN * pause
            self._base = max(passed * (_LESS if is_again else _SHARE), _LEAST)
        self._pause = pause

    def _forget(self, now: float) -> None:
        while self._passed and self._passed[0] <= now - 1.0:
            self._passed.popleft()


class RateLimit:
    """One rate of requests, shared by all threads: the threads wait for the turns of a `Pace`.

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
    >>> RateLimit(20).rate(0.0)
    19.6
    """

    def __init__(self, per_second: float | None) -> None:
        self._pace = Pace(per_second)
        self._lock = Lock()
        self._changed = Condition()
        self._stopped: WeakSet[Thread] = WeakSet()
        self.succeeded = 0

    def rate(self, now: float) -> float:
        """Return the requests per second that are allowed at a time of the monotonic clock."""
        return self._pace.rate(now)

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
                turn = self._pace.turn(now)
                pauses = self._pace.pauses
            self.sleep(turn - now)
            if pauses == self._pace.pauses:
                return  # else a pause began meanwhile, and this turn is void

    def succeed(self) -> None:
        """Count a request that got another response than 429."""
        with self._lock:
            self.succeeded += 1
            self._pace.succeed(time.monotonic())

    def refuse(self, seconds: float) -> None:
        """Record a 429: start no request for so many seconds, and lower the rate.

        Refusals of requests that were under way together count once.
        """
        with self._lock:
            self._pace.refuse(time.monotonic(), seconds)

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
