"""Deals won and lost in each period."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.ticker import MaxNLocator

from wegly_analytics.plots.axis import legend, period_places, periods, series
from wegly_analytics.plots.chart import begin
from wegly_analytics.plots.layout import finish, nothing
from wegly_analytics.plots.style import GROUPS, LOST, QUIET, WON

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from wegly_analytics.plots.chart import Chart

_NUMBERED = 40
"""The number of periods up to which each bar is labelled with its number."""


def win_loss(
    table: pd.DataFrame,
    *,
    ax: Axes | None = None,
    lang: str = "en",
    currency: str = "BRL",
    footnote: bool = True,
    **kwargs: Any,
) -> Axes:
    """Draw the deals won and lost in each period, with the win rate above them.

    Parameters
    ----------
    table
        The table that `metrics.win_loss` returns; it may be merged, concatenated or read back from a file.
    ax
        The axes to draw in; if None, the plot creates a figure.
    lang
        ``"en"`` or ``"pt"``.
    currency
        The currency, as an ISO 4217 code.
    footnote
        Whether rule, date, completeness, filters and exclusions are written below the chart.
    **kwargs
        Keywords of matplotlib for the bars, such as ``color="black"``.

    Returns
    -------
    matplotlib.axes.Axes
        Bars of won deals upward and of lost deals downward. A period that is not finished is pale. A table with groups
        is drawn as one line of win rates for each group, dotted where the period is not finished.

    Raises
    ------
    MissingColumnError
        If the table lacks a column.
    SettingError
        If the table is that of another metric, its rows cannot be distinguished, or an argument is not valid.
    """
    chart = begin("win_loss", table, ax, lang, currency, marks="bar", footnote=footnote, look=kwargs)
    title = chart.title("Deals won and lost", "Win rate over time by {groups}")
    if chart.table["rate"].isna().all():
        return nothing(chart, title, chart.say("Nothing to draw: no deal was closed."))
    return _by_group(chart, title) if chart.groups else _up_and_down(chart, title)


def _up_and_down(chart: Chart, title: str) -> Axes:
    ax, table = chart.ax, chart.table
    size = periods(chart, table["period"])
    x = np.arange(len(table))
    pale = np.where(chart.unfinished(), 0.4, 1.0)
    for sign, name, color in ((1, "won", WON), (-1, "lost", LOST)):
        bars = ax.bar(x, sign * table[name], **chart.marks(color=color, width=0.8, label=chart.say(name)))
        for bar, alpha in zip(bars, pale, strict=True):
            bar.set_alpha(chart.look.get("alpha", 1.0) * alpha)
        if len(table) <= _NUMBERED:
            chart.label_bars(bars, [chart.number(n) if n else "" for n in table[name]], size, padding=2)
    won, lost = table["won"].max(), table["lost"].max()
    most = max(won, lost)
    room = most if chart.is_wide else 1.9 * most  # numbers need more of a small panel
    ax.set_ylim(-lost - 0.2 * room, won + 0.38 * room)
    ax.axhline(0, color=chart.ink, linewidth=0.8)
    step = math.ceil(len(table) * 3.2 * size / (ax.get_window_extent().width * 72 / chart.figure.dpi))
    for n in range(0, len(table), step):
        if not np.isnan(table["rate"].iloc[n]):
            look: dict[str, Any] = {"ha": "center", "fontsize": size, "fontweight": "bold"}
            ax.text(n, won + 0.24 * room, chart.percent(table["rate"].iloc[n]), alpha=max(pale[n], 0.6), **look)
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    chart.count_axis("y")
    ax.set_ylabel(chart.say("won ↑ and lost ↓ (deals)"))
    label = chart.say("period of closing")
    ax.set_xlabel(f"{label} ({chart.say('pale: not finished')})" if (pale < 1).any() else label)
    last = table.dropna(subset="rate").iloc[-1]
    return finish(chart, title, f"{chart.period(last['period'])}: {chart.percent(last['rate'])}.")


def _by_group(chart: Chart, title: str) -> Axes:
    ax = chart.ax
    starts, place = period_places(chart.table)
    periods(chart, starts)
    closed = chart.table["won"] + chart.table["lost"]
    shown = chart.table.assign(place=place, closed=closed, is_unfinished=chart.unfinished())
    parts = series(chart, shown, "closed")
    look = {name: value for name, value in chart.look.items() if name in {"alpha", "linestyle", "linewidth", "zorder"}}
    handles = []
    for n, (_, part) in enumerate(parts):
        color = GROUPS[n] if n < len(GROUPS) else QUIET
        style: dict[str, Any] = {
            "color": color,
            "marker": "o",
            "markersize": 4,
            "alpha": 1 if n < len(GROUPS) else 0.4,
        } | look
        handles += ax.plot(part["place"], part["rate"].where(~part["is_unfinished"]), **style)
        if (part["is_unfinished"] & part["rate"].notna()).any():
            ax.plot(part["place"], part["rate"], **style | {"linestyle": ":", "markerfacecolor": "none", "zorder": 1.5})
    ax.set_ylim(0, 1.02)
    chart.share_axis("y")
    ax.set_ylabel(chart.say("share of deals won"))
    label = chart.say("period of closing")
    is_dotted = (shown["is_unfinished"] & shown["rate"].notna()).any()
    ax.set_xlabel(f"{label} ({chart.say('dotted: not finished')})" if is_dotted else label)
    legend(chart, handles[: len(GROUPS)], [name for name, _ in parts[: len(GROUPS)]])
    return finish(chart, title)
