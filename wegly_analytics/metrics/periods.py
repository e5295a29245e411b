"""Weeks, months, quarters and years: their boundaries, and which of them an instant lies in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, get_args

import narwhals as nw
import numpy as np
import pandas as pd
import pyarrow as pa

from wegly_analytics.errors import SettingError

if TYPE_CHECKING:
    from wegly_analytics.snapshot.snapshot import Snapshot

Every: TypeAlias = Literal["week", "month", "quarter", "year"]

TZ: Final = "America/Sao_Paulo"
"""Where periods begin unless another time zone is given."""

_MONTHS: Final = {"month": 1, "quarter": 3, "year": 12}

_MAX_PERIODS: Final = 1_200


def check_every(every: object) -> None:
    """Raise SettingError unless `every` names a period."""
    if every not in get_args(Every):
        raise SettingError(f"every={every!r} is none of {', '.join(map(repr, get_args(Every)))}")


def period_starts(every: Every, first: pd.Timestamp, last: pd.Timestamp) -> pd.DatetimeIndex:
    """List the first days of the periods from one local time to another, both included.

    Parameters
    ----------
    every
        The length of a period; weeks begin on Monday.
    first, last
        Local times without time zone, of any year: nanoseconds would end in 2262.

    Examples
    --------
    >>> period_starts("quarter", pd.Timestamp("2026-02-03"), pd.Timestamp("2026-04-01")).strftime("%Y-%m-%d").tolist()
    ['2026-01-01', '2026-04-01']
    """
    days = [np.datetime64(t.date(), "D") for t in (first, last)]
    if every == "week":
        monday, end = (day - (day.astype(int) + 3) % 7 for day in days)
        starts = np.arange(monday, end + 1, 7)
    else:
        step = _MONTHS[every]
        begin, end = (day.astype("datetime64[M]").astype(int) // step for day in days)
        starts = (np.arange(begin, end + 1) * step).astype("datetime64[M]")
    return pd.DatetimeIndex(starts.astype("datetime64[us]"))


def next_start(start: pd.Timestamp, every: Every, n: int = 1) -> pd.Timestamp:
    """Return the first day of the n-th period after a period, given its first day; a negative n goes back."""
    step = pd.DateOffset(weeks=n) if every == "week" else pd.DateOffset(months=n * _MONTHS[every])
    moved: pd.Timestamp = start + step
    return moved


def local(snap: Snapshot, tz: str) -> pd.Timestamp:
    """Return the local time at which a snapshot was taken, without time zone."""
    return pd.Timestamp(snap.taken_at).tz_convert(tz).tz_localize(None)


def unfinished(starts: pd.Series[Any], every: Every, snap: Snapshot, tz: str) -> pd.Series[bool]:
    """Mark the periods, given by their first day, that were not over when the snapshot was taken."""
    now = local(snap, tz)
    over = {start: next_start(start, every) <= now for start in starts.unique()}
    return ~starts.map(over).astype(bool)


@dataclass(frozen=True)
class Periods:
    """Weeks, months, quarters or years, one after the other without gaps.

    Parameters
    ----------
    every
        The length of a period; weeks begin on Monday.
    first, last
        Instants that the first and the last period contain.
    tz
        The time zone in which periods begin at midnight.
    """

    every: Every
    first: pd.Timestamp
    last: pd.Timestamp
    tz: str = TZ

    def __post_init__(self) -> None:
        check_every(self.every)
        if len(self.starts) > _MAX_PERIODS:
            raise SettingError(
                f"every={self.every!r} would make {len(self.starts):,} periods, from {self.starts[0]:%Y-%m-%d} to "
                f"{self.starts[-1]:%Y-%m-%d}; exclude deals with wrong dates with where(), or take longer periods"
            )

    @property
    def starts(self) -> pd.DatetimeIndex:
        """The first day of each period, without time zone."""
        first, last = (t.tz_convert(self.tz).tz_localize(None) for t in (self.first, self.last))
        return period_starts(self.every, first, last)

    def number(self, instant: nw.Expr) -> nw.Expr:
        """Return the number of the period of an instant, from 0; by comparison, so that all engines agree."""
        begins = self._begins

        def among(first: int, last: int) -> nw.Expr:
            if first == last:
                return nw.lit(first)
            middle = (first + last + 1) // 2
            is_later = instant >= nw.lit(begins[middle].to_pydatetime())
            return nw.when(is_later).then(among(middle, last)).otherwise(among(first, middle - 1))

        return among(0, len(begins) - 1)

    def numbered(self, frame: nw.LazyFrame[Any], **instants: str) -> nw.LazyFrame[Any]:
        """Add the numbers of the periods of some instants, as `number` does; in memory by binary search."""
        if not frame.implementation.is_pyarrow():
            return frame.with_columns(**{name: self.number(nw.col(instant)) for name, instant in instants.items()})
        table = frame.collect("pyarrow").to_native()
        begins = self._begins.tz_localize(None).to_numpy().astype("datetime64[us]").astype(np.int64)
        for name, instant in instants.items():
            at = table.column(instant).cast(pa.timestamp("us", "UTC")).cast(pa.int64()).fill_null(begins[0])
            place = np.searchsorted(begins[1:], at.to_numpy(), side="right")
            table = table.append_column(name, pa.array(place))
        lazy: nw.LazyFrame[Any] = nw.from_native(table).lazy()
        return lazy

    @property
    def _begins(self) -> pd.DatetimeIndex:
        """The first instant of each period, in UTC."""
        # a day may begin at 1:00 where the clocks go forward at midnight
        return self.starts.tz_localize(self.tz, nonexistent="shift_forward", ambiguous=True).tz_convert("UTC")

    def spread(self, table: pd.DataFrame, groups: list[str]) -> pd.DataFrame:
        """Add a row for every group and period, with zeros if nothing was counted; `period` becomes its first day."""
        everything = pd.DataFrame({"period": range(len(self.starts))})
        if groups:
            everything = everything.merge(table[groups].drop_duplicates(), how="cross")
        full = everything.merge(table, how="left", on=["period", *groups]).fillna(
            {name: 0 for name in table.columns if name not in ("period", *groups)}
        )
        full["period"] = self.starts[full["period"]]
        return full
