"""What becomes of proposals, and what a discount does for winning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import narwhals as nw
import numpy as np
import pandas as pd

from wegly_analytics.errors import SettingError
from wegly_analytics.metrics.intervals import kaplan_meier, quantile, wilson
from wegly_analytics.metrics.reduction import By, Deals, collect, flag, informed, ratio

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wegly_analytics.snapshot.snapshot import Snapshot

STATES: Final = ["approved", "rejected", "withdrawn", "expired", "pending"]
"""What becomes of a proposal; each is in one of these."""

EDGES: Final = (0.0, 0.05, 0.10, 0.20, 0.30)
"""Where bands of discounts begin, unless said otherwise."""

_DAY: Final = 86_400_000_000
"""Microseconds."""

_HAIR: Final = 1e-9
"""5 % of a price, computed from two amounts, is 5 % but for this."""

_DEPTH: Final = 1 - nw.col("total") / nw.col("subtotal")
_IS_PRICED: Final = (nw.col("subtotal") > 0) & (nw.col("total") >= 0)


def proposals(snap: Snapshot, *, by: By = None, archived: bool = False) -> pd.DataFrame:
    """Count what became of the proposals that deals were sent.

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
        `approval_rate` with `low` and `high`, approved ÷ all that are decided (approved, rejected or expired; shares, 0
        to 1); `versions`, the average number of proposals of a deal that has one; `days_to_approval`, the median days
        from creating to approving a proposal; `discounted`, the share of priced proposals that are cheaper than their
        subtotal; `discount`, by how much all priced proposals together are (share of money).

    Raises
    ------
    MissingColumnError
        If deals has no column `by`.

    Notes
    -----
    The API's number for a proposal's status is not documented, so dates decide, in this order: the later of approval
    and rejection; archived is withdrawn (also: replaced by a later version); past `valid_until` at the snapshot's
    moment is expired; the rest is pending. A proposal counts as sent when it was created: when it left is not known.
    Priced is a proposal with a subtotal above 0 and a total; `attrs["excluded"]` counts the others. The interval is
    Wilson's, 95 %. `attrs["n"]` counts proposals.

    Examples
    --------
    >>> import wegly_analytics as wa
    >>> row = proposals(wa.sample()).iloc[0]
    >>> bool(row[["approved", "rejected", "withdrawn", "expired", "pending"]].sum() == row["sent"])
    True
    """
    deals = Deals(snap, by, archived)
    own = deals.frame.select("deal_id", "counts_once", **_aliases(deals))
    is_approved = ~nw.col("approved_at").is_null()
    is_rejected = ~nw.col("rejected_at").is_null()
    was_approved = is_approved & (~is_rejected | (nw.col("approved_at") >= nw.col("rejected_at")))
    decided = is_approved | is_rejected
    is_withdrawn = ~decided & ~nw.col("archived_at").is_null()
    is_over = ~decided & nw.col("archived_at").is_null() & (nw.col("valid_until") < nw.lit(snap.taken_at))
    offers = snap.frame("proposals").with_columns(
        sent=nw.lit(1),
        approved=flag(was_approved),
        rejected=flag(decided & ~was_approved),
        withdrawn=flag(is_withdrawn),
        expired=flag(is_over),
        priced=flag(_IS_PRICED),
        cheaper=flag(_IS_PRICED & (_DEPTH > _HAIR)),
        before=nw.when(_IS_PRICED).then(nw.col("subtotal")),
        after=nw.when(_IS_PRICED).then(nw.col("total")),
        age=deals.microseconds("created_at", "approved_at"),
        took_time=flag(was_approved & (nw.col("approved_at") >= nw.col("created_at"))),
    )
    counts = ["sent", "approved", "rejected", "withdrawn", "expired", "priced", "cheaper"]
    sums = [*counts, "before", "after"]
    offers = offers.select("deal_id", *sums, "age", "took_time").join(own, on="deal_id", how="inner")
    having = offers.group_by("deal_id").agg(offered=nw.col("sent").max())
    per_deal = deals.frame.join(having, on="deal_id", how="left").with_columns(
        deals=nw.lit(1), with_proposal=flag(~nw.col("offered").is_null())
    )
    table = deals.count(per_deal, "deals", "with_proposal")
    groups = list(_aliases(deals))
    found = _by_group(offers, groups, sums).rename(columns=dict(zip(groups, deals.groups, strict=True)))
    table = table.merge(found, how="left", on=deals.groups) if groups else table.join(found)
    table[sums] = table[sums].astype(float).fillna(0.0)
    table = table.astype(dict.fromkeys(["deals", "with_proposal", *counts], "int64"))
    table["pending"] = table["sent"] - table[STATES[:-1]].sum(axis=1)
    known = table["approved"] + table["rejected"] + table["expired"]
    table["approval_rate"] = ratio(table["approved"], known)
    table["low"], table["high"] = wilson(table["approved"], known)
    table["versions"] = ratio(table["sent"], table["with_proposal"])
    table["discounted"] = ratio(table["cheaper"], table["priced"])
    table["discount"] = 1 - ratio(table["after"], table["before"])
    taken = offers.filter(nw.col("took_time") == 1).group_by(*groups, "age").agg(n=nw.len())
    table["days_to_approval"] = _medians(table, informed(collect(taken), groups), groups, deals.groups)
    once = deals.once(offers, "sent", "priced")
    deals.note("proposals without a price", once["sent"] - once["priced"])
    table = table.sort_values("sent", ascending=False, kind="stable")
    columns = [
        *deals.groups, "deals", "with_proposal", "sent", *STATES, "approval_rate", "low", "high", "versions",
        "days_to_approval", "discounted", "discount",
    ]  # fmt: skip
    rule = ["proposals by their dates", "approved ÷ (approved + rejected + expired)", "Wilson interval, 95 %"]
    return deals.finish(table[columns], "proposals", rule, once["sent"])


def discounts(snap: Snapshot, *, by: By = None, edges: Sequence[float] = EDGES, archived: bool = False) -> pd.DataFrame:
    """Compare how often deals are won, by how deep the discount of their proposal was.

    Parameters
    ----------
    snap
        The snapshot.
    by
        One column of deals, or several.
    edges
        Where bands begin, ascending shares from 0 to 1: no discount up to the first, then a band above each.
    archived
        Whether archived deals count.

    Returns
    -------
    pandas.DataFrame
        One row per group and band, the bands in order, also those without deals: the groups; `discount`, the band in
        words; `above` and `up_to`, its bounds (shares of the price, 0 to 1; `up_to` belongs to it); `won`, `lost` and
        `n` (closed deals); `rate` with `low` and `high` (shares, 0 to 1).

    Raises
    ------
    MissingColumnError
        If deals has no column `by`.
    SettingError
        If `edges` are not ascending shares.

    Notes
    -----
    Only closed deals that had a proposal are here, so the rates are higher than a win rate of all deals, and they show
    what goes together, not what causes what: a discount may be given to those who hesitate. The discount is 1 − total ÷
    subtotal of the primary proposal, or of the only one. Closed deals without one, without a price, or dearer than
    their subtotal are in no band; `attrs["excluded"]` counts them. The interval is Wilson's, 95 %.

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
    deals = Deals(snap, by, archived)
    offers = snap.frame("proposals").with_columns(main=flag(nw.col("is_primary")), one=nw.lit(1))
    offers = offers.select("deal_id", "main", "one", "subtotal", "total")
    totals = offers.group_by("deal_id").agg(mains=nw.col("main").sum(), ones=nw.col("one").sum())
    offers = offers.join(totals, on="deal_id", how="inner")
    offers = offers.filter((nw.col("main") == 1) & (nw.col("mains") == 1) | (nw.col("ones") == 1))
    closed = deals.frame.filter(nw.col("open") == 0).join(
        offers.select("deal_id", "subtotal", "total", "one"), on="deal_id", how="left"
    )
    offered = ~nw.col("one").is_null()
    is_priced = offered & _IS_PRICED
    is_dearer = is_priced & (_DEPTH < -_HAIR)
    marked = closed.with_columns(
        absent=flag(~offered),
        priced=flag(is_priced),
        unpriced=flag(offered) - flag(is_priced),
        dearer=flag(is_dearer),
    )
    reasons = {
        "closed without a primary proposal": "absent",
        "with a proposal without a price": "unpriced",
        "dearer than the subtotal": "dearer",
    }
    for reason, n in zip(reasons, deals.once(marked, *reasons.values()).values(), strict=True):
        deals.note(reason, n)
    inside = marked.filter(nw.col("priced") == 1, nw.col("dearer") == 0)
    bands = nw.sum_horizontal(*(flag(edge + _HAIR < _DEPTH) for edge in bounds))
    counted = deals.count(inside.with_columns(band=bands), "won", "lost", keys=["band"])
    every = pd.DataFrame({"band": range(len(bounds) + 1)})
    if deals.groups:
        every = deals.count(inside, "won")[deals.groups].merge(every, how="cross")
    table = every.merge(counted, how="left", on=["band", *deals.groups])
    if not deals.groups and counted.empty:
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
    once = deals.once(inside, "won", "lost")
    deals.warn_of_one_sided(once["won"], once["lost"])
    columns = [*deals.groups, "discount", "above", "up_to", "won", "lost", "n", "rate", "low", "high"]
    rule = [
        "won ÷ (won + lost) of deals with a proposal, by 1 − total ÷ subtotal of the primary one",
        "Wilson interval, 95 %",
    ]
    return deals.finish(table[columns].astype({"discount": object}), "discounts", rule, once["won"] + once["lost"])


def _band(above: float, up_to: float) -> str:
    """Say a band in words that need no translation but "above" and "to"."""
    if np.isnan(above):
        return f"{100 * up_to:g} %"
    return f"above {100 * above:g} %" if np.isnan(up_to) else f"{100 * above:g} to {100 * up_to:g} %"


def _aliases(deals: Deals) -> dict[str, nw.Expr]:
    """Name the groups so that they meet no column of proposals."""
    return {f"by_{n}": nw.col(name) for n, name in enumerate(deals.groups)}


def _by_group(frame: nw.LazyFrame[Any], groups: list[str], columns: list[str]) -> pd.DataFrame:
    sums = nw.col(*columns).sum()
    return informed(collect(frame.group_by(*groups).agg(sums) if groups else frame.select(sums)), groups)


def _medians(table: pd.DataFrame, taken: pd.DataFrame, aliases: list[str], groups: list[str]) -> list[float]:
    """Find the median days of each row of a table, given how many there are of each length."""

    def median(part: pd.DataFrame) -> float:
        return float(quantile(kaplan_meier(part["age"] / _DAY, np.ones(len(part)), part["n"]), 0.5))

    if not aliases:
        return [median(taken)] * len(table)
    parts = {key: median(part) for key, part in taken.groupby(aliases, dropna=False)}
    return [parts.get(tuple(row), np.nan) for row in table[groups].itertuples(index=False)]
