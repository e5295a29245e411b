"""How much money the pipeline makes per day."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

import narwhals as nw
import pandas as pd

from wegly_analytics.errors import SettingError
from wegly_analytics.metrics.cohort import Cohort
from wegly_analytics.metrics.periods import TZ, Every, Periods, check_every, span, unfinished
from wegly_analytics.metrics.results import comparable, ratio
from wegly_analytics.metrics.selection import By, flag

if TYPE_CHECKING:
    from wegly_analytics.snapshot.snapshot import Snapshot

LEVERS: Final = ["deals", "win_rate", "value", "days"]
"""The factors of velocity; `days` is the divisor."""

LEVER_COLUMNS: Final = ["value", "created_at", "won_at", "closed_at"]
"""The columns of deals that levers need."""


def velocity(
    snap: Snapshot,
    *,
    by: By = None,
    every: Every | None = None,
    count: Literal["open", "created", "closed"] = "open",
    archived: bool = False,
    tz: str = TZ,
) -> pd.DataFrame:
    """Money that the pipeline brings in per day: deals × win rate × average won value ÷ average days to win.

    Parameters
    ----------
    snap
        The snapshot.
    by
        One column of deals, or several.
    every
        ``"week"``, ``"month"``, ``"quarter"`` or ``"year"`` for one row per period; None for one row.
    count
        Which deals the first lever counts: ``"open"`` when the snapshot was taken (with `every`: at the end of each
        period), ``"created"`` or ``"closed"`` in the period.
    archived
        Whether archived deals count.
    tz
        Where periods begin at midnight.

    Returns
    -------
    pandas.DataFrame
        One row per period and group, without gaps: `period`, its first day, if `every` is given; the groups; the levers
        `deals`, `win_rate` (won ÷ (won + lost), share), `value` (average money of won deals that have a value) and
        `days` (average from creation to winning); `velocity` (money per day). A lever that cannot be computed is
        missing, and so is the velocity.

    Raises
    ------
    MissingColumnError
        If deals has no column `by`.
    SettingError
        If `count` or `every` is unknown, or there would be more than 1,200 periods.

    Notes
    -----
    Deals are won and lost in the period of their close time. The deals open at the end of a past period are those
    created by then and not closed by then, so a deal that was re-opened counts as open since its creation. Periods go
    from the first to the last in which a deal was created or closed. A closed deal without its close time is
    excluded. Deals won before they were created are not in `days`, deals closed before they were created were never
    open, and won deals without a value are not in `value`; `attrs["excluded"]` counts all of these.

    Examples
    --------
    >>> import wegly_analytics as wa
    >>> row = velocity(wa.sample()).iloc[0]
    >>> bool(abs(row["deals"] * row["win_rate"] * row["value"] / row["days"] - row["velocity"]) < 1e-9)
    True
    """
    cohort = Cohort.of("velocity", snap, by, archived, columns=LEVER_COLUMNS)
    table, closing = levers(cohort, every, count, tz)
    columns = [*(["period"] if every else []), *cohort.groups, *LEVERS, "velocity"]
    if every:
        table["unfinished"] = unfinished(table["period"], every, snap, tz)
        columns.append("unfinished")
    n = cohort.once(closing, "closed")["closed"]
    return cohort.finish(table[columns], rule(every, count), n, every=every, count=count, tz=tz)


def rule(every: Every | None, count: str) -> list[str]:
    """Describe how velocity is computed, as messages of the catalog."""
    when = {"open": "open at each period's end" if every else "open when the snapshot was taken"}
    return [
        "deals × win rate × average won value ÷ average days to win, money per day",
        f"deals = {when.get(count, f'{count} in the period')}",
    ]


def levers(cohort: Cohort, every: Every | None, count: str, tz: str) -> tuple[pd.DataFrame, nw.LazyFrame[Any]]:
    """Compute the four levers and the velocity of each period and group.

    Parameters
    ----------
    cohort
        The deals; what is excluded is noted there.
    every, count, tz
        As `velocity` has them.

    Returns
    -------
    pandas.DataFrame
        The levers and the velocity, beside the counts they are computed from.
    narwhals.LazyFrame
        The closed deals among others, with a flag `closed`; with periods only those that are in one, and `period`, its
        number.

    Raises
    ------
    SettingError
        If `count` or `every` is unknown, or there would be more than 1,200 periods.
    """
    if count not in ("open", "created", "closed"):
        raise SettingError(f"count={count!r} is none of 'open', 'created', 'closed'")
    if every is not None:
        check_every(every)
    cohort = cohort.excluding({"closed without a closing date": (nw.col("open") == 0) & nw.col("closed_at").is_null()})
    frame = _marked(cohort)
    summed = ["won", "closed", "ended", "won_value", "valued", "lasted", "timed", "hasty"]
    first_last = span(frame, "created_at", "closed_at")
    if every is None or first_last is None:
        closing = frame
        table = cohort.count(frame, *summed, "open", "one")
        table["deals"] = table[{"open": "open", "created": "one", "closed": "closed"}[count]]
        table = table.sort_values("deals", ascending=False, kind="stable")
        if every is not None:
            table = table.assign(period=pd.Series(dtype="datetime64[us]")).iloc[:0]
    else:
        periods = Periods(every, *first_last, tz)
        closing = frame.select("closed_at", "counts_once", "reversed", *summed, *cohort.groups)
        closing = closing.filter(nw.col("closed") == 1).with_columns(period=periods.number(nw.col("closed_at")))
        creating = frame.select("created_at", "reversed", *cohort.groups).filter(~nw.col("created_at").is_null())
        creating = creating.with_columns(
            period=periods.number(nw.col("created_at")), created=nw.lit(1), opened=1 - nw.col("reversed")
        )
        table = cohort.count(closing, *summed, keys=["period"])
        created = cohort.count(creating, "created", "opened", keys=["period"])
        keys = ["period", *cohort.groups]
        both = pd.concat([table, created]).groupby(keys, as_index=False, sort=False).sum()
        table = periods.spread(both.sort_values(keys, key=comparable), cohort.groups)
        net = table["opened"] - table["ended"]
        open_then = net.groupby([table[g] for g in cohort.groups]).cumsum() if cohort.groups else net.cumsum()
        table["deals"] = {"open": open_then, "created": table["created"], "closed": table["closed"]}[count]
    once = cohort.once(closing, "won", "closed", "valued", "hasty", "reversed")
    if every is not None and count == "open":
        cohort.note("closed before created", once["reversed"])
    cohort.warn_of_one_sided(once["won"], once["closed"] - once["won"])
    cohort.note("won without value", once["won"] - once["valued"])
    cohort.note("won before created", once["hasty"])
    table["win_rate"] = ratio(table["won"], table["closed"])
    table["value"] = ratio(table["won_value"], table["valued"])
    table["days"] = ratio(table["lasted"], table["timed"])
    table["deals"] = table["deals"].astype("int64")
    table["velocity"] = ratio(table["deals"] * table["win_rate"] * table["value"], table["days"])
    return table, closing


def _marked(cohort: Cohort) -> nw.LazyFrame[Any]:
    """Mark which deals count for which lever."""
    is_reversed = nw.col("closed_at") < nw.col("created_at")
    is_won = nw.col("won") == 1
    return cohort.frame.with_columns(
        one=nw.lit(1),
        closed=nw.col("won") + nw.col("lost"),
        ended=flag((nw.col("open") == 0) & (nw.col("closed_at") >= nw.col("created_at"))),
        reversed=flag(is_reversed),
        won_value=nw.when(is_won).then(nw.col("value")),
        valued=flag(is_won & ~nw.col("value").is_null()),
        lasted=nw.when(is_won & (nw.col("won_at") >= nw.col("created_at"))).then(cohort.days("created_at", "won_at")),
        timed=flag(is_won & (nw.col("won_at") >= nw.col("created_at"))),
        hasty=flag(is_won & (nw.col("won_at") < nw.col("created_at"))),
    )
