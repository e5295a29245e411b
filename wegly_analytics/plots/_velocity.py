"""How fast the pipeline turns deals into money."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from wegly_analytics.plots.axis import legend, period_places, periods, reach, rows, series
from wegly_analytics.plots.chart import begin
from wegly_analytics.plots.labels import one_line
from wegly_analytics.plots.layout import finish, nothing
from wegly_analytics.plots.style import GROUPS, PLAIN, QUIET

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from wegly_analytics.plots.chart import Chart

_MOST_WITH_LEVERS: Final = 12
"""The number of rows up to which the levers are shown."""

_LINES: Final = frozenset({"alpha", "linestyle", "linewidth", "zorder"})
"""Keywords that lines have in common with bars."""


def velocity(
    table: pd.DataFrame,
    *,
    ax: Axes | None = None,
    lang: str = "en",
    currency: str = "BRL",
    footnote: bool = True,
    **kwargs: Any,
) -> Axes:
    """Draw the money that the pipeline brings in per day, with its four levers.

    Parameters
    ----------
    table
        The table that `metrics.velocity` returns; it may be merged, concatenated or read back from a file.
    ax
        The axes to draw in; if None, the plot creates a figure.
    lang
        ``"en"`` or ``"pt"``.
    currency
        The currency, as an ISO 4217 code.
    footnote
        Whether rule, date, completeness, filters and exclusions are written below the chart.
    **kwargs
        Keywords of matplotlib for the bars or lines, such as ``color="black"``.

    Returns
    -------
    matplotlib.axes.Axes
        With periods a line (one for each group), a gap where a lever is missing, the unfinished period hollow, and the
        levers of the last finished period as text; without periods a bar for each group, labelled with its levers.

    Raises
    ------
    MissingColumnError
        If the table lacks a column.
    SettingError
        If the table is that of another metric, its rows cannot be distinguished, or an argument is not valid.
    """
    chart = begin("velocity", table, ax, lang, currency, marks="barh", footnote=footnote, look=kwargs)
    title = chart.title("Pipeline velocity", "Pipeline velocity by {groups}")
    if chart.table["velocity"].isna().all():
        return nothing(chart, title, chart.say("Nothing to draw: a lever is missing (won deals with value and dates)."))
    return _over_time(chart, title) if "period" in chart.table.columns else _bars(chart, title)


def _bars(chart: Chart, title: str) -> Axes:
    ax, table = chart.ax, chart.table
    labels = chart.names(table, chart.groups)
    has_room = len(table) <= _MOST_WITH_LEVERS
    size = rows(chart, labels, 2 if has_room else 1)
    bars = ax.barh(range(len(table)), table["velocity"].fillna(0), **chart.marks(color=PLAIN, height=0.6))
    beside, readings = [], []
    for label, row in zip(labels, table.to_dict("records"), strict=True):
        known = not np.isnan(row["velocity"])
        text = [chart.money(row["velocity"]), _levers(chart, row)] if known else ["—"]
        beside.append("\n".join(text if has_room else text[:1]))
        readings.append(f"{one_line(label)}: {', '.join(text)}")
    chart.label_bars(bars, beside, size * 0.9)
    ax.set_xlim(0, reach(table["velocity"], 1.05))
    chart.money_axis(bins=5)
    ax.set_xlabel(chart.say("money per day"))
    return finish(chart, title, "; ".join(readings[:5]) + ".")


def _over_time(chart: Chart, title: str) -> Axes:
    ax = chart.ax
    starts, place = period_places(chart.table)
    periods(chart, starts)
    shown = chart.table.assign(place=place, running=chart.unfinished())
    parts = series(chart, shown, "velocity")
    look = {name: value for name, value in chart.look.items() if name in _LINES}
    for n, (_, part) in enumerate(parts):
        color = GROUPS[n] if n < len(GROUPS) else QUIET
        color = color if chart.groups else chart.look.get("color", color)
        done = part["velocity"].where(~part["running"])
        ax.plot(part["place"], done, **{"color": color, "marker": "o", "markersize": 5, "linewidth": 2, **look})
        ax.plot(part["place"], part["velocity"], "o:", color=color, markersize=5, markerfacecolor="none", zorder=1.5)
    finished = shown[shown["velocity"].notna() & ~shown["running"]]
    reading = ""
    if chart.groups:
        legend(chart, ax.get_lines()[: 2 * len(GROUPS) : 2], [name for name, _ in parts[: len(GROUPS)]])
    elif len(finished):
        last = finished.iloc[-1]
        money = chart.money(last["velocity"])
        reading = f"{chart.period(last['period'])}: {_levers(chart, last.to_dict())} = {money}"
        box = {"facecolor": ax.get_facecolor(), "alpha": 0.8, "linewidth": 0, "pad": 1}
        above: dict[str, Any] = {"xytext": (0, 8), "ha": "center", "va": "bottom", "bbox": box}
        chart.note(float(last["place"]), last["velocity"], money, chart.base * 0.9, **above)
    ax.set_ylim(0, reach(chart.table["velocity"], 1.15))
    chart.money_axis("y", 6)
    ax.set_ylabel(chart.say("money per day"))
    label = chart.say("period")
    is_dotted = (shown["running"] & shown["velocity"].notna()).any()
    ax.set_xlabel(f"{label} ({chart.say('dotted: not finished')})" if is_dotted else label)
    return finish(chart, title, f"{reading}." if reading else "", reading)


def _levers(chart: Chart, row: dict[Any, Any]) -> str:
    deals, days = chart.number(row["deals"]), chart.number(row["days"])
    rate, value = chart.percent(row["win_rate"]), chart.money(row["value"])
    return chart.say("{deals} deals × {rate} × {value} ÷ {days} d", deals=deals, rate=rate, value=value, days=days)
