"""Days, months, quarters and years as spans of time, in the time zone of the company."""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from wegly_analytics.errors import SettingError

COMPANY: Final = ZoneInfo("America/Sao_Paulo")
"""The time zone in which a date begins and ends."""

PERIODS: Final = "'2026-03-31', '2026-03', '2026-Q1' or '2026'"

_YEAR: Final = re.compile(r"(\d{4})")
_QUARTER: Final = re.compile(r"(\d{4})-?Q([1-4])", re.IGNORECASE)
_MONTH: Final = re.compile(r"(\d{4})-(0[1-9]|1[0-2])")


@dataclass(frozen=True)
class Span:
    """A span of time.

    Parameters
    ----------
    start
        Its first instant.
    end
        Its end: the last instant if `closed`, otherwise the first instant after it.
    closed
        Whether `end` belongs to the span.
    """

    start: datetime
    end: datetime
    closed: bool

    @classmethod
    def of(cls, column: str, value: object) -> Span:
        """Read an instant, a day or a period.

        Parameters
        ----------
        column
            The column it is compared with, for the error.
        value
            A `datetime` or an ISO text with a time of day is an instant, in São Paulo if it has no time zone. A `date`,
            a `datetime` at midnight without a time zone, and any other text is a whole day, month, quarter or year in
            São Paulo.

        Raises
        ------
        SettingError
            If it is neither.

        Examples
        --------
        >>> span = Span.of("created_at", "2026-Q1")
        >>> print(span.start, "to", span.end)
        2026-01-01 00:00:00-03:00 to 2026-04-01 00:00:00-03:00
        """
        if isinstance(value, str) and "T" in value.strip().replace(" ", "T"):
            value = _instant(column, value)
        if isinstance(value, datetime) and (value.tzinfo or value.time() != time.min):
            at = value if value.tzinfo else value.replace(tzinfo=COMPANY)
            return cls(at, at, closed=True)
        days = days_of(value)
        if days is None:
            raise _invalid(column, value)
        try:
            return cls(_midnight(days[0]), _midnight(days[1] + timedelta(days=1)), closed=False)
        except OverflowError:
            raise SettingError(f"{column}={value!r} is outside the calendar") from None


def days_of(value: object) -> tuple[date, date] | None:
    """Return the first and the last day of a day, month, quarter or year; None for any other value.

    Examples
    --------
    >>> first, last = days_of("2026-Q1")
    >>> print(first, last)
    2026-01-01 2026-03-31
    """
    if isinstance(value, datetime):  # also pandas.Timestamp
        return (value.date(), value.date()) if value.time() == time.min else None
    if isinstance(value, date):
        return value, value
    text = value.strip() if isinstance(value, str) else ""
    try:
        if found := _YEAR.fullmatch(text):
            return date(int(found[1]), 1, 1), date(int(found[1]), 12, 31)
        if found := _QUARTER.fullmatch(text):
            return _months(int(found[1]), 3 * int(found[2]) - 2, 3 * int(found[2]))
        if found := _MONTH.fullmatch(text):
            return _months(int(found[1]), int(found[2]), int(found[2]))
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day, day


def _months(year: int, first: int, last: int) -> tuple[date, date]:
    return date(year, first, 1), date(year, last, monthrange(year, last)[1])


def _instant(column: str, text: str) -> datetime:
    try:
        return datetime.fromisoformat(text.strip())
    except ValueError:
        raise _invalid(column, text) from None


def _invalid(column: str, value: object) -> SettingError:
    return SettingError(f"{column} holds instants; {value!r} is neither an instant nor a period such as {PERIODS}")


def _midnight(day: date) -> datetime:
    at = datetime.combine(day, time.min, COMPANY)
    at.astimezone(UTC)  # raises OverflowError at either end of the calendar
    return at
