"""Outcomes of deals by age: won and lost are competing events, of which each deal has at most one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from wegly_analytics.metrics.intervals import Floats, Z, wilson

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

SHARES: Final = ["p_won", "p_lost", "p_open"]
"""The shares of a curve at each day; they add up to 1."""

COLUMNS: Final = ["days", "at_risk", "won", "lost", *SHARES, *(f"{p}_{end}" for p in SHARES for end in ("low", "high"))]
"""What `aalen_johansen` returns."""

_TOLERANCE: Final = 1e-12
"""As many digits as sums of shares keep."""


def aalen_johansen(days: ArrayLike, ending: ArrayLike, n: ArrayLike) -> pd.DataFrame:
    """Estimate the shares won, lost and still open by each age, with open deals censored.

    Parameters
    ----------
    days
        How long each has lasted so far.
    ending
        1 where it ended by being won, 2 by being lost, 0 where it still goes on (censored).
    n
        How many there are of each.

    Returns
    -------
    pandas.DataFrame
        One row for day 0 and one for each distinct day on which something ended, ascending: `days`; `at_risk`, how many
        lasted at least so long; `won` and `lost`, how many ended on that day; `p_won`, `p_lost` and `p_open`, the
        shares won and lost by that day and open after it, each with `_low` and `_high` (95 %). Without rows where there
        are none.

    Notes
    -----
    Aalen and Johansen (1978). Of equal ages ends come before censorings, and both kinds of end have the same at risk.
    The variance of `p_won` and `p_lost` is the delta method's (Marubini and Valsecchi 1995, formula 10.12), that of
    `p_open` Greenwood's (1926), and the intervals are symmetric on the scale of log(-log), so they stay within 0 and 1.
    A share of 0 or 1 has no variance there: up from 0 goes Wilson's interval for none of those at risk. Having reached
    its end, a share keeps the bound it had before, because it can only grow (`p_open`: only fall).

    Examples
    --------
    >>> curve = aalen_johansen([1, 2, 2, 3], [1, 2, 0, 1], [1, 1, 1, 1])
    >>> curve[["days", "at_risk", "p_won", "p_lost", "p_open"]].round(2).values.tolist()
    [[0.0, 4.0, 0.0, 0.0, 1.0], [1.0, 4.0, 0.25, 0.0, 0.75], [2.0, 3.0, 0.25, 0.25, 0.5], [3.0, 1.0, 0.75, 0.25, 0.0]]
    """
    return pd.DataFrame(shares(days, ending, n))


def shares(days: ArrayLike, ending: ArrayLike, n: ArrayLike) -> dict[str, NDArray[Any]]:
    """Do the same as `aalen_johansen`, as columns in numpy."""
    age, how, count = (np.asarray(each, dtype=float) for each in (days, ending, n))
    if not count.sum():
        age, how, count = age[:0], how[:0], count[:0]
    # day 0 is there even if nothing ended then, and starts every curve
    t, place = np.unique(np.concatenate([[0.0], age]), return_inverse=True)
    place = place[1:]
    leaving = np.bincount(place, count, len(t))
    at_risk = np.cumsum(leaving[::-1])[::-1]
    won, lost = (np.bincount(place, count * (how == kind), len(t)) for kind in (1, 2))
    shown = (won + lost > 0) | (t == 0)
    t, at_risk, won, lost = (each[shown & (at_risk > 0)] for each in (t, at_risk, won, lost))
    ended = won + lost
    still = np.cumprod(1 - ended / at_risk)
    before = np.concatenate([[1.0], still[:-1]])[: len(t)]
    # after the last deal at risk has ended the shares are constant, so its infinite term is always taken 0 times
    left = np.where(at_risk > ended, at_risk - ended, np.inf)
    greenwood = np.cumsum(ended / (at_risk * left))
    counts = {name: each.astype(np.int64) for name, each in (("at_risk", at_risk), ("won", won), ("lost", lost))}
    table = {"days": t, **counts}
    nothing_yet = ended.cumsum() == 0  # then the shares are what they are by definition
    for name, part in (("won", won), ("lost", lost)):
        share = np.minimum(np.cumsum(before * part / at_risk), 1.0)  # rounding may put the sum above 1
        own = np.cumsum(before**2 * part * (at_risk - part) / at_risk**3)
        with_all = ended / (at_risk * left)
        with_own = before * part / at_risk**2
        # the sums of (share - share then) and of its square, multiplied out
        spread = (
            share**2 * np.cumsum(with_all) - 2 * share * np.cumsum(share * with_all) + np.cumsum(share**2 * with_all)
        )
        shared = share * np.cumsum(with_own) - np.cumsum(share * with_own)
        low, high = _interval(share, spread + own - 2 * shared, at_risk)
        full = share > 1 - _TOLERANCE
        low[full] = low[~full][-1] if (~full).any() else 0.0
        low[nothing_yet] = high[nothing_yet] = 0.0
        table |= {f"p_{name}": share, f"p_{name}_low": low, f"p_{name}_high": high}
    low, high = _interval(still, still**2 * greenwood, at_risk)
    over = still < _TOLERANCE
    high[over] = high[~over][-1] if (~over).any() else 1.0
    low[nothing_yet] = high[nothing_yet] = 1.0
    table |= {"p_open": still, "p_open_low": low, "p_open_high": high}
    return {name: table[name] for name in COLUMNS}


def _interval(share: Floats, variance: Floats, at_risk: Floats) -> tuple[Floats, Floats]:
    low, high = wilson(share * at_risk, at_risk)
    inside = (share > _TOLERANCE) & (share < 1 - _TOLERANCE)
    p = share[inside]
    far = Z * np.sqrt(np.maximum(variance[inside], 0)) / (p * -np.log(p))
    low[inside], high[inside] = p ** np.exp(far), p ** np.exp(-far)
    # rounding may put a bound slightly inside the share itself where the variance is 0
    return np.clip(np.minimum(low, share), 0, 1), np.clip(np.maximum(high, share), 0, 1)


def kaplan_meier(times: ArrayLike, ended: ArrayLike, weights: ArrayLike) -> tuple[Floats, Floats]:
    """Estimate the share that has not ended yet, at each time at which something ended.

    Parameters
    ----------
    times
        How long each has lasted so far.
    ended
        Whether it is over; False where it still goes on (censored).
    weights
        How many there are of each.

    Returns
    -------
    t, surviving : numpy.ndarray
        The distinct times of an end, ascending, and the share that lasts longer than each.

    Notes
    -----
    Kaplan and Meier (1958). At equal times ends come before censorings.

    Examples
    --------
    >>> t, surviving = kaplan_meier([1, 2, 3], [True, False, True], [1, 1, 1])
    >>> t, surviving.round(3)
    (array([1., 3.]), array([0.667, 0.   ]))
    """
    t, place = np.unique(np.asarray(times, dtype=float), return_inverse=True)
    over = np.asarray(ended, dtype=bool)
    counts = np.asarray(weights, dtype=float)
    ends = np.bincount(place, counts * over, len(t))
    leaving = np.bincount(place, counts, len(t))
    at_risk = np.cumsum(leaving[::-1])[::-1]
    surviving = np.cumprod(1 - ends / at_risk)
    return t[ends > 0], surviving[ends > 0]


def quantile(curve: tuple[Floats, Floats], q: float) -> Any:
    """Find the time by which the share `q` is over; NaN if the curve does not get that far.

    Parameters
    ----------
    curve
        What `kaplan_meier` returns.
    q
        Between 0 and 1.

    Examples
    --------
    >>> float(quantile(kaplan_meier([1, 2, 3], [True, False, True], [1, 1, 1]), 0.5))
    3.0
    """
    t, surviving = curve
    reached = t[surviving <= 1 - q + 1e-12]  # as many digits as sums of shares keep
    return reached[0] if len(reached) else np.nan
