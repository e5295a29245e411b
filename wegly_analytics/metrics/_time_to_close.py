"""How long deals take to be won or lost, with open deals as censored observations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import narwhals as nw
import numpy as np
import pandas as pd

from wegly_analytics.metrics.cohort import Cohort
from wegly_analytics.metrics.combinations import Combinations
from wegly_analytics.metrics.results import comparable, informed
from wegly_analytics.metrics.selection import EXCLUDED
from wegly_analytics.metrics.survival import COLUMNS, shares

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from wegly_analytics.metrics.selection import By
    from wegly_analytics.snapshot.snapshot import Snapshot

DAY: Final = 86_400.0
"""Seconds."""


def time_to_close(snap: Snapshot, *, by: By = None, archived: bool = False) -> pd.DataFrame:
    """Which share of deals is won, lost and still open by each day after their creation.

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
        One row per group and day on which a deal of it ended, after one for day 0; the largest group first: the groups;
        `days` since creation; `at_risk`, deals that were observed up to this day and had not ended before; `won` and
        `lost`, deals that ended on that day; `p_won`, `p_lost` and `p_open`, the shares won and lost by then and open
        after it (0 to 1, together 1), each with `_low` and `_high` (95 %). A group of open deals only has the row of
        day 0 alone.

    Raises
    ------
    MissingColumnError
        If deals has no column `by`.

    Notes
    -----
    Winning and losing are competing risks: the Aalen-Johansen estimator (1978), where an open deal is censored at its
    current age. So deals of all ages can be combined, and the youngest do not bias the shares, as they do in won ÷
    closed (deals that end early are closed first) and in won ÷ created (most have not ended yet). The denominator is
    all deals of the group. `days` are counted to the second. A re-opened deal counts as open since its creation. Closed
    deals without their closing time, deals without a creation date, and those closed before it (open ones: created
    after the snapshot) are excluded, and `attrs["excluded"]` counts them.

    Examples
    --------
    >>> import wegly_analytics as wa
    >>> curve = time_to_close(wa.sample())
    >>> curve.columns[:7].tolist()
    ['days', 'at_risk', 'won', 'lost', 'p_won', 'p_lost', 'p_open']
    >>> bool(((curve["p_won"] + curve["p_lost"] + curve["p_open"]).round(9) == 1).all())
    True
    """
    cohort = Cohort.of("time_to_close", snap, by, archived, columns=("created_at", "closed_at"))
    is_open, created = nw.col("open") == 1, nw.col("created_at")
    ended = nw.when(is_open).then(nw.lit(snap.taken_at)).otherwise(nw.col("closed_at"))
    unborn, backward = created.is_null(), ended < created
    cohort = cohort.excluding(
        {
            "without creation date": unborn,
            "closed without a closing date": ~unborn & ended.is_null(),
            "closed before created": backward & ~is_open,
            "created after the snapshot": backward & is_open,
        },
        seconds=cohort.microseconds(created, ended) // 1_000_000,
        ending=nw.col("won") + 2 * nw.col("lost"),
    )
    found = Combinations.of(cohort.frame, [EXCLUDED, "ending", *cohort.groups, *cohort.apart], "seconds")
    n = cohort.account(
        found.table.assign(n=[int(found.n[each].sum()) for each in found.at(range(len(found.table)))]), "n"
    )
    curves = _curves(found, cohort.groups)
    rule = [
        "shares of deals won and lost by age, Aalen-Johansen; open deals are censored",
        "log(-log) interval, 95 %",
    ]
    columns = {name: np.concatenate([curve.pop(name) for curve in curves]) for name in [*cohort.groups, *COLUMNS]}
    return cohort.finish(pd.DataFrame(columns, copy=False), rule, n)  # of many deals a copy is large


def _curves(found: Combinations, groups: list[str]) -> list[dict[str, NDArray[Any]]]:
    """Compute the curve of each group, the largest first, as columns; one without rows where there is no group."""
    table = informed(found.table[found.table[EXCLUDED] == 0], groups)
    parts: list[tuple[tuple[Any, ...], pd.DataFrame]] = [((), table)] if len(table) else []
    if groups:
        ordered = table.sort_values(groups, key=comparable, kind="stable")
        parts = [(key, part) for key, part in ordered.groupby(groups, sort=False)]
    curves = []
    for key, part in parts:
        slices = found.at(part.index)
        n = [found.n[each] for each in slices]
        ending = np.repeat(part["ending"].to_numpy(), [len(each) for each in n])
        curve = shares(np.concatenate([found.numbers[each] for each in slices]) / DAY, ending, np.concatenate(n))
        size = len(curve["days"])
        for name, value in zip(groups, key, strict=True):
            curve[name] = np.full(size, value, dtype=object)
        curves.append((sum(int(each.sum()) for each in n), curve))
    curves.sort(key=lambda one: -one[0])
    nothing = {**{name: np.empty(0, dtype=object) for name in groups}, **shares([], [], [])}
    return [curve for _, curve in curves] or [nothing]
