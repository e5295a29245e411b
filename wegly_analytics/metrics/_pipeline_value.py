"""What open deals in each stage are worth."""

from __future__ import annotations

from typing import TYPE_CHECKING

import narwhals as nw

from wegly_analytics.metrics.cohort import Cohort
from wegly_analytics.metrics.results import collect, comparable, ratio
from wegly_analytics.metrics.selection import By, flag
from wegly_analytics.metrics.stages import STAGE_COLUMNS, listed_stages, stage_times
from wegly_analytics.snapshot.keys import joined

if TYPE_CHECKING:
    import pandas as pd

    from wegly_analytics.snapshot.snapshot import Snapshot


def pipeline_value(snap: Snapshot, *, by: By = None, archived: bool = False) -> pd.DataFrame:
    """Value of the open deals in each stage, also weighted by the stage's win rate.

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
        place in the pipeline; `deals`, open ones in it; `value`, their sum (money); `weighted`, the value times
        the win rate (money; missing where no closed deal was ever in the stage); `no_value`, open deals without a
        value; `win_rate`, won ÷ (won + lost) of the closed deals that were in the stage, and `closed`, the number of
        these.

    Raises
    ------
    MissingColumnError
        If deals has no column `by`.

    Notes
    -----
    The API sends no probability, so the weight is the stage's own history in this snapshot, of all groups together;
    `attrs["rule"]` states this. A deal was in a stage if it has time in it. A deal without a value adds nothing to
    `value` and is counted in `no_value`. An open deal in no stage of any pipeline is in no row; `attrs["excluded"]`
    counts those.

    Examples
    --------
    >>> import wegly_analytics as wa
    >>> table = pipeline_value(wa.sample())
    >>> bool((table["weighted"].dropna() <= table["value"]).all())
    True
    """
    cohort = Cohort.of(
        "pipeline_value", snap, by, archived, columns=("value", *STAGE_COLUMNS), without=("pipeline", "stage")
    )
    stages = listed_stages(snap, cohort)
    stages = stages[stages["position"].notna()].astype({"stage_id": object})

    closed = cohort.kept.filter(nw.col("open") == 0, nw.col("counts_once") == 1).select("deal", "won", "lost")
    times = stage_times(snap).filter(~nw.col("stage_id").is_null())
    past = collect(joined(times, closed).group_by("stage_id").agg(nw.col("won", "lost").sum()))
    stages = stages.merge(past.astype({"stage_id": object}), how="left", on="stage_id").fillna({"won": 0, "lost": 0})
    stages["closed"] = (stages["won"] + stages["lost"]).astype("int64")
    stages["win_rate"] = ratio(stages["won"], stages["closed"])

    is_open = nw.col("open") == 1
    frame = cohort.frame.with_columns(
        deals=nw.col("open"),
        value=nw.when(is_open).then(nw.col("value")),
        no_value=flag(is_open & nw.col("value").is_null()),
    )
    counted = cohort.count(frame, "deals", "value", "no_value", keys=["stage_id"])
    inside = counted.table[counted.table["deals"] > 0].astype({"stage_id": object})
    nowhere = ~counted.firsts["stage_id"].isin(stages["stage_id"].dropna())
    cohort.note("in no stage of a pipeline", counted.firsts.loc[nowhere, "deals"].sum())
    if cohort.groups:
        stages = stages.merge(inside[cohort.groups].drop_duplicates(), how="cross")
        places = {name: n for n, name in enumerate(stages["stage_id"].drop_duplicates())}
        stages = stages.sort_values(
            [*cohort.groups, "stage_id"], key=lambda s: s.map(places) if s.name == "stage_id" else comparable(s)
        )
    table = stages.merge(inside, how="left", on=["stage_id", *cohort.groups])
    table[["deals", "no_value", "value"]] = table[["deals", "no_value", "value"]].fillna(0)
    table = table.astype({"deals": "int64", "no_value": "int64", "value": float})
    table["weighted"] = (table["value"] * table["win_rate"]).astype(float)
    unweighted = table.loc[table["weighted"].isna(), "deals"].sum()
    if unweighted:
        cohort.caveats.append("some open deals are in a stage that no closed deal was in: they have no weight")
    columns = [
        *cohort.groups, "pipeline", "stage", "position", "deals", "value", "weighted", "no_value", "win_rate", "closed",
    ]  # fmt: skip
    rule = ["open deals by stage", "weighted by the win rate of the closed deals that were in the stage"]
    return cohort.finish(table[columns], rule, counted.once("deals"))
