"""The win rate of groups of deals."""

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
        The table that `metrics.win_rate` returns; it may be merged, concatenated or read back from a file.
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
        One row per group: a dot at the rate, a line from `low` to `high`. Samples of fewer than ten deals are hollow.

    Raises
    ------
    MissingColumnError
        If the table lacks a column.
    SettingError
        If the table is that of another metric, its rows cannot be distinguished, or an argument is not valid.
    """
    chart = begin("win_rate", table, ax, lang, currency, marks="line", footnote=footnote, look=kwargs)
    title = chart.title("Win rate", "Win rate by {groups}")
    if chart.table["rate"].isna().all():
        return nothing(chart, title, chart.say("Nothing to draw: no deal was closed."))
    labels = chart.names(chart.table, chart.groups)
    return finish(chart, title, draw_shares(chart, chart.table, labels))
