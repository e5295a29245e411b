"""How often deals are won."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal
from zoneinfo import ZoneInfo

import narwhals as nw
import pandas as pd

from wegly_analytics.errors import SettingError
from wegly_analytics.metrics.intervals import wilson
from wegly_analytics.metrics.reduction import TZ, By, Deals, Every, Periods, flag, ratio, span

if TYPE_CHECKING:
    from wegly_analytics.snapshot.snapshot import Snapshot

RULES: Final = {
    "closed": "won ÷ (won + lost), by close moment",
    "created": "won ÷ all created",
    "closed+stale": "won ÷ (won + lost + open past their expected close)",
}
"""The denominators of a win rate, in sentences of the catalogue."""


def win_rate(
    snap: Snapshot,
    *,
    by: By = None,
    count: Literal["closed", "created", "closed+stale"] = "closed",
    weight: Literal["value"] | None = None,
    archived: bool = False,
) -> pd.DataFrame:
    """Of the deals that ended, how many were won.

    Parameters
    ----------
    snap
        The snapshot.
    by
        One column of deals, or several.
    count
        The denominator: ``"closed"``, won and lost; ``"created"``, all deals, also open ones (the cohort view);
        ``"closed+stale"``, won, lost, and open deals past their expected close, which count as lost.
    weight
        ``"value"`` weighs each deal with its value; deals without a value, or with one below 0, drop out, and
        `no_value` says how many.
    archived
        Whether archived deals count; if so, in numerator and denominator alike.

    Returns
    -------
    pandas.DataFrame
        One row per group, most deals first: the groups; `won`, `lost`, `open` (deals, `open` without the stale ones
        where these count as lost), with ``"closed+stale"`` also `stale`; `n`, the denominator (deals); `rate` with
        `low` and `high` (shares, 0 to 1). With ``weight="value"`` also `won_value`, `lost_value` (money) and
        `no_value` (the share of deals in the denominator that have no value to weigh with).

    Raises
    ------
    MissingColumnError
        If deals has no column `by`.
    SettingError
        If `count` or `weight` is unknown.

    Notes
    -----
    Gong and Close take won ÷ (won + lost); Varicent and Oracle divide by the deals created; Zoho counts overdue deals
    as lost. The interval is Wilson's, 95 %; with weights it uses Kish's effective number of deals, (Σv)² ÷ Σv².

    Examples
    --------
    >>> import wegly_analytics as wa
    >>> rates = win_rate(wa.sample(), by="pipeline")
    >>> rates.columns.tolist()
    ['pipeline', 'won', 'lost', 'open', 'n', 'rate', 'low', 'high']
    >>> bool((rates["won"] + rates["lost"] == rates["n"]).all())
    True
    """
    if count not in RULES:
        raise SettingError(f"count={count!r} is none of {', '.join(map(repr, RULES))}")
    if weight not in (None, "value"):
        raise SettingError(f"weight={weight!r} is neither None nor 'value'")
    deals = Deals(snap, by, archived)
    today = snap.taken_at.astimezone(ZoneInfo(TZ)).date()
    overdue = (nw.col("open") == 1) & (nw.col("expected_close") < nw.lit(today))
    stale = flag(overdue) if count == "closed+stale" else nw.lit(0)
    frame = deals.frame.with_columns(stale=stale).with_columns(open=nw.col("open") - nw.col("stale"))
    losing = ["lost", "stale"] + (["open"] if count == "created" else [])
    ended = ["won", *losing]
    frame = frame.with_columns(counts=nw.sum_horizontal(*ended))
    is_weight = nw.col("value") >= 0  # a share of less than nothing is none
    v = nw.when((nw.col("counts") == 1) & is_weight).then(nw.col("value"))
    frame = frame.with_columns(
        won_value=nw.when((nw.col("won") == 1) & is_weight).then(nw.col("value")),
        all_value=v,
        squared=v * v,
        no_value=flag((nw.col("counts") == 1) & (nw.col("value").is_null() | ~is_weight)),
        negative=flag((nw.col("counts") == 1) & ~is_weight & ~nw.col("value").is_null()),
    )
    sums = ["won_value", "all_value", "squared", "no_value"] if weight else []
    table = deals.count(frame, "won", "lost", "open", "stale", *sums)
    table["n"] = table[ended].sum(axis=1)
    if weight:
        table["lost_value"] = table["all_value"] - table["won_value"]
        rate = ratio(table["won_value"], table["all_value"])
        effective = ratio(table["all_value"] ** 2, table["squared"])
        table["no_value"] = ratio(table["no_value"], table["n"])
        deals.note("with a negative value", deals.once(frame, "negative")["negative"])
    else:
        rate, effective = ratio(table["won"], table["n"]), table["n"]
    table["rate"] = rate
    table["low"], table["high"] = wilson(rate * effective, effective)
    once = deals.once(frame, "won", "lost", "open", "stale", "counts")
    if count != "created":
        deals.note("open", once["open"])
        deals.warn_of_one_sided(once["won"], sum(once[name] for name in losing))
    columns = [*deals.groups, "won", "lost", "open", "n", "rate", "low", "high"]
    columns += ["stale"] * (count == "closed+stale") + ["won_value", "lost_value", "no_value"] * bool(weight)
    table = table.sort_values("n", ascending=False, kind="stable")[columns]
    rule = [RULES[count], *(["weighted by value"] if weight else []), "Wilson interval, 95 %"]
    return deals.finish(table, "win_rate", rule, once["counts"], count=count, weight=weight)


def win_loss(
    snap: Snapshot, *, by: By = None, every: Every = "month", archived: bool = False, tz: str = TZ
) -> pd.DataFrame:
    """Deals won and lost in each month.

    Parameters
    ----------
    snap
        The snapshot.
    by
        One column of deals, or several.
    every
        ``"week"``, ``"month"``, ``"quarter"`` or ``"year"``.
    archived
        Whether archived deals count.
    tz
        Where periods begin at midnight.

    Returns
    -------
    pandas.DataFrame
        One row per period, and group, oldest first, without gaps: `period`, its first day; the groups; `won`, `lost`
        (deals); `won_value`, `lost_value` (money, of the deals that have a value); `rate`, won ÷ (won + lost), with
        `low` and `high` (Wilson, 95 %; missing where nothing was closed).

    Raises
    ------
    MissingColumnError
        If deals has no column `by`.
    SettingError
        If `every` is unknown or makes more than 1,200 periods.

    Notes
    -----
    A deal counts in the period of its close moment: `won_at` if it is won, `lost_at` if it is lost. One without that
    moment is left out, and `attrs["excluded"]` says how many.

    Examples
    --------
    >>> import wegly_analytics as wa
    >>> table = win_loss(wa.sample(), every="quarter")
    >>> table["period"].is_monotonic_increasing
    True
    """
    deals = Deals(snap, by, archived)
    frame = deals.frame.filter(nw.col("open") == 0)
    undated = frame.with_columns(undated=flag(nw.col("closed_at").is_null()))
    deals.note("closed without a closing date", deals.once(undated, "undated")["undated"])
    deals.note("open", deals.total("open")["open"])
    frame = frame.filter(~nw.col("closed_at").is_null())
    once = deals.once(frame, "won", "lost")
    found = span(frame, "closed_at")
    columns = ["won", "lost", "won_value", "lost_value"]
    if found is None:
        table = pd.DataFrame(
            {"period": pd.DatetimeIndex([]), **{g: [] for g in deals.groups}, **{c: [] for c in columns}}
        )
    else:
        periods = Periods(every, *found, tz)
        frame = frame.with_columns(
            period=periods.number(nw.col("closed_at")),
            won_value=nw.when(nw.col("won") == 1).then(nw.col("value")),
            lost_value=nw.when(nw.col("lost") == 1).then(nw.col("value")),
        )
        table = periods.spread(deals.count(frame, *columns, keys=["period"]), deals.groups)
    table = table.astype({"won": "int64", "lost": "int64", "won_value": float, "lost_value": float})
    n = table["won"] + table["lost"]
    deals.warn_of_one_sided(once["won"], once["lost"])
    table["rate"] = ratio(table["won"], n)
    table["low"], table["high"] = wilson(table["won"], n)
    rule = ["by period of closing", RULES["closed"], "Wilson interval, 95 %"]
    return deals.finish(table, "win_loss", rule, once["won"] + once["lost"], every=every, tz=tz)
