"""Charts of why deals are lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, get_args

import numpy as np
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, MaxNLocator

from wegly_analytics.i18n.texts import number, percent, say
from wegly_analytics.plots.canvas import (
    SMALL,
    canvas,
    finish,
    group_names,
    names,
    note,
    nothing,
    plain,
    reach,
    rows,
    shortened,
)
from wegly_analytics.plots.rates import periods, unfinished
from wegly_analytics.plots.style import LOST, QUIET

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

Kind = Literal["pareto", "bars", "heat"]

_MOST_COLUMNS: Final = 10
"""More groups than this are put together."""

_MOST_NUMBERS: Final = (13, 16)
"""Up to so many columns and rows of a heat map have room for their numbers."""

_UNINFORMED: Final = "(not informed)"


def loss_reasons(table: pd.DataFrame, *, ax: Axes | None = None, lang: str = "en", kind: Kind | None = None) -> Axes:
    """Draw why deals are lost, the most frequent reason at the top.

    Parameters
    ----------
    table
        What `metrics.loss_reasons` returns.
    ax
        Where to draw; the current axes if not given.
    lang
        ``"en"`` or ``"pt"``.
    kind
        ``"pareto"``, ``"bars"`` or ``"heat"``; if not given, a heat map for a table with groups or periods, else a
        Pareto chart. A table with periods can only be a heat map.

    Returns
    -------
    matplotlib.axes.Axes
        Pareto: one bar per reason, a line through the deals added up so far, and for each reason the number of deals,
        their share, and the shares added up. Bars: the same without the line, one for each group and reason. Heat map:
        one row per reason, one column per group or period, shaded by the reason's share of the column; columns of fewer
        than ten deals, and periods that are not finished, are hollow. Of many groups the largest have a column of their
        own. Bars of deals without a reason are grey.

    Raises
    ------
    MissingColumnError
        If the table lacks a column.
    ValueError
        If the language or the kind is unknown, or does not go with the table.
    """
    ax, groups = canvas(table, ("loss_reason", "deals", "share", "cumulative"), ax)
    over_time = "period" in table
    kind = kind or ("heat" if groups or over_time else "pareto")
    if kind not in get_args(Kind) or (kind != "heat" and over_time) or (kind == "pareto" and groups):
        raise ValueError(f"kind={kind!r} is none that a table {'over time' if over_time else f'by {groups}'} can be")
    title = say("Why deals are lost", lang)
    if over_time:
        title = say("Why deals are lost, over time", lang)
    elif groups:
        title = say("Why deals are lost, by {groups}", lang, groups=group_names(groups, lang))
    if not table["deals"].sum() > 0:
        return nothing(ax, table, title, "Nothing to draw: no deal was lost.", lang)
    return _heat(table, groups, ax, title, lang) if kind == "heat" else _bars(table, groups, ax, title, lang, kind)


def _bars(table: pd.DataFrame, groups: list[str], ax: Axes, title: str, lang: str, kind: Kind) -> Axes:
    labels = names(table, [*groups, "loss_reason"], lang)
    size = rows(ax, labels)
    colors = [QUIET if reason == _UNINFORMED else LOST for reason in table["loss_reason"]]
    ax.barh(range(len(table)), table["deals"], color=colors, height=0.72)
    ends = table["deals"]
    if kind == "pareto":
        ends = table["deals"].cumsum()
        ax.plot(ends, range(len(table)), "o-", color=QUIET, markersize=3.5, linewidth=1.2)
    said = []
    for y, row in enumerate(table.to_dict("records")):
        share = percent(row["share"], lang)
        text = say("{deals} ({share})", lang, deals=number(row["deals"], lang), share=share)
        said.append(f"{labels[y].replace(chr(10), ' ')}: {text}")
        if y and not groups:
            text += f"   {say('{share} together', lang, share=percent(row['cumulative'], lang))}"
        note(ax, ends.iloc[y], y, text, size)
    ax.set_xlim(0, reach(ends, 1.05))
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: number(x, lang)))
    line = f" ({say('line: added up', lang)})" if kind == "pareto" else ""
    ax.set_xlabel(say("lost deals", lang) + line)
    return finish(ax, table, title, lang, "; ".join(said[:5]) + ".")


def _heat(table: pd.DataFrame, groups: list[str], ax: Axes, title: str, lang: str) -> Axes:
    over_time = "period" in table
    across = ["period"] if over_time else groups
    down = [*groups, "loss_reason"] if over_time else ["loss_reason"]
    columns, column = _places(table, across, over_time)
    lines, line = _places(table, down, by_name=False)
    grid = np.zeros((len(lines), len(columns)))
    np.add.at(grid, (line, column), table["deals"].to_numpy())
    headings = (
        [shortened(name.replace("\n", " "), 22) for name in names(columns, across, lang)] if not over_time else []
    )
    if len(columns) > _MOST_COLUMNS and not over_time:
        rest = grid[:, _MOST_COLUMNS - 1 :].sum(axis=1, keepdims=True)
        grid = np.hstack([grid[:, : _MOST_COLUMNS - 1], rest])
        headings = [*headings[: _MOST_COLUMNS - 1], say("{n} others", lang, n=len(columns) - _MOST_COLUMNS + 1)]
    # over time the share is that within the groups of the row
    block = lines[groups].astype(str).agg(" ".join, axis=1).to_numpy() if over_time and groups else np.zeros(len(lines))
    whole = np.zeros_like(grid)
    for each in np.unique(block):
        whole[block == each] = grid[block == each].sum(axis=0)
    running = np.zeros(len(columns), dtype=bool)
    if over_time:
        dates = columns.assign()
        dates.attrs = dict(table.attrs)
        running = unfinished(dates)
    labels = [shortened(name.replace("\n", " "), 30) for name in names(lines, down, lang)]
    size = rows(ax, labels)
    ax.grid(visible=False)
    hollow = whole < SMALL
    if over_time:
        hollow |= running
    shares = grid / np.maximum(whole, 1)
    ink, most = ax.spines["left"].get_edgecolor(), float(np.max(shares[~hollow], initial=0)) or 1.0
    numbered = grid.shape[1] <= _MOST_NUMBERS[0] and grid.shape[0] <= _MOST_NUMBERS[1]
    for y, x in zip(*np.nonzero(whole), strict=True):
        shade = min(max(0.85 * shares[y, x] / most, 0.03), 0.85)
        face, edge = ("none", LOST) if hollow[y, x] else (LOST, "none")
        cell = Rectangle((x - 0.46, y - 0.44), 0.92, 0.88, facecolor=face, edgecolor=edge, alpha=shade, linewidth=1.2)
        ax.add_patch(cell)
        if numbered and grid[y, x]:
            ax.text(x, y, percent(shares[y, x], lang), ha="center", va="center", fontsize=min(size, 7.5), color=ink)
    ax.set_xlim(-0.6, grid.shape[1] - 0.4)
    if over_time:
        periods(ax, columns, lang, table.attrs.get("every"))
        ax.grid(visible=False)
    else:
        ax.set_xticks(range(len(headings)), [plain(name) for name in headings], rotation=35, ha="right",
                      rotation_mode="anchor", fontsize=min(size, 8))  # fmt: skip
    if len(np.unique(block)) == 1 and grid.shape[1] <= _MOST_NUMBERS[0]:
        ax.set_ylim(len(lines) - 0.4, -1.3)
        for x, n in enumerate(whole[0]):
            ax.text(x, -0.62, say("n={n}", lang, n=number(n, lang)), ha="center", va="bottom", fontsize=6.5, alpha=0.85)
    label = say("period of closing", lang) if over_time else group_names(groups, lang)
    if hollow[whole > 0].any():
        why = "hollow: fewer than {n} deals, or not finished" if over_time else "hollow: fewer than {n}"
        label += f"\n({say(why, lang, n=SMALL)})"
    ax.set_xlabel(label, fontsize="small")
    top = [f"{name}: {percent(share, lang)}" for name, share in _top(grid, labels)]
    subtitle = say("share of each column's lost deals", lang) if len(np.unique(block)) == 1 else ""
    return finish(ax, table, title, lang, "; ".join(top) + ".", subtitle)


def _places(table: pd.DataFrame, by: list[str], by_name: bool) -> tuple[pd.DataFrame, np.ndarray]:
    """List the distinct rows of some columns, in order or most deals first; and which of them each row is."""
    keys = table[by].astype(object)
    number_of = keys.groupby(by, sort=by_name, dropna=False).ngroup()
    first = keys.assign(place=number_of).drop_duplicates("place").set_index("place").sort_index()
    order = first.index.to_numpy()
    if not by_name:
        deals = table["deals"].groupby(number_of.to_numpy()).sum()
        order = deals.sort_values(ascending=False, kind="stable").index.to_numpy()
    place = np.empty(len(order), dtype=int)
    place[order] = np.arange(len(order))
    distinct = first.loc[order].reset_index(drop=True)
    return (distinct.astype({"period": "datetime64[us]"}) if "period" in by else distinct), place[number_of.to_numpy()]


def _top(grid: np.ndarray, labels: list[str]) -> list[tuple[str, float]]:
    deals = grid.sum(axis=1)
    return [(labels[y], deals[y] / deals.sum()) for y in range(min(5, len(labels)))]
