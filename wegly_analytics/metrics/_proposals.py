"""The outcomes of proposals, and their discounts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import narwhals as nw
import numpy as np

from wegly_analytics.metrics.cohort import Cohort
from wegly_analytics.metrics.intervals import wilson
from wegly_analytics.metrics.results import collect, informed, ratio
from wegly_analytics.metrics.selection import By, flag
from wegly_analytics.snapshot.keys import joined, tallied

if TYPE_CHECKING:
    import pandas as pd

    from wegly_analytics.snapshot.snapshot import Snapshot

STATES: Final = ["approved", "rejected", "withdrawn", "expired", "pending"]
"""The outcomes of a proposal; each proposal has exactly one."""

_DAY: Final = 86_400_000_000
"""Microseconds."""

ROUNDING: Final = 1e-9
"""5 % of a price, computed from two amounts, is 5 % but for this."""

_DATES: Final = ("created_at", "approved_at", "rejected_at", "archived_at", "valid_until")

DEPTH: Final = 1 - nw.col("total") / nw.col("subtotal")
IS_PRICED: Final = (nw.col("subtotal") > 0) & (nw.col("total") >= 0)


def proposals(snap: Snapshot, *, by: By = None, archived: bool = False) -> pd.DataFrame:
    """Count the outcomes of proposals.

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
        One row per group, most proposals first: the groups; `deals`; `with_proposal`, deals that have one; `sent`,
        proposals; of these `approved`, `rejected`, `withdrawn`, `expired` and `pending`, which add up to `sent`;
        `approval_rate` with `low` and `high`, approved ÷ (approved + rejected + expired) (shares, 0
        to 1); `versions`, the average number of proposals of a deal that has one; `days_to_approval`, the median days
        from creation to approval of a proposal; `discounted`, the share of priced proposals that are cheaper than their
        subtotal; `discount`, 1 − total ÷ subtotal of all priced proposals together.

    Raises
    ------
    MissingColumnError
        If deals has no column `by`.

    Notes
    -----
    The API's number for a proposal's status is not documented, so dates decide, in this order: the later of approval
    and rejection; archived is withdrawn (also: replaced by a later version); past `valid_until` when the snapshot was
    taken is expired; the rest is pending. Every proposal counts as sent, because the API does not show when one is
    sent. Priced is a proposal with a subtotal above 0 and a total; `attrs["excluded"]` counts the others. The interval
    is Wilson's, 95 %. `attrs["n"]` counts proposals.

    Examples
    --------
    >>> import wegly_analytics as wa
    >>> row = proposals(wa.sample()).iloc[0]
    >>> bool(row[["approved", "rejected", "withdrawn", "expired", "pending"]].sum() == row["sent"])
    True
    """
    cohort = Cohort.of("proposals", snap, by, archived)
    outcomes = _outcomes(snap, cohort.microseconds("created_at", "approved_at"))
    counts = ["sent", "approved", "rejected", "withdrawn", "expired", "priced", "cheaper"]
    sums = [*counts, "before", "after"]
    of_deal = outcomes.group_by("deal").agg(nw.col(*sums).sum())
    per_deal = joined(cohort.frame, of_deal, how="left").with_columns(
        deals=nw.lit(1), with_proposal=flag(~nw.col("sent").is_null())
    )
    groups = cohort.groups
    counted = cohort.count(per_deal, "deals", "with_proposal", *sums)
    table = counted.table
    table[sums] = table[sums].astype(float)
    table = table.astype(dict.fromkeys(["deals", "with_proposal", *counts], "int64"))
    table["pending"] = table["sent"] - table[STATES[:-1]].sum(axis=1)
    known = table["approved"] + table["rejected"] + table["expired"]
    table["approval_rate"] = ratio(table["approved"], known)
    table["low"], table["high"] = wilson(table["approved"], known)
    table["versions"] = ratio(table["sent"], table["with_proposal"])
    table["discounted"] = ratio(table["cheaper"], table["priced"])
    table["discount"] = 1 - ratio(table["after"], table["before"])
    taken = cohort.beside(outcomes.filter(nw.col("took_time") == 1).select("deal", "age"), *groups)
    table["days_to_approval"] = _medians(table, informed(collect(tallied(taken, *groups, "age")), groups), groups)
    sent = counted.once("sent")
    cohort.note("proposals without a price", sent - counted.once("priced"))
    table = table.sort_values("sent", ascending=False, kind="stable")
    columns = [
        *cohort.groups, "deals", "with_proposal", "sent", *STATES, "approval_rate", "low", "high", "versions",
        "days_to_approval", "discounted", "discount",
    ]  # fmt: skip
    rule = ["proposals by their dates", "approved ÷ (approved + rejected + expired)", "Wilson interval, 95 %"]
    return cohort.finish(table[columns], rule, sent)


def _outcomes(snap: Snapshot, age: nw.Expr) -> nw.LazyFrame[Any]:
    """Mark the outcome of each proposal, its price before and after discount, and its age at approval."""
    is_approved = ~nw.col("approved_at").is_null()
    is_rejected = ~nw.col("rejected_at").is_null()
    was_approved = is_approved & (~is_rejected | (nw.col("approved_at") >= nw.col("rejected_at")))
    decided = is_approved | is_rejected
    is_withdrawn = ~decided & ~nw.col("archived_at").is_null()
    is_over = ~decided & nw.col("archived_at").is_null() & (nw.col("valid_until") < nw.lit(snap.taken_at))
    return snap.keyed("proposals", *_DATES, "subtotal", "total").with_columns(
        sent=nw.lit(1),
        approved=flag(was_approved),
        rejected=flag(decided & ~was_approved),
        withdrawn=flag(is_withdrawn),
        expired=flag(is_over),
        priced=flag(IS_PRICED),
        cheaper=flag(IS_PRICED & (DEPTH > ROUNDING)),
        before=nw.when(IS_PRICED).then(nw.col("subtotal")),
        after=nw.when(IS_PRICED).then(nw.col("total")),
        age=age,
        took_time=flag(was_approved & (nw.col("approved_at") >= nw.col("created_at"))),
    )


def _medians(table: pd.DataFrame, taken: pd.DataFrame, groups: list[str]) -> list[float]:
    """Find the median days of each row of a table, given how many proposals took each length of time."""

    def median(part: pd.DataFrame) -> float:
        ages = np.repeat(part["age"].to_numpy(dtype=float), part["n"].to_numpy(dtype=int))
        return float(np.median(ages)) / _DAY if len(ages) else np.nan

    if not groups:
        return [median(taken)] * len(table)
    parts = {key: median(part) for key, part in taken.groupby(groups, sort=False)}
    return [parts.get(tuple(row), np.nan) for row in table[groups].itertuples(index=False)]
