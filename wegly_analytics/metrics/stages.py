"""The stages of the pipelines in order, and the time each deal has spent in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import narwhals as nw
import pandas as pd

from wegly_analytics.metrics.results import collect
from wegly_analytics.snapshot.keys import joined

if TYPE_CHECKING:
    from wegly_analytics.metrics.cohort import Cohort
    from wegly_analytics.snapshot.snapshot import Snapshot


STAGE_COLUMNS: Final = ("pipeline", "stage_id", "stage")
"""The columns of deals for the stage a deal is in."""


_COLUMNS: Final = ["stage_id", "stage", "position", "pipeline"]


def stage_times(snap: Snapshot) -> nw.LazyFrame[Any]:
    """Return the seconds of each deal in each stage, one row for each pair; with 0 seconds it was not in it."""
    times = snap.keyed("stage_durations", "stage_id", "stage", "seconds").filter(nw.col("seconds") > 0)
    return times.group_by("deal", "stage_id").agg(nw.col("seconds").sum(), stage=nw.col("stage").max())


def listed_stages(snap: Snapshot, cohort: Cohort) -> pd.DataFrame:
    """Return every stage that the pipelines of the deals have, the largest pipeline first, each in its order.

    A stage that was renamed has its most frequent name.
    """
    named = cohort.frame.filter(nw.col("counts_once") == 1).select("deal", "pipeline")
    rows = joined(snap.keyed("pipeline_stages", "stage_id", "stage", "position"), named)
    listed = collect(rows.group_by("pipeline", "stage_id", "stage", "position").agg(n=nw.len()))
    listed["size"] = listed.groupby("pipeline", dropna=False)["n"].transform("max")
    listed = _most_frequent(listed, ["position", "stage", "pipeline"])
    listed = listed.sort_values(["size", "pipeline", "position"], ascending=[False, True, True], kind="stable")
    return listed[_COLUMNS].astype({"position": "Int64"})


def stages_in_order(snap: Snapshot, cohort: Cohort, times: nw.LazyFrame[Any]) -> pd.DataFrame:
    """Return the listed stages, then those that only stage durations or deals know."""
    timed = collect(times.group_by("stage_id", "stage").agg(n=nw.len()))
    current = collect(
        cohort.frame.filter(nw.col("open") == 1, ~nw.col("stage_id").is_null(), nw.col("counts_once") == 1)
        .group_by("stage_id", "stage")
        .agg(n=nw.len())
    )
    stages = listed_stages(snap, cohort)
    for found in (timed, current):
        found = _most_frequent(found, ["stage"])
        stages = pd.concat([stages, found[~found["stage_id"].isin(stages["stage_id"])]])
    return stages[_COLUMNS].astype({"position": "Int64"})


def _most_frequent(stages: pd.DataFrame, ties: list[str]) -> pd.DataFrame:
    """Keep one row for each stage: the most frequent, and among equals the same on every engine."""
    ranked = stages.sort_values(["n", *ties], ascending=[False, *(True for _ in ties)], kind="stable")
    return ranked.drop_duplicates("stage_id")
