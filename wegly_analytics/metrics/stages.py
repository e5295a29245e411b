"""How long deals stay in each stage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals as nw
import numpy as np
import pandas as pd

from wegly_analytics.metrics.intervals import kaplan_meier, quantile
from wegly_analytics.metrics.reduction import By, Deals, collect, flag, informed

if TYPE_CHECKING:
    from wegly_analytics.snapshot.snapshot import Snapshot

_DAY = 86_400.0
"""Seconds."""


def time_in_stage(snap: Snapshot, *, by: By = None, archived: bool = False) -> pd.DataFrame:
    """How many days deals stay in each stage, in pipeline order.

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
        One row per group and stage, in the order of the pipelines: the groups; `pipeline`; `stage`; `position`, its
        place in the pipeline (missing where the pipeline no longer has it); `left`, deals that have left it;
        `still_in`, open deals that are in it now; `p25`, `p50`, `p75` (days by which that share has left; missing if so
        many have not left yet); `mean_left` (average days of those that left).

    Raises
    ------
    MissingColumnError
        If deals has no column `by`.

    Notes
    -----
    Kaplan and Meier's estimate: the time of an open deal in its current stage counts as "at least so long". Visits to a
    stage are added up by the API. A won or lost deal has left its last stage. Open deals for whose current stage the
    API gives no time stand in `still_in` but not in the quartiles, and `attrs["excluded"]` counts them.

    Examples
    --------
    >>> import wegly_analytics as wa
    >>> table = time_in_stage(wa.sample().where(pipeline="Vendas"))
    >>> table["position"].dropna().is_monotonic_increasing
    True
    """
    deals = Deals(snap, by, archived)
    deals.groups = [g for g in deals.groups if g not in ("pipeline", "stage")]  # each row has these anyway
    groups = [f"by_{n}" for n in range(len(deals.groups))]  # a group may be called as a column of stage_durations is
    own = deals.frame.select(
        "deal_id",
        "open",
        "counts_once",
        current=nw.col("stage_id"),
        **{alias: nw.col(name) for alias, name in zip(groups, deals.groups, strict=True)},
    )
    times = snap.frame("stage_durations").join(own, on="deal_id", how="inner")
    times = times.filter(~nw.col("seconds").is_null(), nw.col("seconds") >= 0)
    times = times.with_columns(still_in=flag((nw.col("open") == 1) & (nw.col("stage_id") == nw.col("current"))))
    keys = ["stage_id", *groups]
    n = deals.total("won", "lost", "open")
    counted = collect(times.group_by(*keys, "seconds", "still_in").agg(n=nw.len()))
    inside = collect(own.filter(nw.col("open") == 1).group_by("current", *groups).agg(n=nw.len()))
    inside = inside.rename(columns={"current": "stage_id"})
    stages = stages_in_order(snap, deals, times)

    rows = []
    for key, part in informed(counted, groups).groupby(keys, dropna=False, sort=False):
        ended = part["still_in"] == 0
        curve = kaplan_meier(part["seconds"] / _DAY, ended, part["n"])
        left = part[ended]
        rows.append(
            {
                **dict(zip(keys, key, strict=True)),
                "left": left["n"].sum(),
                "timed": part.loc[~ended, "n"].sum(),
                **{name: quantile(curve, q) for name, q in (("p25", 0.25), ("p50", 0.5), ("p75", 0.75))},
                "mean_left": np.average(left["seconds"], weights=left["n"]) / _DAY if len(left) else np.nan,
            }
        )
    spent = pd.DataFrame(rows, columns=[*keys, "left", "timed", "p25", "p50", "p75", "mean_left"])
    # where no stage has an id, pandas would take the missing ones for numbers
    spent, inside, stages = (frame.astype({"stage_id": object}) for frame in (spent, inside, stages))
    table = spent.merge(informed(inside, groups).rename(columns={"n": "still_in"}), how="outer", on=keys)
    if groups:
        stages = stages.merge(table[groups].drop_duplicates(), how="cross")
    table = stages.merge(table, how="left", on=keys)
    counts = ["left", "timed", "still_in"]
    table[counts] = table[counts].fillna(0).astype("int64")
    running = times.filter(nw.col("still_in") == 1, nw.col("counts_once") == 1).group_by("deal_id").agg(n=nw.len())
    timed = collect(running.select(nw.len().alias("n")))["n"].iloc[0]
    deals.note("without stage times", n["open"] - timed)
    table = table.rename(columns=dict(zip(groups, deals.groups, strict=True)))
    figures = ["p25", "p50", "p75", "mean_left"]
    columns = [*deals.groups, "pipeline", "stage", "position", "left", "still_in", *figures]
    rule = ["days in stage, Kaplan-Meier; the current stage of an open deal still counts on"]
    return deals.finish(table[columns].astype(dict.fromkeys(figures, float)), "time_in_stage", rule, sum(n.values()))


def stages_in_order(snap: Snapshot, deals: Deals, times: nw.LazyFrame[Any]) -> pd.DataFrame:
    """Every stage of the pipelines in their order, then those that only stage durations know.

    A stage that was renamed goes by its most frequent name.
    """
    named = deals.frame.filter(nw.col("counts_once") == 1).select("deal_id", "pipeline")
    listing = snap.frame("pipeline_stages").join(named, on="deal_id", how="inner")
    listed = collect(listing.group_by("pipeline", "stage_id", "stage", "position").agg(n=nw.len()))
    timed = collect(times.group_by("stage_id", "stage").agg(n=nw.len()))
    listed["size"] = listed.groupby("pipeline", dropna=False)["n"].transform("max")
    listed = _most_frequent(listed, ["position", "stage", "pipeline"])
    listed = listed.sort_values(["size", "pipeline", "position"], ascending=[False, True, True], kind="stable")
    timed = _most_frequent(timed, ["stage"])
    stages = pd.concat([listed, timed[~timed["stage_id"].isin(listed["stage_id"])]])
    return stages[["stage_id", "stage", "position", "pipeline"]].astype({"position": "Int64"})


def _most_frequent(stages: pd.DataFrame, ties: list[str]) -> pd.DataFrame:
    """Keep one row for each stage: the most frequent, and among equals the same on every engine."""
    ranked = stages.sort_values(["n", *ties], ascending=[False, *(True for _ in ties)], kind="stable")
    return ranked.drop_duplicates("stage_id")
