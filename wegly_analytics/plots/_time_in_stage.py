"""How long deals stay in each stage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from wegly_analytics.plots.axis import reach, rows
from wegly_analytics.plots.chart import begin
from wegly_analytics.plots.labels import group_name, one_line, shortened
from wegly_analytics.plots.layout import finish, nothing
from wegly_analytics.plots.style import PLAIN

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from wegly_analytics.plots.chart import Chart


def time_in_stage(
    table: pd.DataFrame,
    *,
    ax: Axes | None = None,
    lang: str = "en",
    currency: str = "BRL",
    footnote: bool = True,
    **kwargs: Any,
) -> Axes:
    """Draw how many days deals stay in each stage, in pipeline order.

    Parameters
    ----------
    table
        The table that `metrics.time_in_stage` returns; it may be merged, concatenated or read back from a file.
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
        For each stage a bar from the first to the third quartile, open to the right where the third is not reached,
        the median marked and labelled, and the deals that left and that are still in it. Several pipelines are drawn
        one below the other, with their names as headings.

    Raises
    ------
    MissingColumnError
        If the table lacks a column.
    SettingError
        If the table is that of another metric, its rows cannot be distinguished, or an argument is not valid.
    """
    chart = begin("time_in_stage", table, ax, lang, currency, marks="barh", footnote=footnote, look=kwargs)
    ax, stages = chart.ax, chart.table
    title = chart.title("Time in stage", "Time in stage by {groups}")
    if stages["p25"].isna().all():
        return nothing(chart, title, chart.say("Nothing to draw: no stage times are known."))
    labels, places, headings = _rows(chart)
    size = rows(chart, labels)
    end = reach(stages[["p25", "p50", "p75"]].max(), 1.08)
    look = chart.marks(color=PLAIN, height=0.55)
    readings = []
    for y, row in zip(places, stages.to_dict("records"), strict=True):
        left, still_in = chart.number(row["left"]), chart.number(row["still_in"])
        counts = chart.say("{left} left, {still_in} still in", left=left, still_in=still_in)
        reached = not np.isnan(row["p75"])
        right = row["p75"] if reached else end
        if np.isnan(row["p25"]):
            chart.note(0, y, counts, size, alpha=0.7)
            continue
        ax.barh(y, right - row["p25"], left=row["p25"], **{"alpha": 0.45 if reached else 0.2, **look})
        if not reached:
            ax.plot(end, y, ">", color=look["color"], markersize=6)
        if np.isnan(row["p50"]):
            median = chart.say("more than half still in stage")
        else:
            ax.vlines(row["p50"], y - 0.3, y + 0.3, color=look["color"], linewidth=3)
            median = chart.say("{days} d", days=chart.number(row["p50"], 0 if row["p50"] >= 3 else 1))
        chart.note(right, y, f"{median}   ({counts})", size, xytext=(8, 0))
        readings.append(f"{one_line(labels[y])}: {median}")
    for y, heading in headings.items():
        place = {"xycoords": ("axes fraction", "data"), "xytext": (4, 0), "fontweight": "bold"}
        chart.note(0, y, shortened(heading, 48), size, **place)
    ax.set_xlim(0, end)
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    chart.count_axis()
    ax.set_xlabel(chart.say("days in stage"))
    return finish(chart, title, "; ".join(readings) + ".")


def _rows(chart: Chart) -> tuple[list[str], list[int], dict[int, str]]:
    """Name the rows, and give the row of each stage of the table and the rows of the headings."""
    stages = chart.table
    gone = chart.say("(no longer in a pipeline)")
    above = [*chart.groups, *(["pipeline"] if "pipeline" in stages.columns else [])]
    keys = [
        " · ".join(gone if pd.isna(each) else group_name(each, chart.lang) for each in row)
        for row in stages[above].astype(object).to_numpy().tolist()
    ]
    several = len(set(keys)) > 1
    labels: list[str] = []
    headings: dict[int, str] = {}
    places = [0] * len(stages)
    for key in dict.fromkeys(keys):
        mine = [n for n, each in enumerate(keys) if each == key]
        if several:
            headings[len(labels)] = key
            labels.append("")
        for n, place in zip(mine, range(len(labels), len(labels) + len(mine)), strict=True):
            places[n] = place
        labels += chart.names(stages.iloc[mine], ["stage"])
    return labels, places, headings
