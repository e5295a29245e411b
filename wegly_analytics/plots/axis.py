"""Axes of rows and of periods, and the legend."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from wegly_analytics.plots.chart import grows
from wegly_analytics.plots.labels import NAME_WIDTH, one_line, plain, shortened
from wegly_analytics.plots.order import scale

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from matplotlib.artist import Artist
    from matplotlib.container import Container

    from wegly_analytics.plots.chart import Chart

_LEAST: Final = 5.0
"""The font size, in points, below which names take one line instead of two."""

_TALLEST: Final = 160.0
"""Inches: an image of more than some 65,000 pixels cannot be written."""

_AROUND: Final = 2.0
"""Inches above and below the rows, for title, numbers and footnote."""


def rows(chart: Chart, labels: Sequence[str], lines: int = 1) -> float:
    """Prepare axes for one row per label, the first at the top.

    The plot's own figure grows with them. In a given figure, long lists get a smaller font, then names of one line.

    Parameters
    ----------
    chart
        The chart.
    labels
        The names of the rows.
    lines
        The lines of text beside each row.

    Returns
    -------
    float
        The font size that fits a row.
    """
    ax, figure = chart.ax, chart.figure
    base = chart.base
    if not chart.is_wide:
        labels = [shortened(one_line(label), NAME_WIDTH - 8) for label in labels]
    tall = max([lines, *(label.count("\n") + 1 for label in labels)])
    if grows(figure):
        needed = len(labels) * (0.3 * base + tall * base * 1.2) / 72 + _AROUND
        figure.set_figheight(min(max(figure.get_figheight(), needed), _TALLEST))
    room = ax.get_window_extent().height * 72 / figure.dpi / max(len(labels), 1)  # points
    if room < 2 * _LEAST * 1.25:
        labels = [shortened(one_line(label), NAME_WIDTH) for label in labels]
        tall = 1
    size = min(base * 0.9, room / (tall * 1.25))
    ax.set_yticks(range(len(labels)), [plain(label) for label in labels], fontsize=size)
    ax.set_ylim(len(labels) - 0.4, -0.6)
    ax.grid(visible=True, axis="x", alpha=0.25)
    ax.set_axisbelow(True)
    return size


def periods(chart: Chart, starts: pd.Series[Any]) -> float:
    """Name as many periods on the x axis as fit, and return the font size."""
    ax = chart.ax
    width = ax.get_window_extent().width * 72 / chart.figure.dpi * 10 / chart.base
    step = max(1, -(-len(starts) // max(int(min(width / 26, 12)), 3)))
    places = range((len(starts) - 1) % step, len(starts), step)  # the last period is always named
    ax.set_xticks(list(places), [chart.period(starts.iloc[n]) for n in places], rotation=45, ha="right",
                  rotation_mode="anchor")  # fmt: skip
    ax.set_xlim(-0.6, len(starts) - 0.4)
    ax.grid(visible=True, axis="y", alpha=0.25)
    ax.set_axisbelow(True)
    return chart.base * (0.8 if len(starts) <= 24 else 0.65)


def period_places(table: pd.DataFrame) -> tuple[pd.Series[Any], np.ndarray]:
    """Return the periods of a table in order, and the position of each row among them."""
    starts = table["period"].drop_duplicates().sort_values().reset_index(drop=True)
    return starts, starts.searchsorted(table["period"])


def series(chart: Chart, table: pd.DataFrame, value: str) -> list[tuple[str, pd.DataFrame]]:
    """Split a table into its groups, each with its name: ordinal ones in order, others the largest first."""
    groups = list(chart.groups)
    if not groups:
        return [(chart.names(table.iloc[:1], [])[0], table)]
    parts = [part for _, part in table.groupby(groups, sort=False, dropna=False, observed=True)]
    if all(scale(table[name]) is None for name in groups):
        parts.sort(key=lambda part: -part[value].sum())
    return [(one_line(chart.names(part.iloc[:1], groups)[0]), part) for part in parts]


def legend(chart: Chart, handles: Sequence[Artist | Container], labels: Sequence[str]) -> None:
    """Draw a small legend beside the chart, or within narrow axes."""
    short = [plain(shortened(label, NAME_WIDTH - 4)) for label in labels]
    shown: Any = handles  # the stubs do not allow bars in a legend
    place: dict[str, Any] = {"loc": "upper left", "bbox_to_anchor": (1, 1)} if chart.is_wide else {"loc": "best"}
    chart.ax.legend(shown, short, fontsize=chart.base * 0.7, handlelength=1.2, **place)


def reach(values: pd.Series[Any] | float, room: float) -> float:
    """Return the end of an axis that begins at 0 and has space for the values and the labels beside them."""
    most = float(np.nanmax(values))
    return most * room if most > 0 else 1.0
