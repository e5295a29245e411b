"""What lies in the pipeline, what it may be worth, and whether it is enough."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import narwhals as nw
import numpy as np
import pandas as pd

from wegly_analytics.errors import SettingError
from wegly_analytics.metrics.reduction import FREQUENCY, TZ, By, Deals, Every, Periods, collect, flag, ratio
from wegly_analytics.metrics.stages import stages_in_order

if TYPE_CHECKING:
    from wegly_analytics.snapshot.snapshot import Snapshot

YEAR: Final = 365
"""Days before the snapshot from which the win rate is taken that says how much coverage is needed."""


def pipeline_value(snap: Snapshot, *, by: By = None, archived: bool = False) -> pd.DataFrame:
    """Add up what the open deals in each stage are worth, also weighted by how often deals of the stage are won.

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
        One row per group and stage, in the order of the pipelines: the groups; `pipeline`; `stage`; `position`, its
        place in the pipeline; `deals`, open ones in it; `value`, theirs together (money); `weighted`, the value times
        the win rate (money; missing where no closed deal was ever in the stage); `no_value`, open deals without a
        value; `win_rate`, won ÷ (won + lost) of the closed deals that were in the stage, and `closed`, how many these
        are.

    Raises
    ------
    MissingColumnError
        If deals has no column `by`.

    Notes
    -----
    The API sends no probability, so the weight is the stage's own history in this snapshot, of all groups together;
    `attrs["rule"]` says so. A deal was in a stage if it has time in it. A deal without a value adds nothing to `value`
    and is counted in `no_value` instead of being taken for worth nothing. An open deal in no stage of any pipeline
    stands in no row; `attrs["excluded"]` counts those.

    Examples
    --------
    >>> import wegly_analytics as wa
    >>> table = pipeline_value(wa.sample())
    >>> bool((table["weighted"].dropna() <= table["value"]).all())
    True
    """
    deals = Deals(snap, by, archived)
    deals.groups = [g for g in deals.groups if g not in ("pipeline", "stage")]  # each row has these anyway
    times = snap.frame("stage_durations").filter(nw.col("seconds") >= 0)
    known = times.join(deals.frame.select("deal_id"), on="deal_id", how="inner")
    stages = stages_in_order(snap, deals, known)
    stages = stages[stages["position"].notna()].astype({"stage_id": object})

    closed = deals.frame.filter(nw.col("open") == 0, nw.col("counts_once") == 1).select("deal_id", "won", "lost")
    been = times.filter(~nw.col("stage_id").is_null()).group_by("deal_id", "stage_id").agg(visits=nw.len())
    history = been.join(closed, on="deal_id", how="inner").group_by("stage_id").agg(nw.col("won", "lost").sum())
    past = collect(history).astype({"stage_id": object})
    stages = stages.merge(past, how="left", on="stage_id").fillna({"won": 0, "lost": 0})
    stages["closed"] = (stages["won"] + stages["lost"]).astype("int64")
    stages["win_rate"] = ratio(stages["won"], stages["closed"])

    is_open = deals.frame.filter(nw.col("open") == 1)
    is_open = is_open.with_columns(deals=nw.lit(1), no_value=flag(nw.col("value").is_null()))
    inside = deals.count(is_open, "deals", "value", "no_value", keys=["stage_id"]).astype({"stage_id": object})
    ids = stages["stage_id"].dropna().tolist()
    nowhere = is_open.filter(~nw.col("stage_id").is_in(ids) | nw.col("stage_id").is_null()) if ids else is_open
    deals.note("in no stage of a pipeline", deals.once(nowhere, "deals")["deals"])
    if deals.groups:
        stages = stages.merge(inside[deals.groups].drop_duplicates(), how="cross")
        places = {name: n for n, name in enumerate(stages["stage_id"].drop_duplicates())}
        stages = stages.sort_values(
            [*deals.groups, "stage_id"], key=lambda s: s.map(places) if s.name == "stage_id" else s
        )
    table = stages.merge(inside, how="left", on=["stage_id", *deals.groups])
    table[["deals", "no_value", "value"]] = table[["deals", "no_value", "value"]].fillna(0)
    table = table.astype({"deals": "int64", "no_value": "int64", "value": float})
    table["weighted"] = (table["value"] * table["win_rate"]).astype(float)
    unweighted = table.loc[table["weighted"].isna(), "deals"].sum()
    if unweighted:
        deals.caveats.append("some open deals are in a stage that no closed deal was in: they have no weight")
    columns = [
        *deals.groups, "pipeline", "stage", "position", "deals", "value", "weighted", "no_value", "win_rate", "closed",
    ]  # fmt: skip
    rule = ["open deals by stage", "weighted by the win rate of the closed deals that were in the stage"]
    return deals.finish(table[columns], "pipeline_value", rule, deals.total("open")["open"])


def coverage(
    snap: Snapshot,
    *,
    target: float | Mapping[Any, float],
    by: By = None,
    every: Every = "quarter",
    periods: int = 1,
    archived: bool = False,
    tz: str = TZ,
) -> pd.DataFrame:
    """Tell whether the pipeline is large enough for what is still to be won in a period.

    Parameters
    ----------
    snap
        The snapshot.
    target
        Money to be won in each period; with `by` also a mapping from group to money.
    by
        One column of deals.
    every
        ``"week"``, ``"month"``, ``"quarter"`` or ``"year"``.
    periods
        How many periods, from the one that holds the snapshot's moment on.
    archived
        Whether archived deals count.
    tz
        Where periods begin at midnight.

    Returns
    -------
    pandas.DataFrame
        One row per group and period, also for a group that has a target but no deal: the groups; `period`, its first
        day; `target`; `booked`, won in it so far; `open`, the value of open deals that are expected to close in it (all
        money); `coverage`, open ÷ (target − booked), times; `needed`, 1 ÷ win rate, times; `win_rate` and `n`, the
        closed deals it rests on.

    Raises
    ------
    MissingColumnError
        If deals has no column `by`.
    SettingError
        If the target is no number above 0, `every` is unknown, or `periods` is below 1.

    Notes
    -----
    `expected_close` is a calendar day and is compared with the period's days; moments of winning are instants. The win
    rate is won ÷ (won + lost), by number, of the deals closed in the 365 days before the snapshot. Where the target is
    met, or nothing says what it is, coverage is missing. Open deals without a value, without an expected close, or
    whose expected close lies before the first period are not in `open`, and deals won in the periods without a value
    are not in `booked`; `attrs["excluded"]` counts them.

    Examples
    --------
    >>> import wegly_analytics as wa
    >>> row = coverage(wa.sample(), target=2_000_000).iloc[0]
    >>> bool(abs(row["open"] / (row["target"] - row["booked"]) - row["coverage"]) < 1e-9)
    True
    """
    if periods < 1:
        raise SettingError(f"periods={periods}: give 1 or more")
    deals = Deals(snap, by, archived)
    wanted = _targets(target, deals.groups)
    moment = pd.Timestamp(snap.taken_at)
    starts = _starts(every, moment, periods, tz)
    ends = list(starts[1:])
    noon = pd.Timedelta(hours=12)  # of a day that may have no midnight
    closing = Periods(every, (starts[0] + noon).tz_localize(tz), (starts[-2] + noon).tz_localize(tz), tz)

    is_open = nw.col("open") == 1
    due = nw.col("expected_close")
    first, last = starts[0].date(), ends[-1].date()
    frame = deals.frame.with_columns(
        worthless=flag(is_open & nw.col("value").is_null()),
        undated=flag(is_open & ~nw.col("value").is_null() & due.is_null()),
        overdue=flag(is_open & ~nw.col("value").is_null() & (due < nw.lit(first))),
    )
    reasons = {
        "open without value": "worthless",
        "open without an expected close": "undated",
        "expected to close before the first period": "overdue",
    }
    for reason, n in zip(reasons, deals.once(frame, *reasons.values()).values(), strict=True):
        deals.note(reason, n)
    expected = frame.filter(is_open, ~nw.col("value").is_null(), due >= nw.lit(first), due < nw.lit(last))
    number = nw.sum_horizontal(nw.lit(0), *(flag(due >= nw.lit(end.date())) for end in ends[:-1]))
    expected = expected.with_columns(period=number, awaited=nw.col("value"))
    # a period begins with its first instant in the time zone, and the last one ends with the moment of the snapshot
    begins = starts[0].tz_localize(tz, nonexistent="shift_forward", ambiguous=True).tz_convert("UTC").to_pydatetime()
    won_at = nw.col("won_at")
    won = frame.filter(nw.col("won") == 1, won_at >= nw.lit(begins), won_at <= nw.lit(snap.taken_at))
    won = won.with_columns(
        period=closing.number(won_at), earned=nw.col("value"), unpriced=flag(nw.col("value").is_null())
    )
    deals.note("won without value", deals.once(won, "unpriced")["unpriced"])
    since = (moment - pd.Timedelta(days=YEAR)).to_pydatetime()
    recent = frame.filter(nw.col("closed_at") > nw.lit(since), nw.col("closed_at") <= nw.lit(snap.taken_at))

    rates = deals.count(recent, "won", "lost")
    parts = [
        deals.count(expected, "awaited", keys=["period"]).rename(columns={"awaited": "open"}),
        deals.count(won, "earned", keys=["period"]).rename(columns={"earned": "booked"}),
    ]
    every_one = pd.DataFrame({"period": range(periods)})
    if deals.groups:
        present = _with_targets(deals.count(frame.with_columns(one=nw.lit(1)), "one")[deals.groups], target)
        every_one = present.merge(every_one, how="cross")
    table = every_one
    for part in parts:
        table = table.merge(part, how="left", on=["period", *deals.groups])
    table = table.merge(rates, how="left", on=deals.groups) if deals.groups else table.merge(rates, how="cross")
    money = ["open", "booked", "won", "lost"]
    table[money] = table[money].astype(float).fillna(0.0)
    rows = table[deals.groups].itertuples(index=False, name=None) if deals.groups else [()] * len(table)
    table["target"] = [wanted(row[0] if len(row) == 1 else row) for row in rows]
    missing = table["target"] - table["booked"]
    table["coverage"] = ratio(table["open"], missing.where(missing > 0, 0.0))
    table["n"] = (table["won"] + table["lost"]).astype("int64")
    table["win_rate"] = ratio(table["won"], table["n"])
    table["needed"] = 1 / table["win_rate"].where(table["win_rate"] > 0)
    table["period"] = starts[:-1][table["period"]]
    table = table.sort_values(["period", *deals.groups], kind="stable")
    columns = [*deals.groups, "period", "target", "booked", "open", "coverage", "needed", "win_rate", "n"]
    rule = ["open value expected in the period ÷ (target − booked)", "needed: 1 ÷ win rate of the last 365 days"]
    n = collect(expected.filter(nw.col("counts_once") == 1).select(nw.len().alias("n")))["n"].iloc[0]
    return deals.finish(table[columns], "coverage", rule, n, every=every, tz=tz)


def _starts(every: Every, moment: pd.Timestamp, periods: int, tz: str) -> pd.DatetimeIndex:
    """Give the first day of each period, and of the one after the last."""
    first = Periods(every, moment, moment, tz).starts[0]
    return pd.period_range(first, periods=periods + 1, freq=FREQUENCY[every]).start_time.as_unit("us")


def _with_targets(present: pd.DataFrame, target: float | Mapping[Any, float]) -> pd.DataFrame:
    """Add the groups that have a target but no deal: what is to be won there is missing all the same."""
    if not isinstance(target, Mapping):
        return present
    names = list(present.columns)
    known = set(present.itertuples(index=False, name=None))
    new = []
    for key in target:
        row = (key,) if len(names) == 1 else key
        if not isinstance(row, tuple) or len(row) != len(names):
            raise SettingError(f"target has {key!r}: with several groups give tuples of {', '.join(names)}")
        if row not in known:
            new.append(row)
    return pd.concat([present, pd.DataFrame(new, columns=names)], ignore_index=True) if new else present


def _targets(target: float | Mapping[Any, float], groups: list[str]) -> Any:
    """Make sure that targets are money, and find the one of a group; missing where nothing says what it is."""
    if isinstance(target, Mapping) and not groups:
        raise SettingError("target is a mapping from group to money, but there are no groups: pass by=")
    amounts: list[object] = list(target.values()) if isinstance(target, Mapping) else [target]
    for amount in amounts:
        if not isinstance(amount, int | float | np.number) or not 0 < amount < np.inf:
            raise SettingError(f"target={amount!r}: give money above 0")
    if isinstance(target, Mapping):
        return lambda key: float(target.get(key, np.nan))
    return lambda _: float(target)
