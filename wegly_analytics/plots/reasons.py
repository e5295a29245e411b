"""Charts of why deals are lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.ticker import FuncFormatter, MaxNLocator

from wegly_analytics.plots.canvas import canvas, finish, group_names, names, note, nothing, reach, rows
from wegly_analytics.plots.style import LOST, QUIET
from wegly_analytics.words import number, percent, say

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


def loss_reasons(table: pd.DataFrame, *, ax: Axes | None = None, lang: str = "en") -> Axes:
    """Draw why deals are lost, the most frequent reason at the top.

    Parameters
    ----------
    table
        What `metrics.loss_reasons` returns.
    ax
        Where to draw; the current axes if not given.
    lang
        ``"en"`` or ``"pt"``.

    Returns
    -------
    matplotlib.axes.Axes
        One bar per reason, labelled with the number of deals, their share, and the shares added up so far. Deals
        without a reason are grey.

    Raises
    ------
    MissingColumnError
        If the table lacks a column.
    ValueError
        If the language is unknown.
    """
    ax, groups = canvas(table, ("loss_reason", "deals", "share", "cumulative"), ax)
    title = say("Why deals are lost", lang)
    if groups:
        title = say("Why deals are lost, by {groups}", lang, groups=group_names(groups, lang))
    if not table["deals"].sum() > 0:
        return nothing(ax, table, title, "Nothing to draw: no deal was lost.", lang)
    labels = names(table, [*groups, "loss_reason"], lang)
    size = rows(ax, labels)
    colors = [QUIET if reason == "(not informed)" else LOST for reason in table["loss_reason"]]
    ax.barh(range(len(table)), table["deals"], color=colors, height=0.72)
    said = []
    for y, row in enumerate(table.to_dict("records")):
        share = percent(row["share"], lang)
        text = say("{deals} ({share})", lang, deals=number(row["deals"], lang), share=share)
        said.append(f"{labels[y].replace(chr(10), ' ')}: {text}")
        if y and not groups:
            text += f"   {say('{share} together', lang, share=percent(row['cumulative'], lang))}"
        note(ax, row["deals"], y, text, size)
    ax.set_xlim(0, reach(table["deals"], 1.05))
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: number(x, lang)))
    ax.set_xlabel(say("lost deals", lang))
    return finish(ax, table, title, lang, "; ".join(said[:5]) + ".")
