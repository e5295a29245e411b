"""Retry-After: how long a server asks to wait, as seconds."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

LONGEST: Final = 1e9
"""No wait is longer, in seconds; the header may hold any number of digits."""

_SECONDS: Final = re.compile(r"[0-9]+(\.[0-9]+)?")
_PART: Final = re.compile(r"\s*((?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,)?[^,]*)(?:,|$)")
"""One of several values joined by commas; the comma after the day of the week belongs to a date."""


def retry_after(value: str | None, now: datetime, date: str | None = None) -> float | None:
    """Return the seconds that a Retry-After header asks to wait.

    Parameters
    ----------
    value
        The header: seconds, or a date of HTTP. Of several joined by commas the longest wait counts.
    now
        The time at which the response was received.
    date
        The response's Date header. A date is compared with it, so that a wrong clock of this machine does not matter;
        if it is missing or cannot be read, with `now`.

    Returns
    -------
    float or None
        From 0 to `LONGEST`; a date in the past means 0. None if there is no header, or it cannot be read: a negative
        number, an exponent, digits that are not ASCII, or any other text.

    Examples
    --------
    >>> now = datetime(2026, 7, 1, tzinfo=UTC)
    >>> retry_after("120", now), retry_after("Wed, 01 Jul 2026 00:00:30 GMT", now), retry_after("soon", now)
    (120.0, 30.0, None)
    """
    waits = [wait for part in _PART.findall(value or "") if (wait := _wait(part.strip(), now, date)) is not None]
    return max(waits, default=None)


def _wait(part: str, now: datetime, date: str | None) -> float | None:
    if _SECONDS.fullmatch(part):
        return min(float(part), LONGEST)
    until = _instant(part)
    if until is None:
        return None
    seconds = (until - (_instant(date or "") or now)).total_seconds()
    return min(max(seconds, 0.0), LONGEST)


def _instant(text: str) -> datetime | None:
    if not text.isascii() or ":" not in text:  # the parser of mail headers reads more than dates of HTTP
        return None
    try:
        found = parsedate_to_datetime(text)
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, TypeError, LookupError, OverflowError):
        return None
