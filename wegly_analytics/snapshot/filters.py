"""Filters of deals: values, intervals, periods and expressions all become a `Condition`."""

from __future__ import annotations

import difflib
import math
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, time
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

import narwhals as nw
import pandas as pd
import pyarrow as pa

from wegly_analytics.errors import EmptyScopeWarning, MissingColumnError, SettingError
from wegly_analytics.model.enums import NOT_INFORMED
from wegly_analytics.model.tables import DEALS
from wegly_analytics.snapshot.expressions import Filter, columns_of, is_plain, short, text_of
from wegly_analytics.snapshot.spans import PERIODS, Span, days_of

_WORDS: Final = {c.name: tuple(c.labels.values()) for c in DEALS.columns if c.labels}


@dataclass(frozen=True)
class Between:
    """A closed interval; see `between`."""

    low: Any
    high: Any

    def __str__(self) -> str:
        if self.high is None:
            return f"from {_text(self.low)}"
        return f"up to {_text(self.high)}" if self.low is None else f"{_text(self.low)} to {_text(self.high)}"


def between(low: Any, high: Any) -> Between:
    """Return a closed interval for a filter: both ends are included.

    Parameters
    ----------
    low, high
        Two numbers; or two days, months, quarters or years (``"2026-03-31"``, ``"2026-03"``, ``"2026-Q1"``,
        ``"2026"``, or a `datetime.date`), where the last one is included to its end; or two instants. Days
        are days in São Paulo. None leaves one side open.

    Returns
    -------
    Between
        For `Snapshot.where`.

    Raises
    ------
    SettingError
        If both are None; in ``where``, if they cannot be compared with the column, or `low` is after `high`.

    Examples
    --------
    >>> import wegly_analytics as wa
    >>> snap = wa.sample()
    >>> some = snap.where(created_at=wa.between("2025-09-01", "2025-11-30"), value=wa.between(10_000, None))
    >>> some.filters
    ('created_at = 2025-09-01 to 2025-11-30', 'value = from 10000')
    """
    if low is None and high is None:
        raise SettingError("between(None, None) filters nothing; give at least one end")
    return Between(low, high)


@dataclass(frozen=True)
class Condition:
    """A condition that is true for the deals that a filter keeps.

    Parameters
    ----------
    text
        Its short text, for `Snapshot.filters`.
    expr
        The condition as an expression.
    column
        Its column; None for an expression of the user.
    values
        The requested values, for a warning that suggests similar ones.
    includes_missing
        Whether the condition is true for a missing value.
    """

    text: str
    expr: nw.Expr
    column: str | None = None
    values: tuple[Any, ...] = ()
    includes_missing: bool = False

    @classmethod
    def of(cls, schema: pa.Schema, column: str, requested: object) -> Condition:
        """Make a condition from what the user passed for a column of deals.

        Raises
        ------
        MissingColumnError
            If there is no such column.
        SettingError
            If a value cannot be compared with it.
        """
        if column not in schema.names:
            raise MissingColumnError("deals", column, schema.names)
        kind = schema.field(column).type
        if isinstance(requested, range):
            requested = _integers(column, kind, requested)
        if isinstance(requested, Between):
            return cls(short(f"{column} = {requested}"), _is_between(column, kind, requested), column)
        values = _values(column, requested)
        known = [v for v in values if v is not None]
        if unknown := [v for v in known if v not in _WORDS.get(column, [v])]:
            raise SettingError(f"{column} is one of {', '.join(_WORDS[column])}; {unknown[0]!r} is not one of them")
        includes_missing = len(known) < len(values)
        expr = _is_one_of(column, kind, known)
        text = f"{column} = {' or '.join(NOT_INFORMED if v is None else _text(v) for v in values) or '(nothing)'}"
        text = short(text, f" ({len(values)} values)" if len(values) > 1 else "")
        expr = expr | nw.col(column).is_null() if includes_missing else expr
        return cls(text, expr, column, tuple(values), includes_missing)

    @classmethod
    def from_expression(cls, expression: nw.Expr) -> Condition:
        """Make a condition from an expression of the user."""
        return cls(short(text_of(expression)), expression)

    @property
    def filter(self) -> Filter:
        """Its text, and its columns; an expression that has more than named columns and values has unknown ones."""
        if self.column is not None:
            return Filter.of(self.text, [self.column])
        return Filter.of(self.text, columns_of(self.expr) if is_plain(self.expr) else ())

    def warn_of_no_match(self, present: Iterable[Any], stacklevel: int) -> None:
        """Warn that no deal meets it, and suggest a similar value among the present ones."""
        candidates = [value for value in present if isinstance(value, str)]
        texts = [value for value in self.values if isinstance(value, str)]
        near = [match for text in texts for match in difflib.get_close_matches(text, candidates, n=1)]
        hint = f"; did you mean {near[0]!r}?" if near else ""
        requested = " or ".join(NOT_INFORMED if value is None else repr(value) for value in self.values)
        subject = f"{self.column} {requested}" if requested else self.text
        warnings.warn(f"no deal has {subject:.200}{hint}", EmptyScopeWarning, stacklevel=stacklevel + 1)


def _text(value: Any) -> str:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d}" if value.time() == time.min and not value.tzinfo else value.isoformat()
    return str(value)


def _integers(column: str, kind: pa.DataType, requested: range) -> Between | list[int]:
    if not pa.types.is_integer(kind):
        low, high = requested.start, requested.stop
        raise SettingError(
            f"{column} has type {kind}, and a range holds integers only; write {column}=wa.between({low}, {high})"
        )
    return Between(requested[0], requested[-1]) if len(requested) and requested.step == 1 else list(requested)


def _values(column: str, requested: object) -> list[Any]:
    if isinstance(requested, slice | dict):
        raise SettingError(
            f"{column}={requested!r:.80}: pass a value, a list of values, None, or {column}=wa.between(low, high)"
        )
    if requested is None or isinstance(requested, str | bytes) or not isinstance(requested, Iterable):
        requested = [requested]
    return [None if _is_missing(value) else value for value in requested]


def _is_missing(value: object) -> bool:
    if value is None or value is pd.NA or value is pd.NaT:
        return True
    return value == NOT_INFORMED if isinstance(value, str) else isinstance(value, float) and math.isnan(value)


def _is_one_of(column: str, kind: pa.DataType, known: list[Any]) -> nw.Expr:
    it = nw.col(column)
    if pa.types.is_temporal(kind):
        parts = [_is_between(column, kind, Between(value, value)) for value in known]
    else:
        try:
            values = pa.array(known, type=kind).to_pylist()
        except (pa.ArrowException, TypeError, OverflowError) as error:
            raise SettingError(
                f"{column} has type {kind}; {known!r:.200} cannot be compared with it ({error})"
            ) from None
        parts = [it.is_in(values)] if values else []
    if not parts:
        return ~it.is_null() & it.is_null()
    expr = parts[0]
    for other in parts[1:]:
        expr |= other
    return expr


def _is_between(column: str, kind: pa.DataType, requested: Between) -> nw.Expr:
    it = nw.col(column)
    parts = []
    if pa.types.is_timestamp(kind):
        low, high = (None if v is None else Span.of(column, v) for v in (requested.low, requested.high))
        _in_order(column, requested, low and low.start, high and high.end)
        if low:
            parts.append(it >= nw.lit(_in_zone_of(low.start, kind)))
        if high:
            end = nw.lit(_in_zone_of(high.end, kind))
            parts.append(it <= end if high.closed else it < end)
    elif pa.types.is_date(kind):
        first, last = (None if v is None else _days(column, v) for v in (requested.low, requested.high))
        _in_order(column, requested, first and first[0], last and last[1])
        parts = [*([it >= nw.lit(first[0])] if first else []), *([it <= nw.lit(last[1])] if last else [])]
    elif pa.types.is_integer(kind) or pa.types.is_floating(kind):
        numbers = [_number(column, v) for v in (requested.low, requested.high)]
        _in_order(column, requested, *numbers)
        parts = [*([it >= numbers[0]] if requested.low is not None else [])]
        parts += [*([it <= numbers[1]] if requested.high is not None else [])]
    else:
        raise SettingError(
            f"{column} has type {kind}, and between takes numbers, days and instants: pass a list of values instead"
        )
    return parts[0] if len(parts) == 1 else parts[0] & parts[1]


def _days(column: str, value: object) -> tuple[Any, Any]:
    days = days_of(value)
    if days is None:
        raise SettingError(f"{column} holds days; {value!r} is neither a day nor a period such as {PERIODS}")
    return days


def _number(column: str, value: object) -> float | int | None:
    value = getattr(value, "item", lambda: value)()  # a numpy number
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool) and value == value):
        return value
    if isinstance(value, Decimal):
        return float(value)
    raise SettingError(f"{column} holds numbers; {value!r} cannot be compared with it")


def _in_order(column: str, requested: Between, low: Any, high: Any) -> None:
    if low is not None and high is not None and low > high:
        raise SettingError(
            f"{column}=between({requested.low!r}, {requested.high!r}): the low end is after the high end"
        )


def _in_zone_of(at: datetime, kind: pa.TimestampType) -> datetime:
    """Convert an instant to plain Python, in the time zone of the column."""
    at = at.to_pydatetime() if isinstance(at, pd.Timestamp) else at
    return at.astimezone(UTC if kind.tz == "UTC" else ZoneInfo(kind.tz)) if kind.tz else at.replace(tzinfo=None)
