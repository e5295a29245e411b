"""The value of open deals in each stage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from wegly_analytics.plots.axis import reach, rows
from wegly_analytics.plots.chart import SMALL, begin
from wegly_analytics.plots.labels import one_line
from wegly_analytics.plots.layout import finish, nothing
from wegly_analytics.plots.style import OPEN

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from wegly_analytics.plots.chart import Chart


def pipeline_value(
    table: pd.DataFrame,
    *,
    ax: Axes | None = None,
    lang: str = "en",
    currency: str = "BRL",
    footnote: bool = True,
    **kwargs: Any,
) -> Axes:
    """Draw the value of the open deals in each stage, and the value weighted by past win rates.

    Parameters
    ----------
    table
        The table that `metrics.pipeline_value` returns; it may be merged, concatenated or read back from a file.
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
        For each stage a pale bar of the value with a full one of the weighted value in it, and both as text with the
        number of deals. The weighted value is hollow where the win rate rests on fewer than ten closed deals. Stages
        without open deals are not shown where there are groups.

    Raises
    ------
    MissingColumnError
        If the table lacks a column.
    SettingError
        If the table is that of another metric, its rows cannot be distinguished, or an argument is not valid.
    """
    chart = begin("pipeline_value", table, ax, lang, currency, marks="barh", footnote=footnote, look=kwargs)
    ax, table = chart.ax, chart.table
    title = chart.title("Value in the pipeline", "Value in the pipeline, by {groups}")
    shown = table[table["deals"] > 0] if chart.groups else table
    if not shown["deals"].sum():
        return nothing(chart, title, chart.say("Nothing to draw: there are no open deals in any stage."))
    several = "pipeline" in shown.columns and shown["pipeline"].nunique(dropna=False) > 1
    labels = chart.names(shown, [*chart.groups, *(["pipeline"] if several else []), "stage"])
    size = rows(chart, labels)
    y = range(len(shown))
    bars = ax.barh(y, shown["value"], **chart.marks(color=OPEN, alpha=0.35, height=0.62))
    few = shown["closed"] < SMALL
    color = chart.look.get("color", OPEN)
    fill = ["none" if each else color for each in few]
    height = chart.look.get("height", 0.62)
    ax.barh(y, shown["weighted"].fillna(0.0), color=fill, edgecolor=color, height=height)
    beside = [_in_words(chart, row) for row in shown.to_dict("records")]
    chart.label_bars(bars, beside, size * 0.9)
    readings = [f"{one_line(label)}: {text}" for label, text in zip(labels, beside, strict=True)]
    ax.set_xlim(0, reach(shown["value"], 1.02))
    chart.money_axis()
    label = chart.say("open value; full colour: weighted by the stage's win rate")
    if (few & (shown["weighted"] > 0)).any():
        label += f"\n({chart.say('hollow: fewer than {n} closed deals', n=SMALL)})"
    ax.set_xlabel(label, fontsize="small")
    without = int(shown["no_value"].sum())
    subtitle = chart.say("{n} open deals have no value", n=chart.number(without)) if without else ""
    return finish(chart, title, "; ".join(readings[:8]) + ".", subtitle)


def _in_words(chart: Chart, row: dict[Any, Any]) -> str:
    weighted = "—" if np.isnan(row["weighted"]) else chart.money(row["weighted"])
    value, n = chart.money(row["value"]), chart.count(row["deals"])
    return chart.say("{value}, weighted {weighted} ({n})", value=value, weighted=weighted, n=n)
