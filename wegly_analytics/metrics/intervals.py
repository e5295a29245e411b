"""Confidence intervals of shares and means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

Floats = NDArray[np.floating[Any]]

Z = 1.959963984540054
"""The 97.5 % point of the standard normal distribution."""


def wilson(successes: ArrayLike, n: ArrayLike) -> tuple[Floats, Floats]:
    """Compute the Wilson score interval of a share, 95 %.

    Parameters
    ----------
    successes, n
        How many of how many; fractions are allowed, for weighted counts.

    Returns
    -------
    low, high : numpy.ndarray
        Between 0 and 1, and around ``successes / n``; NaN where `n` is 0.

    Notes
    -----
    Wilson (1927), without continuity correction; Brown, Cai and DasGupta (2001) recommend it for small n.

    Examples
    --------
    >>> low, high = wilson([3], [10])
    >>> low.round(3), high.round(3)
    (array([0.108]), array([0.603]))
    """
    k, n = np.asarray(successes, dtype=float), np.asarray(n, dtype=float)
    with np.errstate(invalid="ignore", divide="ignore"):
        p = k / n
        centre = (p + Z**2 / (2 * n)) / (1 + Z**2 / n)
        half = Z * np.sqrt(p * (1 - p) / n + Z**2 / (4 * n**2)) / (1 + Z**2 / n)
    # rounding may put a bound slightly inside the share itself where it is 0 or 1
    return np.clip(np.minimum(centre - half, p), 0, 1), np.clip(np.maximum(centre + half, p), 0, 1)


def mean_interval(total: ArrayLike, squares: ArrayLike, n: ArrayLike) -> tuple[Floats, Floats]:
    """Compute the interval of a mean: 1.96 standard errors to either side.

    Parameters
    ----------
    total, squares
        The sum of the values, and of their squares.
    n
        How many values.

    Returns
    -------
    low, high : numpy.ndarray
        NaN below two values.

    Examples
    --------
    >>> low, high = mean_interval([12], [56], [3])
    >>> low.round(2), high.round(2)
    (array([1.74]), array([6.26]))
    """
    total, squares, n = (np.asarray(each, dtype=float) for each in (total, squares, n))
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = total / n
        variance = np.maximum(squares - total * mean, 0) / np.where(n > 1, n - 1, np.nan)
        half = Z * np.sqrt(variance / n)
    return mean - half, mean + half
