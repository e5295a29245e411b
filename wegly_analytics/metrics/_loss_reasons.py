"""Why deals are lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import narwhals as nw
import pandas as pd

from wegly_analytics.metrics.cohort import Cohort
from wegly_analytics.metrics.periods import TZ, Every, Periods, check_every, unfinished
from wegly_analytics.metrics.results import comparable, informed, ratio
from wegly_analytics.metrics.selection import By, flag
from wegly_analytics.model.enums import NOT_INFORMED

if TYPE_CHECKING:
    from wegly_analytics.snapshot.snapshot import Snapshot


def loss_reasons(
    snap: Snapshot, *, by: By = None, every: Every | None = None, archived: bool = False, tz: str = TZ
) -> pd.DataFrame:
    """Why deals are lost, the most frequent reason first.

    Parameters
    ----------
    snap
        The snapshot.
    by
        One column of deals, or several, such as ``"stage"``, in which deals were lost; the shares are then within each
        group.
    every
        ``"week"``, ``"month"``, ``"quarter"`` or ``"year"`` of losing for shares within each period; None for all time.
    archived
        Whether archived deals count.
    tz
        Where periods begin at midnight.

    Returns
    -------
    pandas.DataFrame
        One row per group and reason: with `every` first `period`, its first day, without gaps, and every reason of the
        group in each, also with 0 deals; the groups; `loss_reason`; `deals` lost for this reason; `share` of all lost
        deals; `valid_share` of those with a reason (missing for "(not informed)"); `cumulative`, the shares added up
        from the top; `value` (money, of the deals that have a value of 0 or more) and `value_share` of the value of all
        lost deals; with `every` also `unfinished`, whether the period was not over when the snapshot was taken.

    Raises
    ------
    MissingColumnError
        If deals has no column `by`.
    SettingError
        If `every` is unknown, or there would be more than 1,200 periods.

    Notes
    -----
    The denominator is all lost deals. Those without a reason stay in it, as "(not informed)": reasons are often
    optional, so the number of deals that have one is itself a result. Open and won deals do not count. With
    `every`, a lost deal without `lost_at` is in no period; ``attrs["excluded"]`` counts them.

    Examples
    --------
    >>> import wegly_analytics as wa
    >>> table = loss_reasons(wa.sample())
    >>> float(table["share"].sum().round(9)), float(table["cumulative"].iloc[-1].round(9))
    (1.0, 1.0)
    """
    if every is not None:
        check_every(every)
    lost_at, value = nw.col("lost_at"), nw.col("value")
    undated = {"closed without a closing date": (nw.col("lost") == 1) & lost_at.is_null()} if every else {}
    cohort = Cohort.of("loss_reasons", snap, by, archived, columns=("value", "loss_reason", "lost_at")).excluding(
        {"open": nw.col("open") == 1, "won": nw.col("won") == 1, **undated},
        deals=nw.col("lost"),
        money=nw.when(value >= 0).then(value),
        negative=flag(value < 0),
    )
    time = ["period"] if every else []
    found = cohort.span("lost_at") if every else None
    periods = Periods(every, *found, tz) if every and found else None
    frame = periods.numbered(cohort.frame, period="lost_at") if periods else cohort.frame
    keys = ["period", "loss_reason"] if periods else ["loss_reason"]
    counted = cohort.count(frame, "deals", "money", "negative", keys=keys)
    table = informed(counted.table, ["loss_reason"]).drop(columns="negative")
    if periods:
        table = periods.spread(table, [*cohort.groups, "loss_reason"]).astype({"deals": "int64"})
    else:
        table = table.assign(**dict.fromkeys(time, pd.Series(dtype="datetime64[us]")))
    table = table.rename(columns={"money": "value"})
    table["value"] = table["value"].astype(float)
    order = [*time, *cohort.groups, "deals", "loss_reason"]
    table = table.sort_values(order, ascending=[name != "deals" for name in order], key=comparable, ignore_index=True)
    named = table["deals"].where(table["loss_reason"] != NOT_INFORMED)
    whole = [table[name] for name in (*time, *cohort.groups)] or [table["deals"].notna()]
    table["share"] = ratio(table["deals"], table["deals"].groupby(whole).transform("sum"))
    table["valid_share"] = ratio(named, named.groupby(whole).transform("sum"))
    table["cumulative"] = table["share"].groupby(whole).cumsum()
    table["value_share"] = ratio(table["value"], table["value"].groupby(whole).transform("sum"))
    columns = ["loss_reason", "deals", "share", "valid_share", "cumulative", "value", "value_share"]
    rule = ["lost deals by reason, most first", "deals without a reason stay in the denominator"]
    rule += ["by period of closing"] * bool(every)
    cohort.note("with a negative value", counted.once("negative"))
    if every:
        table["unfinished"] = unfinished(table["period"], every, snap, tz)
        columns.append("unfinished")
    return cohort.finish(table[[*time, *cohort.groups, *columns]], rule, counted.once("deals"), every=every, tz=tz)
