"""A simulated company: new deals every month; a time determines how much of their history is visible."""

from __future__ import annotations

import json
import threading
import uuid
from bisect import bisect_right
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Final

from wegly_analytics.sandbox.default_company import TRUTH
from wegly_analytics.sandbox.response import ResponseBuilder
from wegly_analytics.sandbox.simulation import rng, simulate
from wegly_analytics.sandbox.working_hours import is_open

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from wegly_analytics.sandbox.truth import Truth

_OUTSIDE_WORKING_HOURS: Final = 0.05
"""The share of arrivals drawn outside working hours that is kept."""

_GAP, _MONTH = 2, 3
"""Uses of random numbers, beside a deal's lifecycle and its description."""


class Company:
    """A simulated company whose true rates are known.

    The same seed gives the same company; at a later time more has happened in it. A deal does not depend on which other
    deals are requested. Threads may share a company.

    Parameters
    ----------
    seed
        Another seed gives another company.
    opened
        When it opened; deals arrive from the beginning of that month.
    deals_per_month
        How many deals arrive in an average month at first.
    truth
        Its true rates.

    Raises
    ------
    ValueError
        If the seed is negative, or `deals_per_month` not positive.

    Examples
    --------
    >>> from wegly_analytics.sandbox import TAKEN_AT
    >>> company = Company(seed=7)
    >>> company.codes(TAKEN_AT)[0]
    1
    >>> company.response("1", TAKEN_AT)[:7]
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
        _check(seed, deals_per_month)
        self.truth = truth
        self.seed = seed
        self._deals_per_month = deals_per_month
        self._builder = ResponseBuilder(truth, seed)
        self._lock = threading.Lock()
        self._next_month = date(opened.year, opened.month, 1)
        self._created: list[int] = []
        self._codes: dict[str, int] = {}

    def __repr__(self) -> str:
        return f"Company(seed={self.seed})"

    def codes(self, at: datetime) -> range:
        """List the codes assigned up to a time, including gaps.

        Parameters
        ----------
        at
            The time, with a time zone.

        Returns
        -------
        range
            From 1 to the last.
        """
        return range(1, self._last_code(_seconds(at)) + 1)

    def response(self, requested_id: str, at: datetime) -> bytes | None:
        """Return the API's response for a deal at a time.

        Parameters
        ----------
        requested_id
            The deal's code or UUID, as text.
        at
            The time, with a time zone.

        Returns
        -------
        bytes or None
            JSON, or None if there is no such deal at that time.
        """
        seconds = _seconds(at)
        last = self._last_code(seconds)
        if requested_id.isascii() and requested_id.isdecimal() and len(requested_id) < 16:
            code = int(requested_id)
        else:
            code = self._codes.get(_canonical(requested_id), 0)
        return self._body(code, seconds) if 1 <= code <= last else None

    def responses(self, at: datetime) -> Iterator[tuple[int, bytes]]:
        """Return the responses for all deals that exist at a time.

        Parameters
        ----------
        at
            The time, with a time zone.

        Yields
        ------
        tuple of int and bytes
            Code and JSON.
        """
        seconds = _seconds(at)
        for code in self.codes(at):
            body = self._body(code, seconds)
            if body is not None:
                yield code, body

    def _body(self, code: int, at: int) -> bytes | None:
        if rng(self.seed, code, _GAP).random() < self.truth.frequencies.gaps:
            return None
        lifecycle = simulate(self.truth, self.seed, code, self._created[code - 1])
        return json.dumps(self._builder.build(lifecycle, at), ensure_ascii=False).encode()

    def _last_code(self, at: int) -> int:
        """Return the last code assigned up to an instant."""
        day = datetime.fromtimestamp(at, UTC).date()
        with self._lock:
            while self._next_month <= day:
                self._add_month()
        return bisect_right(self._created, at)

    def _add_month(self) -> None:
        month, following = self._next_month, _following(self._next_month)
        first, end = (int(datetime(d.year, d.month, 1, tzinfo=UTC).timestamp()) for d in (month, following))
        draw = rng(self.seed, month.year * 12 + month.month, _MONTH)
        expected = self._deals_per_month * self.truth.arrivals(month.replace(day=15))
        number = max(round(draw.gauss(expected, expected**0.5)), 0)
        for instant in sorted(_arrival(draw, first, end) for _ in range(number)):
            self._created.append(instant)
            code = len(self._created)
            self._codes[self._builder.id(code)] = code
        self._next_month = following


def _check(seed: object, deals_per_month: float) -> None:
    if not isinstance(seed, int) or seed < 0:
        raise ValueError(f"seed={seed!r}: give an integer from 0")
    if not 0 < deals_per_month < float("inf"):
        raise ValueError(f"deals_per_month={deals_per_month}: give a number above 0")


def _arrival(draw: Random, first: int, end: int) -> int:
    """Draw an instant in a period, mostly in working hours."""
    while True:
        instant = draw.randrange(first, end)
        if is_open(instant) or draw.random() < _OUTSIDE_WORKING_HOURS:
            return instant


def _following(month: date) -> date:
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)


def _seconds(at: datetime) -> int:
    if not isinstance(at, datetime):
        raise TypeError(f"{at!r} is not a datetime: give one, such as datetime(2026, 7, 1, tzinfo=UTC)")
    if at.tzinfo is None:
        raise ValueError(f"{at} has no time zone: give one, such as datetime(2026, 7, 1, tzinfo=UTC)")
    return int(at.timestamp())


def _canonical(requested_id: str) -> str:
    try:
        return str(uuid.UUID(requested_id))
    except ValueError:
        return ""
