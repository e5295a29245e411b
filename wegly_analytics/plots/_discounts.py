"""The win rate by discount."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from wegly_analytics.plots.chart import begin
from wegly_analytics.plots.layout import finish, nothing
from wegly_analytics.plots.shares import draw_shares

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from wegly_analytics.plots.chart import Chart


def discounts(
    table: pd.DataFrame,
    *,
    ax: Axes | None = None,
    lang: str = "en",
    currency: str = "BRL",
    footnote: bool = True,
    **kwargs: Any,
) -> Axes:
    """Draw the win rate of deals by the discount of their proposal.

    Parameters
    ----------
    table
        The table that `metrics.discounts` returns; it may be merged, concatenated or read back from a file.
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
        One row per group and band: a dot at the win rate, a line from `low` to `high`. Samples of fewer than ten deals
        are hollow.

    Raises
    ------
    MissingColumnError
        If the table lacks a column.
    SettingError
        If the table is that of another metric, its rows cannot be distinguished, or an argument is not valid.
    """
    chart = begin("discounts", table, ax, lang, currency, marks="line", footnote=footnote, look=kwargs)
    title = chart.title("Win rate by discount", "Win rate by discount and {groups}")
    table = chart.table
    if table["rate"].isna().all():
        return nothing(chart, title, chart.say("Nothing to draw: no closed deal had a priced proposal."))
    shown = table.assign(band=[_band(chart, *ends) for ends in zip(table["above"], table["up_to"], strict=True)])
    # with groups, bands without deals are not shown: ten groups of six bands cannot be read
    shown = shown[shown["n"] > 0] if chart.groups else shown
    return finish(chart, title, draw_shares(chart, shown, chart.names(shown, [*chart.groups, "band"])))


def _band(chart: Chart, above: float, up_to: float) -> str:
    if np.isnan(above):
        return chart.say("no discount") if up_to == 0 else chart.say("up to {end}", end=chart.percent(up_to))
    if np.isnan(up_to):
        return chart.say("above {start}", start=chart.percent(above))
    return chart.say("{start} to {end}", start=chart.percent(above), end=chart.percent(up_to))
