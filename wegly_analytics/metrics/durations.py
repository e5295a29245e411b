"""How long deals were in each stage, as numbers for each stage and group."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import narwhals as nw
import numpy as np
import pandas as pd

from wegly_analytics.metrics.combinations import Combinations
from wegly_analytics.metrics.results import collect, informed
from wegly_analytics.metrics.selection import ONCE, flag
from wegly_analytics.snapshot.keys import tallied

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from wegly_analytics.metrics.cohort import Cohort
    from wegly_analytics.snapshot.snapshot import Snapshot

LARGE: Final = 4_000_000
"""More stage times than these are read from an engine one stage at a time: nearly each of them is a row of its own."""

_GOES_ON: Final = "goes_on"


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


def durations(cohort: Cohort, times: nw.LazyFrame[Any], goes_on: nw.Expr, large: int = LARGE) -> Iterator[Durations]:
    """Read the times of each stage and group.

    Parameters
    ----------
    cohort
        The deals.
    times
        Rows with `stage_id`, `seconds`, the groups, and what `goes_on` needs.
    goes_on
        Whether a deal is still in the stage.
    large
        The number of stage times above which an engine is asked for one stage at a time.
    """
    rows = times.with_columns(flag(goes_on).alias(_GOES_ON))
    is_large = not rows.implementation.is_pyarrow() and cohort.snap.rows["stage_durations"] > large
    for part in _by_stage(rows, cohort.snap) if is_large else [rows]:
        yield from _grouped(part, cohort)


def _by_stage(rows: nw.LazyFrame[Any], snap: Snapshot) -> Iterator[nw.LazyFrame[Any]]:
    stage = nw.col("stage_id")
    for name in collect(tallied(snap.keyed("stage_durations", "stage_id"), "stage_id"))["stage_id"].tolist():
        yield rows.filter(stage.is_null() if pd.isna(name) else stage == name)


def _grouped(rows: nw.LazyFrame[Any], cohort: Cohort) -> Iterator[Durations]:
    keys = ["stage_id", *cohort.groups]
    found = Combinations.of(rows, [*keys, _GOES_ON, *cohort.apart], "seconds")
    table = informed(found.table, cohort.groups)
    goes_on = table[_GOES_ON].to_numpy() == 1
    counts_once = table[ONCE].to_numpy() == 1 if cohort.overlapping else np.ones(len(table), dtype=bool)
    for key, mine in table.groupby(keys, dropna=False, sort=False):
        places = mine.index.to_numpy()
        slices = found.at(places)
        n = [found.n[each] for each in slices]
        yield Durations(
            key,
            np.concatenate([found.numbers[each] for each in slices]),
            np.repeat(goes_on[places], [len(each) for each in n]),
            np.concatenate(n),
            sum(int(each.sum()) for each, counts in zip(n, (goes_on & counts_once)[places], strict=True) if counts),
        )
