"""Charts of how long deals take to be won or lost."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.ticker import FuncFormatter, MaxNLocator

from wegly_analytics.i18n.texts import listed, number, percent, say
from wegly_analytics.plots.canvas import (
    SMALL,
    canvas,
    figure_of,
    finish,
    group_names,
    names,
    note,
    nothing,
    reach,
    shortened,
)
from wegly_analytics.plots.style import GROUPS, LOST, WON

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_MOST: Final = 6
"""Curves of so many groups can be told apart."""

_LABEL: Final = 22
"""Letters of a name beside the deals at risk."""


def time_to_close(table: pd.DataFrame, *, ax: Axes | None = None, lang: str = "en") -> Axes:
    """Draw which share of deals is won and lost by each day after their creation.

    Parameters
    ----------
    table
        What `metrics.time_to_close` returns.
    ax
        Where to draw; the current axes if not given.
    lang
        ``"en"`` or ``"pt"``.

    Returns
    -------
    matplotlib.axes.Axes
        Steps for won and lost with their intervals as bands, dotted where fewer than ten deals are at risk; below the
        days, how many are. A table with groups is drawn as the won curves of the six largest ones; `alt_text` names the
        others.

    Raises
    ------
    MissingColumnError
        If the table lacks a column.
    ValueError
        If the language is unknown.
    """
    bands = [f"p_{name}{end}" for name in ("won", "lost") for end in ("", "_low", "_high")]
    ax, groups = canvas(table, ("days", "at_risk", "won", "lost", *bands), ax)
    title = say("Won and lost by age of deals", lang)
    if groups:
        title = say("Won by age, by {groups}", lang, groups=group_names(groups, lang))
    if not table[["won", "lost"]].to_numpy().sum():
        return nothing(ax, table, title, "Nothing to draw: no deal was closed.", lang)
    parts = _parts(table, groups, lang)
    drawn = parts[:_MOST]
    # each with its name, its rows, what it shows, and its colour
    curves = [(name, part, "won", GROUPS[n]) for n, (name, part) in enumerate(drawn)]
    if not groups:
        curves = [(say(kind, lang), table, kind, color) for kind, color in (("won", WON), ("lost", LOST))]
    end = reach(max(part["days"].max() for _, part in drawn), 1.015)
    for _, part, kind, color in curves:
        _steps(ax, part, kind, color, end, 0.2 if len(curves) <= 2 else 0.1)
    ax.set_xlim(0, end)
    ax.set_ylim(0, min(1.02, reach(max(part[f"p_{kind}_high"].max() for _, part, kind, _ in curves), 1.05)))
    ticks = [x for x in MaxNLocator(6, integer=True).tick_values(0, end) if 0 <= x <= end]
    ax.set_xticks(ticks, [number(x, lang) for x in ticks])
    ax.yaxis.set_major_formatter(FuncFormatter(lambda y, _: percent(y, lang)))
    ax.grid(visible=True, axis="y", alpha=0.25)
    ax.set_axisbelow(True)
    label = say("days since creation", lang)
    if any((part["at_risk"] < SMALL).any() for _, part in drawn):
        label += f"\n({say('dotted: fewer than {n} at risk', lang, n=SMALL)})"
    _at_risk(ax, drawn, ticks, label, lang)
    said = _name_ends(ax, curves, end, lang, named=not groups)
    subtitle = say("share of deals won" if groups else "share of deals", lang)
    if len(parts) > len(drawn):
        subtitle += " · " + say("the {drawn} largest of {all} groups", lang, drawn=len(drawn), all=len(parts))
        said.append(say("not drawn: {names}", lang, names=listed(name for name, _ in parts[_MOST:])))
    return finish(ax, table, title, lang, "; ".join(said) + ".", subtitle)


def _parts(table: pd.DataFrame, groups: list[str], lang: str) -> list[tuple[str, pd.DataFrame]]:
    """Take a table apart into its groups, those with most deals first; each with its name."""
    if not groups:
        return [(say("at risk", lang), table)]
    parts = [part for _, part in table.groupby(groups, sort=False, dropna=False)]
    parts.sort(key=lambda part: -part["at_risk"].iloc[0])
    return [(names(part.iloc[:1], groups, lang)[0].replace("\n", " "), part) for part in parts]


def _steps(ax: Axes, part: pd.DataFrame, kind: str, color: str, end: float, alpha: float) -> None:
    """Draw one curve until a little after its last step, and its band."""
    share, low, high = (part[f"p_{kind}{name}"].to_numpy() for name in ("", "_low", "_high"))
    days = np.append(part["days"], min(part["days"].iloc[-1] + 0.015 * end, end))
    share, low, high = (np.append(each, each[-1]) for each in (share, low, high))
    few = int((part["at_risk"] >= SMALL).sum())  # from here on: those at risk only become fewer
    before = share[:1] if few == 0 else share[few - 1 : few]
    if few:
        ax.plot(days[: few + 1], np.append(share[:few], before), color=color, linewidth=1.8, drawstyle="steps-post")
    if few < len(part):
        x, y = np.append(days[few], days[few:]), np.append(before, share[few:])
        ax.plot(x, y, ":", color=color, linewidth=1.8, drawstyle="steps-post")
    ax.fill_between(days, low, high, step="post", color=color, alpha=alpha, linewidth=0)


def _at_risk(ax: Axes, parts: list[tuple[str, pd.DataFrame]], ticks: list[float], label: str, lang: str) -> None:
    """Write below the days how many deals had not ended before, one line for each curve, and then the axis' label."""
    size = float(mpl.rcParams["font.size"]) * 0.8
    line, top = size * 1.25, float(mpl.rcParams["font.size"]) * 1.2 + 8
    place = {"xycoords": ("axes fraction", "axes fraction"), "ha": "right", "va": "top"}
    several = len(parts) > 1 or parts[0][0] != say("at risk", lang)
    if several:
        note(ax, 0, 0, f"{say('at risk', lang)}:", size, **place, xytext=(-8, -top))
    for n, (name, part) in enumerate(parts):
        look = {"color": GROUPS[n]} if several else {}
        down = -top - line * (n + several)
        first = number(part["at_risk"].iloc[0], lang)  # stands around the axis, half of it among the names
        note(ax, 0, 0, shortened(name, _LABEL), size, **place, **look, xytext=(-8 - size * 0.3 * len(first), down))
        for tick in ticks:
            at: dict[str, Any] = {"xycoords": ("data", "axes fraction"), "xytext": (0, down)}
            note(ax, tick, 0, _watched(part, tick, lang), size, **at, **look, ha="center", va="top")
    ax.set_xlabel(label, labelpad=line * (len(parts) + several) + 4)


def _watched(part: pd.DataFrame, day: float, lang: str) -> str:
    """Say how many deals were at risk on a day; the table knows it of days on which something ended."""
    later = part.loc[part["days"] >= day, "at_risk"]
    if len(later):
        return number(later.iloc[0], lang)
    last = part.iloc[-1]
    left = int(last["at_risk"] - last["won"] - last["lost"])
    return f"≤{number(left, lang)}" if left else number(0, lang)


def _name_ends(
    ax: Axes, curves: list[tuple[str, pd.DataFrame, str, str]], end: float, lang: str, *, named: bool
) -> list[str]:
    """Write each curve's last share beside its end, none over another; gives what was said."""
    size = float(mpl.rcParams["font.size"]) * 0.9
    figure_of(ax).draw_without_rendering()  # now the layout is known, and with it the height
    height = ax.get_window_extent().height * 72 / figure_of(ax).dpi
    gap = size * 1.5 / height * ax.get_ylim()[1]
    ends = np.array([part[f"p_{kind}"].iloc[-1] for _, part, kind, _ in curves])
    places, order = np.maximum(ends, gap / 2), np.argsort(ends, kind="stable")
    for lower, upper in itertools.pairwise(order):  # upward where they are too close, then down from the top
        places[upper] = max(places[upper], places[lower] + gap)
    ceiling = ax.get_ylim()[1]
    for n in order[::-1]:
        places[n] = min(places[n], ceiling)
        ceiling = places[n] - gap
    said = []
    for (name, part, _, color), share, place in zip(curves, ends, places, strict=True):
        reached, last = percent(share, lang), number(part["days"].iloc[-1], lang)
        note(ax, end, place, f"{name} {reached}" if named else reached, size, color=color)
        said.append(say("{name}: {share} by day {days}", lang, name=name, share=reached, days=last))
    return said
