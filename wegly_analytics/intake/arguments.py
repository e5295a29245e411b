"""Checks of the arguments of intake functions; each error names the argument and the remedy."""

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
        example = int(_meant(value, least))
        raise SettingError(f"{name}={value!r} is not a whole number: give for example {name}={example}")
    if (number := int(value)) < least:
        raise SettingError(f"{name}={value}: give {least} or more")
    return number


def number_above_zero(name: str, value: object) -> float:
    """Return a finite number above 0, or raise `SettingError`."""
    if not isinstance(value, Real) or isinstance(value, bool):
        raise SettingError(f"{name}={value!r} is not a number: give for example {name}={_meant(value, 1):g}")
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
        raise SettingError(f"{name} takes a path, not {type_of(value)}: give for example {name}={example!r}")
    if not str(value).strip():
        raise SettingError(f"{name}={value!r} is empty: give for example {name}={example!r}")
    return Path(value)


def text_or_none(name: str, value: object, example: str) -> str | None:
    """Return a text or None, or raise `SettingError`; the value is not shown, because it may be secret."""
    if value is not None and not isinstance(value, str):
        raise SettingError(f"{name} takes a text, not {type_of(value)}: give for example {name}={example!r}")
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
        raise SettingError(f"{name} takes a {kind.__name__}, not {type_of(value)}: {remedy}")


def type_of(value: object) -> str:
    """Name a type with its article."""
    name = type(value).__name__
    return f"an {name}" if name[0] in "aeiouAEIOU" else f"a {name}"


def _meant(value: object, default: float) -> float:
    """Guess which number was meant: 8 by "8"."""
    try:
        number = float(str(value))
    except ValueError:
        return default
    return number if default <= number < math.inf else default
