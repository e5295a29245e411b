"""A heat map: rows of reasons, columns of groups or periods, shaded by the share of each column."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from matplotlib.patches import Rectangle

from wegly_analytics.plots.axis import periods, rows
from wegly_analytics.plots.chart import SMALL
from wegly_analytics.plots.labels import group_names, one_line, plain, shortened
from wegly_analytics.plots.layout import finish
from wegly_analytics.plots.order import scale
from wegly_analytics.plots.style import LOST

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from wegly_analytics.plots.chart import Chart

_MOST_COLUMNS: Final = 10
"""The number of columns; further groups share the last one."""

_MOST_NUMBERS: Final = (13, 16)
"""The numbers of columns and rows up to which cells show numbers."""


@dataclass(frozen=True)
class Grid:
    """Deals by row and column, and the totals of which each cell is a share."""

    deals: np.ndarray
    whole: np.ndarray
    lines: pd.DataFrame
    columns: pd.DataFrame
    hollow: np.ndarray
    blocks: int

    @property
    def shares(self) -> np.ndarray:
        """The share of each cell."""
        return np.asarray(self.deals / np.maximum(self.whole, 1))

    @property
    def has_room(self) -> bool:
        """Whether the cells show numbers."""
        lines, columns = len(self.deals), len(self.whole[0])
        return columns <= _MOST_NUMBERS[0] and lines <= _MOST_NUMBERS[1]


def draw_heat_map(chart: Chart, title: str) -> Axes:
    """Draw the reasons of a table with groups or periods."""
    ax, over_time = chart.ax, "period" in chart.table.columns
    grid = _grid(chart)
    down = [*chart.groups, "loss_reason"] if over_time else ["loss_reason"]
    labels = [shortened(one_line(name), 30) for name in chart.names(grid.lines, down)]
    size = rows(chart, labels)
    _draw_cells(chart, grid, size)
    ax.set_xlim(-0.6, grid.deals.shape[1] - 0.4)
    if over_time:
        periods(chart, grid.columns["period"])
    else:
        names = _headings(chart, grid)
        look: dict[str, Any] = {"rotation": 35, "ha": "right", "rotation_mode": "anchor", "fontsize": min(size, 8)}
        ax.set_xticks(range(len(names)), names, **look)
    ax.grid(visible=False)
    if grid.blocks == 1 and grid.deals.shape[1] <= _MOST_NUMBERS[0]:
        ax.set_ylim(len(grid.lines) - 0.4, -1.3)
        for x, n in enumerate(grid.whole[0]):
            ax.text(x, -0.62, chart.count(n), ha="center", va="bottom", fontsize=6.5, alpha=0.85)
    label = chart.say("period of closing") if over_time else group_names(chart.groups, chart.lang)
    if grid.hollow[grid.whole > 0].any():
        why = chart.say("hollow: fewer than {n}", n=SMALL)
        if over_time:
            why = chart.say("hollow: fewer than {n} deals, or not finished", n=SMALL)
        label += f"\n({why})"
    ax.set_xlabel(label, fontsize="small")
    deals = grid.deals.sum(axis=1)
    top = [f"{name}: {chart.percent(n / deals.sum())}" for name, n in zip(labels[:5], deals, strict=False)]
    subtitle = chart.say("share of each column's lost deals") if grid.blocks == 1 else ""
    return finish(chart, title, "; ".join(top) + ".", subtitle)


def _grid(chart: Chart) -> Grid:
    """Count deals by row and column; over time, shares are those within the group of the row."""
    table, groups, over_time = chart.table, list(chart.groups), "period" in chart.table.columns
    columns, column = _places(table, ["period"] if over_time else groups)
    lines, line = _places(table, [*groups, "loss_reason"] if over_time else ["loss_reason"])
    deals = np.zeros((len(lines), len(columns)))
    np.add.at(deals, (line, column), table["deals"].to_numpy())
    if deals.shape[1] > _MOST_COLUMNS and not over_time:
        rest = deals[:, _MOST_COLUMNS - 1 :].sum(axis=1, keepdims=True)
        deals = np.hstack([deals[:, : _MOST_COLUMNS - 1], rest])
    block = np.zeros(len(lines), dtype=int)
    if over_time and groups:
        block = lines.groupby(groups, sort=False, observed=True).ngroup().to_numpy()
    whole = np.zeros_like(deals)
    for each in np.unique(block):
        whole[block == each] = deals[block == each].sum(axis=0)
    hollow = whole < SMALL
    if over_time:
        hollow |= chart.unfinished(columns)
    return Grid(deals, whole, lines, columns, hollow, len(np.unique(block)))


def _draw_cells(chart: Chart, grid: Grid, size: float) -> None:
    shares, most = grid.shares, float(np.max(grid.shares[~grid.hollow], initial=0)) or 1.0
    color = chart.look.get("color", LOST)
    for y, x in zip(*np.nonzero(grid.whole), strict=True):
        shade = min(max(0.85 * shares[y, x] / most, 0.03), 0.85)
        face, edge = ("none", color) if grid.hollow[y, x] else (color, "none")
        cell = Rectangle((x - 0.46, y - 0.44), 0.92, 0.88, facecolor=face, edgecolor=edge, alpha=shade, linewidth=1.2)
        chart.ax.add_patch(cell)
        if grid.has_room and grid.deals[y, x]:
            text = chart.percent(shares[y, x])
            chart.ax.text(x, y, text, ha="center", va="center", fontsize=min(size, 7.5), color=chart.ink)


def _headings(chart: Chart, grid: Grid) -> list[str]:
    """Name the columns; the last one may stand for several groups."""
    names = [plain(shortened(one_line(name), 22)) for name in chart.names(grid.columns, chart.groups)]
    if len(names) > _MOST_COLUMNS:
        rest = chart.say("{n} others", n=len(names) - _MOST_COLUMNS + 1)
        names = [*names[: _MOST_COLUMNS - 1], rest]
    return names


def _places(table: pd.DataFrame, by: list[str]) -> tuple[pd.DataFrame, np.ndarray]:
    """Return the distinct rows of some columns, in order or most deals first, and the position of each row in them."""
    place = table.groupby(by, sort=False, dropna=False, observed=True).ngroup().to_numpy()
    first = table.assign(place=place).drop_duplicates("place").set_index("place").sort_index()
    if by == ["period"]:
        order = first.sort_values("period").index.to_numpy()
    elif by != ["loss_reason"] and any(scale(table[name]) is not None for name in by):
        order = first.index.to_numpy()
    else:
        order = table["deals"].groupby(place).sum().sort_values(ascending=False, kind="stable").index.to_numpy()
    where = np.empty(len(order), dtype=int)
    where[order] = np.arange(len(order))
    return first.loc[order].reset_index(drop=True), where[place]
