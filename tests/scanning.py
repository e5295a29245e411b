"""What the tests of all engines share: every metric, and how two tables are compared."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
from metrics.companies import METRICS

import wegly_analytics as wa
from wegly_analytics import metrics

if TYPE_CHECKING:
    from pathlib import Path

EVERY = {name: lambda snap, metric=metric: metric(snap, by="source") for name, metric in METRICS.items()}
EVERY |= {
    "win_rate by tag": lambda snap: metrics.win_rate(snap, by=["tag", "pipeline"]),
    "velocity by month": lambda snap: metrics.velocity(snap, every="month"),
    "quality": metrics.quality,
}


def published(folder: Path) -> Path:
    """Publish the simulated company in a folder whose name is a pattern for many tools, and others that match it."""
    root = folder / "a*[b] {c,d} %20é" / "snapshots"
    wa.sample().save(root, personal="keep")
    for decoy in ("axb {c,d} %20é", "axb c %20é"):
        shutil.copytree(root.parent, folder / decoy)
        for file in (folder / decoy).glob("snapshots/*/deals/*.parquet"):
            pq.write_table(pq.read_table(file, partitioning=None).slice(0, 10), file)
    return root


def same(one: pd.DataFrame, other: pd.DataFrame) -> None:
    """Compare counts, names and types exactly, figures to nine digits, and the attrs."""
    pd.testing.assert_frame_equal(one, other, rtol=1e-9, atol=1e-9)
    assert _plain(one.attrs) == _plain(other.attrs)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return pytest.approx(value, rel=1e-9, nan_ok=True) if isinstance(value, float) else value
