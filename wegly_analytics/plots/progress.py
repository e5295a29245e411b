"""Charts of how far deals get."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.ticker import FuncFormatter

from wegly_analytics.i18n.texts import number, percent, say
from wegly_analytics.plots.canvas import canvas, finish, group_names, names, note, nothing, plain, reach, rows
from wegly_analytics.plots.style import PLAIN, WON

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


def funnel(table: pd.DataFrame, *, ax: Axes | None = None, lang: str = "en") -> Axes:
    """Draw how many deals get to each stage, and how many of them are won.

    Parameters
    ----------
    table
        What `metrics.funnel` returns.
    ax
        Where to draw; the current axes if not given.
    lang
        ``"en"`` or ``"pt"``.

    Returns
    -------
    matplotlib.axes.Axes
        One bar per stage (and group), the won deals in it in the colour of winning; beside it the number, its share of
        the stage before, and the win rate from there with its interval.

    Raises
    ------
    MissingColumnError
        If the table lacks a column.
    ValueError
        If the language is unknown.
    """
    ax, groups = canvas(table, ("stage", "reached", "of_previous", "won", "win_rate", "low", "high"), ax)
    pipeline = table.attrs.get("pipeline")
    title = say("Funnel", lang)
    if groups:
        title = say("Funnel by {groups}", lang, groups=group_names(groups, lang))
    if not table["reached"].sum():
        return nothing(ax, table, title, "Nothing to draw: no deal got to any stage.", lang)
    labels = names(table, [*groups, "stage"], lang)
    size = rows(ax, labels)
    y = range(len(table))
    ax.barh(y, table["reached"], color=PLAIN, alpha=0.5, height=0.66)
    ax.barh(y, table["won"], color=WON, height=0.66)
    said = []
    for place, row in enumerate(table.to_dict("records")):
        text = number(row["reached"], lang)
        if not np.isnan(row["of_previous"]):
            text += f" ({percent(row['of_previous'], lang)})"
        if not np.isnan(row["win_rate"]):
            low, high = percent(row["low"], lang), percent(row["high"], lang)
            text += "  " + say(
                "won {rate} [{low}–{high}]", lang, rate=percent(row["win_rate"], lang), low=low, high=high
            )
        note(ax, row["reached"], place, text, size * 0.9)
        said.append(f"{labels[place].replace(chr(10), ' ')}: {text}")
    ax.set_xlim(0, reach(table["reached"], 1.02))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: plain(number(x, lang))))
    ax.locator_params(axis="x", nbins=5, integer=True)
    ax.set_xlabel(say("deals (share of the stage before); green: won", lang))
    return finish(ax, table, title, lang, "; ".join(said[:8]) + ".", str(pipeline or ""))
