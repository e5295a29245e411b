"""How many deals reach each stage of a pipeline."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, Literal

import narwhals as nw
import pandas as pd

from wegly_analytics.errors import SettingError
from wegly_analytics.metrics.cohort import Cohort
from wegly_analytics.metrics.intervals import wilson
from wegly_analytics.metrics.results import collect, in_order, ratio
from wegly_analytics.metrics.selection import By, flag
from wegly_analytics.metrics.stages import STAGE_COLUMNS, listed_stages
from wegly_analytics.snapshot.keys import joined, tallied

if TYPE_CHECKING:
    from wegly_analytics.snapshot.snapshot import Snapshot

STAGE_RULES: Final = {
    "reached": "reached: at the stage or beyond, by the furthest position; a won deal reached all",
    "visited": "visited: has time in the stage, or is in it now",
    "strict": "strict: visited the stage and all before it",
}
"""What it means to get to a stage, as messages of the catalog."""


def funnel(
    snap: Snapshot,
    *,
    pipeline: str | None = None,
    rule: Literal["reached", "visited", "strict"] = "reached",
    by: By = None,
    archived: bool = False,
) -> pd.DataFrame:
    """How many deals reach each stage of a pipeline, and how many of these are won.

    Parameters
    ----------
    snap
        The snapshot.
    pipeline
        The pipeline's name; may be omitted where the deals in scope are in one pipeline only.
    rule
        ``"reached"``: at the stage or beyond it, by the furthest position of a deal; ``"visited"``: has time in the
        stage, or is in it now; ``"strict"``: visited the stage and all before it.
    by
        One column of deals, or several.
    archived
        Whether archived deals count.

    Returns
    -------
    pandas.DataFrame
        One row per group and stage, in the order of the pipeline: the groups; `stage`; `position`; `reached`, deals
        that reached it; `of_first` and `of_previous`, these as shares of the deals that reached the first stage and
        the previous one (0 to 1; missing for the first); `won` and `lost`, how many of them were; `win_rate`,
        won ÷ (won + lost) of them, with `low` and `high` (shares, 0 to 1).

    Raises
    ------
    MissingColumnError
        If deals has no column `by`.
    SettingError
        If the rule or the pipeline is unknown, or there are several pipelines and none is named.

    Notes
    -----
    The API has neither entries nor exits of stages, only the time in each, so the order of visits is unknown, and with
    ``"visited"`` a later stage may have more deals than an earlier one. With ``"reached"`` a won deal counts at every
    stage, because it passed the whole pipeline, even if stages were skipped or added later. The win rate of a stage is
    counted, not multiplied from stage to stage: open deals would count as lost at each step. Deals of the pipeline that
    are no longer in any of its stages, and have no time in one, reached no stage; `attrs["excluded"]` counts them.
    Stages are distinguished by id: two stages of the same name are two rows, and a renamed one has its most frequent
    name.

    HubSpot's funnel reports offer strict and any order; Bitrix24 counts reached or passed. The interval is Wilson's,
    95 %.

    Examples
    --------
    >>> import wegly_analytics as wa
    >>> table = funnel(wa.sample(), pipeline="Vendas")
    >>> table["reached"].is_monotonic_decreasing, float(table["of_first"][0])
    (True, 1.0)
    """
    if rule not in STAGE_RULES:
        raise SettingError(f"rule={rule!r} is none of {', '.join(map(repr, STAGE_RULES))}")
    cohort = Cohort.of("funnel", snap, by, archived, columns=STAGE_COLUMNS, without=("pipeline", "stage"))
    chosen = _chosen(cohort, pipeline)
    is_elsewhere = nw.col("pipeline").is_null() | (nw.col("pipeline") != chosen)
    cohort = cohort.excluding({"in another pipeline, or in none": is_elsewhere})
    stages = listed_stages(snap, cohort)
    stages = stages[stages["position"].notna() & (stages["pipeline"] == chosen)].reset_index(drop=True)
    marks = [f"at_{n}" for n in range(len(stages))]
    if not marks:
        cohort.once(cohort.frame, "open")
        empty = pd.DataFrame(columns=[*cohort.groups, *_COLUMNS])
        return cohort.finish(empty.astype(_TYPES), _rule(rule), 0, pipeline=chosen)

    counted, nowhere, n = (
        _reached(cohort, stages, marks) if rule == "reached" else _visited(cohort, stages, marks, rule)
    )
    cohort.note("in no stage of the pipeline", nowhere)

    rows = []
    for row in counted.to_dict("records"):
        part = stages[["stage", "position"]].copy()
        for place, name in enumerate(cohort.groups):
            part.insert(place, name, row[name])
        part["reached"] = [int(row[mark]) for mark in marks]
        for end in ("won", "lost"):
            part[end] = [int(row[f"{end}_{mark}"]) for mark in marks]
        before = part["reached"].shift()
        part["of_first"] = ratio(part["reached"], pd.Series(part["reached"].iloc[0], index=part.index))
        part["of_previous"] = ratio(part["reached"], before.fillna(0))
        rows.append(part)
    table = pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(columns=[*cohort.groups, *_COLUMNS])
    closed = table["won"] + table["lost"]
    table["win_rate"] = ratio(table["won"], closed)
    table["low"], table["high"] = wilson(table["won"], closed)
    table = table[[*cohort.groups, *_COLUMNS]].astype(_TYPES)
    return cohort.finish(table, _rule(rule), n, pipeline=chosen)


_COLUMNS: Final = ["stage", "position", "reached", "of_first", "of_previous", "won", "lost", "win_rate", "low", "high"]
_TYPES: Final[dict[str, Any]] = {
    "position": "int64",
    **dict.fromkeys(["reached", "won", "lost"], "int64"),
    **dict.fromkeys(["of_first", "of_previous", "win_rate", "low", "high"], float),
}


def _visits(snap: Snapshot) -> nw.LazyFrame[Any]:
    return snap.keyed("stage_durations", "stage_id", "seconds").filter(nw.col("seconds") > 0)


def _reached(cohort: Cohort, stages: pd.DataFrame, marks: list[str]) -> tuple[pd.DataFrame, float, float]:
    """Count the deals that reached each stage, those that reached none, and the others.

    How far each deal got is one number, so the engine counts deals by it, and the sums from the end are taken here.
    """
    place: nw.Expr = nw.lit(0)
    for number, stage in enumerate(stages["stage_id"], start=1):
        place = nw.when(nw.col("stage_id") == stage).then(nw.lit(number)).otherwise(place)
    furthest = _visits(cohort.snap).select("deal", been=place).group_by("deal").agg(nw.col("been").max())
    frame = joined(cohort.frame, furthest, how="left")
    now = nw.when(nw.col("been") > place).then(nw.col("been")).otherwise(place)
    frame = frame.with_columns(
        furthest=nw.when(nw.col("won") == 1).then(nw.lit(len(stages))).otherwise(now), deals=nw.lit(1)
    )
    sums = cohort.count(frame, "deals", "won", "lost", keys=["furthest"])
    table = in_order(sums.table, cohort.groups) if cohort.groups else sums.table
    beyond = {
        prefix + mark: table[column].where(table["furthest"] > number, 0)
        for column, prefix in (("deals", ""), ("won", "won_"), ("lost", "lost_"))
        for number, mark in enumerate(marks)
    }
    counted = table[cohort.groups].assign(**beyond)
    if cohort.groups:
        counted = counted.groupby(cohort.groups, as_index=False, sort=False).sum()
    elif len(counted):
        counted = counted.sum().to_frame().T
    nowhere = sums.firsts.loc[sums.firsts["furthest"] == 0, "deals"].sum()
    return counted, nowhere, sums.once("deals") - nowhere


def _visited(cohort: Cohort, stages: pd.DataFrame, marks: list[str], rule: str) -> tuple[pd.DataFrame, float, float]:
    """Count the deals that were in each stage (`strict`: and in all before it), those in none, and the others."""
    in_stage = {mark: nw.col("stage_id") == stage for mark, stage in zip(marks, stages["stage_id"], strict=True)}
    visits = _visits(cohort.snap).select("deal", **{mark: flag(here) for mark, here in in_stage.items()})
    frame = joined(cohort.frame, visits.group_by("deal").agg(nw.col(*marks).max()), how="left")
    frame = frame.with_columns(**{mark: flag((nw.col(mark) == 1) | here) for mark, here in in_stage.items()})
    frame = frame.with_columns(nowhere=flag(nw.sum_horizontal(*marks) == 0))
    for previous, mark in pairwise(marks) if rule == "strict" else ():
        frame = frame.with_columns(**{mark: flag((nw.col(mark) == 1) & (nw.col(previous) == 1))})
    ends = {
        f"{end}_{mark}": flag((nw.col(mark) == 1) & (nw.col(end) == 1)) for end in ("won", "lost") for mark in marks
    }
    frame = frame.with_columns(**ends, some=1 - nw.col("nowhere"))
    sums = cohort.count(frame, *marks, *ends, "nowhere", "some")
    return sums.table, sums.once("nowhere"), sums.once("some")


def _chosen(cohort: Cohort, pipeline: str | None) -> str | None:
    """Find the pipeline that is meant."""
    counted = collect(tallied(cohort.kept, "pipeline"))
    known = counted.dropna(subset=["pipeline"]).sort_values("n", ascending=False, kind="stable")["pipeline"].tolist()
    if pipeline is None and len(known) <= 1:
        return known[0] if known else None
    if pipeline not in known:
        have = ", ".join(map(repr, known)) or "none"
        what = f"pipeline={pipeline!r} has no deal here" if pipeline is not None else "there are several pipelines"
        raise SettingError(f"{what}; name one with pipeline=: {have}")
    return pipeline


def _rule(rule: str) -> list[str]:
    return [STAGE_RULES[rule], "win rate of the deals that reached it: won ÷ (won + lost)", "Wilson interval, 95 %"]
