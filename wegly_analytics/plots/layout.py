"""The last step of every chart: title, footnote and description, and room for all that is written."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.text import Annotation
from matplotlib.ticker import FixedLocator

from wegly_analytics.errors import SettingError
from wegly_analytics.plots.chart import root_figure
from wegly_analytics.plots.labels import plain
from wegly_analytics.plots.style import QUIET

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.axes import Axes
    from matplotlib.backend_bases import RendererBase
    from matplotlib.transforms import Bbox

    from wegly_analytics.plots.chart import Chart

_FOOTNOTE: Final = "wegly-footnote"
_SMALLEST: Final = 4.5
"""Points of the smallest letters."""


def finish(chart: Chart, title: str, reading: str = "", subtitle: str = "") -> Axes:
    """Put the title above, the footnote below, and the description into the axes.

    Parameters
    ----------
    chart
        The chart.
    title
        What it shows.
    reading
        Its main figures in words, for `alt_text`.
    subtitle
        What is written in small letters below the title.
    """
    ax, figure = chart.ax, chart.figure
    figure.draw_without_rendering()  # now the layout is known, and with it the width
    base = float(mpl.rcParams["font.size"])
    panel = _panel_width(ax)
    size = base * (1.2 if panel > 320 else 0.95)
    # a title begins at the axes' left edge and may end at the panel's right one
    width = max(ax.get_window_extent().width * 72 / figure.dpi, 0.45 * panel)
    heading = "\n".join(textwrap.wrap(title, max(14, int(width / (size * 0.62)))))
    ax.set_title(plain(heading), loc="left", fontweight="bold", fontsize=size, pad=22 if subtitle else None)
    if subtitle:
        fitted = min(base * 0.9, width / (max(len(subtitle), 1) * 0.5))
        look: dict[str, Any] = {"xycoords": "axes fraction", "xytext": (0, 5), "va": "bottom", "alpha": 0.85}
        chart.note(0, 1, subtitle, max(fitted, _SMALLEST), **look)
    said = chart.sentences()
    _write_footnote(chart, said, panel)
    for _ in range(3):  # what is shrunk gives the axes room, which moves the rest
        _fit(ax)
    footnote = _found_footnote(ax)
    if footnote is not None:
        footnote.set_label(" ".join(part for part in (f"{title}.", reading, *(f"{line}." for line in said)) if part))
    return ax


def nothing(chart: Chart, title: str, why: str) -> Axes:
    """Say that there is nothing to draw, and why, instead of drawing empty axes."""
    ax = chart.ax
    ax.set_xticks([])
    ax.set_yticks([])
    for spine in ax.spines.values():
        spine.set_visible(False)
    place: dict[str, Any] = {"ha": "center", "va": "center", "color": QUIET, "fontsize": "large"}
    width = max(18, int(_panel_width(ax) / 10))
    ax.text(0.5, 0.5, textwrap.fill(why, min(width, 44)), transform=ax.transAxes, **place)
    return finish(chart, title, why)


def alt_text(ax: Axes) -> str:
    """Describe a chart in words, for people who cannot see it.

    Parameters
    ----------
    ax
        What a plot of this package returned.

    Returns
    -------
    str
        Title, the main figures, and the footnote.

    Raises
    ------
    SettingError
        If the axes hold no chart of this package.
    """
    footnote = _found_footnote(ax) if hasattr(ax, "texts") else None
    if footnote is None:
        raise SettingError("plots.alt_text takes the Axes that a plot returned: alt_text(plots.win_rate(table))")
    return str(footnote.get_label())


def _found_footnote(ax: Axes) -> Annotation | None:
    found = [text for text in ax.texts if isinstance(text, Annotation) and text.get_gid() == _FOOTNOTE]
    return found[-1] if found else None


def _write_footnote(chart: Chart, said: list[str], panel: float) -> None:
    """Write below everything, as wide as the panel; hidden, it still carries the description."""
    ax, figure = chart.ax, chart.figure
    small = float(mpl.rcParams["font.size"]) * (0.72 if panel > 320 else 0.55)
    left = _edge(ax, "yaxis")().x0 - _panel_left(ax)
    room = max(panel - max(left * 72 / figure.dpi, 0) - 12, panel * 0.6)
    lines = [line for part in said for line in textwrap.wrap(part, max(24, int(room / (small * 0.53))))]
    footnote = ax.annotate(
        plain("\n".join(lines)),
        (0, 0),
        xycoords=(_edge(ax, "yaxis"), _edge(ax, "xaxis")),
        xytext=(0, -8),
        textcoords="offset points",
        ha="left",
        va="top",
        fontsize=small,
        alpha=0.75,
        annotation_clip=False,
    )
    footnote.set_gid(_FOOTNOTE)
    footnote.set_visible(chart.footnote)


def _panel_width(ax: Axes) -> float:
    """Say how many points of width the axes and all their texts may take."""
    return _panel(ax)[1]


def _panel_left(ax: Axes) -> float:
    return _panel(ax)[0]


def _panel(ax: Axes) -> tuple[float, float]:
    """Give the left edge, in pixels, and the width, in points, of the axes' place in the grid."""
    figure = root_figure(ax)
    whole = ax.figure.bbox
    spec = ax.get_subplotspec()
    if spec is None:
        return whole.x0, whole.width * 72 / figure.dpi
    columns = spec.get_gridspec().ncols
    share = len(spec.colspan) / columns
    return whole.x0 + whole.width * spec.colspan.start / columns, whole.width * share * 72 / figure.dpi


def _fit(ax: Axes) -> None:
    """Make room within the axes for all that is written beside marks, and shrink names of rows that would overlap."""
    figure = root_figure(ax)
    figure.draw_without_rendering()
    box, (low, high) = ax.get_window_extent(), ax.get_xlim()
    for text in ax.texts:
        if isinstance(text, Annotation) and text.xycoords == "data" and text.get_horizontalalignment() == "left":
            wide = text.get_window_extent().width
            if wide > 0.7 * box.width:  # in a narrow panel letters shrink before the marks do
                text.set_fontsize(max(float(text.get_fontsize()) * 0.7 * box.width / wide, _SMALLEST))
                wide = text.get_window_extent().width
            room = 1 - (wide + 10 * figure.dpi / 72) / box.width
            high = max(high, low + (text.xy[0] - low) / max(room, 0.15))
    ax.set_xlim(low, high)
    labels = [label for label in ax.get_yticklabels() if label.get_text()]
    tallest = max((label.get_window_extent().height for label in labels), default=0.0)
    room = box.height / max(abs(np.diff(ax.get_ylim())[0]), 1)
    if isinstance(ax.yaxis.get_major_locator(), FixedLocator) and tallest > room:
        for label in labels:
            label.set_fontsize(float(label.get_fontsize()) * room / tallest * 0.97)


def _edge(ax: Axes, axis: str) -> Callable[..., Bbox]:
    """Find the room that an axis takes with its numbers and names, when it is drawn."""

    def box(renderer: RendererBase | None = None) -> Bbox:
        found: Bbox | None = getattr(ax, axis).get_tightbbox(renderer)
        return ax.get_window_extent(renderer) if found is None else found

    return box
