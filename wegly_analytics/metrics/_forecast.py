"""The value that open deals are expected to win."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING, Any, Final

import narwhals as nw
import numpy as np
import pandas as pd

from wegly_analytics.errors import SettingError
from wegly_analytics.metrics.cohort import Cohort
from wegly_analytics.metrics.selection import By, flag

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from wegly_analytics.metrics.intervals import Floats
    from wegly_analytics.snapshot.snapshot import Snapshot

_DAY: Final = 86_400_000_000
"""Microseconds."""

_AT_ONCE: Final = 4_000_000
"""So many numbers are drawn together, to keep memory small."""

MANY: Final = 100_000
"""Above so many open deals with different ages and values a group's total is drawn, not each deal."""

_EXAMPLES: Final = {"days": 90, "level": 0.8, "draws": 1_000}


def forecast(
    snap: Snapshot,
    *,
    days: float = 90,
    by: By = None,
    level: float = 0.8,
    draws: int = 1_000,
    seed: int = 0,
    archived: bool = False,
) -> pd.DataFrame:
    """Forecast the value that is won from the open deals within so many days.

    Parameters
    ----------
    snap
        The snapshot.
    days
        The horizon in days, from the time of the snapshot.
    by
        One column of deals, or several.
    level
        The share of simulated outcomes that the interval covers, between 0 and 1.
    draws
        The number of outcomes simulated for the interval.
    seed
        The seed of the simulation; the same seed gives the same interval.
    archived
        Whether archived deals count.

    Returns
    -------
    pandas.DataFrame
        One row per group, most money first: the groups; `open`, open deals with a value; `value`, their sum;
        `expected`, the part of it that is expected to be won within `days`, with `low` and `high` (all money).

    Raises
    ------
    MissingColumnError
        If deals has no column `by`.
    SettingError
        If `days`, `level` or `draws` cannot be used.

    Notes
    -----
    A deal of age a is won within h days with the probability (F(a + h) − F(a)) ÷ S(a): F is the share won by an age and
    S the share still open. Both are Aalen and Johansen's estimates over all deals in scope, all groups together, in
    whole days. So an old open deal gets the probability of the deals that reached its age. Beyond the greatest age at
    which any deal was closed no win is expected, which is conservative; `attrs["caveats"]` states this if it concerns
    open deals.

    For the interval the history is resampled (each deal with a weight from Poisson's distribution: Efron's bootstrap,
    in one pass), and each open deal is then won or not with its probability. So the interval covers both the
    uncertainty of the estimate and chance. It does not cover a later change of a deal's value, or deals created after
    the snapshot. In a group of more than 100,000 open deals of different ages and values, their total is drawn from the
    normal distribution with its mean and variance instead. Deals without a value or a creation date are excluded and
    counted in `attrs["excluded"]`.

    Examples
    --------
    >>> import wegly_analytics as wa
    >>> row = forecast(wa.sample(), days=30).iloc[0]
    >>> bool(0 < row["low"] <= row["expected"] <= row["high"] < row["value"])
    True
    """
    for name, value in (("days", days), ("level", level), ("draws", draws)):
        if isinstance(value, bool) or not isinstance(value, Real):
            raise SettingError(f"{name}={value!r} is not a number: give for example {name}={_EXAMPLES[name]}")
    if not 0 < days < 36_500:
        raise SettingError(f"days={days}: give days above 0")
    if not 0 < level < 1:
        raise SettingError(f"level={level}: give a share between 0 and 1")
    if draws < 1:
        raise SettingError(f"draws={draws}: give 1 or more")
    cohort = Cohort.of("forecast", snap, by, archived, columns=("value", "created_at", "closed_at"))
    is_open, created = nw.col("open") == 1, nw.col("created_at")
    ended = nw.when(is_open).then(nw.lit(snap.taken_at)).otherwise(nw.col("closed_at"))
    undated = created.is_null() | ended.is_null() | (ended < created)
    age = cohort.microseconds(created, ended)
    cohort = cohort.excluding(
        {"without usable dates": undated},
        age=age,
        day=age // _DAY,
        ending=nw.col("won") + 2 * nw.col("lost"),
        one=nw.lit(1),
        no_value=flag(is_open & nw.col("value").is_null()),
    )
    history = cohort.once(cohort.frame, "one", "no_value", keys=["day", "ending"])
    cohort.note("open without value", history["no_value"].sum())
    waiting = cohort.count(cohort.kept.filter(is_open, nw.col("no_value") == 0), "one", keys=["age", "value"])
    now, n = waiting.table, waiting.once("one")

    curve = _Curve(history["day"], history["ending"], history["one"])
    if len(now) and float(now["age"].max()) / _DAY + days > curve.oldest:
        cohort.caveats.append("beyond the oldest age at which a deal ended no win is expected")
    table = _summed(cohort, now, curve, days, level, draws, seed)
    table = table.assign(days=days, level=level)
    rule = ["open deals by their win probability at their age, Aalen-Johansen", "interval by bootstrap"]
    return cohort.finish(table, rule, n, days=days, level=level)


class _Curve:
    """The history of deals by age in whole days, to be weighted again for each draw."""

    def __init__(self, day: pd.Series[Any], ending: pd.Series[Any], n: pd.Series[Any]) -> None:
        ages = np.asarray(day, dtype=int)
        how, count = np.asarray(ending, dtype=int), np.asarray(n, dtype=float)
        self.last = int(ages.max(initial=0))
        self.oldest = int(ages[how > 0].max(initial=-1))
        # a row for each way of ending: open, won, lost
        self.counts = np.zeros((3, self.last + 1))
        np.add.at(self.counts, (how, ages), count)

    def chances(self, ages: Floats, days: float, counts: Floats) -> Floats:
        """Compute the chance that deals of some ages are won within so many days; one row for each set of counts."""
        still, won, lost = counts[..., 0, :], counts[..., 1, :], counts[..., 2, :]
        leaving = still + won + lost
        at_risk = np.flip(np.cumsum(np.flip(leaving, -1), -1), -1)
        safe = np.maximum(at_risk, 1e-300)
        open_after = np.cumprod(1 - (won + lost) / safe, -1)
        before = np.concatenate([np.ones_like(open_after[..., :1]), open_after[..., :-1]], -1)
        share = np.cumsum(before * won / safe, -1)
        here = np.minimum(ages.astype(int), self.last)
        there = np.minimum((ages + days).astype(int), self.last)
        # still open on the day itself: ends of that day are still ahead of, or behind, a deal of that age alike
        left = open_after[..., here]
        ahead = share[..., there] - share[..., here]
        return np.where(left > 1e-12, ahead / np.where(left > 1e-12, left, 1.0), 0.0)


@dataclass(frozen=True)
class _Open:
    """The open deals: the values, how many have each, and at which of some ages they are; the horizon in days."""

    values: Floats
    count: NDArray[np.int64]
    ages: Floats
    place: NDArray[np.int64]
    days: float

    def drawn(self, curve: _Curve, parts: list[NDArray[np.int64]], draws: int, rng: np.random.Generator) -> Floats:
        """Draw what the deals of each part bring, so many times."""
        many = [number for number, mine in enumerate(parts) if len(mine) > MANY]
        is_single = np.ones(len(self.values), dtype=bool)
        for number in many:
            is_single[parts[number]] = False
        single, at = np.flatnonzero(is_single), np.cumsum(is_single) - 1
        values, count, place = self.values[single], self.count[single], self.place[single]
        sums = {number: self._by_age(parts[number]) for number in many}
        drawn = np.empty((draws, len(parts)))
        step = max(1, _AT_ONCE // max(curve.counts.size, len(single), 1))
        for first in range(0, draws, step):
            size = min(step, draws - first)
            weights = rng.poisson(curve.counts, (size, *curve.counts.shape)).astype(float)
            chances = curve.chances(self.ages, self.days, weights).clip(0, 1)
            won = rng.binomial(count, chances[:, place]) * values
            for number, mine in enumerate(parts):
                if number in sums:
                    total, squares = sums[number]
                    spread = np.sqrt((chances * (1 - chances)) @ squares)
                    brought = rng.normal(chances @ total, spread).clip(min(0.0, total.sum()), max(0.0, total.sum()))
                else:
                    brought = won[:, at[mine]].sum(axis=1)
                drawn[first : first + size, number] = brought
        return drawn

    def _by_age(self, mine: NDArray[np.int64]) -> tuple[Floats, Floats]:
        """Sum the values of some deals, and their squares, for each age: so the total has a mean and a variance."""
        values, count, size = self.values[mine], self.count[mine], len(self.ages)
        place = self.place[mine]
        sums = [np.bincount(place, count * values**power, size).astype(float) for power in (1, 2)]
        return sums[0], sums[1]


def _cells(ages: Floats, days: float) -> tuple[Floats, NDArray[np.int64]]:
    """Return one of the ages, in days, for each chance there can be, and the place of each age's among them."""
    here, there = ages.astype(np.int64), (ages + days).astype(np.int64)
    # the end is a whole number of days later, or one more
    _, first, place = np.unique(2 * here + (there - here - int(days)), return_index=True, return_inverse=True)
    return ages[first], place


def _summed(
    cohort: Cohort, now: pd.DataFrame, curve: _Curve, days: float, level: float, draws: int, seed: int
) -> pd.DataFrame:
    """Add up chances by group, and simulate outcomes for the interval."""
    columns = ["open", "value", "expected", "low", "high"]
    ages, place = _cells(np.asarray(now["age"], dtype=float) / _DAY, days)
    values, count = np.asarray(now["value"], dtype=float), np.asarray(now["one"], dtype=int)
    chance = curve.chances(ages, days, curve.counts)[place]
    if cohort.groups:
        keys = pd.Series(list(now[cohort.groups].itertuples(index=False, name=None)), dtype=object)
        parts: list[tuple[Any, Any]] = list(keys.groupby(keys, sort=False).indices.items())
    else:
        parts = [((), np.arange(len(now)))]
    deals = _Open(values, count, ages, place, days)
    drawn = deals.drawn(curve, [mine for _, mine in parts], draws, np.random.default_rng(seed))
    edges = [(1 - level) / 2, (1 + level) / 2]
    rows = []
    for number, (key, mine) in enumerate(parts):
        low, high = np.quantile(drawn[:, number], edges)
        expected = float((chance[mine] * values[mine] * count[mine]).sum())
        rows.append((*key, count[mine].sum(), (values[mine] * count[mine]).sum(), expected, low, high))
    table = pd.DataFrame(rows, columns=[*cohort.groups, *columns])
    table = table.astype({"open": "int64", **dict.fromkeys(columns[1:], float)})
    return table.sort_values("expected", ascending=False, kind="stable")
