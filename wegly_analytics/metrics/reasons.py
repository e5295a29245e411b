"""Why deals are lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import narwhals as nw

from wegly_analytics.metrics.reduction import By, Deals, informed, ratio
from wegly_analytics.vocabulary import NOT_INFORMED

if TYPE_CHECKING:
    import pandas as pd

    from wegly_analytics.snapshot import Snapshot


def loss_reasons(snap: Snapshot, *, by: By = None, archived: bool = False) -> pd.DataFrame:
    """Why deals are lost, the most frequent reason first.

    Parameters
    ----------
    snap
        The snapshot.
    by
        One column of deals, or several; the shares are then within each group.
    archived
        Whether archived deals count.

    Returns
    -------
    pandas.DataFrame
        One row per group and reason: the groups; `loss_reason`; `deals` lost for it; `share` of all lost deals;
        `valid_share` of those with a reason (missing for "(not informed)"); `cumulative`, the shares added up from the
        top; `value` (money, of the deals that have a value) and `value_share` of the value of all lost deals.

    Raises
    ------
    MissingColumnError
        If deals has no column `by`.

    Notes
    -----
    The denominator is all lost deals. Those without a reason stay in it, as "(not informed)": reasons are often
    optional, so how many were informed is itself a result. Open and won deals do not count.

    Examples
    --------
    >>> import wegly_analytics as wa
    >>> table = loss_reasons(wa.sample())
    >>> float(table["share"].sum().round(9)), float(table["cumulative"].iloc[-1].round(9))
    (1.0, 1.0)
    """
    deals = Deals(snap, by, archived)
    for status in ("open", "won"):
        deals.note(status, deals.total(status)[status])
    frame = deals.frame.filter(nw.col("lost") == 1).with_columns(deals=nw.col("lost"))
    table = informed(deals.count(frame, "deals", "value", keys=["loss_reason"]), ["loss_reason"])
    table["value"] = table["value"].astype(float)
    order = [*deals.groups, "deals", "loss_reason"]
    table = table.sort_values(order, ascending=[name != "deals" for name in order], ignore_index=True)
    named = table["deals"].where(table["loss_reason"] != NOT_INFORMED)
    whole = [table[name] for name in deals.groups] or [table["deals"].notna()]
    table["share"] = ratio(table["deals"], table["deals"].groupby(whole).transform("sum"))
    table["valid_share"] = ratio(named, named.groupby(whole).transform("sum"))
    table["cumulative"] = table["share"].groupby(whole).cumsum()
    table["value_share"] = ratio(table["value"], table["value"].groupby(whole).transform("sum"))
    columns = ["loss_reason", "deals", "share", "valid_share", "cumulative", "value", "value_share"]
    rule = ["lost deals by reason, most first", "the uninformed stay in the denominator"]
    return deals.finish(table[[*deals.groups, *columns]], "loss_reasons", rule, deals.total("lost")["lost"])
