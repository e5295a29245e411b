"""Charts of how fast the pipeline turns deals into money."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from matplotlib.ticker import FuncFormatter

from wegly_analytics.i18n.texts import number, percent, period, say
from wegly_analytics.plots.canvas import (
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
    series,
)
from wegly_analytics.plots.rates import periods, unfinished
from wegly_analytics.plots.style import GROUPS, PLAIN, QUIET

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


_ROOMY: Final = 12
"""Up to so many rows have room for their levers."""


def velocity(table: pd.DataFrame, *, ax: Axes | None = None, lang: str = "en", currency: str = "BRL") -> Axes:
    """Draw how much money the pipeline makes a day, with the four levers it is made of.

    Parameters
    ----------
    table
        What `metrics.velocity` returns.
    ax
        Where to draw; the current axes if not given.
    lang
        ``"en"`` or ``"pt"``.
    currency
        The currency that money is labelled with, such as ``"USD"``.

    Returns
    -------
    matplotlib.axes.Axes
        With periods a line (one for each group), a gap where a lever is missing, the unfinished period hollow, and the
        levers of the last finished period in words; without periods a bar for each group, labelled with its levers.

    Raises
    ------
    MissingColumnError
        If the table lacks a column.
    ValueError
        If the language is unknown.
    """
    table = priced(table, currency)
    ax, groups = canvas(table, ("deals", "win_rate", "value", "days", "velocity"), ax)
    title = say("Pipeline velocity", lang)
    if groups:
        title = say("Pipeline velocity by {groups}", lang, groups=group_names(groups, lang))
    if table["velocity"].isna().all():
        why = "Nothing to draw: a lever is missing (won deals with value and dates)."
        return nothing(ax, table, title, why, lang)
    if "period" in table:
        return _over_time(table, groups, ax, title, lang)
    labels = names(table, groups, lang)
    size = rows(ax, labels)
    ax.barh(range(len(table)), table["velocity"].fillna(0), color=PLAIN, height=0.6)
    said = []
    for y, row in enumerate(table.to_dict("records")):
        known = not np.isnan(row["velocity"])
        text = f"{cash(row['velocity'], table, lang)}\n{_levers(row, table, lang)}" if known else "—"
        beside = text if len(table) <= _ROOMY else text.partition("\n")[0]
        note(ax, row["velocity"] if known else 0, y, beside, size * 0.9)
        said.append(f"{labels[y].replace(chr(10), ' ')}: {text.replace(chr(10), ', ')}")
    ax.set_xlim(0, reach(table["velocity"], 1.05))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: plain(cash(x, table, lang))))
    ax.locator_params(axis="x", nbins=5)
    ax.set_xlabel(say("money per day", lang))
    return finish(ax, table, title, lang, "; ".join(said[:5]) + ".")


def _over_time(table: pd.DataFrame, groups: list[str], ax: Axes, title: str, lang: str) -> Axes:
    every = table.attrs.get("every")
    periods(ax, table["period"].drop_duplicates().to_frame(), lang, every)
    shown = table.assign(running=unfinished(table))
    parts = series(shown, groups, "velocity", lang)
    for n, (_, part) in enumerate(parts):
        color = GROUPS[n] if n < len(GROUPS) else QUIET
        done = part["velocity"].where(~part["running"])
        ax.plot(range(len(part)), done, "o-", color=color, markersize=5, linewidth=2)
        ax.plot(range(len(part)), part["velocity"], "o:", color=color, markersize=5, markerfacecolor="none", zorder=1.5)
    finished = shown[shown["velocity"].notna() & ~shown["running"]]
    reading = ""
    if groups:
        legend(ax, ax.get_lines()[: 2 * len(GROUPS) : 2], [name for name, _ in parts[: len(GROUPS)]])
    elif len(finished):
        last = finished.iloc[-1]
        levers = _levers(last.to_dict(), table, lang)
        reading = f"{period(last['period'], every, lang)}: {levers} = {cash(last['velocity'], table, lang)}"
        paper = {"facecolor": ax.get_facecolor(), "alpha": 0.8, "linewidth": 0, "pad": 1}
        place = {"xytext": (0, 8), "ha": "center", "va": "bottom", "bbox": paper}
        note(ax, float(finished.index[-1]), last["velocity"], cash(last["velocity"], table, lang), 9, **place)
    ax.set_ylim(0, reach(table["velocity"], 1.15))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda y, _: plain(cash(y, table, lang))))
    ax.set_ylabel(say("money per day", lang))
    label = say("period", lang)
    ax.set_xlabel(f"{label} ({say('dotted: not finished', lang)})" if shown["running"].any() else label)
    return finish(ax, table, title, lang, f"{reading}." if reading else "", reading)


def _levers(row: dict[Any, Any], table: pd.DataFrame, lang: str) -> str:
    return say(
        "{deals} deals × {rate} × {value} ÷ {days} d",
        lang,
        deals=number(row["deals"], lang),
        rate=percent(row["win_rate"], lang),
        value=cash(row["value"], table, lang),
        days=number(row["days"], lang),
    )
