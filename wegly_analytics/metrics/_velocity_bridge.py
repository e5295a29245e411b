"""Why the pipeline became faster or slower."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
import pandas as pd

from wegly_analytics.errors import SettingError
from wegly_analytics.metrics._velocity import LEVER_COLUMNS, LEVERS, levers, rule
from wegly_analytics.metrics.cohort import Cohort
from wegly_analytics.metrics.periods import TZ, Every, local, next_start, period_starts

if TYPE_CHECKING:
    from datetime import date

    from numpy.typing import ArrayLike

    from wegly_analytics.metrics.intervals import Floats
    from wegly_analytics.metrics.selection import By
    from wegly_analytics.snapshot.snapshot import Snapshot

_EXPONENTS: Final = np.array([1.0, 1.0, 1.0, -1.0])
"""Of the levers in the product that velocity is."""


def velocity_bridge(
    snap: Snapshot,
    *,
    by: By = None,
    every: Every = "month",
    start: str | date | None = None,
    end: str | date | None = None,
    count: Literal["open", "created", "closed"] = "open",
    archived: bool = False,
    tz: str = TZ,
) -> pd.DataFrame:
    """Split the change of velocity between two periods among its levers; the parts add up to the whole change.

    Parameters
    ----------
    snap
        The snapshot.
    by
        One column of deals, or several; each group has its own bridge.
    every
        ``"week"``, ``"month"``, ``"quarter"`` or ``"year"``.
    start, end
        Any day of the two periods, such as ``"2026-04"``; the last complete period if `end` is not given, and the one
        before `end` if `start` is not.
    count
        Which deals the first lever counts, as in `velocity`.
    archived
        Whether archived deals count.
    tz
        Where periods begin at midnight.

    Returns
    -------
    pandas.DataFrame
        Four rows per group: the groups; `lever`: ``"deals"``, ``"win_rate"``, ``"value"``, ``"days"``; `from` and `to`,
        the lever in either period (cohort, share, money, days); `part` (money per day), its contribution to the change.
        Empty where there are not two periods to compare. `attrs` has `start` and `end`, the first days of the periods.

    Raises
    ------
    MissingColumnError
        If deals has no column `by`.
    SettingError
        If `every` or `count` is unknown, or `start` and `end` are not two periods with deals, the earlier one first.

    Notes
    -----
    The additive logarithmic mean Divisia index (Ang 2005): a part is the logarithmic mean of both velocities times the
    logarithm of the lever's ratio; `days` is the divisor, so fewer days give a gain. No residual is left, and the order
    of the levers does not matter. Where a velocity is zero the limit is taken: the change is divided equally among the
    levers that are zero in one of the periods. Where a lever is missing in a period (such as the average value of a
    month in which nothing was won), or changes its sign, all parts of the bridge are missing and a caveat states this.

    Which deals are open, closed or excluded is as in `velocity`; `n` are the deals closed in the two periods.

    Examples
    --------
    >>> import wegly_analytics as wa
    >>> table = velocity_bridge(wa.sample(), every="quarter")
    >>> table["lever"].tolist()
    ['deals', 'win_rate', 'value', 'days']
    >>> speed = [row["deals"] * row["win_rate"] * row["value"] / row["days"]
    ...          for row in (table.set_index("lever")["from"], table.set_index("lever")["to"])]
    >>> bool(abs(table["part"].sum() - (speed[1] - speed[0])) < 1e-9)
    True
    """
    cohort = Cohort.of("velocity_bridge", snap, by, archived, columns=LEVER_COLUMNS)
    velocities, closed = levers(cohort, every, count, tz)
    chosen = _chosen(velocities["period"], every, start, end, local(snap, tz))
    about: dict[str, Any] = {"every": every, "count": count, "tz": tz, "start": None, "end": None}
    keys = [*cohort.groups, "lever"]
    if chosen is None:
        cohort.caveats.append("there are not two complete periods to compare")
        empty = pd.DataFrame({name: pd.Series(dtype=object) for name in keys})
        table = empty.assign(**dict.fromkeys(("from", "to", "part"), pd.Series(dtype=float)))
        return cohort.finish(table, _rule(every, count), 0, **about)
    before, after = (velocities[velocities["period"] == period].reset_index(drop=True) for period in chosen)
    if next_start(chosen[1], every) > local(snap, tz):
        cohort.caveats.append("the later period is not finished")
    one, other = before[LEVERS].to_numpy(dtype=float), after[LEVERS].to_numpy(dtype=float)
    parts = divisia(one, other, _EXPONENTS)
    if np.isnan(parts).any():
        cohort.caveats.append("a lever is missing in one of the periods: its change is not split")
    table = before[cohort.groups].loc[before.index.repeat(len(LEVERS))].reset_index(drop=True)
    table["lever"] = LEVERS * len(before)
    table["from"], table["to"], table["part"] = one.ravel(), other.ravel(), parts.ravel()
    about |= {"start": f"{chosen[0]:%Y-%m-%d}", "end": f"{chosen[1]:%Y-%m-%d}"}
    there = velocities["period"].drop_duplicates().tolist()
    n = closed.loc[closed["period"].isin([there.index(period) for period in chosen]), "closed"].sum()
    return cohort.finish(table, _rule(every, count), n, **about)


def _rule(every: Every, count: str) -> list[str]:
    return ["change split by the logarithmic mean Divisia index: the parts add up", *rule(every, count)]


def divisia(before: ArrayLike, after: ArrayLike, exponents: ArrayLike) -> Floats:
    """Split the change of a product exactly among its factors.

    Parameters
    ----------
    before, after
        The factors, one row for each product.
    exponents
        Of the factors: -1 divides.

    Returns
    -------
    numpy.ndarray
        One row for each product, one part for each factor; NaN where a factor is missing or changes its sign, or where
        one that divides is zero.

    Examples
    --------
    >>> divisia([[2, 10]], [[4, 10]], [1, 1])
    array([[20.,  0.]])
    """
    one, other, powers = (np.asarray(each, dtype=float) for each in (before, after, exponents))
    dividing = powers < 0
    zero = (one == 0) | (other == 0)
    broken = ~(np.isfinite(one) & np.isfinite(other)) | (np.sign(one) * np.sign(other) < 0) | (zero & dividing)
    with np.errstate(divide="ignore", invalid="ignore"):
        start, end = (one**powers).prod(axis=1), (other**powers).prod(axis=1)
        logs = powers * np.log(other / one)
        turn = logs.sum(axis=1)
        # expm1 keeps the logarithmic mean exact where both products are nearly the same
        mean = np.where(turn == 0, start, start * np.expm1(turn) / turn)
        parts = mean[:, None] * logs
        # the limit for a factor that is zero: its logarithm outgrows all others
        once = (one == 0) != (other == 0)
        limit = once / np.maximum(once.sum(axis=1, keepdims=True), 1) * (end - start)[:, None]
    parts = np.where(zero.any(axis=1, keepdims=True), limit, parts)
    split: Floats = np.where(broken.any(axis=1, keepdims=True), np.nan, parts)
    return split


def _chosen(
    periods: pd.Series[pd.Timestamp],
    every: Every,
    start: str | date | None,
    end: str | date | None,
    now: pd.Timestamp,
) -> tuple[pd.Timestamp, pd.Timestamp] | None:
    there = periods.drop_duplicates().tolist()
    if not there:
        return None
    complete = [period for period in there if next_start(period, every) <= now]
    if end is None and not complete:
        return None
    last = complete[-1] if end is None else _found(end, every, there)
    first = next_start(last, every, -1) if start is None else _found(start, every, there)
    if start is None and first not in there:
        return None
    if first >= last:
        raise SettingError(f"start={start!r} must lie in a period before that of the end, {last:%Y-%m-%d}")
    return first, last


def _found(day: str | date, every: Every, there: list[pd.Timestamp]) -> pd.Timestamp:
    try:
        instant = pd.Timestamp(day)
        period = period_starts(every, instant, instant)[0]
    except ValueError:
        raise SettingError(f"{day!r} is no day: write it like '2026-04-01'") from None
    if period not in there:
        raise SettingError(
            f"no deal was created or closed in the {every} of {day}; "
            f"there are periods from {there[0]:%Y-%m-%d} to {there[-1]:%Y-%m-%d}"
        )
    return period
