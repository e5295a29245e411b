"""Charts of what lies in the pipeline, and of whether it is enough."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.ticker import FuncFormatter

from wegly_analytics.i18n.texts import number, period, say
from wegly_analytics.plots.canvas import (
    SMALL,
    canvas,
    cash,
    finish,
    group_names,
    legend,
    names,
    note,
    nothing,
    plain,
    priced,
    reach,
    rows,
    shortened,
)
from wegly_analytics.plots.style import OPEN, QUIET, WON

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def pipeline_value(table: pd.DataFrame, *, ax: Axes | None = None, lang: str = "en", currency: str = "BRL") -> Axes:
    """Draw what the open deals in each stage are worth, and the part of it that history promises.

    Parameters
    ----------
    table
        What `metrics.pipeline_value` returns.
    ax
        Where to draw; the current axes if not given.
    lang
        ``"en"`` or ``"pt"``.
    currency
        The currency that money is labelled with, such as ``"USD"``.

    Returns
    -------
    matplotlib.axes.Axes
        For each stage a pale bar of the value with a full one of the weighted value in it, and both in words with the
        number of deals. The weighted value is hollow where the win rate rests on fewer than ten closed deals. Stages
        without open deals are left out where there are groups.

    Raises
    ------
    MissingColumnError
        If the table lacks a column.
    ValueError
        If the language is unknown.
    """
    table = priced(table, currency)
    ax, groups = canvas(table, ("stage", "deals", "value", "weighted", "no_value", "closed"), ax)
    title = say("Value in the pipeline", lang)
    if groups:
        title = say("Value in the pipeline, by {groups}", lang, groups=group_names(groups, lang))
    shown = table[table["deals"] > 0] if groups else table
    if not shown["deals"].sum():
        return nothing(ax, table, title, "Nothing to draw: there are no open deals in any stage.", lang)
    several = "pipeline" in shown and shown["pipeline"].nunique(dropna=False) > 1
    labels = names(shown, [*groups, *(["pipeline"] if several else []), "stage"], lang)
    size = rows(ax, labels)
    y = range(len(shown))
    ax.barh(y, shown["value"], color=OPEN, alpha=0.35, height=0.62)
    few = shown["closed"] < SMALL
    fill = ["none" if each else OPEN for each in few]
    ax.barh(y, shown["weighted"].fillna(0.0), color=fill, edgecolor=OPEN, height=0.62)
    said = []
    for place, row in enumerate(shown.to_dict("records")):
        weighted = "—" if np.isnan(row["weighted"]) else cash(row["weighted"], table, lang)
        text = say(
            "{value}, weighted {weighted} ({n})",
            lang,
            value=cash(row["value"], table, lang),
            weighted=weighted,
            n=say("n={n}", lang, n=number(row["deals"], lang)),
        )
        note(ax, row["value"], place, text, size * 0.9)
        said.append(f"{labels[place].replace(chr(10), ' ')}: {text}")
    ax.set_xlim(0, reach(shown["value"], 1.02))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: plain(cash(x, table, lang))))
    ax.locator_params(axis="x", nbins=4)
    label = say("open value; full colour: weighted by the stage's win rate", lang)
    if (few & (shown["weighted"] > 0)).any():
        label += f"\n({say('hollow: fewer than {n} closed deals', lang, n=SMALL)})"
    ax.set_xlabel(label, fontsize="small")
    subtitle = ""
    if without := int(shown["no_value"].sum()):
        subtitle = say("{n} open deals have no value", lang, n=number(without, lang))
    return finish(ax, table, title, lang, "; ".join(said[:8]) + ".", subtitle)


def coverage(table: pd.DataFrame, *, ax: Axes | None = None, lang: str = "en", currency: str = "BRL") -> Axes:
    """Draw what is booked and what may still come, beside the target of each period.

    Parameters
    ----------
    table
        What `metrics.coverage` returns.
    ax
        Where to draw; the current axes if not given.
    lang
        ``"en"`` or ``"pt"``.
    currency
        The currency that money is labelled with, such as ``"USD"``.

    Returns
    -------
    matplotlib.axes.Axes
        One row per group and period: a bar of what was won, a pale one of what is open behind it, a mark at the target,
        and in words the coverage that there is, the one that is needed, and on how many closed deals that rests.

    Raises
    ------
    MissingColumnError
        If the table lacks a column.
    ValueError
        If the language is unknown.
    """
    table = priced(table, currency)
    ax, groups = canvas(table, ("period", "target", "booked", "open", "coverage", "needed", "n"), ax)
    title = say("Pipeline coverage", lang)
    if groups:
        title = say("Pipeline coverage by {groups}", lang, groups=group_names(groups, lang))
    if not table[["booked", "open"]].sum().sum():
        return nothing(ax, table, title, "Nothing to draw: nothing is booked, and nothing is expected.", lang)
    when = pd.Series([period(start, table.attrs.get("every"), lang) for start in table["period"]], dtype=object)
    # one period is said once, above; several stand beside each bar
    subtitle = str(when[0]) if groups and when.nunique() == 1 else ""
    labels = names(table.assign(when=when.to_numpy()), groups if subtitle else [*groups, "when"], lang)
    size = rows(ax, labels)
    y = np.arange(len(table))
    booked = ax.barh(y, table["booked"], color=WON, height=0.55)
    waiting = ax.barh(y, table["open"], left=table["booked"], color=OPEN, alpha=0.45, height=0.55)
    goal = ax.vlines(table["target"], y - 0.4, y + 0.4, color=ax.spines["left"].get_edgecolor(), linewidth=2.5)
    said = []
    for place, row in enumerate(table.to_dict("records")):
        there = "—" if np.isnan(row["coverage"]) else say("{n} ×", lang, n=number(row["coverage"], lang, 1))
        needed = "—" if np.isnan(row["needed"]) else say("{n} ×", lang, n=number(row["needed"], lang, 1))
        text = say("{coverage}, needed {needed}", lang, coverage=there, needed=needed)
        text += f" ({say('n={n}', lang, n=number(row['n'], lang))})"
        if row["booked"] >= row["target"]:
            text = say("target met", lang)
        end = np.nanmax([row["booked"] + row["open"], row["target"]])
        enough = row["coverage"] >= row["needed"] or row["booked"] >= row["target"]
        note(ax, end, place, text, size * 0.9, color=None if enough else QUIET, fontweight="bold" if enough else None)
        label = shortened(labels[place].replace("\n", " "), 40)
        said.append(f"{label}: {text}")
    ax.set_xlim(0, reach(pd.concat([table["booked"] + table["open"], table["target"]]), 1.02))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: plain(cash(x, table, lang))))
    ax.locator_params(axis="x", nbins=4)
    ax.set_xlabel(say("money", lang))
    legend(ax, [booked, waiting, goal], [say(text, lang) for text in ("booked", "open", "target")])
    return finish(ax, table, title, lang, "; ".join(said[:8]) + ".", subtitle)
