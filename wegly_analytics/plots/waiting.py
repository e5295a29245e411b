"""Charts of open deals that have been waiting for too long."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pandas as pd
from matplotlib.ticker import FuncFormatter, MaxNLocator

from wegly_analytics.i18n.texts import number, percent, say
from wegly_analytics.plots.canvas import (
    canvas,
    cash,
    finish,
    group_names,
    names,
    note,
    nothing,
    priced,
    reach,
    rows,
    shortened,
)
from wegly_analytics.plots.style import OPEN

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST: Final = 20
"""So many deals can be read in one chart, and called in one day."""

_PLACE: Final = 20
"""Letters of a stage or group beside a bar."""


def stalled(table: pd.DataFrame, *, ax: Axes | None = None, lang: str = "en", currency: str = "BRL") -> Axes:
    """Draw the open deals that have been in their stage for too long, the most valuable first.

    Parameters
    ----------
    table
        What `metrics.stalled` returns.
    ax
        Where to draw; the current axes if not given.
    lang
        ``"en"`` or ``"pt"``.
    currency
        The currency that money is labelled with, such as ``"USD"``.

    Returns
    -------
    matplotlib.axes.Axes
        A bar of days for each of the first twenty deals of the table, with a mark at the days that are typical of its
        stage; days, value and stage (or group) are written beside it. The title says how many deals there are in all.

    Raises
    ------
    MissingColumnError
        If the table lacks a column.
    ValueError
        If the language is unknown.
    """
    table = priced(table, currency)
    ax, groups = canvas(table, ("deal_id", "title", "stage", "days", "typical_days", "value"), ax)
    title = say("Stalled deals", lang)
    if groups:
        title = say("Stalled deals, by {groups}", lang, groups=group_names(groups, lang))
    if table.empty:
        return nothing(ax, table, title, "Nothing to draw: no open deal has waited longer than most.", lang)
    count = table["deal_id"].nunique()
    title += f" ({say('n={n}', lang, n=number(count, lang))})"
    first = table.head(_MOST)
    labels = names(first.assign(name=first["title"].where(first["title"].notna(), first["deal_id"])), ["name"], lang)
    places = names(first, groups, lang) if groups else first["stage"].tolist()
    size = rows(ax, labels) * 0.9
    ax.barh(range(len(first)), first["days"], height=0.62, color=OPEN, alpha=0.55)
    said = []
    for y, row in enumerate(first.to_dict("records")):
        ax.vlines(row["typical_days"], y - 0.4, y + 0.4, color=ax.spines["left"].get_edgecolor(), linewidth=2)
        days = say("{days} d", lang, days=number(row["days"], lang))
        worth = say("without value", lang) if pd.isna(row["value"]) else cash(row["value"], table, lang)
        place = [] if pd.isna(places[y]) else [shortened(str(places[y]).replace("\n", " "), _PLACE)]
        beside = " · ".join([days, worth, *place])
        note(ax, row["days"], y, beside, size)
        said.append(f"{labels[y].replace(chr(10), ' ')}: {beside}")
    ax.set_xlim(0, reach(first[["days", "typical_days"]].max(), 1.02))
    ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: number(x, lang)))
    ax.set_xlabel(say("days in stage", lang))
    subtitle = []
    if (q := table.attrs.get("q")) is not None:
        subtitle.append(say("mark: {share} had left by then", lang, share=percent(q, lang)))
    if len(table) > len(first):
        subtitle.append(say("the {n} most valuable", lang, n=len(first)))
    return finish(ax, table, title, lang, "; ".join(said) + ".", " · ".join(subtitle))
