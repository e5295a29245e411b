"""The charts: ``plot(table, *, ax=None, lang="en")`` draws what the metric of the same name returns.

A plot gets a table and nothing else, never changes it, never shows or saves; it returns the axes. `style` is a context
manager for the house's look, `alt_text` describes a chart in words, `save` puts one into a file.
"""

from __future__ import annotations

from wegly_analytics.plots.bridge import velocity_bridge
from wegly_analytics.plots.canvas import alt_text
from wegly_analytics.plots.closing import time_to_close
from wegly_analytics.plots.offers import discounts, proposals
from wegly_analytics.plots.outlook import forecast
from wegly_analytics.plots.pace import velocity
from wegly_analytics.plots.picture import save
from wegly_analytics.plots.pipeline import coverage, pipeline_value
from wegly_analytics.plots.progress import funnel
from wegly_analytics.plots.rates import win_loss, win_rate
from wegly_analytics.plots.reasons import loss_reasons
from wegly_analytics.plots.stages import time_in_stage
from wegly_analytics.plots.style import style
from wegly_analytics.plots.waiting import stalled

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
    "stalled",
    "style",
    "time_in_stage",
    "time_to_close",
    "velocity",
    "velocity_bridge",
    "win_loss",
    "win_rate",
]
