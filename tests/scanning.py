"""What the tests of all engines share: every metric once, and what it means that two tables are the same."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from metrics.test_metrics import METRICS

from wegly_analytics import metrics

EVERY = {name: lambda snap, metric=metric: metric(snap, by="source") for name, metric in METRICS.items()}
EVERY |= {
    "win_rate by tag": lambda snap: metrics.win_rate(snap, by=["tag", "pipeline"]),
    "velocity by month": lambda snap: metrics.velocity(snap, every="month"),
    "quality": metrics.quality,
}


def same(one: pd.DataFrame, other: pd.DataFrame) -> None:
    """Counts, names and types exactly, figures to the ninth digit; and they say the same of themselves."""
    pd.testing.assert_frame_equal(one, other, rtol=1e-9, atol=1e-9)
    assert _plain(one.attrs) == _plain(other.attrs)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return pytest.approx(value, rel=1e-9, nan_ok=True) if isinstance(value, float) else value
