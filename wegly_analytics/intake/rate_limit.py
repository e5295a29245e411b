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

_LESS: Final = 0.9
"""The share of a rate that is tried again after it was refused: at most two more refusals find one a fifth lower."""

_AGAIN: Final = 8.0
"""Pauses; a refusal that follows the last one sooner says that the rate was still too high."""

_GROWTH: Final = 0.004
"""The share by which the rate grows per pause that passes: nine tenths of a limit reach it after 25 pauses."""

_FLOOR: Final = 0.5
"""The share of what passed in a second below which single refusals do not lower the rate: they have another reason."""

_IN_A_ROW: Final = 2
"""So many refusals without a response between them stop all requests; a single one is of its own deal."""

_MANY: Final = 25
"""So many of the last hundred requests refused are not single refusals."""


_LONGEST: Final = 30.0
"""Seconds up to which pauses grow while nothing passes."""


class Pace:
    """The arithmetic of a rate of requests; it knows no clock and no threads.

    The rate begins low and doubles quickly up to the one that was set, until a request is refused. A single refusal
    lowers the rate a little, and only its own deal waits. Two in a row stop all requests for as long as the server
    asks; then the rate is what passed in the last second. At the first pause a bucket that was just emptied may allow
    more: the rate approaches what was tried. Afterwards it is less if refused again soon, and grows slowly. While
    nothing passes at all, as in a window of a minute, the pauses grow and the rate stays.

    Parameters
    ----------
    per_second
        Requests per second; None for no limit.

    Attributes
    ----------
    changes
        How often the rate was lowered; the turns that were given before are void.

    Examples
    --------
    >>> pace = Pace(10)
    >>> [round(pace.turn(0.0), 2) for _ in range(3)]
    [0.0, 0.1, 0.2]
    """

    def __init__(self, per_second: float | None) -> None:
        self._set = math.inf if per_second is None else per_second * _SHARE
        self._passed: deque[float] = deque()
        self._recent: deque[bool] = deque(maxlen=100)  # whether each was refused
        self._base = self._toward = math.inf  # infinite until they are learned
        self._best = 0.0  # what a full second let through, as far as single refusals are concerned
        self._in_a_row = 0
        self._pause = 1.0
        self._next = 0.0
        self._resumes = self._lowered = self._succeeded = self._first = -math.inf
        self._is_blocked = False
        self.changes = 0

    def rate(self, now: float) -> float:
        """Return the requests per second that are allowed at a time."""
        since = max(now - self._resumes, 0.0)
        if math.isinf(self._base):
            rate = _START * 2 ** min(since / _DOUBLING, 40.0)
        elif math.isinf(self._toward):
            rate = self._base * (1 + _GROWTH * max(min(since, now - self._lowered), 0.0) / self._pause)
        else:
            rate = self._toward - (self._toward - self._base) * math.exp(-since)
        return min(rate, self._set, _START if self._is_blocked else math.inf)

    def turn(self, now: float) -> float:
        """Return when the next request may start; each call is another request."""
        if math.isinf(self._resumes):
            self._resumes = self._succeeded = now
        turn = max(now, self._next)
        self._next = turn + 1.0 / self.rate(turn)
        return turn

    def succeed(self, now: float) -> None:
        """Count a request that got another response than 429."""
        self._passed.append(now)
        self._forget(now)
        self._recent.append(False)
        if self._succeeded <= self._resumes < now or now - self._succeeded > 1.0:
            self._first = now
        self._in_a_row, self._succeeded, self._is_blocked = 0, now, False

    def refuse(self, now: float, seconds: float, sent: float) -> float:
        """Record a 429 of a request and when it was sent; return the seconds that its deal waits."""
        self._in_a_row += 1
        self._recent.append(True)
        if now < self._resumes:
            return max(seconds, self._resumes - now)  # it was under way when the pause began
        self._forget(now)
        is_many = sum(self._recent) >= _MANY
        if is_many:
            self._recent.clear()
            self._best = 0.0
        if is_many or self._in_a_row >= _IN_A_ROW:
            if self._succeeded > self._resumes or self._base == math.inf:
                self._learn(now, max(seconds, 0.5))
            else:
                self._is_blocked, seconds = True, max(seconds, min((now - self._succeeded) / 2, _LONGEST))
            self._next = self._resumes = now + seconds
            self.changes += 1
        elif sent >= self._lowered:
            self._lower(now, max(seconds, 0.5))
        return seconds

    def _lower(self, now: float, pause: float) -> None:
        """Lower the rate a little after a single refusal."""
        tried = passed = self.rate(now)
        if self._is_full_second(now):
            passed = min(tried, len(self._passed) + 1)
            self._best = max(self._best, passed)
        self._base = max(passed * _LESS, min(self._best * _FLOOR, tried), _LEAST)
        self._toward, self._pause, self._lowered = math.inf, pause, now
        self._next = now + 1.0 / self._base
        self.changes += 1

    def _learn(self, now: float, pause: float) -> None:
        """Set the rate at the beginning of a pause."""
        tried = self.rate(now)
        passed = min(len(self._passed), tried)
        self._pause = pause
        if math.isinf(self._base):
            self._base = max(passed * _SHARE, _LEAST)
            self._toward = max(tried * _LESS, self._base)
            return
        if not self._is_full_second(now):
            passed = max(passed, tried / 2)  # less than a second shows little
            self._best = min(self._best, tried)
        elif passed < tried - max(0.3 * tried, 2 * math.sqrt(tried)):
            self._best = 0.0  # the limit is another one now
        is_again = math.isinf(self._toward) and now - self._resumes < _AGAIN * pause
        self._base = max(passed * (_LESS if is_again else _SHARE), min(self._best * _FLOOR, tried), _LEAST)
        self._toward = math.inf

    def _is_full_second(self, now: float) -> bool:
        """Whether requests have passed for the whole last second, without a pause and not idle."""
        return self._succeeded > max(self._resumes, now - 1.0) and now - self._first >= 1.0

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
        self._refused: set[str] = set()
        self.succeeded = 0

    @property
    def refuses_all(self) -> bool:
        """Whether, after requests that passed, those of several deals are refused and nothing else passes."""
        return self.succeeded > 0 and len(self._refused) > 1

    def rate(self, now: float) -> float:
        """Return the requests per second that are allowed at a time of the monotonic clock."""
        return self._pace.rate(now)

    def wait(self) -> float:
        """Wait for this thread's turn.

        Returns
        -------
        float
            The time, of the monotonic clock, for `refuse`.

        Raises
        ------
        InterruptedError
            If this thread was stopped.
        """
        while True:
            with self._lock:
                now = time.monotonic()
                turn = self._pace.turn(now)
                changes = self._pace.changes
            self.sleep(turn - now)
            if changes == self._pace.changes:
                return time.monotonic()  # else the rate was lowered meanwhile, and this turn is void

    def succeed(self) -> None:
        """Count a request that got another response than 429."""
        with self._lock:
            self.succeeded += 1
            self._refused.clear()
            self._pace.succeed(time.monotonic())

    def refuse(self, seconds: float, sent: float, url: str) -> float:
        """Record a 429, and lower the rate.

        Parameters
        ----------
        seconds
            How long the server asks to wait. A single refusal concerns its own deal; two in a row stop all threads.
        sent
            What `wait` returned for the request.
        url
            What was requested.

        Returns
        -------
        float
            The seconds to wait before that deal is requested again; the thread sleeps them itself.
        """
        with self._lock:
            self._refused.add(url)
            return self._pace.refuse(time.monotonic(), seconds, sent)

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
