"""Whether the pipeline is large enough for a target."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import narwhals as nw
import numpy as np
import pandas as pd

from wegly_analytics.errors import SettingError
from wegly_analytics.metrics.cohort import Cohort
from wegly_analytics.metrics.periods import (
    TZ,
    Every,
    Periods,
    check_every,
    local,
    next_start,
    period_starts,
    unfinished,
)
from wegly_analytics.metrics.results import comparable, ratio
from wegly_analytics.metrics.selection import By, flag

if TYPE_CHECKING:
    from datetime import date

    from wegly_analytics.snapshot.snapshot import Snapshot

YEAR: Final = 365
"""The length in days of the period before the snapshot whose win rate gives the coverage needed."""


def coverage(
    snap: Snapshot,
    *,
    target: float | Mapping[Any, float],
    by: By = None,
    every: Every = "quarter",
    periods: int = 1,
    archived: bool = False,
    tz: str = TZ,
) -> pd.DataFrame:
    """Compare the pipeline with what is still to be won in a period.

    Parameters
    ----------
    snap
        The snapshot.
    target
        Money to be won in each period; with `by` also a mapping from group to money.
    by
        One column of deals.
    every
        ``"week"``, ``"month"``, ``"quarter"`` or ``"year"``.
    periods
        The number of periods, starting with the one in which the snapshot was taken.
    archived
        Whether archived deals count.
    tz
        Where periods begin at midnight.

    Returns
    -------
    pandas.DataFrame
        One row per group and period, also for a group that has a target but no deal: the groups; `period`, its first
        day; `target`; `booked`, won in it so far; `open`, the value of open deals that are expected to close in it (all
        money); `coverage`, open ÷ (target − booked), times; `needed`, 1 ÷ win rate, times; `win_rate` (by value) and
        `n`, the closed deals it is computed on; `unfinished`, whether the period was not over at the snapshot.

    Raises
    ------
    MissingColumnError
        If deals has no column `by`.
    SettingError
        If the target is not a number above 0, `every` is unknown, or `periods` is below 1.

    Notes
    -----
    `expected_close` is a calendar day and is compared with the period's days; times of winning are instants. The
    win rate is won ÷ (won + lost) by value, of the deals closed with a value in the 365 days before the snapshot. Where
    the target is met, or there is none, coverage is missing. Open deals without a value, without an expected close, or
    past their expected close when the snapshot was taken are not in `open`, and deals won in the periods without a
    value are not in `booked`; `attrs["excluded"]` counts them.

    Examples
    --------
    >>> import wegly_analytics as wa
    >>> row = coverage(wa.sample(), target=2_000_000).iloc[0]
    >>> bool(abs(row["open"] / (row["target"] - row["booked"]) - row["coverage"]) < 1e-9)
    True
    """
    if periods < 1:
        raise SettingError(f"periods={periods}: give 1 or more")
    check_every(every)
    cohort = Cohort.of("coverage", snap, by, archived, columns=("value", "expected_close", "won_at", "closed_at"))
    wanted = _targets(target, list(cohort.names.values()))
    starts = _starts(every, local(snap, tz), periods)
    table = _rows(cohort, target, periods)
    expected, n = _expected(cohort, local(snap, tz).date(), starts)
    for part in (expected, _booked(cohort, every, starts, tz)):
        table = table.merge(part, how="left", on=["period", *cohort.groups])
    rates = _recently_closed(cohort)
    table = table.merge(rates, how="left", on=cohort.groups) if cohort.groups else table.merge(rates, how="cross")
    sums = ["open", "booked", "n", "won_value", "closed_value"]
    table[sums] = table[sums].astype(float).fillna(0.0)
    rows = table[cohort.groups].itertuples(index=False, name=None) if cohort.groups else [()] * len(table)
    table["target"] = [wanted(row[0] if len(row) == 1 else row) for row in rows]
    missing = table["target"] - table["booked"]
    table["coverage"] = ratio(table["open"], missing.where(missing > 0, 0.0))
    table["n"] = table["n"].astype("int64")
    table["win_rate"] = ratio(table["won_value"], table["closed_value"])
    table["needed"] = 1 / table["win_rate"].where(table["win_rate"] > 0)
    table["period"] = starts[:-1][table["period"]]
    table = table.sort_values(["period", *cohort.groups], kind="stable", key=comparable)
    table["unfinished"] = unfinished(table["period"], every, snap, tz)
    figures = ["period", "target", "booked", "open", "coverage", "needed", "win_rate", "n", "unfinished"]
    rule = [
        "open value expected in the period ÷ (target − booked)",
        "needed: 1 ÷ win rate by value of the last 365 days",
    ]
    return cohort.finish(table[[*cohort.groups, *figures]], rule, n, every=every, tz=tz)


def _expected(cohort: Cohort, today: date, starts: pd.DatetimeIndex) -> tuple[pd.DataFrame, float]:
    """Add up the open deals that are expected to close in each period, and count them."""
    due, no_value = nw.col("expected_close"), nw.col("value").is_null()
    opened = cohort.on(cohort.frame.filter(nw.col("open") == 1)).excluding(
        {
            "open without value": no_value,
            "open without an expected close": due.is_null(),
            "open past its expected close": due < nw.lit(today),
        }
    )
    frame = opened.frame.filter(due < nw.lit(starts[-1].date()))
    number = nw.sum_horizontal(nw.lit(0), *(flag(due >= nw.lit(start.date())) for start in starts[1:-1]))
    frame = frame.with_columns(period=number, one=nw.lit(1))
    table = cohort.count(frame, "value", keys=["period"]).rename(columns={"value": "open"})
    return table, cohort.once(frame, "one")["one"]


def _booked(cohort: Cohort, every: Every, starts: pd.DatetimeIndex, tz: str) -> pd.DataFrame:
    """Add up what was won in each period until the snapshot was taken."""
    noon = pd.Timedelta(hours=12)  # of a day that may have no midnight
    periods = Periods(every, (starts[0] + noon).tz_localize(tz), (starts[-2] + noon).tz_localize(tz), tz)
    # a period begins with its first instant in the time zone
    begins = starts[0].tz_localize(tz, nonexistent="shift_forward", ambiguous=True).tz_convert("UTC").to_pydatetime()
    won_at = nw.col("won_at")
    won = cohort.frame.filter(nw.col("won") == 1, won_at >= nw.lit(begins), won_at <= nw.lit(cohort.snap.taken_at))
    won = won.with_columns(period=periods.number(won_at), no_value=flag(nw.col("value").is_null()))
    cohort.note("won without value", cohort.once(won, "no_value")["no_value"])
    return cohort.count(won, "value", keys=["period"]).rename(columns={"value": "booked"})


def _recently_closed(cohort: Cohort) -> pd.DataFrame:
    """Count the deals closed with a value in the year before the snapshot, with their money."""
    now, closed_at = cohort.snap.taken_at, nw.col("closed_at")
    frame = cohort.frame.filter(closed_at > nw.lit(now - timedelta(days=YEAR)), closed_at <= nw.lit(now))
    frame = frame.filter(nw.col("value") >= 0)
    frame = frame.with_columns(n=nw.lit(1), won_value=nw.col("value") * nw.col("won"), closed_value=nw.col("value"))
    return cohort.count(frame, "n", "won_value", "closed_value")


def _rows(cohort: Cohort, target: float | Mapping[Any, float], periods: int) -> pd.DataFrame:
    """Add a row for every group and period, by number."""
    numbers = pd.DataFrame({"period": range(periods)})
    if not cohort.groups:
        return numbers
    present = cohort.count(cohort.frame, "counts_once")[cohort.groups]
    return _with_targets(present, target, list(cohort.names.values())).merge(numbers, how="cross")


def _starts(every: Every, now: pd.Timestamp, periods: int) -> pd.DatetimeIndex:
    """Return the first day of each period, and of the one after the last."""
    first = period_starts(every, now, now)[0]
    return period_starts(every, first, next_start(first, every, periods))


def _with_targets(present: pd.DataFrame, target: float | Mapping[Any, float], names: list[str]) -> pd.DataFrame:
    """Add the groups that have a target but no deal."""
    if not isinstance(target, Mapping):
        return present
    known = set(present.itertuples(index=False, name=None))
    new = []
    for key in target:
        row = (key,) if len(names) == 1 else key
        if not isinstance(row, tuple) or len(row) != len(names):
            raise SettingError(f"target has {key!r}: with several groups give tuples of {', '.join(names)}")
        if row not in known:
            new.append(row)
    return pd.concat([present, pd.DataFrame(new, columns=present.columns)], ignore_index=True) if new else present


def _targets(target: float | Mapping[Any, float], groups: list[str]) -> Any:
    """Check that targets are money, and return a function that finds the target of a group, missing if it has none."""
    if isinstance(target, Mapping) and not groups:
        raise SettingError("target is a mapping from group to money, but there are no groups: pass by=")
    amounts: list[object] = list(target.values()) if isinstance(target, Mapping) else [target]
    for amount in amounts:
        if not isinstance(amount, int | float | np.number) or not 0 < amount < np.inf:
            raise SettingError(f"target={amount!r}: give money above 0")
    if isinstance(target, Mapping):
        return lambda key: float(target.get(key, np.nan))
    return lambda _: float(target)
