"""Win rate and discounts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import narwhals as nw
import numpy as np
import pandas as pd

from wegly_analytics.errors import SettingError
from wegly_analytics.metrics._proposals import DEPTH, IS_PRICED, ROUNDING
from wegly_analytics.metrics.cohort import Cohort
from wegly_analytics.metrics.intervals import wilson
from wegly_analytics.metrics.results import in_order, ratio
from wegly_analytics.metrics.selection import EXCLUDED, By, flag
from wegly_analytics.snapshot.keys import joined

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wegly_analytics.snapshot.snapshot import Snapshot

EDGES: Final = (0.0, 0.05, 0.10, 0.20, 0.30)
"""The default lower bounds of the bands."""


def discounts(snap: Snapshot, *, by: By = None, edges: Sequence[float] = EDGES, archived: bool = False) -> pd.DataFrame:
    """Compare win rates by the discount of the proposal.

    Parameters
    ----------
    snap
        The snapshot.
    by
        One column of deals, or several.
    edges
        The lower bounds of the bands, ascending shares from 0 to 1. Discounts up to the first one form a band of their
        own.
    archived
        Whether archived deals count.

    Returns
    -------
    pandas.DataFrame
        One row per group and band, the bands in order, also those without deals: the groups; `discount`, the band as
        text; `above` and `up_to`, its bounds (shares of the price, 0 to 1; `up_to` belongs to it); `won`, `lost` and
        `n` (closed deals); `rate` with `low` and `high` (shares, 0 to 1).

    Raises
    ------
    MissingColumnError
        If deals has no column `by`.
    SettingError
        If `edges` are not ascending shares.

    Notes
    -----
    Only closed deals that had a proposal are counted, so the rates are higher than the win rate of all deals. They show
    a correlation, not a cause: a discount may be given to customers who hesitate. The discount is 1 − total ÷
    subtotal of the primary proposal, or of the only one. Closed deals without one, without a price, or with a
    total above the subtotal are in no band; `attrs["excluded"]` counts them. The interval is Wilson's, 95 %.

    Examples
    --------
    >>> import wegly_analytics as wa
    >>> table = discounts(wa.sample(), edges=(0, 0.1))
    >>> table["discount"].tolist()
    ['0 %', '0 to 10 %', 'above 10 %']
    """
    bounds = [float(edge) for edge in edges]
    if not bounds or bounds != sorted(set(bounds)) or not 0 <= bounds[0] <= bounds[-1] < 1:
        raise SettingError(f"edges={edges!r}: give ascending shares from 0 to below 1, such as (0, 0.1, 0.2)")
    cohort = Cohort.of("discounts", snap, by, archived)
    closed = cohort.frame.filter((nw.col("open") == 0) | (nw.col(EXCLUDED) > 0))
    priced = cohort.on(joined(closed, _chosen_proposals(snap), how="left")).excluding(
        {
            "closed without a primary proposal": nw.col("one").is_null(),
            "with a proposal without a price": ~(flag(IS_PRICED) == 1),  # a missing price, too
            "total above the subtotal": DEPTH < -ROUNDING,
        },
        band=nw.sum_horizontal(*(flag(edge + ROUNDING < DEPTH) for edge in bounds)),
    )
    sums = priced.count(priced.frame, "won", "lost", keys=["band"])
    counted = sums.table
    every = pd.DataFrame({"band": range(len(bounds) + 1)})
    if cohort.groups:
        present = in_order(counted[cohort.groups].drop_duplicates(), cohort.groups)
        every = present.merge(every, how="cross")
    table = every.merge(counted, how="left", on=["band", *cohort.groups])
    if not cohort.groups and counted.empty:
        table = every.assign(won=0, lost=0)
    table[["won", "lost"]] = table[["won", "lost"]].fillna(0).astype("int64")
    table["above"] = np.array([np.nan, *bounds])[table["band"]]
    table["up_to"] = np.array([*bounds, np.nan])[table["band"]]
    table["discount"] = [
        _band(low, high) for low, high in zip(table["above"].tolist(), table["up_to"].tolist(), strict=True)
    ]
    table["n"] = table["won"] + table["lost"]
    table["rate"] = ratio(table["won"], table["n"])
    table["low"], table["high"] = wilson(table["won"], table["n"])
    won, lost = sums.once("won"), sums.once("lost")
    cohort.warn_of_one_sided(won, lost)
    columns = [*cohort.groups, "discount", "above", "up_to", "won", "lost", "n", "rate", "low", "high"]
    rule = [
        "won ÷ (won + lost) of deals with a proposal, by 1 − total ÷ subtotal of the primary one",
        "Wilson interval, 95 %",
    ]
    return cohort.finish(table[columns].astype({"discount": object}), rule, won + lost)


def _chosen_proposals(snap: Snapshot) -> nw.LazyFrame[Any]:
    """Return the primary proposal of each deal, or its only one."""
    proposals = snap.keyed("proposals", "is_primary", "subtotal", "total")
    is_main = nw.col("is_primary")
    proposals = proposals.with_columns(
        main=flag(is_main),
        one=nw.lit(1),
        main_subtotal=nw.when(is_main).then(nw.col("subtotal")),
        main_total=nw.when(is_main).then(nw.col("total")),
    )
    # the greatest of one value is that value
    of_deal = proposals.group_by("deal").agg(
        nw.col("main", "one").sum(), nw.col("subtotal", "total", "main_subtotal", "main_total").max()
    )
    has_main = nw.col("main") == 1
    return of_deal.filter(has_main | (nw.col("one") == 1)).select(
        "deal",
        "one",
        subtotal=nw.when(has_main).then(nw.col("main_subtotal")).otherwise(nw.col("subtotal")),
        total=nw.when(has_main).then(nw.col("main_total")).otherwise(nw.col("total")),
    )


def _band(above: float, up_to: float) -> str:
    """Name a band; only "above" and "to" need translation."""
    if np.isnan(above):
        return f"{100 * up_to:g} %"
    return f"above {100 * above:g} %" if np.isnan(up_to) else f"{100 * above:g} to {100 * up_to:g} %"
