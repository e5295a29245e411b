"""The questions: ``metric(snap, *, by=None, ...)`` gives a tidy table that explains itself.

One row per group (and period), the groups as ordinary columns, a plain index. ``table.attrs`` says the `rule`, on how
many deals (`n`), which were `excluded` and why, the `completeness` of the snapshot and its `moment`. Every table goes
into the plot of the same name.
"""

from __future__ import annotations

from wegly_analytics.metrics.bridge import velocity_bridge
from wegly_analytics.metrics.closing import time_to_close
from wegly_analytics.metrics.definitions import compare_rules
from wegly_analytics.metrics.offers import discounts, proposals
from wegly_analytics.metrics.outlook import forecast
from wegly_analytics.metrics.pace import velocity
from wegly_analytics.metrics.pipeline import coverage, pipeline_value
from wegly_analytics.metrics.progress import funnel
from wegly_analytics.metrics.rates import win_loss, win_rate
from wegly_analytics.metrics.reasons import loss_reasons
from wegly_analytics.metrics.records import quality
from wegly_analytics.metrics.stages import time_in_stage
from wegly_analytics.metrics.waiting import stalled

__all__ = [
    "compare_rules",
    "coverage",
    "discounts",
    "forecast",
    "funnel",
    "loss_reasons",
    "pipeline_value",
    "proposals",
    "quality",
    "stalled",
    "time_in_stage",
    "time_to_close",
    "velocity",
    "velocity_bridge",
    "win_loss",
    "win_rate",
]
