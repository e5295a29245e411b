"""Charts of how often deals are won."""

from __future__ import annotations

import math
from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from matplotlib.ticker import FuncFormatter, MaxNLocator

from wegly_analytics.i18n.texts import number, percent, period, say
from wegly_analytics.plots.canvas import (
    SMALL,
    canvas,
    figure_of,
    finish,
    group_names,
    legend,
    names,
    note,
    nothing,
    reach,
    rows,
    series,
)
from wegly_analytics.plots.style import GROUPS, LOST, PLAIN, QUIET, WON

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes


def win_rate(table: pd.DataFrame, *, ax: Axes | None = None, lang: str = "en") -> Axes:
    """Draw the win rate of each group with its interval, and the deals it was computed on.

    Parameters
    ----------
    table
        What `metrics.win_rate` returns.
    ax
        Where to draw; the current axes if not given.
    lang
        ``"en"`` or ``"pt"``.

    Returns
    -------
    matplotlib.axes.Axes
        One row per group: a dot at the rate, a line from `low` to `high`. Samples of fewer than ten deals are hollow.

    Raises
    ------
    MissingColumnError
        If the table lacks a column.
    ValueError
        If the language is unknown.
    """
    ax, groups = canvas(table, ("n", "rate", "low", "high"), ax)
    title = say("Win rate by {groups}", lang, groups=group_names(groups, lang)) if groups else say("Win rate", lang)
    if table["rate"].isna().all():
        return nothing(ax, table, title, "Nothing to draw: no deal was closed.", lang)
    labels = names(table, groups, lang)
    return finish(ax, table, title, lang, shares(ax, table, labels, lang))


def shares(ax: Axes, table: pd.DataFrame, labels: Sequence[str], lang: str) -> str:
    """Draw a share won in each row, with its interval and the deals it rests on; fewer than ten are hollow.

    Returns
    -------
    str
        The figures in words.
    """
    size = rows(ax, labels)
    said = []
    for y, (label, row) in enumerate(zip(labels, table.to_dict("records"), strict=True)):
        n = say("n={n}", lang, n=number(row["n"], lang))
        if np.isnan(row["rate"]):
            note(ax, 0, y, n, size, color=QUIET)
            continue
        fill = "none" if row["n"] < SMALL else PLAIN
        ax.hlines(y, row["low"], row["high"], color=PLAIN, linewidth=2.5, alpha=0.5)
        ax.plot(row["rate"], y, "o", color=PLAIN, markerfacecolor=fill, markersize=7)
        note(ax, row["high"], y, f"{percent(row['rate'], lang)} ({n})", size)
        said.append(f"{label.replace(chr(10), ' ')}: {percent(row['rate'], lang)}, {n}")
    ax.set_xlim(0, reach(table["high"], 1.05))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: percent(x, lang) if x < 1.001 else ""))
    label = say("share of deals won", lang)
    if (table["n"] < SMALL).any():
        label += f" ({say('hollow: fewer than {n}', lang, n=SMALL)})"
    ax.set_xlabel(label)
    return "; ".join(said) + "."


def win_loss(table: pd.DataFrame, *, ax: Axes | None = None, lang: str = "en") -> Axes:
    """Draw the deals won and lost in each period, with the win rate above them.

    Parameters
    ----------
    table
        What `metrics.win_loss` returns.
    ax
        Where to draw; the current axes if not given.
    lang
        ``"en"`` or ``"pt"``.

    Returns
    -------
    matplotlib.axes.Axes
        Bars of won deals upward and of lost deals downward. A period that is not finished is pale. A table with groups
        is drawn as one line of win rates for each group.

    Raises
    ------
    MissingColumnError
        If the table lacks a column.
    ValueError
        If the language is unknown.
    """
    ax, groups = canvas(table, ("period", "won", "lost", "rate"), ax)
    title = say("Deals won and lost", lang)
    if groups:
        title = say("Win rate over time by {groups}", lang, groups=group_names(groups, lang))
    if table["rate"].isna().all():
        return nothing(ax, table, title, "Nothing to draw: no deal was closed.", lang)
    if groups:
        return _rates_over_time(table, groups, ax, title, lang)
    size = periods(ax, table, lang)
    x = np.arange(len(table))
    pale = np.where(unfinished(table), 0.4, 1.0)
    for up, name, color in ((1, "won", WON), (-1, "lost", LOST)):
        bars = ax.bar(x, up * table[name], color=color, width=0.8, label=say(name, lang))
        for bar, alpha, count in zip(bars, pale, table[name], strict=True):
            bar.set_alpha(alpha)
            if count and len(table) <= 40:
                place = {"xytext": (0, 2 * up), "ha": "center", "va": "bottom" if up > 0 else "top"}
                note(ax, bar.get_x() + bar.get_width() / 2, up * count, number(count, lang), size, **place)
    most = max(table["won"].max(), table["lost"].max())
    ax.set_ylim(-table["lost"].max() - 0.2 * most, table["won"].max() + 0.38 * most)
    ax.axhline(0, color=ax.spines["left"].get_edgecolor(), linewidth=0.8)
    step = math.ceil(len(table) * 3.2 * size / (ax.get_window_extent().width * 72 / figure_of(ax).dpi))
    for n in range(0, len(table), step):
        if not np.isnan(table["rate"].iloc[n]):
            ax.text(
                n, table["won"].max() + 0.24 * most, percent(table["rate"].iloc[n], lang), ha="center", fontsize=size,
                fontweight="bold", alpha=max(pale[n], 0.6),
            )  # fmt: skip
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda y, _: number(abs(y), lang)))
    ax.set_ylabel(say("won ↑ and lost ↓ (deals)", lang))
    label = say("period of closing", lang)
    ax.set_xlabel(f"{label} ({say('pale: not finished', lang)})" if (pale < 1).any() else label)
    last = table.dropna(subset="rate").iloc[-1]
    reading = f"{period(last['period'], table.attrs.get('every'), lang)}: {percent(last['rate'], lang)}."
    return finish(ax, table, title, lang, reading)


def _rates_over_time(table: pd.DataFrame, groups: list[str], ax: Axes, title: str, lang: str) -> Axes:
    starts = table["period"].drop_duplicates()
    periods(ax, starts.to_frame(), lang, table.attrs.get("every"))
    parts = series(table.assign(closed=table["won"] + table["lost"]), groups, "closed", lang)
    for n, (_, part) in enumerate(parts):
        color = GROUPS[n] if n < len(GROUPS) else QUIET
        ax.plot(range(len(part)), part["rate"], "o-", color=color, markersize=4, alpha=1 if n < len(GROUPS) else 0.4)
    ax.set_ylim(0, 1.02)
    ax.yaxis.set_major_formatter(FuncFormatter(lambda y, _: percent(y, lang)))
    ax.set_ylabel(say("share of deals won", lang))
    ax.set_xlabel(say("period of closing", lang))
    legend(ax, ax.get_lines()[: len(GROUPS)], [name for name, _ in parts[: len(GROUPS)]])
    return finish(ax, table, title, lang)


def periods(ax: Axes, table: pd.DataFrame, lang: str, every: str | None = None) -> float:
    """Name the periods on the x axis, as many as there is room for; gives the size of letters."""
    every = every or table.attrs.get("every")
    step = max(1, -(-len(table) // 12))
    places = range((len(table) - 1) % step, len(table), step)  # the last period is always named
    labels = [period(table["period"].iloc[n], every, lang) for n in places]
    ax.set_xticks(list(places), labels, rotation=45, ha="right", rotation_mode="anchor")
    ax.set_xlim(-0.6, len(table) - 0.4)
    ax.grid(visible=True, axis="y", alpha=0.25)
    ax.set_axisbelow(True)
    return 8.0 if len(table) <= 24 else 6.5


def unfinished(table: pd.DataFrame) -> np.ndarray:
    """Tell which periods had not ended when the snapshot was taken."""
    moment, every = table.attrs.get("taken_at"), table.attrs.get("every")
    if not moment or not every:
        return np.zeros(len(table), dtype=bool)
    now = datetime.fromisoformat(moment).astimezone(ZoneInfo(table.attrs.get("tz", "America/Sao_Paulo")))
    length = {"week": pd.DateOffset(weeks=1), "month": pd.DateOffset(months=1), "quarter": pd.DateOffset(months=3)}
    ends = table["period"] + length.get(every, pd.DateOffset(years=1))
    return np.asarray(ends > pd.Timestamp(now).tz_localize(None))
