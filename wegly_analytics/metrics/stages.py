"""The stages of the pipelines in order, and the time each deal has spent in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import narwhals as nw
import pandas as pd

from wegly_analytics.metrics.results import collect
from wegly_analytics.snapshot.keys import encoded, joined, summed, tallied

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wegly_analytics.metrics.cohort import Cohort
    from wegly_analytics.snapshot.snapshot import Snapshot


STAGE_COLUMNS: Final = ("pipeline", "stage_id", "stage")
"""The columns of deals for the stage a deal is in."""


_COLUMNS: Final = ["stage_id", "stage", "position", "pipeline"]


def stage_times(snap: Snapshot, *, without: Sequence[str] | None = None) -> nw.LazyFrame[Any]:
    """Return the seconds of each deal in each stage, one row for each pair; with 0 seconds it was not in it.

    Parameters
    ----------
    snap
        The snapshot.
    without
        Ids of stages; if given, only the others, with a column `stage`, their names.
    """
    name = [] if without is None else ["stage"]
    times = snap.keyed("stage_durations", "stage_id", "seconds", *name).filter(nw.col("seconds") > 0)
    if without:
        times = times.filter(~nw.col("stage_id").is_in(without) | nw.col("stage_id").is_null())
    return summed(times, ["deal", "stage_id"], "seconds", name)


def listed_stages(snap: Snapshot, cohort: Cohort) -> pd.DataFrame:
    """Return every stage that the pipelines of the deals have, the largest pipeline first, each in its order.

    A stage that was renamed has its most frequent name.
    """
    named = cohort.kept.filter(nw.col("counts_once") == 1).select("deal", "pipeline")
    rows = joined(snap.keyed("pipeline_stages", "stage_id", "stage", "position"), encoded(named, "pipeline"))
    listed = collect(tallied(rows, "pipeline", "stage_id", "stage", "position"))
    listed["size"] = listed.groupby("pipeline", dropna=False)["n"].transform("max")
    listed = _most_frequent(listed, ["position", "stage", "pipeline"])
    listed = listed.sort_values(["size", "pipeline", "position"], ascending=[False, True, True], kind="stable")
    return listed[_COLUMNS].astype({"position": "Int64"})


def stages_in_order(snap: Snapshot, cohort: Cohort, current: pd.DataFrame, timed: Sequence[Any]) -> pd.DataFrame:
    """Return the listed stages, then those that only stage durations or deals know.

    Parameters
    ----------
    snap
        The snapshot.
    cohort
        The deals.
    current
        How many deals are `open` by the stage they are in, `stage_id` and `stage`.
    timed
        The ids of the stages in which deals have times.
    """
    stages = listed_stages(snap, cohort)
    known = stages["stage_id"].dropna().tolist()
    current = current.rename(columns={"open": "n"})
    current = current[current["stage_id"].notna() & (current["n"] > 0)]
    named_by = [current.groupby(["stage_id", "stage"], as_index=False, dropna=False)[["n"]].sum()]
    if not set(timed) <= set(known):  # the names are in a table that is long to read
        named_by.insert(0, collect(tallied(cohort.beside(stage_times(snap, without=known)), "stage_id", "stage")))
    for found in named_by:
        named = _most_frequent(found, ["stage"])
        stages = pd.concat([stages, named[~named["stage_id"].isin(stages["stage_id"])]])
    return stages[_COLUMNS].astype({"position": "Int64"})


def _most_frequent(stages: pd.DataFrame, ties: list[str]) -> pd.DataFrame:
    """Keep one row for each stage: the most frequent, and among equals the same on every engine."""
    ranked = stages.sort_values(["n", *ties], ascending=[False, *(True for _ in ties)], kind="stable")
    return ranked.drop_duplicates("stage_id")
