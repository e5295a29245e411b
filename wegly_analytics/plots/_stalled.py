"""Open deals that have been in their stage for too long."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pandas as pd
from matplotlib.ticker import MaxNLocator

from wegly_analytics.plots.axis import reach, rows
from wegly_analytics.plots.chart import begin
from wegly_analytics.plots.labels import one_line, shortened
from wegly_analytics.plots.layout import finish, nothing
from wegly_analytics.plots.style import OPEN

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from wegly_analytics.plots.chart import Chart

_MOST: Final = 20
"""The deals that are drawn: as many as can be read in one chart."""

_PLACE: Final = 20
"""The length of the name of a stage or group beside a bar."""


def stalled(
    table: pd.DataFrame,
    *,
    ax: Axes | None = None,
    lang: str = "en",
    currency: str = "BRL",
    footnote: bool = True,
    **kwargs: Any,
) -> Axes:
    """Draw the open deals that have been in their stage for too long, the most valuable first.

    Parameters
    ----------
    table
        The table that `metrics.stalled` returns; it may be merged, concatenated or read back from a file.
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
        A bar of days for each of the first twenty deals of the table, with a mark at the days that are typical of its
        stage; days, value and stage (or group) are written beside it. The title says how many deals there are in all.

    Raises
    ------
    MissingColumnError
        If the table lacks a column.
    SettingError
        If the table is that of another metric, its rows cannot be distinguished, or an argument is not valid.
    """
    chart = begin("stalled", table, ax, lang, currency, marks="barh", footnote=footnote, look=kwargs)
    ax, deals = chart.ax, chart.table
    title = chart.title("Stalled deals", "Stalled deals, by {groups}")
    if deals.empty:
        return nothing(chart, title, chart.say("Nothing to draw: no open deal has waited longer than most."))
    title += f" ({chart.count(deals['deal_id'].nunique())})"
    first = deals.head(_MOST)
    labels = chart.names(first.assign(name=first["title"].where(first["title"].notna(), first["deal_id"])), ["name"])
    size = rows(chart, labels) * 0.9
    bars = ax.barh(range(len(first)), first["days"], **chart.marks(height=0.62, color=OPEN, alpha=0.55))
    for y, days in enumerate(first["typical_days"]):
        ax.vlines(days, y - 0.4, y + 0.4, color=chart.ink, linewidth=2)
    beside = _beside(chart, first)
    chart.label_bars(bars, beside, size)
    readings = [f"{one_line(label)}: {text}" for label, text in zip(labels, beside, strict=True)]
    ax.set_xlim(0, reach(first[["days", "typical_days"]].max(), 1.02))
    ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    chart.count_axis()
    ax.set_xlabel(chart.say("days in stage"))
    subtitle = []
    if (q := chart.setting("q")) is not None:
        subtitle.append(chart.say("mark: {share} had left by then", share=chart.percent(q)))
    if len(deals) > len(first):
        subtitle.append(chart.say("the {n} most valuable", n=len(first)))
    return finish(chart, title, "; ".join(readings) + ".", " · ".join(subtitle))


def _beside(chart: Chart, first: pd.DataFrame) -> list[str]:
    places = chart.names(first, chart.groups) if chart.groups else first["stage"].tolist()
    beside = []
    for row, place in zip(first.to_dict("records"), places, strict=True):
        days = chart.say("{days} d", days=chart.number(row["days"]))
        value = chart.say("without value") if pd.isna(row["value"]) else chart.money(row["value"])
        where = [] if pd.isna(place) else [shortened(one_line(str(place)), _PLACE)]
        beside.append(" · ".join([days, value, *where]))
    return beside
