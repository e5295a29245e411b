"""How many deals reach each stage of the pipeline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from wegly_analytics.plots.axis import reach, rows
from wegly_analytics.plots.chart import begin
from wegly_analytics.plots.labels import one_line
from wegly_analytics.plots.layout import finish, nothing
from wegly_analytics.plots.style import PLAIN, WON

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from wegly_analytics.plots.chart import Chart


def funnel(
    table: pd.DataFrame,
    *,
    ax: Axes | None = None,
    lang: str = "en",
    currency: str = "BRL",
    footnote: bool = True,
    **kwargs: Any,
) -> Axes:
    """Draw how many deals reach each stage, and how many of them are won.

    Parameters
    ----------
    table
        The table that `metrics.funnel` returns; it may be merged, concatenated or read back from a file.
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
        One bar per stage (and group), the won deals in it in green; beside it the number, its share of
        the stage before, and the win rate from there with its interval.

    Raises
    ------
    MissingColumnError
        If the table lacks a column.
    SettingError
        If the table is that of another metric, its rows cannot be distinguished, or an argument is not valid.
    """
    chart = begin("funnel", table, ax, lang, currency, marks="barh", footnote=footnote, look=kwargs)
    title = chart.title("Funnel", "Funnel by {groups}")
    table = chart.table
    if not table["reached"].sum():
        return nothing(chart, title, chart.say("Nothing to draw: no deal reached a stage."))
    several = "pipeline" in table.columns and table["pipeline"].nunique(dropna=False) > 1
    labels = chart.names(table, [*chart.groups, *(["pipeline"] if several else []), "stage"])
    size = rows(chart, labels)
    y = range(len(table))
    bars = chart.ax.barh(y, table["reached"], **chart.marks(color=PLAIN, alpha=0.5, height=0.66))
    chart.ax.barh(y, table["won"], color=WON, height=chart.look.get("height", 0.66))
    beside = [_in_words(chart, row) for row in table.to_dict("records")]
    chart.label_bars(bars, beside, size * 0.9)
    readings = [f"{one_line(label)}: {text}" for label, text in zip(labels, beside, strict=True)]
    chart.ax.set_xlim(0, reach(table["reached"], 1.02))
    chart.count_axis()
    chart.ax.locator_params(axis="x", nbins=5, integer=True)
    chart.ax.set_xlabel(chart.say("deals (share of the stage before); green: won"))
    pipeline = chart.setting("pipeline")
    return finish(chart, title, "; ".join(readings[:8]) + ".", "" if pipeline is None else str(pipeline))


def _in_words(chart: Chart, row: dict[Any, Any]) -> str:
    text = chart.number(row["reached"])
    if not np.isnan(row["of_previous"]):
        text += f" ({chart.percent(row['of_previous'])})"
    if not np.isnan(row["win_rate"]):
        rate, low, high = (chart.percent(row[name]) for name in ("win_rate", "low", "high"))
        text += "  " + chart.say("won {rate} [{low}–{high}]", rate=rate, low=low, high=high)
    return text
