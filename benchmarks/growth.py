"""The works whose cost is drawn by `scale`; each runs in a process of its own.

``python growth.py NAME ARGUMENT...`` does one and prints what it took, as JSON, in seconds by name.
"""

from __future__ import annotations

import sys
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from measure import report

import wegly_analytics as wa
from wegly_analytics import metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

CALLS = {
    "win_rate": lambda snap: metrics.win_rate(snap, by="group"),
    "win_loss": lambda snap: metrics.win_loss(snap, by="group", every="year"),
    "velocity": lambda snap: metrics.velocity(snap, by="group"),
    "loss_reasons": lambda snap: metrics.loss_reasons(snap, by="group"),
    "time_to_close": lambda snap: metrics.time_to_close(snap, by="group"),
    "time_in_stage": lambda snap: metrics.time_in_stage(snap, by="group"),
    "funnel": lambda snap: metrics.funnel(snap, pipeline="Vendas", by="group"),
    "stalled": lambda snap: metrics.stalled(snap, by="group"),
    "discounts": lambda snap: metrics.discounts(snap, by="group"),
    "forecast": lambda snap: metrics.forecast(snap, by="group"),
}
"""The metrics that are computed with more and more groups."""


def publish(file: str, root: str) -> None:
    """Publish a file of deals, and load the snapshot whole."""
    _report(
        {
            "wa.read": lambda: wa.read(file),
            "wa.read and save": lambda: wa.read(file).save(root),
            "wa.load, all tables": lambda: dict(wa.load(root).tables),
        }
    )


def fill(root: str, size: str, file: str) -> None:
    """Publish a small snapshot until the root has so many."""
    snap = wa.read(file)
    n = len(wa.snapshots(root)) if Path(root).exists() else 0
    for _ in range(int(size) - n):
        snap.save(root, personal="keep")
    report(lambda: {"n": len(wa.snapshots(root))})


def snapshots(root: str, file: str) -> None:
    """List the snapshots of a root, load the newest, and publish one more."""
    snap = wa.read(file)
    _report(
        {
            "wa.snapshots": lambda: wa.snapshots(root),
            "wa.load of the newest": lambda: wa.load(root).deals,
            "save of one more": lambda: snap.save(root, personal="keep"),
        }
    )


def groups(file: str, size: str) -> None:
    """Compute metrics by a column that has so many values."""
    n = int(size)
    snap = wa.read(file).assign(group=lambda deals: "group " + (deals["code"] * 7_919 % n).astype(str))
    _report({name: lambda call=call: call(snap) for name, call in CALLS.items()})


def _report(calls: Mapping[str, Callable[[], object]]) -> None:
    """Print the least seconds of up to seven runs of each; slow ones run once."""

    def least(call: Callable[[], object]) -> float:
        times: list[float] = []
        while len(times) < 7 and sum(times) < 2:
            begun = time.perf_counter()
            call()
            times.append(time.perf_counter() - begun)
        return min(times)

    report(lambda: {"calls": {name: least(call) for name, call in calls.items()}})


def main() -> None:
    """Do the work that is named."""
    warnings.simplefilter("ignore")  # caveats of simulated deals
    name, *arguments = sys.argv[1:]
    globals()[name](*arguments)


if __name__ == "__main__":
    main()
