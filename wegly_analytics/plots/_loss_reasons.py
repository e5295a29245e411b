"""Why deals are lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from matplotlib.ticker import MaxNLocator

from wegly_analytics.errors import SettingError
from wegly_analytics.plots.axis import reach, rows
from wegly_analytics.plots.chart import begin
from wegly_analytics.plots.heat_map import draw_heat_map
from wegly_analytics.plots.labels import one_line
from wegly_analytics.plots.layout import finish, nothing
from wegly_analytics.plots.order import UNINFORMED
from wegly_analytics.plots.style import LOST, QUIET
from wegly_analytics.plots.tables import read

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from wegly_analytics.plots.chart import Chart

Kind = Literal["pareto", "bars", "heat"]


def loss_reasons(
    table: pd.DataFrame,
    *,
    ax: Axes | None = None,
    lang: str = "en",
    currency: str = "BRL",
    footnote: bool = True,
    kind: Kind | None = None,
    **kwargs: Any,
) -> Axes:
    """Draw why deals are lost, the most frequent reason at the top.

    Parameters
    ----------
    table
        The table that `metrics.loss_reasons` returns; it may be merged, concatenated or read back from a file.
    ax
        The axes to draw in; if None, the plot creates a figure.
    lang
        ``"en"`` or ``"pt"``.
    currency
        The currency, as an ISO 4217 code.
    footnote
        Whether rule, date, completeness, filters and exclusions are written below the chart.
    kind
        ``"pareto"``, ``"bars"`` or ``"heat"``; if not given, a heat map for a table with groups or periods, else a
        Pareto chart. A table with periods can only be a heat map.
    **kwargs
        Keywords of matplotlib for the bars, such as ``color="black"``.

    Returns
    -------
    matplotlib.axes.Axes
        Pareto: one bar per reason, a line of the cumulative number of deals, and for each reason the number of deals,
        their share, and the cumulative share. Bars: the same without the line, one for each group and reason. Heat map:
        one row per reason, one column per group or period, shaded by the reason's share of the column; columns of fewer
        than ten deals, and periods that are not finished, are hollow. The smallest of many groups share a
        column. Bars of deals without a reason are grey.

    Raises
    ------
    MissingColumnError
        If the table lacks a column.
    SettingError
        If the table is that of another metric, its rows cannot be distinguished, or an argument is not valid.
    """
    _check_kind(kind, *read("loss_reasons", table))
    chart = begin("loss_reasons", table, ax, lang, currency, marks="barh", footnote=footnote, look=kwargs)
    over_time = "period" in chart.table.columns
    kind = kind or ("heat" if chart.groups or over_time else "pareto")
    title = chart.title("Why deals are lost", "Why deals are lost, by {groups}")
    if over_time:
        title = chart.say("Why deals are lost, over time")
    if not chart.table["deals"].sum() > 0:
        return nothing(chart, title, chart.say("Nothing to draw: no deal was lost."))
    return draw_heat_map(chart, title) if kind == "heat" else _bars(chart, title, kind)


def _check_kind(kind: Any, table: pd.DataFrame, groups: list[str]) -> None:
    """Refuse an unknown kind, or one that cannot show the table."""
    if kind is None:
        return
    over_time = "period" in table.columns
    possible = ["heat"] if over_time else ["bars", "heat"] if groups else ["pareto", "bars", "heat"]
    if kind not in possible:
        what = "over time" if over_time else f"by {', '.join(groups)}" if groups else "without groups"
        raise SettingError(f"kind={kind!r}: a table {what} can be drawn as {' or '.join(map(repr, possible))}")


def _bars(chart: Chart, title: str, kind: Kind) -> Axes:
    ax, table = chart.ax, chart.table
    labels = chart.names(table, [*chart.groups, "loss_reason"])
    size = rows(chart, labels)
    colors = [QUIET if reason == UNINFORMED else LOST for reason in table["loss_reason"]]
    bars = ax.barh(range(len(table)), table["deals"], **chart.marks(color=colors, height=0.72))
    readings, beside = [], []
    for y, row in enumerate(table.to_dict("records")):
        text = chart.say("{deals} ({share})", deals=chart.number(row["deals"]), share=chart.percent(row["share"]))
        readings.append(f"{one_line(labels[y])}: {text}")
        if y and not chart.groups:
            text += f"   {chart.say('{share} cumulative', share=chart.percent(row['cumulative']))}"
        beside.append(text)
    ends = table["deals"]
    if kind == "pareto":
        ends = table["deals"].cumsum()
        ax.plot(ends, range(len(table)), "o-", color=QUIET, markersize=3.5, linewidth=1.2)
        for y, text in enumerate(beside):  # beside the line, not beside the bar
            chart.note(ends.iloc[y], y, text, size)
    else:
        chart.label_bars(bars, beside, size)
    ax.set_xlim(0, reach(ends, 1.05))
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    chart.count_axis()
    line = f" ({chart.say('line: cumulative')})" if kind == "pareto" else ""
    ax.set_xlabel(chart.say("lost deals") + line)
    return finish(chart, title, "; ".join(readings[:5]) + ".")
