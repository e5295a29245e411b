"""Durations as text: ``"30d"``, ``"12h"``."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

import numpy as np
import pandas as pd

from wegly_analytics.errors import SettingError

_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_TEXT: Final = re.compile(rf"([0-9]{{1,9}})([{''.join(_UNITS)}])")
_LONGEST: Final = timedelta(days=36_525)
"""A hundred years: a longer time before now leaves the calendar of pandas."""


def duration(name: str, value: object) -> timedelta:
    """Read a length of time.

    Parameters
    ----------
    name
        The argument, for the error.
    value
        A text such as ``"45m"``, ``"12h"``, ``"30d"`` or ``"2w"``, a `datetime.timedelta` or a `pandas.Timedelta`.

    Raises
    ------
    SettingError
        If it is anything else, negative, or longer than a hundred years.

    Examples
    --------
    >>> duration("max_age", "30d")
    datetime.timedelta(days=30)
    """
    length = _parse(value)
    if length is None or not timedelta(0) <= length <= _LONGEST:
        raise SettingError(
            f"{name}={value!r} is not a length of time: write a whole number and a unit, such as '30d', '12h', '45m' "
            "or '2w', or give a timedelta of up to a hundred years"
        )
    return length


def _parse(value: object) -> timedelta | None:
    if isinstance(value, np.timedelta64):
        return _parse(pd.Timedelta(value))
    if isinstance(value, timedelta):  # a pandas.Timedelta is one, and its NaT is not
        return timedelta(days=value.days, seconds=value.seconds, microseconds=value.microseconds)
    if isinstance(value, str) and (match := _TEXT.fullmatch(value.strip())):
        try:
            return timedelta(**{_UNITS[match[2]]: int(match[1])})
        except OverflowError:
            return None
    return None
