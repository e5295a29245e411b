"""A chart as a file, without touching anyone's figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from wegly_analytics.plots.style import Theme, style

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from matplotlib.axes import Axes


class Plot(Protocol):
    """A plot of this package."""

    def __call__(self, table: pd.DataFrame, *, ax: Axes | None = None, lang: str = "en") -> Axes:
        """Draw a table."""


def save(plot: Plot, table: pd.DataFrame, path: Path, *, lang: str = "en", theme: Theme = "light") -> Path:
    """Draw a table and save the chart as a picture, 1600 pixels wide.

    Parameters
    ----------
    plot
        The plot, such as ``plots.win_rate``.
    table
        What the metric of the same name returns.
    path
        The file; its ending says the kind.
    lang
        ``"en"`` or ``"pt"``.
    theme
        ``"light"`` or ``"dark"``.

    Returns
    -------
    pathlib.Path
        The file.
    """
    with style(theme):
        figure = Figure(figsize=(10, 5.6), dpi=160)
        FigureCanvasAgg(figure)
        plot(table, ax=figure.add_subplot(), lang=lang)
        figure.savefig(path, bbox_inches="tight", pad_inches=0.25)
    return path
