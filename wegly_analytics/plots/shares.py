"""Shares won, drawn as dots with their intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from wegly_analytics.plots.axis import reach, rows
from wegly_analytics.plots.chart import SMALL
from wegly_analytics.plots.labels import one_line
from wegly_analytics.plots.style import PLAIN, QUIET

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from wegly_analytics.plots.chart import Chart


def draw_shares(chart: Chart, table: pd.DataFrame, labels: Sequence[str], unit: str = "share of deals won") -> str:
    """Draw a share in each row, with its interval and its number of deals; fewer than ten are hollow.

    Returns
    -------
    str
        The figures in words.
    """
    ax, size = chart.ax, rows(chart, labels)
    readings = []
    for y, (label, row) in enumerate(zip(labels, table.to_dict("records"), strict=True)):
        n = chart.count(row["n"])
        if np.isnan(row["rate"]):
            chart.note(0, y, n, size, color=QUIET)
            continue
        look = chart.marks(color=PLAIN, marker="o", markersize=7, linestyle="none")
        look.setdefault("markerfacecolor", "none" if row["n"] < SMALL else look["color"])
        ax.hlines(y, row["low"], row["high"], color=look["color"], linewidth=2.5, alpha=0.5)
        ax.plot(row["rate"], y, **look)
        chart.note(row["high"], y, f"{chart.percent(row['rate'])} ({n})", size)
        readings.append(f"{one_line(label)}: {chart.percent(row['rate'])}, {n}")
    ax.set_xlim(0, reach(table["high"], 1.05))
    chart.share_axis()
    label = chart.say(unit)
    if (table["n"] < SMALL).any():
        label += f" ({chart.say('hollow: fewer than {n}', n=SMALL)})"
    ax.set_xlabel(label)
    return "; ".join(readings) + "."
