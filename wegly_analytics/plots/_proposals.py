"""The outcome of proposals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from wegly_analytics.plots.axis import legend, rows
from wegly_analytics.plots.chart import SMALL, begin
from wegly_analytics.plots.labels import one_line
from wegly_analytics.plots.layout import finish, nothing
from wegly_analytics.plots.style import GROUPS, LOST, OPEN, QUIET, WON

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_STATES: Final = {"approved": WON, "rejected": LOST, "expired": GROUPS[1], "withdrawn": QUIET, "pending": OPEN}
_ROOM: Final = 0.06
"""The smallest share of a bar that is labelled with its percentage."""


def proposals(
    table: pd.DataFrame,
    *,
    ax: Axes | None = None,
    lang: str = "en",
    currency: str = "BRL",
    footnote: bool = True,
    **kwargs: Any,
) -> Axes:
    """Draw the outcome of proposals, as shares of those that were sent.

    Parameters
    ----------
    table
        The table that `metrics.proposals` returns; it may be merged, concatenated or read back from a file.
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
        One bar per group, divided into approved, rejected, expired, withdrawn and pending, with the number sent beside
        it. Bars of fewer than ten proposals are pale.

    Raises
    ------
    MissingColumnError
        If the table lacks a column.
    SettingError
        If the table is that of another metric, its rows cannot be distinguished, or an argument is not valid.
    """
    chart = begin("proposals", table, ax, lang, currency, marks="barh", footnote=footnote, look=kwargs)
    ax, shown = chart.ax, chart.table
    title = chart.title("Outcome of proposals", "Outcome of proposals, by {groups}")
    if not shown["sent"].sum():
        return nothing(chart, title, chart.say("Nothing to draw: there are no proposals."))
    labels = chart.names(shown, chart.groups)
    size = rows(chart, labels)
    left, few = np.zeros(len(shown)), shown["sent"] < SMALL
    for state, color in _STATES.items():
        share = (shown[state] / shown["sent"].where(shown["sent"] > 0)).fillna(0.0).to_numpy()
        look = chart.marks(color=color, height=0.62, label=chart.say(state))
        bars = ax.barh(range(len(shown)), share, left=left, **look)
        for bar, pale in zip(bars, few, strict=True):
            bar.set_alpha(chart.look.get("alpha", 0.95) * (0.5 if pale else 1))
        inside = [chart.percent(each) if each >= _ROOM else "" for each in share]
        chart.label_bars(bars, inside, size * 0.85, padding=0, label_type="center", color="#111")
        left += share
    readings = []
    for y, row in enumerate(shown.to_dict("records")):
        n = chart.count(row["sent"])
        chart.note(1, y, n, size)
        if row["sent"]:
            approved = chart.percent(row["approved"] / row["sent"])
            readings.append(f"{one_line(labels[y])}: {approved} {chart.say('approved')}, {n}")
    ax.set_xlim(0, 1)
    chart.share_axis()
    ax.set_xlabel(chart.say("share of proposals sent"))
    legend(chart, *ax.get_legend_handles_labels())
    return finish(chart, title, "; ".join(readings) + ".")
