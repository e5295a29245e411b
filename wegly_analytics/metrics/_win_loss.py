"""How many deals are won and lost in each period."""

from __future__ import annotations

from typing import TYPE_CHECKING

import narwhals as nw
import pandas as pd

from wegly_analytics.metrics._win_rate import RULES
from wegly_analytics.metrics.cohort import Cohort
from wegly_analytics.metrics.intervals import wilson
from wegly_analytics.metrics.periods import TZ, Every, Periods, check_every, unfinished
from wegly_analytics.metrics.results import ratio

if TYPE_CHECKING:
    from wegly_analytics.metrics.selection import By
    from wegly_analytics.snapshot.snapshot import Snapshot


def win_loss(
    snap: Snapshot, *, by: By = None, every: Every = "month", archived: bool = False, tz: str = TZ
) -> pd.DataFrame:
    """Deals won and lost in each period.

    Parameters
    ----------
    snap
        The snapshot.
    by
        One column of deals, or several.
    every
        ``"week"``, ``"month"``, ``"quarter"`` or ``"year"``.
    archived
        Whether archived deals count.
    tz
        Where periods begin at midnight.

    Returns
    -------
    pandas.DataFrame
        One row per period and group, oldest first, without gaps: `period`, its first day; the groups; `won`, `lost`
        (deals); `won_value`, `lost_value` (money, of the deals that have a value); `rate`, won ÷ (won + lost), with
        `low` and `high` (Wilson, 95 %; missing where nothing was closed); `unfinished`, whether the period was not over
        when the snapshot was taken.

    Raises
    ------
    MissingColumnError
        If deals has no column `by`.
    SettingError
        If `every` is unknown, or there would be more than 1,200 periods.

    Notes
    -----
    A deal counts in the period of its closing time: `won_at` if it is won, `lost_at` if it is lost. One without that
    time is excluded, and `attrs["excluded"]` counts them.

    Examples
    --------
    >>> import wegly_analytics as wa
    >>> table = win_loss(wa.sample(), every="quarter")
    >>> table["period"].is_monotonic_increasing
    True
    """
    check_every(every)
    is_open, closed_at = nw.col("open") == 1, nw.col("closed_at")
    cohort = Cohort.of("win_loss", snap, by, archived, columns=("value", "closed_at")).excluding(
        {"closed without a closing date": ~is_open & closed_at.is_null(), "open": is_open},
        won_value=nw.when(nw.col("won") == 1).then(nw.col("value")),
        lost_value=nw.when(nw.col("lost") == 1).then(nw.col("value")),
    )
    found = cohort.span("closed_at")
    columns = ["won", "lost", "won_value", "lost_value"]
    periods = Periods(every, *found, tz) if found else None
    frame = cohort.frame
    frame = periods.numbered(frame, period="closed_at") if periods else frame.with_columns(period=nw.lit(0))
    counted = cohort.count(frame, *columns, keys=["period"])
    if periods:
        table = periods.spread(counted.table, cohort.groups)
    else:
        table = pd.DataFrame(
            {"period": pd.DatetimeIndex([]), **{g: [] for g in cohort.groups}, **{c: [] for c in columns}}
        )
    won, lost = counted.once("won"), counted.once("lost")
    table = table.astype({"won": "int64", "lost": "int64", "won_value": float, "lost_value": float})
    n = table["won"] + table["lost"]
    cohort.warn_of_one_sided(won, lost)
    table["rate"] = ratio(table["won"], n)
    table["low"], table["high"] = wilson(table["won"], n)
    table["unfinished"] = unfinished(table["period"], every, snap, tz)
    rule = ["by period of closing", RULES["closed"], "Wilson interval, 95 %"]
    return cohort.finish(table, rule, won + lost, every=every, tz=tz)
