"""Checks of what the functions of the intake are given; each error names the argument and the remedy."""

from __future__ import annotations

import math
from datetime import datetime
from numbers import Integral, Real
from pathlib import Path


from wegly_analytics.errors import SettingError


def whole_number(name: str, value: object, *, least: int = 1) -> int:
    """Return a whole number of at least `least`.

    Raises
    ------
    SettingError
        If it is anything else.

    Examples
    --------
    >>> whole_number("workers", 8)
    8
    """
    if not isinstance(value, Integral) or isinstance(value, bool):
        raise SettingError(f"{name}={value!r} is not a whole number: give for example {name}={_example(value, least)}")
    if (number := int(value)) < least:
        raise SettingError(f"{name}={value}: give {least} or more")
    return number


def number_above_zero(name: str, value: object) -> float:
    """Return a finite number above 0, or raise `SettingError`."""
    if not isinstance(value, Real) or isinstance(value, bool):
        raise SettingError(f"{name}={value!r} is not a number: give for example {name}=5")
    if not 0 < (number := float(value)) < math.inf:
        raise SettingError(f"{name}={value}: give a finite number above 0")
    return number


def share(name: str, value: object) -> float:
    """Return a share from 0 to 1, or raise `SettingError`."""
    number = float(value) if isinstance(value, Real) and not isinstance(value, bool) else math.nan
    if not 0 <= number <= 1:
        raise SettingError(f"{name}={value!r}: give a share from 0 to 1, such as {name}=0.05 for 5 %")
    return number


def flag(name: str, value: object) -> bool:
    """Return True or False, or raise `SettingError`."""
    if not isinstance(value, bool):
        raise SettingError(f"{name}={value!r}: give True or False")
    return value


def path(name: str, value: object, example: str) -> Path:
    """Return the path that a text or a path names, or raise `SettingError`."""
    if not isinstance(value, str | Path):
        raise SettingError(f"{name} takes a path, not a {type(value).__name__}: give for example {name}={example!r}")
    if not str(value).strip():
        raise SettingError(f"{name}={value!r} is empty: give for example {name}={example!r}")
    return Path(value)


def text_or_none(name: str, value: object, example: str) -> str | None:
    """Return a text or None, or raise `SettingError`; the value is not shown, because it may be secret."""
    if value is not None and not isinstance(value, str):
        raise SettingError(f"{name} takes a text, not a {type(value).__name__}: give for example {name}={example!r}")
    return value


def instant(name: str, value: object) -> datetime:
    """Return a datetime with a time zone, or raise `SettingError`."""
    if not isinstance(value, datetime) or value.tzinfo is None:  # also pandas.NaT
        example = "datetime(2026, 7, 1, tzinfo=UTC)"
        raise SettingError(f"{name}={value!r} is not a datetime with a time zone: give for example {name}={example}")
    return value


def instance(name: str, value: object, kind: type, remedy: str) -> None:
    """Raise `SettingError` unless `value` is of a class; the value is not shown, because it may be secret."""
    if not isinstance(value, kind):
        article = "an" if type(value).__name__[0] in "aeiouAEIOU" else "a"
        raise SettingError(f"{name} takes a {kind.__name__}, not {article} {type(value).__name__}: {remedy}")


def _example(value: object, least: int) -> int:
    """Guess the number that was meant: 8 for "8" and for 8.0."""
    try:
        return max(int(float(str(value))), least)
    except (ValueError, OverflowError):
        return max(least, 1)
