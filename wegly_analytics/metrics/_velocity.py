"""How much money the pipeline makes per day."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import narwhals as nw
import pandas as pd

from wegly_analytics.errors import SettingError
from wegly_analytics.metrics.cohort import Cohort
from wegly_analytics.metrics.periods import TZ, Every, Periods, check_every, unfinished
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
    table, closed = levers(cohort, every, count, tz)
    columns = [*(["period"] if every else []), *cohort.groups, *LEVERS, "velocity"]
    if every:
        table["unfinished"] = unfinished(table["period"], every, snap, tz)
        columns.append("unfinished")
    return cohort.finish(table[columns], rule(every, count), closed["closed"].sum(), every=every, count=count, tz=tz)


def rule(every: Every | None, count: str) -> list[str]:
    """Describe how velocity is computed, as messages of the catalog."""
    when = {"open": "open at each period's end" if every else "open when the snapshot was taken"}
    return [
        "deals × win rate × average won value ÷ average days to win, money per day",
        f"deals = {when.get(count, f'{count} in the period')}",
    ]


def levers(cohort: Cohort, every: Every | None, count: str, tz: str) -> tuple[pd.DataFrame, pd.DataFrame]:
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
    pandas.DataFrame
        How many deals were `closed`, each once; with periods by `period`, the number of that of their closing.

    Raises
    ------
    SettingError
        If `count` or `every` is unknown, or there would be more than 1,200 periods.
    """
    if count not in ("open", "created", "closed"):
        raise SettingError(f"count={count!r} is none of 'open', 'created', 'closed'")
    if every is not None:
        check_every(every)
    undated = (nw.col("open") == 0) & nw.col("closed_at").is_null()
    cohort = cohort.excluding({"closed without a closing date": undated}, **_marks(cohort))
    first_last = cohort.span("created_at", "closed_at") if every else None
    if every is None or first_last is None:
        counted = cohort.count(cohort.frame, *_SUMS)
        table = counted.table
        table["deals"] = table[{"open": "open", "created": "one", "closed": "closed"}[count]]
        table = table.sort_values("deals", ascending=False, kind="stable")
        if every is not None:
            table = table.assign(period=pd.Series(dtype="datetime64[us]")).iloc[:0]
        closed = counted.firsts
    else:
        periods = Periods(every, *first_last, tz)
        instants = {"closed_in": "closed_at", "created_in": "created_at"}
        counted = cohort.count(periods.numbered(cohort.frame, **instants), *_SUMS, keys=[*instants])
        table = _by_period(counted.table, periods, cohort.groups)
        net = table["opened"] - table["ended"]
        open_then = net.groupby([table[g] for g in cohort.groups]).cumsum() if cohort.groups else net.cumsum()
        table["deals"] = {"open": open_then, "created": table["created"], "closed": table["closed"]}[count]
        closed = counted.firsts.rename(columns={"closed_in": "period"})
    if every is not None and count == "open":
        cohort.note("closed before created", counted.once("reversed"))
    won, valued = counted.once("won"), counted.once("valued")
    cohort.warn_of_one_sided(won, counted.once("closed") - won)
    cohort.note("won without value", won - valued)
    cohort.note("won before created", counted.once("hasty"))
    table["win_rate"] = ratio(table["won"], table["closed"])
    table["value"] = ratio(table["won_value"], table["valued"])
    table["days"] = ratio(table["lasted"], table["timed"])
    table["deals"] = table["deals"].astype("int64")
    table["velocity"] = ratio(table["deals"] * table["win_rate"] * table["value"], table["days"])
    return table, closed


_SUMS: Final = [
    "won", "closed", "ended", "won_value", "valued", "lasted", "timed", "hasty", "reversed", "open", "one", "created",
    "opened",
]  # fmt: skip


def _marks(cohort: Cohort) -> dict[str, nw.Expr]:
    """Mark which deals count for which lever."""
    created, won, closed = nw.col("created_at"), nw.col("won_at"), nw.col("closed_at")
    is_won = nw.col("won") == 1
    is_reversed = closed < created
    is_timed = is_won & (won >= created)
    return {
        "one": nw.lit(1),
        "closed": nw.col("won") + nw.col("lost"),
        "ended": flag((nw.col("open") == 0) & (closed >= created)),
        "reversed": flag(is_reversed),
        "won_value": nw.when(is_won).then(nw.col("value")),
        "valued": flag(is_won & ~nw.col("value").is_null()),
        "lasted": nw.when(is_timed).then(cohort.days("created_at", "won_at")),
        "timed": flag(is_timed),
        "hasty": flag(is_won & (won < created)),
        "created": flag(~created.is_null()),
        "opened": flag(~created.is_null()) - flag(is_reversed),
    }


def _by_period(counted: pd.DataFrame, periods: Periods, groups: list[str]) -> pd.DataFrame:
    """Sum what was closed and what was created in each period, given the sums by both of a deal's periods."""
    keys = ["period", *groups]
    sums = [name for name in _SUMS if name not in ("created", "opened")]
    parts = []
    for place, columns, there in (("closed_in", sums, "closed"), ("created_in", ["created", "opened"], "created")):
        part = counted.rename(columns={place: "period"})
        parts.append(part[part[there] > 0].groupby(keys, as_index=False, sort=False)[columns].sum())
    both = pd.concat(parts).groupby(keys, as_index=False, sort=False).sum()
    return periods.spread(both.sort_values(keys, key=comparable), groups)
