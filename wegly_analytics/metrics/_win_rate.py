"""How often deals are won."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

import narwhals as nw

from wegly_analytics.errors import SettingError
from wegly_analytics.metrics.cohort import Cohort
from wegly_analytics.metrics.intervals import wilson
from wegly_analytics.metrics.periods import TZ, local
from wegly_analytics.metrics.results import ratio
from wegly_analytics.metrics.selection import By, flag

if TYPE_CHECKING:
    import pandas as pd

    from wegly_analytics.snapshot.snapshot import Snapshot

RULES: Final = {
    "closed": "won ÷ (won + lost), by closing time",
    "created": "won ÷ all created",
    "closed+stale": "won ÷ (won + lost + open past their expected close)",
}
"""The denominators of a win rate, as messages of the catalog."""

STATES: Final = ["won", "lost", "open", "stale"]
"""What deals are counted by; an open deal past its expected close is open or stale."""


def win_rate(
    snap: Snapshot,
    *,
    by: By = None,
    count: Literal["closed", "created", "closed+stale"] = "closed",
    weight: Literal["value"] | None = None,
    archived: bool = False,
) -> pd.DataFrame:
    """Share of deals that were won.

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
        ``"value"`` weights each deal by its value; deals without a value, or with one below 0, are excluded, and
        `no_value` is their share.
    archived
        Whether archived deals count; if so, in numerator and denominator.

    Returns
    -------
    pandas.DataFrame
        One row per group, most deals first: the groups; `won`, `lost`, `open` (cohort, `open` without the stale ones
        where these count as lost), with ``"closed+stale"`` also `stale`; `n`, the denominator (deals); `rate` with
        `low` and `high` (shares, 0 to 1). With ``weight="value"`` also `won_value`, `lost_value`,
        `open_value`, `stale_value` (money of the deals of each count, summed directly) and `no_value` (the share of
        deals in the denominator that have no value to weigh with).

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
    columns = ["value"] * bool(weight) + ["expected_close"] * (count == "closed+stale")
    cohort = Cohort.of("win_rate", snap, by, archived, columns=columns)
    frame = with_stale(cohort, snap) if count == "closed+stale" else cohort.frame.with_columns(stale=nw.lit(0))
    ended = ["won", "lost", "stale"] + (["open"] if count == "created" else [])
    frame = _weighed(frame, ended) if weight else frame
    money = ["won_value", "lost_value", "open_value", "stale_value"] if weight else []
    counted = cohort.count(frame, *STATES, *money, *(["squared", "no_value", "negative"] if weight else []))
    table = counted.table
    table["n"] = table[ended].sum(axis=1)
    if weight:
        whole = table[[f"{name}_value" for name in ended]].sum(axis=1)
        rate = ratio(table["won_value"], whole)
        effective = ratio(whole**2, table["squared"])
        table["no_value"] = ratio(table["no_value"], table["n"])
    else:
        rate, effective = ratio(table["won"], table["n"]), table["n"]
    table["rate"] = rate
    table["low"], table["high"] = wilson(rate * effective, effective)
    once = {name: counted.once(name) for name in STATES}
    if weight:
        cohort.note("with a negative value", counted.once("negative"))
    if count != "created":
        cohort.note("open", once["open"])
        cohort.warn_of_one_sided(once["won"], once["lost"] + once["stale"])
    columns = [*cohort.groups, "won", "lost", "open", "n", "rate", "low", "high"]
    columns += ["stale"] * (count == "closed+stale") + [*money, "no_value"] * bool(weight)
    table = table.sort_values("n", ascending=False, kind="stable")[columns]
    rule = [RULES[count], *(["weighted by value"] if weight else []), "Wilson interval, 95 %"]
    return cohort.finish(table, rule, sum(once[name] for name in ended), count=count, weight=weight)


def with_stale(cohort: Cohort, snap: Snapshot) -> nw.LazyFrame[Any]:
    """Count the open deals past their expected close as stale instead of open; needs `expected_close`."""
    today = local(snap, TZ).date()
    stale = flag((nw.col("open") == 1) & (nw.col("expected_close") < nw.lit(today)))
    return cohort.frame.with_columns(stale=stale, open=nw.col("open") - stale)


def _weighed(frame: nw.LazyFrame[Any], ended: list[str]) -> nw.LazyFrame[Any]:
    """Add the value of each count, and the weights of the deals in the denominator."""
    is_weight = nw.col("value") >= 0  # a negative value is not a weight
    counts = nw.sum_horizontal(*ended) == 1
    weights = nw.when(counts & is_weight).then(nw.col("value"))
    return frame.with_columns(
        **{f"{name}_value": nw.when((nw.col(name) == 1) & is_weight).then(nw.col("value")) for name in STATES},
        squared=weights * weights,
        no_value=flag(counts & (nw.col("value").is_null() | ~is_weight)),
        negative=flag(counts & ~is_weight & ~nw.col("value").is_null()),
    )
