"""What all charts share: axes, names, titles, the footnote, and what to say where there is nothing to draw."""

from __future__ import annotations

import textwrap
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.text import Annotation
from matplotlib.ticker import FixedLocator

from wegly_analytics.errors import MissingColumnError
from wegly_analytics.i18n.texts import column, day, listed, number, say, short_money
from wegly_analytics.plots.style import QUIET

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.backend_bases import RendererBase
    from matplotlib.container import Container
    from matplotlib.figure import Figure
    from matplotlib.transforms import Bbox

SMALL: Final = 10
"""A sample of fewer deals is drawn hollow."""

_NAME_WIDTH: Final = 28
_LEAST: Final = 5.0
"""The size of letters, in points, below which names take one line instead of two."""

_GAPS: Final = ("not_found", "forbidden", "failed", "unreadable")


def canvas(table: pd.DataFrame, needed: Iterable[str], ax: Axes | None) -> tuple[Axes, list[str]]:
    """Make sure that a table can be drawn, and where.

    Returns
    -------
    matplotlib.axes.Axes
        `ax`, or the current one.
    list of str
        The columns by which the table is grouped.

    Raises
    ------
    MissingColumnError
        If the table lacks a column.
    """
    groups = [name for name in table.attrs.get("by", ()) if name in table]
    for name in needed:
        if name not in table:
            raise MissingColumnError(f"the {table.attrs.get('metric', 'table')} table", name, map(str, table.columns))
    return plt.gca() if ax is None else ax, groups


def priced(table: pd.DataFrame, currency: str) -> pd.DataFrame:
    """Let a table know its currency, without changing the one that was given; the API does not say it."""
    copy = table.copy(deep=False)
    copy.attrs = {**table.attrs, "currency": currency}
    return copy


def cash(value: float, table: pd.DataFrame, lang: str) -> str:
    """Write money of a table with three digits, in the currency that `priced` has given it."""
    return short_money(float(value), lang, table.attrs.get("currency", "BRL"))


def names(table: pd.DataFrame, columns: Sequence[str], lang: str) -> list[str]:
    """Name each row by its groups, long names on two lines."""
    if not columns:
        return [say("All deals", lang)] * len(table)
    rows = table[list(columns)].astype(object).to_numpy().tolist()
    return [_wrapped(" · ".join(_name(value, lang) for value in row)) for row in rows]


def _name(value: Any, lang: str) -> str:
    text = str(value)
    return say(text, lang) if text == "(not informed)" else text


def _wrapped(name: str) -> str:
    return "\n".join(textwrap.wrap(shortened(name, 2 * _NAME_WIDTH - 4), _NAME_WIDTH)) or " "


def shortened(name: str, width: int) -> str:
    """Take the middle out of a long name: what tells two names apart often stands at the end."""
    if len(name) <= width:
        return name
    tail = width // 3
    return f"{name[: width - tail - 1].rstrip()}…{name[-tail:].lstrip()}"


def group_names(groups: Iterable[str], lang: str) -> str:
    """Name the columns by which a table is grouped, for a title."""
    return listed(column(name, lang) for name in groups)


def series(table: pd.DataFrame, groups: Sequence[str], value: str, lang: str) -> list[tuple[str, pd.DataFrame]]:
    """Take a table over time apart into its groups, the largest first; each with its name."""
    keys = pd.MultiIndex.from_frame(table[list(groups)].astype(str)) if groups else pd.Index([0] * len(table))
    parts = [table[keys == key] for key in keys.unique()]
    parts.sort(key=lambda part: -part[value].sum())
    return [(names(part.iloc[:1], groups, lang)[0].replace("\n", " "), part) for part in parts]


def rows(ax: Axes, labels: Sequence[str]) -> float:
    """Prepare axes for one row per label, the first at the top.

    Long lists get smaller letters, then names of one line; a taller figure gives them back.

    Returns
    -------
    float
        The size of letters that fits a row.
    """
    base = float(mpl.rcParams["font.size"])
    height = ax.get_window_extent().height * 72 / figure_of(ax).dpi  # points
    room = height / max(len(labels), 1)
    if room < 2 * _LEAST * 1.25:
        labels = [shortened(label.replace("\n", " "), _NAME_WIDTH) for label in labels]
    lines = max((label.count("\n") for label in labels), default=0) + 1
    size = min(base * 0.9, room / (lines * 1.25))
    ax.set_yticks(range(len(labels)), [plain(label) for label in labels], fontsize=size)
    ax.set_ylim(len(labels) - 0.4, -0.6)
    ax.grid(visible=True, axis="x", alpha=0.25)
    ax.set_axisbelow(True)
    return size


def figure_of(ax: Axes) -> Figure:
    """Find the figure that axes stand in, also within a subfigure."""
    figure = ax.get_figure(root=True)
    if figure is None:
        raise ValueError("the axes were removed from their figure")
    return figure


def note(ax: Axes, x: float, y: float, text: str, size: float, **more: Any) -> None:
    """Write beside a mark, clear of it, whatever the scale."""
    look: dict[str, Any] = {"xytext": (6, 0), "va": "center", "ha": "left", "fontsize": size} | more
    beside = ax.annotate(plain(text), (x, y), textcoords="offset points", annotation_clip=False, **look)
    beside.set_in_layout("xycoords" in look)  # beside a mark it stands within the axes once `finish` has made room


def reach(values: pd.Series[float] | float, room: float) -> float:
    """Say how far an axis that begins at 0 must go, to hold the values and the labels beside them."""
    most = float(np.nanmax(values))
    return most * room if most > 0 else 1.0


def plain(text: str) -> str:
    """Keep matplotlib from taking what stands between two dollar signs for mathematics."""
    return text.replace("$", r"\$")


def finish(ax: Axes, table: pd.DataFrame, title: str, lang: str, reading: str = "", subtitle: str = "") -> Axes:
    """Put the title above, the footnote below, and the description into the axes.

    The footnote says the rule, the moment, how complete the data is, and what was left out, as far as the table knows.
    `alt_text` gives the description.
    """
    figure = figure_of(ax)
    figure.draw_without_rendering()  # now the layout is known, and with it the width
    width = ax.get_window_extent().width * 72 / figure.dpi
    size = float(mpl.rcParams["font.size"])
    heading = "\n".join(textwrap.wrap(title, max(24, int(width / (size * 0.74)))))
    ax.set_title(plain(heading), loc="left", fontweight="bold", pad=22 if subtitle else None)
    if subtitle:
        note(ax, 0, 1, subtitle, size * 0.9, xycoords="axes fraction", xytext=(0, 5), va="bottom", alpha=0.85)
    said = footnote(table, lang)
    small = size * 0.72
    begins = (_edge(ax, "yaxis")().x0 - figure.bbox.x0) * 72 / figure.dpi
    chars = max(40, int(min(width * 1.25, (figure.get_figwidth() * 72 - begins) * 0.9) / (small * 0.5)))
    ax.annotate(
        plain("\n".join(line for part in said for line in textwrap.wrap(part, chars))),
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
    for _ in range(2):  # what is shrunk gives the axes room, which moves the rest
        _fit(ax)
    ax.set_label(" ".join(part for part in (title + ".", reading, *(f"{line}." for line in said)) if part))
    return ax


def _fit(ax: Axes) -> None:
    """Make room within the axes for all that is written beside marks, and shrink names of rows that would overlap."""
    figure = figure_of(ax)
    figure.draw_without_rendering()
    box, (low, high) = ax.get_window_extent(), ax.get_xlim()
    for text in ax.texts:
        if isinstance(text, Annotation) and text.xycoords == "data" and text.get_horizontalalignment() == "left":
            room = 1 - (text.get_window_extent().width + 10 * figure.dpi / 72) / box.width
            high = max(high, low + (text.xy[0] - low) / max(room, 0.25))
    ax.set_xlim(low, high)
    labels = [label for label in ax.get_yticklabels() if label.get_text()]
    tallest = max((label.get_window_extent().height for label in labels), default=0.0)
    room = box.height / max(abs(np.diff(ax.get_ylim())[0]), 1)
    if isinstance(ax.yaxis.get_major_locator(), FixedLocator) and tallest > room:
        for label in labels:
            label.set_fontsize(label.get_fontsize() * room / tallest * 0.97)


def legend(ax: Axes, lines: Sequence[Artist | Container], labels: Sequence[str]) -> None:
    """Name lines beside the chart, in letters that leave it room."""
    short = [plain(shortened(label, _NAME_WIDTH - 4)) for label in labels]
    handles: Any = lines  # the stubs know of no bars in a legend
    ax.legend(handles, short, loc="upper left", bbox_to_anchor=(1, 1), fontsize="x-small", handlelength=1.2)


def _edge(ax: Axes, axis: str) -> Callable[..., Bbox]:
    """Find the room that an axis takes with its numbers and names, at the moment of drawing."""

    def box(renderer: RendererBase | None = None) -> Bbox:
        found: Bbox | None = getattr(ax, axis).get_tightbbox(renderer)
        return ax.get_window_extent(renderer) if found is None else found

    return box


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
    """
    return str(ax.get_label())


def footnote(table: pd.DataFrame, lang: str) -> list[str]:
    """Say rule, moment, completeness, and what was left out; a table of the user's own may know less of it."""
    attrs = table.attrs
    said = [say(caveat, lang) for caveat in attrs.get("caveats", ())]
    if rule := attrs.get("rule"):
        said.append(" · ".join(say(sentence, lang) for sentence in rule.split(" · ")))
    facts = []
    if moment := attrs.get("taken_at"):
        local = datetime.fromisoformat(moment).astimezone(ZoneInfo(attrs.get("tz", "America/Sao_Paulo")))
        facts.append(say("as of {day}", lang, day=day(local, lang)))
    if counts := attrs.get("completeness"):
        received, requested = (number(counts[name], lang) for name in ("received", "requested"))
        facts.append(
            say("{received} of {requested} requested deals received", lang, received=received, requested=requested)
        )
        gaps = ((name, counts.get(name)) for name in _GAPS)
        facts += [say(f"{{n}} {name.replace('_', ' ')}", lang, n=number(n, lang)) for name, n in gaps if n]
        if counts["in_scope"] != counts["received"]:
            facts.append(say("{in_scope} in scope", lang, in_scope=number(counts["in_scope"], lang)))
    if facts:
        said.append(" · ".join(facts))
    if excluded := attrs.get("excluded"):
        reasons = [
            say("{n} {reason}", lang, n=number(n, lang), reason=say(reason, lang)) for reason, n in excluded.items()
        ]
        said.append(say("left out: {reasons}", lang, reasons=listed(reasons)))
    return said


def nothing(ax: Axes, table: pd.DataFrame, title: str, why: str, lang: str) -> Axes:
    """Say that there is nothing to draw, and why, instead of drawing empty axes."""
    text = say(why, lang)
    ax.set_xticks([])
    ax.set_yticks([])
    for spine in ax.spines.values():
        spine.set_visible(False)
    ax.text(
        0.5,
        0.5,
        textwrap.fill(text, 44),
        transform=ax.transAxes,
        ha="center",
        va="center",
        color=QUIET,
        fontsize="large",
    )
    return finish(ax, table, title, lang, text)
