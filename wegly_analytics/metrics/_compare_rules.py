"""How far a figure moves when the same word is defined as somebody else defines it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

import narwhals as nw
import numpy as np
import pandas as pd

from wegly_analytics.metrics._win_rate import RULES, win_rate
from wegly_analytics.metrics.cohort import By, Cohort, flag, informed, ratio
from wegly_analytics.metrics.intervals import mean_interval

if TYPE_CHECKING:
    from wegly_analytics.snapshot.snapshot import Snapshot

_SECONDS: Final = 86_400.0
"""In a day."""

_RATES: Final[dict[Literal["closed", "created", "closed+stale"], str]] = {
    "closed": "Gong, Close",
    "created": "Varicent, Oracle",
    "closed+stale": "Zoho",
}

_SUMS: Final = ("total", "squares", "n")

_CYCLES: Final = {
    "winning": ("average days from creation to winning", "wegly_analytics"),
    "closing": ("average days from creation to closing, won and lost", "HubSpot"),
    "staying": ("all time in stages that the pipeline still has ÷ deals", "Pipedrive"),
}


def compare_rules(snap: Snapshot, *, by: By = None, archived: bool = False) -> pd.DataFrame:
    """How far the win rate and the sales cycle move under the definitions of other vendors.

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
    times are known, with 1.96 standard errors (missing below two deals): ours, as in `velocity`, from creation to
    winning; that of HubSpot's deal velocity, from creation to closing, lost deals too; and Pipedrive's, the time in all
    stages divided by the number of deals, open deals too, stages that were deleted left out. None is wrong: two
    dashboards that disagree have most likely chosen differently.

    Examples
    --------
    >>> import wegly_analytics as wa
    >>> table = compare_rules(wa.sample())
    >>> table["used_by"].tolist()
    ['Gong, Close', 'Varicent, Oracle', 'Zoho', 'wegly_analytics', 'HubSpot', 'Pipedrive']
    >>> table.loc[table["figure"] == "win_rate", "gap"].round(2).tolist()[0]
    0.0
    """
    cohort = Cohort.of("compare_rules", snap, by, archived)
    rates = [win_rate(snap, by=by, count=count, archived=archived) for count in _RATES]
    aliases = {name: alias for alias, name in cohort.names.items()}
    caveats = rates[0].attrs["caveats"]
    rates = [informed(part.rename(columns=aliases), cohort.groups) for part in rates]
    parts = [
        part.rename(columns={"rate": "value"}).assign(figure="win_rate", rule=RULES[count], used_by=vendors)
        for part, (count, vendors) in zip(rates, _RATES.items(), strict=True)
    ]
    counted = cohort.count(_timed(snap, cohort), *(f"{name}_{sum_}" for name in _CYCLES for sum_ in _SUMS))
    for name, (definition, vendors) in _CYCLES.items():
        total, squares, n = (counted[f"{name}_{sum_}"].astype(float) for sum_ in _SUMS)
        low, high = mean_interval(total, squares, n)
        part = counted[cohort.groups].assign(figure="cycle", rule=definition, used_by=vendors)
        parts.append(part.assign(value=ratio(total, n), n=n, low=low, high=high))
    columns = [*cohort.groups, "figure", "rule", "used_by", "value", "n", "low", "high"]
    table = pd.concat([part[columns].assign(_place=place) for place, part in enumerate(parts)])
    table["_size"] = rates[1]["n"].sum()
    if cohort.groups:  # all created deals decide which group comes first
        sizes = rates[1][cohort.groups].assign(_size=-np.arange(len(rates[1])))
        table = table.drop(columns="_size").merge(sizes, how="left", on=cohort.groups)
    table = table.sort_values(["_size", "_place"], ascending=[False, True], kind="stable", ignore_index=True)
    ours = table["value"].where(table["_place"].isin([0, len(_RATES)]))
    table["gap"] = table["value"] - ours.groupby([table[name] for name in ("_size", "figure")]).transform("max")
    table["n"] = table["n"].astype("int64")
    cohort.caveats.extend(caveats)
    n = sum(cohort.total("won", "lost", "open").values())
    return cohort.finish(table[[*columns, "gap"]], ["each figure under several definitions"], n)


def _timed(snap: Snapshot, cohort: Cohort) -> nw.LazyFrame[Any]:
    """Give each deal its days under every definition, their squares, and whether they are known."""
    listed = snap.frame("pipeline_stages").group_by("deal_id", "stage_id").agg(listed=nw.len())
    spent = snap.frame("stage_durations").join(listed, on=["deal_id", "stage_id"], how="inner")
    spent = spent.filter(nw.col("seconds") >= 0).group_by("deal_id").agg(stage_seconds=nw.col("seconds").sum())
    lasted = cohort.days("created_at", "closed_at")
    after = nw.col("closed_at") >= nw.col("created_at")
    frame = cohort.frame.join(spent, on="deal_id", how="left").with_columns(
        winning_total=nw.when((nw.col("won") == 1) & after).then(lasted),
        closing_total=nw.when(after).then(lasted),
        staying_total=nw.col("stage_seconds") / _SECONDS,
    )
    sums: dict[str, nw.Expr] = {}
    for name in _CYCLES:
        days = nw.col(f"{name}_total")
        sums |= {f"{name}_squares": days * days, f"{name}_n": flag(~days.is_null())}
    return frame.with_columns(**sums)
