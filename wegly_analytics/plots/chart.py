"""A chart in progress: its axes, its table, its language and its currency."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal
from weakref import WeakSet

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from wegly_analytics.errors import SettingError
from wegly_analytics.i18n import texts
from wegly_analytics.plots import labels, tables
from wegly_analytics.plots.footnote import sentences
from wegly_analytics.plots.keywords import Marks, checked_look

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from matplotlib.container import BarContainer

SMALL: Final = 10
"""Samples of fewer deals are drawn hollow."""

WIDTH: Final = 8.0
"""The width in inches of a figure that a plot creates, if matplotlib's default was not changed."""

_NARROW: Final = 320.0
"""The width of a panel, in points, below which it has a smaller font."""

_GROWING: Final[WeakSet[Figure]] = WeakSet()
"""Figures that a plot has created, and may make taller."""


@dataclass(frozen=True)
class Chart:
    """What all parts of a plot need.

    Parameters
    ----------
    ax
        The axes to draw in.
    table
        The table, read by `tables.read`.
    lang, currency
        The language of texts and the currency of money.
    groups
        The columns by which the table is grouped.
    footnote
        Whether the footnote is shown.
    look
        Keywords of matplotlib for the main marks, from the caller.
    """

    ax: Axes
    table: pd.DataFrame
    lang: str = "en"
    currency: str = "BRL"
    groups: tuple[str, ...] = ()
    footnote: bool = True
    look: dict[str, Any] = field(default_factory=dict)

    @property
    def figure(self) -> Figure:
        """The figure of the axes, also of axes in a subfigure."""
        return root_figure(self.ax)

    @property
    def is_wide(self) -> bool:
        """Whether the panel is wide enough for the usual font size."""
        return panel(self.ax)[1] > _NARROW

    @property
    def base(self) -> float:
        """The font size, in points: smaller in a narrow panel."""
        return float(mpl.rcParams["font.size"]) * (1.0 if self.is_wide else 0.68)

    @property
    def ink(self) -> Any:
        """The colour of axes and texts."""
        return self.ax.spines["left"].get_edgecolor()

    @property
    def every(self) -> str | None:
        """The length of a period: from the table, or inferred from its dates."""
        every: str | None = self.setting("every")
        if every is not None or "period" not in self.table.columns:
            return every
        starts = self.table["period"].drop_duplicates().dropna().sort_values()
        apart = starts.diff().dt.days.min()
        if len(starts) < 2 or (starts.dt.day != 1).any():
            return None
        return "year" if apart >= 365 else "quarter" if apart >= 90 else "month"

    def setting(self, name: str) -> Any:
        """Return a setting that the table has as a column of one value or in ``attrs``, or None."""
        if name in self.table.columns:
            distinct = self.table[name].dropna().unique()
            return distinct[0] if len(distinct) == 1 else None
        return self.table.attrs.get(name)

    def say(self, text: str, **params: object) -> str:
        """Translate a text of the catalog."""
        return texts.say(text, self.lang, **params)

    def number(self, value: float, digits: int = 0) -> str:
        """Format a number."""
        return texts.number(value, self.lang, digits)

    def percent(self, share: float) -> str:
        """Format a share."""
        return texts.percent(share, self.lang)

    def money(self, value: float) -> str:
        """Format money with three digits; the API does not state the currency."""
        return texts.short_money(float(value), self.lang, self.currency)

    def count(self, n: float) -> str:
        """Format the number of deals of a figure."""
        return self.say("n={n}", n=self.number(n))

    def period(self, start: Any) -> str:
        """Name a period by its first day."""
        return texts.period(start, self.every, self.lang)

    def names(self, table: pd.DataFrame, columns: Iterable[str]) -> list[str]:
        """Name each row of a table by some columns."""
        return labels.names(table, list(columns), self.lang)

    def title(self, alone: str, grouped: str) -> str:
        """Choose between the title of a table without groups and of one with them."""
        names = labels.group_names(self.groups, self.lang)
        return self.say(grouped, groups=names) if self.groups else self.say(alone)

    def sentences(self) -> list[str]:
        """Write the footnote."""
        return sentences(self.table, self.lang)

    def marks(self, **defaults: Any) -> dict[str, Any]:
        """Return the keywords of the main marks: defaults, unless the caller has set them."""
        if "color" in self.look:
            defaults = {name: value for name, value in defaults.items() if not name.endswith("color")}
        return defaults | self.look

    def note(self, x: float, y: float, text: str, size: float, **more: Any) -> None:
        """Write a text beside a mark, at a fixed distance from it."""
        look: dict[str, Any] = {"xytext": (6, 0), "va": "center", "ha": "left", "fontsize": size} | more
        beside = self.ax.annotate(labels.plain(text), (x, y), textcoords="offset points", annotation_clip=False, **look)
        # left of the axes or below, the layout makes room for it; beside a mark, `finish` does within the axes
        beside.set_in_layout(look["xytext"][0] < 0 or look["xytext"][1] < 0)

    def label_bars(self, bars: BarContainer, beside: Sequence[str], size: float, **more: Any) -> None:
        """Write a text beside each bar, or in it."""
        look: dict[str, Any] = {"padding": 4} | more
        for label in self.ax.bar_label(bars, [labels.plain(text) for text in beside], fontsize=size, **look):
            label.set_in_layout(False)

    def money_axis(self, axis: Literal["x", "y"] = "x", bins: int = 4) -> None:
        """Format the numbers of an axis as money."""
        self._numbered(axis, lambda value, _: labels.plain(self.money(value)))
        self.ax.locator_params(axis=axis, nbins=bins)

    def share_axis(self, axis: Literal["x", "y"] = "x") -> None:
        """Format the numbers of an axis as shares, up to 100 %."""
        self._numbered(axis, lambda value, _: self.percent(value) if value < 1.001 else "")

    def count_axis(self, axis: Literal["x", "y"] = "x") -> None:
        """Format the numbers of an axis as counts."""
        self._numbered(axis, lambda value, _: self.number(abs(value)))

    def _numbered(self, axis: Literal["x", "y"], write: Any) -> None:
        (self.ax.xaxis if axis == "x" else self.ax.yaxis).set_major_formatter(FuncFormatter(write))

    def unfinished(self, table: pd.DataFrame | None = None) -> np.ndarray:
        """Return which periods were not over when the snapshot was taken."""
        table = self.table if table is None else table
        if "unfinished" in table.columns:
            return table["unfinished"].to_numpy(dtype=bool)
        taken_at = self.table.attrs.get("taken_at")
        if not taken_at or not self.every:
            return np.zeros(len(table), dtype=bool)
        now = pd.Timestamp(taken_at)
        now = now if now.tz is None else now.tz_convert(self.table.attrs.get("tz", "America/Sao_Paulo"))
        length = {"week": pd.DateOffset(weeks=1), "month": pd.DateOffset(months=1), "quarter": pd.DateOffset(months=3)}
        ends = table["period"] + length.get(self.every, pd.DateOffset(years=1))
        return np.asarray(ends > now.tz_localize(None))


def begin(
    metric: str,
    table: Any,
    ax: Axes | None,
    lang: str,
    currency: str,
    *,
    marks: Marks,
    footnote: bool,
    look: dict[str, Any],
) -> Chart:
    """Check the arguments of a plot, and only then make a figure if none is given.

    Raises
    ------
    MissingColumnError
        If the table lacks a column.
    SettingError
        If anything else cannot be drawn.
    """
    if lang not in texts.languages():
        raise SettingError(f"lang={lang!r}: use one of {', '.join(map(repr, texts.languages()))}")
    if not re.fullmatch("[A-Z]{3}", str(currency)):
        raise SettingError(f"currency={currency!r}: pass an ISO 4217 code, such as 'BRL' or 'USD'")
    if not isinstance(footnote, bool | np.bool_):
        raise SettingError(f"footnote={footnote!r}: it is either True or False")
    look = checked_look(metric, look, marks)
    checked = _axes(ax)
    shown, groups = tables.read(metric, table)
    drawn_on = own_axes() if checked is None else checked
    chart = Chart(drawn_on, shown, lang, currency, tuple(groups), footnote, look)
    if not chart.is_wide:
        drawn_on.tick_params(labelsize=chart.base)
    return chart


def own_axes(size: tuple[float, float] | None = None, figure: Figure | None = None) -> Axes:
    """Make a figure with a constrained layout, which grows with the rows unless its size is given."""
    if figure is None:
        standard = mpl.rcParams["figure.figsize"] == mpl.rcParamsDefault["figure.figsize"]
        width = WIDTH if standard else mpl.rcParams["figure.figsize"][0]
        figure = plt.figure(figsize=(width, mpl.rcParams["figure.figsize"][1]))
    figure.set_layout_engine("constrained")
    if size is None:
        _GROWING.add(figure)
    return figure.add_subplot()


def grows(figure: Figure) -> bool:
    """Whether a plot may make a figure taller."""
    return figure in _GROWING


def root_figure(ax: Axes) -> Figure:
    """Find the figure of axes, also of axes in a subfigure; matplotlib 3.8 has no ``root=``."""
    figure: Any = ax.figure
    while figure is not None and not isinstance(figure, Figure):
        figure = figure.figure
    if not isinstance(figure, Figure):
        raise SettingError("ax= was removed from its figure: pass axes of a figure, or none")
    return figure


def panel(ax: Axes) -> tuple[float, float]:
    """Return the left edge, in pixels, and the width, in points, of the axes' place in the grid."""
    figure = root_figure(ax)
    whole: Any = ax.figure.bbox
    spec = ax.get_subplotspec()
    if spec is None:
        return whole.x0, whole.width * 72 / figure.dpi
    columns = spec.get_gridspec().ncols
    width = whole.width / columns
    return whole.x0 + width * spec.colspan.start, width * len(spec.colspan) * 72 / figure.dpi


def _axes(ax: Any) -> Axes | None:
    if ax is None:
        return None
    if isinstance(ax, Axes):
        figure = root_figure(ax)
        if figure.get_layout_engine() is None:
            figure.set_layout_engine("constrained")  # otherwise titles and footnotes would overlap other panels
        return ax
    if isinstance(ax, Figure):
        raise SettingError("ax= takes Axes, not a Figure: pass ax=figure.add_subplot()")
    if isinstance(ax, np.ndarray | list | tuple):
        raise SettingError(f"ax= takes one Axes, not {len(ax)} of them: pass one, such as ax=axes[0] or ax=axes[0, 1]")
    raise SettingError(f"ax= takes matplotlib Axes, not {type(ax).__name__}: plots.<name>(table, ax=ax)")
