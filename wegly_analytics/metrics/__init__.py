"""Metrics: ``metric(snap, *, by=None, ...)`` returns a tidy table that explains itself.

One row per group (and period), the groups as ordinary columns, a plain index. ``table.attrs`` has the `rule`, the
number of deals it was computed on (`n`), which deals were `excluded` and why, `caveats`, the `filters` and
`completeness` of the snapshot, and when it was taken (`taken_at`). The plot of the same name draws the table.
"""

from __future__ import annotations

from wegly_analytics.metrics._compare_rules import compare_rules
from wegly_analytics.metrics._coverage import coverage
from wegly_analytics.metrics._discounts import discounts
from wegly_analytics.metrics._forecast import forecast
from wegly_analytics.metrics._funnel import funnel
from wegly_analytics.metrics._loss_reasons import loss_reasons
from wegly_analytics.metrics._pipeline_value import pipeline_value
from wegly_analytics.metrics._proposals import proposals
from wegly_analytics.metrics._quality import quality
from wegly_analytics.metrics._stalled import stalled
from wegly_analytics.metrics._time_in_stage import time_in_stage
from wegly_analytics.metrics._time_to_close import time_to_close
from wegly_analytics.metrics._velocity import velocity
from wegly_analytics.metrics._velocity_bridge import velocity_bridge
from wegly_analytics.metrics._win_loss import win_loss
from wegly_analytics.metrics._win_rate import win_rate

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
