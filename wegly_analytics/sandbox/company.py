"""A simulated company that lives: deals arrive without end, and `at` says how much has happened."""

from __future__ import annotations

import json
import threading
import uuid
from bisect import bisect_right
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Final

from wegly_analytics.sandbox.default_company import TRUTH
from wegly_analytics.sandbox.lifecycle import rng, simulate
from wegly_analytics.sandbox.response import ResponseBuilder
from wegly_analytics.sandbox.working_hours import is_open

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from wegly_analytics.sandbox.truth import Truth

_OUT_OF_HOURS: Final = 0.05
"""Of the moments out of hours that are drawn: how many are kept."""

_GAP, _MONTH = 2, 3
"""Uses of random numbers, beside a deal's life and its looks."""


class Company:
    """A simulated company whose true rates are set.

    The same seed gives the same company; seen later it has moved on. A deal is the same whichever others were requested
    for. Threads may share it.

    Parameters
    ----------
    seed
        Which company.
    opened
        When it opened; deals arrive from the beginning of that month.
    deals_per_month
        How many deals arrive in a middling month at first.
    truth
        Its true rates.

    Examples
    --------
    >>> from wegly_analytics.sandbox import MOMENT
    >>> company = Company(seed=7)
    >>> company.codes(MOMENT)[0]
    1
    >>> company.answer("1", MOMENT)[:7]
    b'{"id": '
    """

    def __init__(
        self,
        seed: int = 7,
        *,
        opened: datetime = datetime(2025, 1, 1, tzinfo=UTC),
        deals_per_month: float = 65.0,
        truth: Truth = TRUTH,
    ) -> None:
        if seed < 0 or deals_per_month <= 0:
            raise ValueError(f"seed={seed} must be 0 or more, and deals_per_month={deals_per_month} more than 0")
        self.truth = truth
        self.seed = seed
        self._deals_per_month = deals_per_month
        self._scribe = ResponseBuilder(truth, seed)
        self._lock = threading.Lock()
        self._month = date(opened.year, opened.month, 1)  # the next one to come
        self._issued: list[int] = []
        self._codes: dict[str, int] = {}

    def __repr__(self) -> str:
        return f"Company(seed={self.seed})"

    def codes(self, at: datetime) -> range:
        """List the codes issued up to a moment, with the gaps among them.

        Parameters
        ----------
        at
            The moment, with a time zone.

        Returns
        -------
        range
            From 1 to the last.
        """
        return range(1, self._last(_seconds(at)) + 1)

    def answer(self, key: str, at: datetime) -> bytes | None:
        """Answer like the API about a deal at a moment.

        Parameters
        ----------
        key
            The deal's code or UUID, as text.
        at
            The moment, with a time zone.

        Returns
        -------
        bytes or None
            JSON, or None where there is no such deal at that moment.
        """
        seconds = _seconds(at)
        last = self._last(seconds)
        code = int(key) if key.isascii() and key.isdecimal() and len(key) < 16 else self._codes.get(_canonical(key), 0)
        return self._write(code, seconds) if 1 <= code <= last else None

    def answers(self, at: datetime) -> Iterator[tuple[int, bytes]]:
        """Every deal that exists at a moment.

        Parameters
        ----------
        at
            The moment, with a time zone.

        Yields
        ------
        tuple of int and bytes
            Code and JSON.
        """
        seconds = _seconds(at)
        for code in self.codes(at):
            body = self._write(code, seconds)
            if body is not None:
                yield code, body

    def _write(self, code: int, at: int) -> bytes | None:
        if rng(self.seed, code, _GAP).random() < self.truth.frequencies.gaps:
            return None
        life = simulate(self.truth, self.seed, code, self._issued[code - 1])
        return json.dumps(self._scribe.write(life, at), ensure_ascii=False).encode()

    def _last(self, at: int) -> int:
        """Give the last code issued up to a moment."""
        day = datetime.fromtimestamp(at, UTC).date()
        with self._lock:
            while self._month <= day:
                self._live_a_month()
        return bisect_right(self._issued, at)

    def _live_a_month(self) -> None:
        month, following = self._month, _following(self._month)
        first, end = (int(datetime(d.year, d.month, 1, tzinfo=UTC).timestamp()) for d in (month, following))
        draw = rng(self.seed, month.year * 12 + month.month, _MONTH)
        expected = self._deals_per_month * self.truth.arrivals(month.replace(day=15))
        number = max(round(draw.gauss(expected, expected**0.5)), 0)
        for moment in sorted(_arrival(draw, first, end) for _ in range(number)):
            self._issued.append(moment)
            code = len(self._issued)
            self._codes[self._scribe.id(code)] = code
        self._month = following


def _arrival(draw: Random, first: int, end: int) -> int:
    """Draw a moment between two, mostly one in working hours."""
    while True:
        moment = draw.randrange(first, end)
        if is_open(moment) or draw.random() < _OUT_OF_HOURS:
            return moment


def _following(month: date) -> date:
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)


def _seconds(at: datetime) -> int:
    if at.tzinfo is None:
        raise ValueError(f"{at} has no time zone: give one, such as datetime(2026, 7, 1, tzinfo=UTC)")
    return int(at.timestamp())


def _canonical(key: str) -> str:
    try:
        return str(uuid.UUID(key))
    except ValueError:
        return ""
