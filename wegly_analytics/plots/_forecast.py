"""The value that open deals are expected to win."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wegly_analytics.plots.axis import reach, rows
from wegly_analytics.plots.chart import SMALL, begin
from wegly_analytics.plots.labels import group_names, one_line
from wegly_analytics.plots.layout import finish, nothing
from wegly_analytics.plots.style import WON

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


def forecast(
    table: pd.DataFrame,
    *,
    ax: Axes | None = None,
    lang: str = "en",
    currency: str = "BRL",
    footnote: bool = True,
    **kwargs: Any,
) -> Axes:
    """Draw the value that open deals are expected to win, with its interval.

    Parameters
    ----------
    table
        The table that `metrics.forecast` returns; it may be merged, concatenated or read back from a file.
    ax
        The axes to draw in; if None, the plot creates a figure.
    lang
        ``"en"`` or ``"pt"``.
    currency
        The currency, as an ISO 4217 code.
    footnote
        Whether rule, date, completeness, filters and exclusions are written below the chart.
    **kwargs
        Keywords of matplotlib for the dots, such as ``color="black"``.

    Returns
    -------
    matplotlib.axes.Axes
        One row per group: a dot at the expected value, a line from `low` to `high`, and beside it these figures and the
        number of open deals. Fewer than ten deals are hollow.

    Raises
    ------
    MissingColumnError
        If the table lacks a column.
    SettingError
        If the table is that of another metric, its rows cannot be distinguished, or an argument is not valid.
    """
    chart = begin("forecast", table, ax, lang, currency, marks="line", footnote=footnote, look=kwargs)
    ax, table, days = chart.ax, chart.table, chart.setting("days")
    title = chart.say("Forecast") if days is None else chart.say("Forecast for {days} days", days=chart.number(days))
    if chart.groups:
        title += " " + chart.say("by {groups}", groups=group_names(chart.groups, lang))
    if not table["open"].sum():
        return nothing(chart, title, chart.say("Nothing to draw: there are no open deals with a value."))
    labels = chart.names(table, chart.groups)
    size = rows(chart, labels)
    readings = []
    for y, row in enumerate(table.to_dict("records")):
        look = chart.marks(color=WON, marker="o", markersize=7, linestyle="none")
        look.setdefault("markerfacecolor", "none" if row["open"] < SMALL else look["color"])
        ax.hlines(y, row["low"], row["high"], color=look["color"], linewidth=3, alpha=0.5)
        ax.plot(row["expected"], y, **look)
        money = {name: chart.money(row[name]) for name in ("expected", "low", "high", "value")}
        text = chart.say("{expected} [{low} to {high}] of {value} ({n})", **money, n=chart.count(row["open"]))
        chart.note(max(row["high"], row["expected"]), y, text, size * 0.9)
        readings.append(f"{one_line(labels[y])}: {text}")
    # a few unlikely deals have an expectation above the interval: in most simulations none of them is won
    ax.set_xlim(0, reach(table[["high", "expected"]].max(), 1.02))
    chart.money_axis()
    level = chart.setting("level")
    label = chart.say("value won from open deals; line: {level} of simulations", level=chart.percent(level or 0.8))
    if (table["open"] < SMALL).any():
        label += f"\n({chart.say('hollow: fewer than {n}', n=SMALL)})"
    ax.set_xlabel(label, fontsize="small")
    return finish(chart, title, "; ".join(readings[:8]) + ".")
