"""Dates and times as text, and the range in which every reader of a snapshot can read them.

Outside of it readers differ: Python has no year 0 and none beyond 9999, Excel none before 1900, and what counts
nanoseconds ends in April 2262, such as Spark's ``toPandas``. So a date that stands for "never" is read as missing.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

EARLIEST: Final = datetime(1900, 1, 2, tzinfo=UTC)
"""The earliest instant that is read."""

LATEST: Final = datetime(2261, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
"""The latest instant that is read."""

_AS_READ: Final = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)?)?", re.ASCII)
_SHAPE: Final = re.compile(
    r"(?P<year>[+-]?\d{1,6})-\d\d?-\d\d?([T ]\d\d?:\d\d(:\d\d([.,]\d+)?)?\s*(Z|[+-]\d\d:?\d\d)?)?", re.ASCII
)
_MIDNIGHT: Final = re.compile(r"(?<=[T ])24(?=:00(:00([.,]0+)?)?(?![:.,\d]))", re.ASCII)
_LEAP_SECOND: Final = re.compile(r"(?<=[T ]\d\d:\d\d:)60(?!\d)", re.ASCII)


def readable(text: str) -> str | None:
    """Return a date and time as the bulk reader accepts it, or None if it lies outside `EARLIEST` to `LATEST`.

    Raises
    ------
    ValueError
        If the text is not a date.

    Examples
    --------
    >>> readable("2026-03-01T00:00:00Z"), readable("20260301"), readable("2026-02-28T24:00:00Z")
    ('2026-03-01T00:00:00Z', '2026-03-01T00:00:00+00:00', '2026-03-01T00:00:00+00:00')
    >>> readable("0000-00-00"), readable("0001-01-01T00:00:00Z"), readable("10000-01-01")
    (None, None, None)
    """
    plain = text.strip().upper()
    shape = _SHAPE.fullmatch(plain)
    if shape and not EARLIEST.year <= int(shape["year"]) <= LATEST.year:
        return None
    plain, days = _MIDNIGHT.subn("00", plain)
    plain, seconds = _LEAP_SECOND.subn("59", plain)
    instant = datetime.fromisoformat(plain)
    try:
        instant += timedelta(days=days, seconds=seconds)
    except OverflowError:
        return None
    instant = instant if instant.tzinfo else instant.replace(tzinfo=UTC)
    if not EARLIEST <= instant <= LATEST:
        return None
    return text if _AS_READ.fullmatch(text) and not days + seconds else instant.isoformat()
