"""How often deals are won."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wegly_analytics.plots.chart import begin
from wegly_analytics.plots.layout import finish, nothing
from wegly_analytics.plots.shares import draw_shares

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


def win_rate(
    table: pd.DataFrame,
    *,
    ax: Axes | None = None,
    lang: str = "en",
    currency: str = "BRL",
    footnote: bool = True,
    **kwargs: Any,
) -> Axes:
    """Draw the win rate of each group with its interval, and the deals it was computed on.

    Parameters
    ----------
    table
        What `metrics.win_rate` returns, also merged, concatenated or read back from a file.
    ax
        Where to draw; a figure of its own if not given.
    lang
        ``"en"`` or ``"pt"``.
    currency
        The currency of money, as an ISO code.
    footnote
        Whether rule, date, completeness, filters and exclusions stand below the chart.
    **kwargs
        How matplotlib draws the dots, such as ``color="black"``.

    Returns
    -------
    matplotlib.axes.Axes
        One row per group: a dot at the rate, a line from `low` to `high`. Samples of fewer than ten deals are hollow.

    Raises
    ------
    MissingColumnError
        If the table lacks a column.
    SettingError
        If the table is that of another metric, its rows cannot be told apart, or an argument cannot be used.
    """
    chart = begin("win_rate", table, ax, lang, currency, marks="line", footnote=footnote, look=kwargs)
    title = chart.title("Win rate", "Win rate by {groups}")
    if chart.table["rate"].isna().all():
        return nothing(chart, title, chart.say("Nothing to draw: no deal was closed."))
    labels = chart.names(chart.table, chart.groups)
    return finish(chart, title, draw_shares(chart, chart.table, labels))
