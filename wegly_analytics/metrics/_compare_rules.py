"""How much a figure changes under the definitions of other vendors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

import narwhals as nw
import pandas as pd

from wegly_analytics.metrics._win_rate import RULES, STATES, with_stale
from wegly_analytics.metrics.cohort import Cohort
from wegly_analytics.metrics.intervals import mean_interval, wilson
from wegly_analytics.metrics.results import ratio
from wegly_analytics.metrics.selection import By, flag
from wegly_analytics.snapshot.keys import joined, matching

if TYPE_CHECKING:
    from wegly_analytics.snapshot.snapshot import Snapshot

_SECONDS: Final = 86_400.0
"""In a day."""

_RATES: Final[dict[Literal["closed", "created", "closed+stale"], str]] = {
    "closed": "Gong, Close",
    "created": "Varicent, Oracle",
    "closed+stale": "Zoho",
}

_DENOMINATORS: Final = {"closed": ["won", "lost"], "created": STATES, "closed+stale": ["won", "lost", "stale"]}

_SUMS: Final = ("total", "squares", "n")

_CYCLES: Final = {
    "winning": ("average days from creation to winning", "wegly_analytics"),
    "closing": ("average days from creation to closing, won and lost", "HubSpot"),
    "staying": ("all time in stages that the pipeline still has ÷ deals", "Pipedrive"),
}


def compare_rules(snap: Snapshot, *, by: By = None, archived: bool = False) -> pd.DataFrame:
    """How much the win rate and the sales cycle change under the definitions of other vendors.

    Parameters
    ----------
    snap
        The snapshot.
    by
        One column of deals, or several.
    archived
        Whether archived deals count.

    Returns
    -------
    pandas.DataFrame
        One row per group, figure and definition, groups with most deals first, the default definition first: the
        groups; `figure`, ``"win_rate"`` (share) or ``"cycle"`` (days); `rule`, the definition; `used_by`; `value`, the
        figure under it; `n`, the deals in its denominator; `low` and `high`; `gap`, value minus that of the default.

    Raises
    ------
    MissingColumnError
        If deals has no column `by`.

    Notes
    -----
    Win rates are those of `win_rate`, with Wilson's interval. Cycles are means over the deals whose dates or stage
    times are known, with 1.96 standard errors (missing below two deals): the default, as in `velocity`, from creation
    to winning; that of HubSpot's deal velocity, from creation to closing, lost deals too; and Pipedrive's, the time in
    all stages divided by the number of deals, open deals too, deleted stages excluded. All of them are valid: if two
    dashboards disagree, they probably use different definitions.

    Examples
    --------
    >>> import wegly_analytics as wa
    >>> table = compare_rules(wa.sample())
    >>> table["used_by"].tolist()
    ['Gong, Close', 'Varicent, Oracle', 'Zoho', 'wegly_analytics', 'HubSpot', 'Pipedrive']
    >>> table.loc[table["figure"] == "win_rate", "gap"].round(2).tolist()[0]
    0.0
    """
    cohort = Cohort.of("compare_rules", snap, by, archived, columns=("expected_close", "created_at", "closed_at"))
    frame = _timed(snap, with_stale(cohort, snap), cohort.days("created_at", "closed_at"))
    sums = cohort.count(frame, *STATES, *(f"{name}_{sum_}" for name in _CYCLES for sum_ in _SUMS))
    counted = sums.table
    counted = counted.assign(_size=counted[STATES].sum(axis=1))  # all created deals decide which group comes first
    counted = counted.sort_values("_size", ascending=False, kind="stable", ignore_index=True)
    parts = []
    for count, vendors in _RATES.items():
        n = counted[_DENOMINATORS[count]].sum(axis=1)
        low, high = wilson(counted["won"], n)
        part = counted[cohort.groups].assign(figure="win_rate", rule=RULES[count], used_by=vendors)
        parts.append(part.assign(value=ratio(counted["won"], n), n=n, low=low, high=high))
    for name, (definition, vendors) in _CYCLES.items():
        total, squares, n = (counted[f"{name}_{sum_}"].astype(float) for sum_ in _SUMS)
        low, high = mean_interval(total, squares, n)
        part = counted[cohort.groups].assign(figure="cycle", rule=definition, used_by=vendors)
        parts.append(part.assign(value=ratio(total, n), n=n, low=low, high=high))
    columns = [*cohort.groups, "figure", "rule", "used_by", "value", "n", "low", "high"]
    table = pd.concat([part[columns].assign(_place=place) for place, part in enumerate(parts)]).rename_axis("_group")
    table = table.sort_values(["_group", "_place"], kind="stable").reset_index()
    ours = table["value"].where(table["_place"].isin([0, len(_RATES)]))
    table["gap"] = table["value"] - ours.groupby([table["_group"], table["figure"]]).transform("max")
    table["n"] = table["n"].astype("int64")
    once = {name: sums.once(name) for name in STATES}
    cohort.warn_of_one_sided(once["won"], once["lost"])
    return cohort.finish(table[[*columns, "gap"]], ["each figure under several definitions"], sum(once.values()))


def _timed(snap: Snapshot, deals: nw.LazyFrame[Any], lasted: nw.Expr) -> nw.LazyFrame[Any]:
    """Compute the days of each deal under every definition, their squares, and whether they are known."""
    spent = snap.keyed("stage_durations", "stage_id", "seconds").filter(nw.col("seconds") >= 0)
    spent = matching(spent, snap.keyed("pipeline_stages", "stage_id"), on=["deal", "stage_id"])
    spent = spent.group_by("deal").agg(stage_seconds=nw.col("seconds").sum())
    after = nw.col("closed_at") >= nw.col("created_at")
    frame = joined(deals, spent, how="left").with_columns(
        winning_total=nw.when((nw.col("won") == 1) & after).then(lasted),
        closing_total=nw.when(after).then(lasted),
        staying_total=nw.col("stage_seconds") / _SECONDS,
    )
    sums: dict[str, nw.Expr] = {}
    for name in _CYCLES:
        days = nw.col(f"{name}_total")
        sums |= {f"{name}_squares": days * days, f"{name}_n": flag(~days.is_null())}
    return frame.with_columns(**sums)
