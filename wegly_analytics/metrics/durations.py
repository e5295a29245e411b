"""How long deals were in each stage, as numbers for each stage and group."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import narwhals as nw
import numpy as np
import pandas as pd

from wegly_analytics.metrics.results import collect, collected, informed, numbered
from wegly_analytics.metrics.selection import ONCE, flag
from wegly_analytics.snapshot.keys import tallied

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from wegly_analytics.metrics.cohort import Cohort

LARGE: Final = 4_000_000
"""More stage times than these are read from an engine one stage at a time: nearly each of them is a row of its own."""

_GOES_ON: Final = "goes_on"
_N: Final = "n"


@dataclass(frozen=True)
class Durations:
    """The times of the deals of one group in one stage, in any order.

    Parameters
    ----------
    key
        The id of the stage, and the groups; the missing group is "(not informed)".
    seconds
        Each time, perhaps more than once.
    goes_on
        Whether the deals are still in the stage.
    n
        How many deals there are of each.
    waiting
        How many deals are still in the stage, each in one of its groups only.
    """

    key: tuple[Any, ...]
    seconds: NDArray[Any]
    goes_on: NDArray[np.bool_]
    n: NDArray[np.int64]
    waiting: int


def durations(cohort: Cohort, times: nw.LazyFrame[Any], goes_on: nw.Expr) -> Iterator[Durations]:
    """Read the times of each stage and group.

    Parameters
    ----------
    cohort
        The deals.
    times
        Rows with `stage_id`, `seconds`, the groups, and what `goes_on` needs.
    goes_on
        Whether a deal is still in the stage.
    """
    rows = times.with_columns(flag(goes_on).alias(_GOES_ON))
    is_large = not rows.implementation.is_pyarrow() and cohort.snap.rows["stage_durations"] > LARGE
    for part in _by_stage(rows) if is_large else [rows]:
        yield from _grouped(part, cohort)


def _by_stage(rows: nw.LazyFrame[Any]) -> Iterator[nw.LazyFrame[Any]]:
    stage = nw.col("stage_id")
    for name in collect(tallied(rows, "stage_id"))["stage_id"].tolist():
        yield rows.filter(stage.is_null() if pd.isna(name) else stage == name)


def _grouped(rows: nw.LazyFrame[Any], cohort: Cohort) -> Iterator[Durations]:
    """Sort the rows by the number of their keys: far faster than grouping texts, or counting equal times."""
    keys = ["stage_id", *cohort.groups]
    by = [*keys, _GOES_ON, *cohort.apart]
    if not rows.implementation.is_pyarrow():
        rows = nw.from_native(collected(tallied(rows, *by, "seconds"))).lazy()
    table = rows.collect("pyarrow").to_native()
    found, place = numbered(rows, by)
    # numpy sorts numbers of 16 bits by counting them
    order = np.argsort(place.astype(np.int16) if len(found) < 1 << 15 else place, kind="stable")
    seconds = table.column("seconds").to_numpy()[order]
    n = table.column(_N).to_numpy()[order] if _N in table.column_names else np.ones(len(order), dtype=np.int64)
    ends = np.bincount(place, minlength=len(found)).cumsum()
    starts, goes_on = ends - np.diff(ends, prepend=0), found[_GOES_ON].to_numpy() == 1
    counts_once = found[ONCE].to_numpy() == 1 if cohort.overlapping else np.ones(len(found), dtype=bool)
    for key, mine in informed(found, cohort.groups).groupby(keys, dropna=False, sort=False):
        slices = [(number, slice(starts[number], ends[number])) for number in mine.index]
        yield Durations(
            key,
            np.concatenate([seconds[rows_] for _, rows_ in slices]),
            np.concatenate([np.full(ends[number] - starts[number], goes_on[number]) for number, _ in slices]),
            np.concatenate([n[rows_] for _, rows_ in slices]),
            sum(int(n[rows_].sum()) for number, rows_ in slices if goes_on[number] and counts_once[number]),
        )
