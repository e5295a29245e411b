"""Whether the pipeline is large enough for the target."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from wegly_analytics.plots.axis import legend, reach, rows
from wegly_analytics.plots.chart import begin
from wegly_analytics.plots.labels import one_line, shortened
from wegly_analytics.plots.layout import finish, nothing
from wegly_analytics.plots.style import OPEN, QUIET, WON

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from wegly_analytics.plots.chart import Chart


def coverage(
    table: pd.DataFrame,
    *,
    ax: Axes | None = None,
    lang: str = "en",
    currency: str = "BRL",
    footnote: bool = True,
    **kwargs: Any,
) -> Axes:
    """Draw the booked and the open value of each period, and its target.

    Parameters
    ----------
    table
        The table that `metrics.coverage` returns; it may be merged, concatenated or read back from a file.
    ax
        The axes to draw in; if None, the plot creates a figure.
    lang
        ``"en"`` or ``"pt"``.
    currency
        The currency, as an ISO 4217 code.
    footnote
        Whether rule, date, completeness, filters and exclusions are written below the chart.
    **kwargs
        Keywords of matplotlib for the bars of what is booked, such as ``color="black"``.

    Returns
    -------
    matplotlib.axes.Axes
        One row per group and period: a bar of the booked value, hatched if the period is not finished, then a pale bar
        of the open value, and a mark at the target; beside it the coverage, the coverage needed, and the number of
        closed deals from which the latter is computed.

    Raises
    ------
    MissingColumnError
        If the table lacks a column.
    SettingError
        If the table is that of another metric, its rows cannot be distinguished, or an argument is not valid.
    """
    chart = begin("coverage", table, ax, lang, currency, marks="barh", footnote=footnote, look=kwargs)
    ax, shown = chart.ax, chart.table
    title = chart.title("Pipeline coverage", "Pipeline coverage by {groups}")
    if not shown[["booked", "open"]].sum().sum():
        return nothing(chart, title, chart.say("Nothing to draw: nothing is booked, and nothing is expected."))
    periods = [chart.period(start) for start in shown["period"]]
    # a single period is the subtitle; several are written beside each bar
    subtitle = periods[0] if chart.groups and len(set(periods)) == 1 else ""
    labels = chart.names(shown.assign(when=periods), chart.groups if subtitle else [*chart.groups, "when"])
    size = rows(chart, labels)
    y = np.arange(len(shown))
    look = chart.marks(color=WON, height=0.55)
    booked = ax.barh(y, shown["booked"], **look)
    unfinished = chart.unfinished()
    for bar in np.array(booked.patches)[unfinished]:
        bar.set(hatch="////", edgecolor=ax.get_facecolor(), linewidth=0)
    is_open = ax.barh(y, shown["open"], left=shown["booked"], color=OPEN, alpha=0.45, height=look["height"])
    goal = ax.vlines(shown["target"], y - 0.4, y + 0.4, color=chart.ink, linewidth=2.5)
    readings = []
    for place, row in enumerate(shown.to_dict("records")):
        text, end = _in_words(chart, row), np.nanmax([row["booked"] + row["open"], row["target"]])
        enough = row["coverage"] >= row["needed"] or row["booked"] >= row["target"]
        strong: dict[str, Any] = {"fontweight": "bold"} if enough else {"color": QUIET}
        chart.note(end, place, text, size * 0.9, **strong)
        readings.append(f"{shortened(one_line(labels[place]), 40)}: {text}")
    ax.set_xlim(0, reach(pd.concat([shown["booked"] + shown["open"], shown["target"]]), 1.02))
    chart.money_axis()
    label = chart.say("money")
    ax.set_xlabel(f"{label} ({chart.say('hatched: not finished')})" if unfinished.any() else label)
    legend(chart, [booked, is_open, goal], [chart.say(text) for text in ("booked", "open", "target")])
    return finish(chart, title, "; ".join(readings[:8]) + ".", subtitle)


def _in_words(chart: Chart, row: dict[Any, Any]) -> str:
    if row["booked"] >= row["target"]:
        return chart.say("target met")

    def times(n: float) -> str:
        return "—" if np.isnan(n) else chart.say("{n} ×", n=chart.number(n, 1))

    existing, needed = times(row["coverage"]), times(row["needed"])
    return f"{chart.say('{coverage}, needed {needed}', coverage=existing, needed=needed)} ({chart.count(row['n'])})"
