"""The last step of every chart: title, footnote and description, and space for all texts."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from matplotlib.text import Annotation
from matplotlib.ticker import FixedLocator

from wegly_analytics.errors import SettingError
from wegly_analytics.plots.chart import panel, root_figure
from wegly_analytics.plots.labels import plain
from wegly_analytics.plots.style import QUIET

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.axes import Axes
    from matplotlib.backend_bases import RendererBase
    from matplotlib.figure import Figure
    from matplotlib.transforms import Bbox

    from wegly_analytics.plots.chart import Chart

_FOOTNOTE: Final = "wegly-footnote"
_SMALLEST: Final = 4.5
"""The smallest font size, in points."""

_SPARE: Final = 1.05
"""Texts may be slightly wider at another resolution."""


def finish(chart: Chart, title: str, reading: str = "", subtitle: str = "") -> Axes:
    """Write the title above and the footnote below, and store the description.

    Parameters
    ----------
    chart
        The chart.
    title
        What it shows.
    reading
        Its main figures in words, for `alt_text`.
    subtitle
        A line in a small font below the title.
    """
    ax, figure, base = chart.ax, chart.figure, chart.base
    lay_out(figure)  # now the width of the axes is known
    left, width = panel(ax)
    # a title begins at the left edge of the axes and may extend to the right edge of the panel
    width = max(width - (ax.get_window_extent().x0 - left) * 72 / figure.dpi - 6, 0.45 * width)
    size = base * 1.2
    heading = "\n".join(textwrap.wrap(title, max(14, int(width / (size * 0.62)))))
    ax.set_title(plain(heading), loc="left", fontweight="bold", fontsize=size, pad=2.2 * base if subtitle else None)
    if subtitle:
        fitted = min(base * 0.9, width / (len(subtitle) * 0.52))
        look: dict[str, Any] = {"xycoords": "axes fraction", "xytext": (0, 5), "va": "bottom", "alpha": 0.85}
        chart.note(0, 1, subtitle, max(fitted, _SMALLEST), **look)
    sentences = chart.sentences()
    description = " ".join(part for part in (f"{title}.", reading, *(f"{line}." for line in sentences)) if part)
    _write_footnote(chart, sentences, description)
    for _ in range(2):  # smaller texts leave more space for the axes, which moves the rest
        lay_out(figure)
        for each in figure.axes:  # one panel of a grid moves the others
            if _found_footnote(each) is not None:
                _fit(each)
                _fit_labels(each, base)
    return ax


def lay_out(figure: Figure) -> None:
    """Compute the positions of axes and texts as drawing does, but faster."""
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)


def _fit_labels(ax: Axes, base: float) -> None:
    """Shrink the labels of axes to the width of the panel and the height of the axes."""
    box, dpi = ax.get_window_extent(), root_figure(ax).dpi
    left, width = panel(ax)
    middle = box.x0 + box.width / 2
    room = 2 * min(middle - left, left + width * dpi / 72 - middle)
    for label, most in ((ax.xaxis.label, room), (ax.yaxis.label, box.height * 1.1)):
        found = label.get_window_extent()
        long = found.width if label is ax.xaxis.label else found.height
        size = min(float(label.get_fontsize()), base)
        label.set_fontsize(max(size * min(most / long, 1), _SMALLEST) if long and most > 0 else size)


def nothing(chart: Chart, title: str, reason: str) -> Axes:
    """Write why there is nothing to draw, instead of drawing empty axes."""
    ax = chart.ax
    ax.set_xticks([])
    ax.set_yticks([])
    for spine in ax.spines.values():
        spine.set_visible(False)
    place: dict[str, Any] = {"ha": "center", "va": "center", "color": QUIET, "fontsize": "large"}
    width = max(18, int(panel(ax)[1] / 10))
    ax.text(0.5, 0.5, textwrap.fill(reason, min(width, 44)), transform=ax.transAxes, **place)
    return finish(chart, title, reason)


def alt_text(ax: Axes) -> str:
    """Describe a chart in words, for people who cannot see it.

    Parameters
    ----------
    ax
        The axes that a plot of this package returned.

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


def _write_footnote(chart: Chart, sentences: list[str], description: str) -> None:
    """Write the footnote below everything, as wide as the panel.

    A blank text as tall as the footnote reserves its space in the layout, and stores the description. The footnote
    itself belongs to the figure: in the axes, the layout would narrow them to its width.
    """
    ax, width = chart.ax, panel(chart.ax)[1]
    small = chart.base * (0.72 if chart.is_wide else 0.8)
    chars = max(24, int((width - 14) / (small * (0.56 if chart.is_wide else 0.6))))
    lines = [line for part in sentences for line in textwrap.wrap(part, chars)] if chart.footnote else []
    look: dict[str, Any] = {"textcoords": "offset points", "ha": "left", "va": "top", "fontsize": small}
    place: Any = (_edge(ax, "yaxis"), _edge(ax, "xaxis"))
    blank = ax.annotate(
        "\n".join(" " for _ in lines), (0, 0), xycoords=place, xytext=(0, -8), annotation_clip=False, **look
    )
    blank.set_gid(_FOOTNOTE)
    blank.set_label(description)
    if lines:
        text = plain("\n".join(lines))
        start, spec = 0.0, ax.get_subplotspec()
        if spec is not None:
            start, place = spec.colspan.start / spec.get_gridspec().ncols, (ax.figure.transSubfigure, place[1])
        below: dict[str, Any] = {"xytext": (6 if spec else 0, -8), "annotation_clip": False, "alpha": 0.75}
        footnote = Annotation(text, (start, 0), xycoords=place, **below, **look)
        ax.figure.add_artist(footnote)


def _fit(ax: Axes) -> None:
    """Make space within the axes for the texts beside marks, and shrink names of rows that would overlap."""
    figure = root_figure(ax)
    box, (low, high) = ax.get_window_extent(), ax.get_xlim()
    for text in ax.texts:
        if isinstance(text, Annotation) and text.xycoords == "data" and text.get_horizontalalignment() == "left":
            wide = text.get_window_extent().width * _SPARE
            if wide > 0.7 * box.width:  # in a narrow panel texts shrink before the marks do
                text.set_fontsize(max(float(text.get_fontsize()) * 0.7 * box.width / wide, _SMALLEST))
                wide = text.get_window_extent().width * _SPARE
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
    """Return a function that measures an axis with its tick labels and its label."""

    def box(renderer: RendererBase | None = None) -> Bbox:
        found: Bbox | None = getattr(ax, axis).get_tightbbox(renderer)
        return ax.get_window_extent(renderer) if found is None else found

    return box
