"""How long deals stay in each stage."""

from __future__ import annotations

from typing import TYPE_CHECKING

import narwhals as nw
import numpy as np
import pandas as pd

from wegly_analytics.metrics.cohort import Cohort
from wegly_analytics.metrics.durations import durations
from wegly_analytics.metrics.stages import STAGE_COLUMNS, stage_times, stages_in_order
from wegly_analytics.metrics.survival import kaplan_meier, quantile

if TYPE_CHECKING:
    from wegly_analytics.metrics.selection import By
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
        `still_in`, open deals that are in it now; `p25`, `p50`, `p75` (days by which that share has left; missing if
        fewer have left yet); `mean_left` (average days of those that left).

    Raises
    ------
    MissingColumnError
        If deals has no column `by`.

    Notes
    -----
    Kaplan and Meier's estimate: the time of an open deal in its current stage is censored. Visits to a
    stage are added up by the API. A won or lost deal has left its last stage. Open deals for whose current stage the
    API gives no time are in `still_in` but not in the quartiles, and `attrs["excluded"]` counts them.

    Examples
    --------
    >>> import wegly_analytics as wa
    >>> table = time_in_stage(wa.sample().where(pipeline="Vendas"))
    >>> table["position"].dropna().is_monotonic_increasing
    True
    """
    cohort = Cohort.of("time_in_stage", snap, by, archived, columns=STAGE_COLUMNS, without=("pipeline", "stage"))
    groups = cohort.groups
    keys = ["stage_id", *groups]
    times = cohort.beside(stage_times(snap), "open", *groups, current="stage_id")
    current = cohort.count(cohort.frame, "won", "lost", "open", keys=["stage_id", "stage"])
    n = {name: current.once(name) for name in ("won", "lost", "open")}
    inside = current.table[current.table["open"] > 0]
    inside = inside.groupby(keys, as_index=False, dropna=False)[["open"]].sum().rename(columns={"open": "still_in"})

    rows, waiting = [], 0
    for each in durations(cohort, times, (nw.col("open") == 1) & (nw.col("stage_id") == nw.col("current"))):
        curve = kaplan_meier(each.seconds / _DAY, ~each.goes_on, each.n)
        left, n_left = each.seconds[~each.goes_on], each.n[~each.goes_on]
        waiting += each.waiting
        rows.append(
            {
                **dict(zip(keys, each.key, strict=True)),
                "left": n_left.sum(),
                "timed": each.n[each.goes_on].sum(),
                **{name: quantile(curve, q) for name, q in (("p25", 0.25), ("p50", 0.5), ("p75", 0.75))},
                "mean_left": np.average(left, weights=n_left) / _DAY if len(left) else np.nan,
            }
        )
    spent = pd.DataFrame(rows, columns=[*keys, "left", "timed", "p25", "p50", "p75", "mean_left"])
    stages = stages_in_order(snap, cohort, current.firsts, spent["stage_id"].unique().tolist())
    # where no stage has an id, pandas would take the missing ones for numbers
    spent, inside, stages = (frame.astype({"stage_id": object}) for frame in (spent, inside, stages))
    table = spent.merge(inside, how="outer", on=keys)
    if groups:
        stages = stages.merge(table[groups].drop_duplicates(), how="cross")
    table = stages.merge(table, how="left", on=keys)
    counts = ["left", "timed", "still_in"]
    table[counts] = table[counts].astype(float).fillna(0).astype("int64")
    cohort.note("without stage times", n["open"] - waiting)
    figures = ["p25", "p50", "p75", "mean_left"]
    columns = [*cohort.groups, "pipeline", "stage", "position", "left", "still_in", *figures]
    rule = ["days in stage, Kaplan-Meier; the current stage of an open deal is censored"]
    return cohort.finish(table[columns].astype(dict.fromkeys(figures, float)), rule, sum(n.values()))
