"""Charts of proposals and discounts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.ticker import FuncFormatter

from wegly_analytics.i18n.texts import number, percent, say
from wegly_analytics.plots.canvas import SMALL, canvas, finish, group_names, legend, names, note, nothing, rows
from wegly_analytics.plots.rates import shares
from wegly_analytics.plots.style import GROUPS, LOST, OPEN, QUIET, WON

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_STATES = {"approved": WON, "rejected": LOST, "expired": GROUPS[1], "withdrawn": QUIET, "pending": OPEN}
_ROOM = 0.06
"""The least share of a bar in which a percentage can be read."""


def proposals(table: pd.DataFrame, *, ax: Axes | None = None, lang: str = "en") -> Axes:
    """Draw what became of proposals, as shares of those that were sent.

    Parameters
    ----------
    table
        What `metrics.proposals` returns.
    ax
        Where to draw; the current axes if not given.
    lang
        ``"en"`` or ``"pt"``.

    Returns
    -------
    matplotlib.axes.Axes
        One bar per group, divided into approved, rejected, expired, withdrawn and pending, with the number sent beside
        it. Bars of fewer than ten proposals are pale.

    Raises
    ------
    MissingColumnError
        If the table lacks a column.
    ValueError
        If the language is unknown.
    """
    ax, groups = canvas(table, ("sent", *_STATES), ax)
    title = say("What became of proposals", lang)
    if groups:
        title = say("What became of proposals, by {groups}", lang, groups=group_names(groups, lang))
    if not table["sent"].sum():
        return nothing(ax, table, title, "Nothing to draw: there are no proposals.", lang)
    labels = names(table, groups, lang)
    size = rows(ax, labels)
    said = []
    left = np.zeros(len(table))
    for state, color in _STATES.items():
        share = (table[state] / table["sent"].where(table["sent"] > 0)).fillna(0.0).to_numpy()
        bars = ax.barh(range(len(table)), share, left=left, color=color, height=0.62, label=say(state, lang))
        for y, bar in enumerate(bars):
            bar.set_alpha(0.45 if table["sent"].iloc[y] < SMALL else 0.95)
            if share[y] >= _ROOM:
                text = percent(share[y], lang)
                ax.text(left[y] + share[y] / 2, y, text, ha="center", va="center", fontsize=size * 0.85, color="#111")
        left += share
    for y, row in enumerate(table.to_dict("records")):
        n = say("n={n}", lang, n=number(row["sent"], lang))
        note(ax, 1, y, n, size)
        if row["sent"]:
            approved = percent(row["approved"] / row["sent"], lang)
            said.append(f"{labels[y].replace(chr(10), ' ')}: {approved} {say('approved', lang)}, {n}")
    ax.set_xlim(0, 1)
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: percent(x, lang) if x < 1.001 else ""))
    ax.set_xlabel(say("share of proposals sent", lang))
    legend(ax, *ax.get_legend_handles_labels())
    return finish(ax, table, title, lang, "; ".join(said) + ".")


def discounts(table: pd.DataFrame, *, ax: Axes | None = None, lang: str = "en") -> Axes:
    """Draw how often deals are won at each depth of discount.

    Parameters
    ----------
    table
        What `metrics.discounts` returns.
    ax
        Where to draw; the current axes if not given.
    lang
        ``"en"`` or ``"pt"``.

    Returns
    -------
    matplotlib.axes.Axes
        One row per group and band: a dot at the win rate, a line from `low` to `high`. Samples of fewer than ten deals
        are hollow.

    Raises
    ------
    MissingColumnError
        If the table lacks a column.
    ValueError
        If the language is unknown.
    """
    ax, groups = canvas(table, ("above", "up_to", "n", "rate", "low", "high"), ax)
    title = say("Win rate by discount", lang)
    if groups:
        title = say("Win rate by discount and {groups}", lang, groups=group_names(groups, lang))
    if table["rate"].isna().all():
        return nothing(ax, table, title, "Nothing to draw: no closed deal had a priced proposal.", lang)
    bands = pd.Series([_band(*ends, lang) for ends in zip(table["above"], table["up_to"], strict=True)], dtype=object)
    # with groups only the bands that have deals: ten groups of six bands are read by nobody
    shown = table.assign(band=bands.to_numpy())
    shown = shown[shown["n"] > 0] if groups else shown
    labels = names(shown, [*groups, "band"], lang)
    return finish(ax, table, title, lang, shares(ax, shown, labels, lang))


def _band(above: float, up_to: float, lang: str) -> str:
    if np.isnan(above):
        return say("no discount", lang) if up_to == 0 else say("up to {end}", lang, end=percent(up_to, lang))
    if np.isnan(up_to):
        return say("above {start}", lang, start=percent(above, lang))
    return say("{start} to {end}", lang, start=percent(above, lang), end=percent(up_to, lang))
