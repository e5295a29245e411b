"""The tables that plots accept: the columns of each metric; all other columns are groups.

A table may come straight from a metric, or be merged, concatenated or read back from a file. So nothing here relies on
``attrs``: a column that is not declared as the metric's own is a group. A table that cannot be interpreted in this way
raises an error with the reason.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from wegly_analytics.errors import MissingColumnError, SettingError
from wegly_analytics.plots.order import in_order

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Shape:
    """The columns of one metric: those that its plot needs, its other ones, and those that distinguish rows."""

    needed: tuple[str, ...]
    more: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()

    @property
    def known(self) -> frozenset[str]:
        """All columns that are not groups."""
        return frozenset({*self.needed, *self.more, *self.keys})


_ENDS: Final = tuple(f"p_{end}{bound}" for end in ("won", "lost") for bound in ("", "_low", "_high"))
_OVER_TIME: Final = ("unfinished", "every")
_STATES: Final = ("approved", "rejected", "expired", "withdrawn", "pending")

SHAPES: Final = {
    "win_rate": Shape(
        ("n", "rate", "low", "high"),
        (
            *("won", "lost", "open", "stale", "n_effective"),
            *("won_value", "lost_value", "open_value", "stale_value", "no_value"),
        ),
    ),
    "win_loss": Shape(
        ("period", "won", "lost", "rate"),
        ("open", "n", "won_value", "lost_value", "no_value", "low", "high", *_OVER_TIME),
        ("period",),
    ),
    "loss_reasons": Shape(
        ("loss_reason", "deals", "share", "cumulative"),
        ("valid_share", "value", "value_share", "low", "high", "no_value", *_OVER_TIME),
        ("period", "loss_reason"),
    ),
    "velocity": Shape(
        ("deals", "win_rate", "value", "days", "velocity"),
        ("low", "high", "won_per_day", "wins", "won", "lost", "n", *_OVER_TIME),
        ("period",),
    ),
    "velocity_bridge": Shape(
        ("lever", "from", "to", "part"), ("low", "high", "start", "end", "n", *_OVER_TIME), ("lever",)
    ),
    "time_in_stage": Shape(
        ("stage", "left", "still_in", "p25", "p50", "p75"),
        ("low", "high", "mean_left", "n", "without_time"),
        ("pipeline", "stage", "stage_id", "position"),
    ),
    "time_to_close": Shape(
        ("days", "at_risk", "won", "lost", *_ENDS), ("p_open", "p_open_low", "p_open_high", "n"), ("days",)
    ),
    "funnel": Shape(
        ("stage", "reached", "of_previous", "won", "win_rate", "low", "high"),
        ("of_first", "lost", "open", "advance", "advance_low", "advance_high", "n", "rule"),
        ("pipeline", "stage", "stage_id", "position"),
    ),
    "stalled": Shape(
        ("deal_id", "title", "stage", "days", "typical_days", "value"),
        ("code", "responsible", "last_activity_at", "q", "pipeline", "stage_id", "position"),
        ("deal_id",),
    ),
    "pipeline_value": Shape(
        ("stage", "deals", "value", "weighted", "no_value", "closed"),
        ("win_rate", "won", "lost", "low", "high", "entered_rate", "n"),
        ("pipeline", "stage", "stage_id", "position"),
    ),
    "coverage": Shape(
        ("period", "target", "booked", "open", "coverage", "needed", "n"),
        ("win_rate", "won", "lost", "no_value", "won_value", "lost_value", *_OVER_TIME),
        ("period",),
    ),
    "forecast": Shape(
        ("open", "value", "expected", "low", "high"),
        ("days", "level", "new", "new_low", "new_high", "chance", "target", "no_value", "n"),
    ),
    "proposals": Shape(
        ("sent", *_STATES),
        (
            *("deals", "with_proposal", "approval_rate", "low", "high", "versions", "days_to_approval"),
            *("discounted", "discount", "n"),
        ),
    ),
    "discounts": Shape(
        ("above", "up_to", "n", "rate", "low", "high"),
        ("discount", "won", "lost", "open", "value", "won_value", "lost_value", "no_value"),
        ("above", "up_to"),
    ),
}
"""What each metric returns besides the groups."""

_TEXTS: Final = frozenset(
    {"loss_reason", "lever", "stage", "stage_id", "pipeline", "deal_id", "code", "title", "responsible"}
    | {"last_activity_at", "every", "rule", "start", "end"}
)
_LABELS: Final = {"discounts": ("discount",)}
_NOT_BY_NAME: Final = ("time_in_stage", "funnel", "pipeline_value")
"""Two pipelines of one name may have stages of one name: rows of these tables may have equal names."""


def read(metric: str, table: Any) -> tuple[pd.DataFrame, list[str]]:
    """Read a table for the plot of a metric.

    Returns
    -------
    pandas.DataFrame
        A copy: dates are dates, figures are numbers, periods and ordinal groups are in order.
    list of str
        The columns by which it is grouped.

    Raises
    ------
    MissingColumnError
        If the table lacks a column.
    SettingError
        If it is not a table, or one of another metric, or if its rows cannot be distinguished.
    """
    table = _tidy(metric, _frame(metric, table))
    _check_metric(metric, table)
    shape = SHAPES[metric]
    table = _typed(metric, table)
    groups = _groups(metric, table, shape)
    return in_order(table, groups, shape.keys), groups


def _frame(metric: str, table: Any) -> pd.DataFrame:
    if isinstance(table, pd.DataFrame):
        return table
    kind = type(table).__name__
    if hasattr(table, "taken_at") or hasattr(table, "deals"):
        raise SettingError(
            f"plots.{metric} takes the table of metrics.{metric}, not a {kind}: plots.{metric}(metrics.{metric}(snap))"
        )
    if callable(table):
        raise SettingError(f"plots.{metric} takes a table, not a function: plots.{metric}(metrics.{metric}(snap))")
    if hasattr(table, "to_pandas"):
        raise SettingError(f"plots.{metric} takes a pandas DataFrame, not a {kind}: pass table.to_pandas()")
    hint = "read the file first, with pandas.read_csv" if isinstance(table, str) else f"pass metrics.{metric}(snap)"
    raise SettingError(f"plots.{metric} takes a pandas DataFrame, not {kind}: {hint}")


def _tidy(metric: str, table: pd.DataFrame) -> pd.DataFrame:
    """Turn named index levels into columns, and drop an index that was written to a CSV file."""
    attrs = dict(table.attrs)
    levels = [name for name in table.index.names if name is not None]
    if levels and not set(levels) & set(table.columns):
        table = table.reset_index()
    own = [name for name in table.columns if re.fullmatch(r"Unnamed: \d+|index|level_\d+", str(name))]
    table = table.drop(columns=own).reset_index(drop=True)
    repeated = table.columns[table.columns.duplicated()].tolist()
    if repeated:
        raise SettingError(f"the {metric} table has the column {repeated[0]!r} twice: drop one of them")
    table.attrs = attrs
    return table


def _check_metric(metric: str, table: pd.DataFrame) -> None:
    """Name the right plot for the table of another metric."""
    columns = set(table.columns)
    fitting = [name for name, shape in SHAPES.items() if columns.issuperset(shape.needed)]
    made_by = table.attrs.get("metric")
    if metric in fitting and made_by == metric:
        return
    if metric in fitting:  # what this metric does not know, and another one needs, is not a group
        better = [name for name in fitting if set(SHAPES[name].needed) - SHAPES[metric].known]
    else:
        better = sorted(fitting, key=lambda name: -len(SHAPES[name].needed))
        if made_by in fitting:
            better = [made_by]
        elif made_by and made_by != metric and made_by not in SHAPES:
            raise SettingError(f"this is a table of metrics.{made_by}, for which there is no plot")
    if better:
        raise SettingError(f"this is a table of metrics.{better[0]}: draw it with plots.{better[0]}")
    if len(columns) == 1 and ";" in (header := str(table.columns[0])):
        raise SettingError(f"the {metric} table has one column, {header!r}: read it with pandas.read_csv(..., sep=';')")
    for name in SHAPES[metric].needed:
        if name not in columns:
            raise MissingColumnError(f"the {metric} table", name, map(str, table.columns))


def _typed(metric: str, table: pd.DataFrame) -> pd.DataFrame:
    """Restore the types of figures, dates and flags after reading from a file."""
    attrs, known = dict(table.attrs), SHAPES[metric].known
    table = table.copy()
    for name in table.columns:
        if name not in known or name in _TEXTS or name in _LABELS.get(metric, ()):
            continue
        if name == "period":
            table[name] = _dates(metric, table[name])
        elif name == "unfinished":
            table[name] = table[name].astype(str).str.lower().isin(["true", "1", "1.0"])
        else:
            table[name] = _numbers(metric, table[name])
    if "every" in table.columns and table["every"].dropna().nunique() > 1:
        several = " and ".join(sorted(map(str, table["every"].dropna().unique())))
        raise SettingError(f"the {metric} table has periods of several lengths ({several}): draw each on its own")
    table.attrs = attrs
    return table


def _dates(metric: str, column: pd.Series[Any]) -> pd.Series[Any]:
    try:
        if isinstance(column.dtype, pd.PeriodDtype):
            column = column.dt.to_timestamp()
        dates: pd.Series[Any] = pd.to_datetime(column, format="ISO8601").dt.tz_localize(None)
    except (ValueError, TypeError, AttributeError):
        example = next(
            (each for each in column if pd.isna(pd.to_datetime(each, errors="coerce", format="ISO8601"))),
            column.iloc[0],
        )
        raise SettingError(
            f"column 'period' of the {metric} table holds {str(example)!r}: it needs first days, such as '2026-03-01'"
        ) from None
    return dates


def _numbers(metric: str, column: pd.Series[Any]) -> pd.Series[Any]:
    if pd.api.types.is_numeric_dtype(column.dtype) and isinstance(column.dtype, np.dtype):
        return column
    try:
        numbers: pd.Series[Any] = pd.to_numeric(column.astype(object)).astype(float)
    except (ValueError, TypeError):
        example = next(each for each in column if pd.isna(pd.to_numeric(each, errors="coerce")) and not pd.isna(each))
        hint = "pandas.read_csv(..., decimal=',') reads decimal commas" if "," in str(example) else "it needs numbers"
        raise SettingError(f"column {column.name!r} of the {metric} table holds {str(example)!r}: {hint}") from None
    return numbers


def _groups(metric: str, table: pd.DataFrame, shape: Shape) -> list[str]:
    keys = [name for name in shape.keys if name in table.columns]
    made_by = [name for name in table.attrs.get("by", ()) if name not in shape.keys]
    candidates = [str(name) for name in table.columns if name not in shape.known]
    if made_by and set(made_by) <= set(table.columns) and not table.duplicated([*made_by, *keys]).any():
        candidates = made_by
    for name in candidates:
        _check_group(metric, table[name], candidates)
    by = [*candidates, *keys]
    trusted = metric in _NOT_BY_NAME and table.attrs.get("metric") == metric
    repeated = table.duplicated(by).any() if by else len(table) > 1
    if repeated and not trusted:
        groups = f"the same {', '.join(map(repr, by))}" if by else "no group"
        raise SettingError(
            f"several rows of the {metric} table have {groups}: were tables concatenated? "
            "Distinguish them by a column: pd.concat([a.assign(team='A'), b.assign(team='B')])"
        )
    return candidates


def _check_group(metric: str, column: pd.Series[Any], candidates: Sequence[str]) -> None:
    if column.isna().any():
        others = ", ".join(repr(name) for name in candidates if name != column.name)
        hint = f"rows by {column.name!r} and rows by {others} are two charts; else " if others else ""
        raise SettingError(
            f"group column {column.name!r} of the {metric} table has missing values: {hint}"
            f"name them, with table[{column.name!r}].fillna('(not informed)')"
        )
    if pd.api.types.is_float_dtype(column.dtype) and (column % 1 != 0).any():
        raise SettingError(
            f"column {column.name!r} holds fractions, and is not a figure of metrics.{metric}: "
            "drop it, or turn it into texts if it is a group"
        )
