"""The charts: each plot draws the table that the metric of the same name returns.

``plot(table, *, ax=None, lang="en", currency="BRL", footnote=True, **kwargs)`` draws a table and returns the Axes. It
never changes the table and never shows the figure. Without `ax` it creates a figure, as tall as the rows need.
Keywords are passed to matplotlib for the main marks, as in ``plots.win_rate(table, color="black")``. `set_style` and
`style` set the style of this package, `alt_text` describes a chart in words, `save` writes it to a file.
"""

from __future__ import annotations

from wegly_analytics.plots._coverage import coverage
from wegly_analytics.plots._discounts import discounts
from wegly_analytics.plots._forecast import forecast
from wegly_analytics.plots._funnel import funnel
from wegly_analytics.plots._loss_reasons import loss_reasons
from wegly_analytics.plots._pipeline_value import pipeline_value
from wegly_analytics.plots._proposals import proposals
from wegly_analytics.plots._save import save
from wegly_analytics.plots._stalled import stalled
from wegly_analytics.plots._time_in_stage import time_in_stage
from wegly_analytics.plots._time_to_close import time_to_close
from wegly_analytics.plots._velocity import velocity
from wegly_analytics.plots._velocity_bridge import velocity_bridge
from wegly_analytics.plots._win_loss import win_loss
from wegly_analytics.plots._win_rate import win_rate
from wegly_analytics.plots.layout import alt_text
from wegly_analytics.plots.style import set_style, style

__all__ = [
    "alt_text",
    "coverage",
    "discounts",
    "forecast",
    "funnel",
    "loss_reasons",
    "pipeline_value",
    "proposals",
    "save",
    "set_style",
    "stalled",
    "style",
    "time_in_stage",
    "time_to_close",
    "velocity",
    "velocity_bridge",
    "win_loss",
    "win_rate",
]
