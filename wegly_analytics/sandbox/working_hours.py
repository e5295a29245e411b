"""A clock that runs only during working hours in São Paulo.

Continuous time has weeks of seven equal days. `to_working` maps a week to five working days, and `to_continuous` is the
inverse. Whole weeks stay whole weeks, and other durations keep their length on average; so a median of whole weeks
stays exactly as declared.
"""

from __future__ import annotations

from typing import Final

HOUR: Final = 3_600
DAY: Final = 24 * HOUR
WEEK: Final = 7 * DAY

_MONDAY: Final = 4 * DAY + 3 * HOUR  # the first midnight of a Monday in São Paulo, UTC-3 all year since 2019
_OPENS: Final = 8.5 * HOUR
_OPEN: Final = 10 * HOUR


def is_open(instant: float) -> bool:
    """Whether an instant (seconds since 1970) is in working hours.

    Examples
    --------
    >>> from datetime import datetime, UTC
    >>> is_open(datetime(2026, 7, 1, 12, tzinfo=UTC).timestamp())
    True
    """
    day, second = divmod((instant - _MONDAY) % WEEK, DAY)
    return day < 5 and _OPENS <= second < _OPENS + _OPEN


def to_continuous(instant: float) -> float:
    """Return the continuous time of an instant in working hours."""
    week, rest = divmod(instant - _MONDAY, WEEK)
    day, second = divmod(rest, DAY)
    return week * WEEK + (day + (second - _OPENS) / _OPEN) * WEEK / 5


def to_working(time: float) -> float:
    """Return the instant in working hours of a continuous time.

    Examples
    --------
    >>> monday_noon = 4 * DAY + 15 * HOUR
    >>> round(to_working(to_continuous(monday_noon))) == monday_noon
    True
    """
    week, rest = divmod(time, WEEK)
    day, share = divmod(rest * 5 / WEEK, 1)
    return week * WEEK + day * DAY + _OPENS + share * _OPEN + _MONDAY
