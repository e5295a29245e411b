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
from wegly_analytics.metrics.selection import By, first_reason, flag

if TYPE_CHECKING:
    from datetime import date, datetime

    from wegly_analytics.snapshot.snapshot import Snapshot

YEAR: Final = 365
"""The length in days of the period before the snapshot whose win rate gives the coverage needed."""

_MISSING: Final = ("open without value", "open without an expected close", "open past its expected close")
"""Why an open deal is not expected to close in any period."""

_SUMS: Final = ("open", "due", "open_value", "booked", "won_no_value", "n", "won_value", "closed_value")


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
    expected = _expected(local(snap, tz).date(), starts)
    booked = _booked(snap.taken_at, every, starts, tz)
    frame = cohort.frame.with_columns(**expected, **booked, **_recently_closed(snap.taken_at))
    counted = cohort.count(frame, *_SUMS, keys=["missing", "due_in", "won_in"])
    for number, reason in enumerate(_MISSING, start=1):
        cohort.note(reason, counted.firsts.loc[counted.firsts["missing"] == number, "open"].sum())
    cohort.note("won without value", counted.once("won_no_value"))
    table = _rows(cohort, counted.table, target, periods)
    for column, place in (("open_value", "due_in"), ("booked", "won_in")):
        part = counted.table.groupby([place, *cohort.groups], as_index=False)[[column]].sum()
        table = table.merge(part.rename(columns={place: "period"}), how="left", on=["period", *cohort.groups])
    table = table.rename(columns={"open_value": "open"})
    rates = counted.table[["n", "won_value", "closed_value"]]
    if cohort.groups:
        rates = rates.groupby([counted.table[name] for name in cohort.groups]).sum().reset_index()
        table = table.merge(rates, how="left", on=cohort.groups)
    else:
        table = table.merge(rates.sum().to_frame().T, how="cross")
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
    return cohort.finish(table[[*cohort.groups, *figures]], rule, counted.once("due"), every=every, tz=tz)


def _expected(today: date, starts: pd.DatetimeIndex) -> dict[str, nw.Expr]:
    """Mark the open deals that are expected to close in a period, and what the others lack."""
    is_open, due, value = nw.col("open") == 1, nw.col("expected_close"), nw.col("value")
    lacking = {
        "open without value": value.is_null(),
        "open without an expected close": due.is_null(),
        "open past its expected close": due < nw.lit(today),
    }
    is_due = is_open & ~value.is_null() & (due >= nw.lit(today)) & (due < nw.lit(starts[-1].date()))
    return {
        "missing": first_reason(is_open & lacking[reason] for reason in _MISSING),
        "due": flag(is_due),
        "due_in": nw.sum_horizontal(nw.lit(0), *(flag(due >= nw.lit(start.date())) for start in starts[1:-1])),
        "open_value": nw.when(is_due).then(value),
    }


def _booked(now: datetime, every: Every, starts: pd.DatetimeIndex, tz: str) -> dict[str, nw.Expr]:
    """Mark what was won in a period until the snapshot was taken."""
    noon = pd.Timedelta(hours=12)  # of a day that may have no midnight
    periods = Periods(every, (starts[0] + noon).tz_localize(tz), (starts[-2] + noon).tz_localize(tz), tz)
    # a period begins with its first instant in the time zone
    begins = starts[0].tz_localize(tz, nonexistent="shift_forward", ambiguous=True).tz_convert("UTC").to_pydatetime()
    won_at, value = nw.col("won_at"), nw.col("value")
    is_booked = (nw.col("won") == 1) & (won_at >= nw.lit(begins)) & (won_at <= nw.lit(now))
    return {
        "won_in": periods.number(won_at),
        "booked": nw.when(is_booked).then(value),
        "won_no_value": flag(is_booked & value.is_null()),
    }


def _recently_closed(now: datetime) -> dict[str, nw.Expr]:
    """Mark the deals closed with a value in the year before the snapshot, with their money."""
    closed_at, value = nw.col("closed_at"), nw.col("value")
    is_recent = (closed_at > nw.lit(now - timedelta(days=YEAR))) & (closed_at <= nw.lit(now)) & (value >= 0)
    return {
        "n": flag(is_recent),
        "won_value": nw.when(is_recent & (nw.col("won") == 1)).then(value),
        "closed_value": nw.when(is_recent).then(value),
    }


def _rows(cohort: Cohort, counted: pd.DataFrame, target: float | Mapping[Any, float], periods: int) -> pd.DataFrame:
    """Add a row for every group and period, by number."""
    numbers = pd.DataFrame({"period": range(periods)})
    if not cohort.groups:
        return numbers
    present = counted[cohort.groups].drop_duplicates()
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
