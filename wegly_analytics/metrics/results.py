"""Small results in pandas: the same types from every engine, shares, and groups without a value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from wegly_analytics.model.enums import NOT_INFORMED

if TYPE_CHECKING:
    from collections.abc import Iterable

    import narwhals as nw
    import pandas as pd


@dataclass(frozen=True)
class Counted:
    """Sums over the deals of a cohort.

    Parameters
    ----------
    table
        One row per group, sorted by it: keys and groups, then the sums. The missing group is "(not informed)". One row
        of sums where there is nothing to group by.
    firsts
        The same, but each deal in one of its groups only.
    """

    table: pd.DataFrame
    firsts: pd.DataFrame

    def once(self, column: str) -> Any:
        """Sum a column over all deals, each once although it may be in several groups."""
        return self.firsts[column].sum()


def collect(frame: nw.LazyFrame[Any]) -> pd.DataFrame:
    """Collect a small result as pandas, with the same types from every engine."""
    small: pd.DataFrame = collected(frame).to_pandas(date_as_object=False)
    return small


def collected(frame: nw.LazyFrame[Any]) -> pa.Table:
    """Collect a result as Arrow, with the same types from every engine."""
    table = frame.collect("pyarrow").to_native()
    # some engines sum to 32 bits or to decimals, and give instants in the time zone of their session
    return table.cast(pa.schema([field.with_type(_common_type(field.type)) for field in table.schema]))


def _common_type(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_integer(kind) or pa.types.is_decimal(kind):
        return pa.int64()
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        return pa.timestamp("us", "UTC")
    return kind


def ratio(part: pd.Series[Any], whole: pd.Series[Any]) -> pd.Series[float]:
    """Divide; missing where the denominator is 0."""
    return part.astype(float) / whole.astype(float).where(whole != 0)


def informed(table: pd.DataFrame, groups: Iterable[str]) -> pd.DataFrame:
    """Name the group without a value; groups become objects, so that tables with and without such a group merge."""
    table = table.copy(deep=False)  # it may be a part of another one
    for name in groups:
        values = table[name].astype(object)
        table[name] = values.where(table[name].notna(), NOT_INFORMED)
    return table


def in_order(table: pd.DataFrame, groups: list[str]) -> pd.DataFrame:
    """Sort what `informed` returned by its groups, the one without a value last."""
    raw = {name: table[name].where(table[name] != NOT_INFORMED) for name in groups}
    return informed(table.assign(**raw).sort_values(groups, kind="stable", ignore_index=True), groups)


def comparable(values: pd.Series[Any]) -> pd.Series[Any]:
    """Return the sort key of a column whose values may mix numbers with "(not informed)": numbers first."""
    if values.dtype != object:
        return values
    ranks = {v: n for n, v in enumerate(sorted(values.unique(), key=lambda v: (isinstance(v, str), v)))}
    return values.map(ranks)
