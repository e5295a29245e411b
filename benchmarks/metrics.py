"""How long metrics take on 100,000 deals in memory, beside another checkout if one is given.

The simulated company is copied until there are enough deals. Each checkout runs in a process of its own and has the
same tables; they take turns, call by call, because machines and their loads differ: the ratio is what counts.

    python benchmarks/metrics.py
    python benchmarks/metrics.py --beside ../other-checkout
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

import wegly_analytics as wa
from wegly_analytics import metrics

if TYPE_CHECKING:
    from collections.abc import Callable

    from wegly_analytics.snapshot.snapshot import Snapshot

HERE = Path(__file__).resolve().parent.parent

CALLS: dict[str, Callable[[Any], Any]] = {
    "win_rate": lambda snap: metrics.win_rate(snap),
    "win_rate by source": lambda snap: metrics.win_rate(snap, by="source"),
    "win_rate by tag": lambda snap: metrics.win_rate(snap, by="tag"),
    "velocity by month": lambda snap: metrics.velocity(snap, every="month"),
    "funnel": lambda snap: metrics.funnel(snap, pipeline="Vendas"),
    "compare_rules": lambda snap: metrics.compare_rules(snap),
    "quality": lambda snap: metrics.quality(snap),
}


def copied(table: pa.Table, times: int) -> pa.Table:
    """Repeat a table, with other ids each time."""
    ids = [name for name in ("deal_id", "requested") if name in table.schema.names]
    parts = []
    for n in range(times):
        part = table
        for name in ids:
            at = table.schema.get_field_index(name)
            renamed = pc.binary_join_element_wise(table.column(name), f"{n:03}", "-")
            part = part.set_column(at, table.schema.field(at), renamed)
        parts.append(part)
    return pa.concat_tables(parts).combine_chunks()


def in_memory(snap: Snapshot, times: int = 1) -> Snapshot:
    """Hold all tables in memory, each deal so many times."""
    tables = {
        name: copied(table, times) if times > 1 else table.combine_chunks() for name, table in snap.tables.items()
    }
    return type(snap)(tables, snap.taken_from, snap.taken_at, snap.drift_seen)


def respond(folder: str) -> None:
    """Time the calls that are named on standard input, and print seconds."""
    snap = in_memory(wa.load(folder))
    for line in sys.stdin:
        start = time.perf_counter()
        CALLS[line.strip()](snap)
        print(time.perf_counter() - start, flush=True)


def worker(checkout: Path, folder: str) -> subprocess.Popen[str]:
    """Start a process that runs a checkout."""
    command = [sys.executable, __file__, "--respond", folder]
    environment = {**os.environ, "PYTHONPATH": str(checkout.resolve())}
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)


def seconds(process: subprocess.Popen[str], call: str) -> float:
    """Let a process time one call."""
    assert process.stdin
    assert process.stdout
    print(call, file=process.stdin, flush=True)
    return float(process.stdout.readline())


def compare(checkouts: list[Path], folder: str, runs: int) -> None:
    """Measure all calls on all checkouts in turn, and print a table."""
    processes = [worker(checkout, folder) for checkout in checkouts]
    print(
        f"{'':20}" + "".join(f"{'first':>9} {'median':>8} {'least':>8}  " for _ in checkouts) + "  ratio of the least"
    )
    for call in CALLS:
        times = [[seconds(process, call) for process in processes] for _ in range(runs + 1)]
        columns = list(zip(*times, strict=True))
        row = "".join(f"{c[0]:9.3f} {statistics.median(c[1:]):8.3f} {min(c[1:]):8.3f}  " for c in columns)
        ratio = f"{min(columns[0][1:]) / min(columns[1][1:]):10.2f}" if len(columns) > 1 else ""
        print(f"{call:20}{row}{ratio}", flush=True)
    for process in processes:
        process.communicate()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--deals", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--beside", type=Path, help="another checkout, whose time is the denominator of the ratio")
    parser.add_argument("--respond", metavar="FOLDER", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.respond:
        respond(options.respond)
        return
    sample = wa.sample()
    snap = in_memory(sample, max(2, round(options.deals / len(sample))))
    with tempfile.TemporaryDirectory() as folder:
        snap.save(folder, personal="keep")
        checkouts = [HERE, *([options.beside] if options.beside else [])]
        print(f"{len(snap):,} deals in memory; seconds; {options.runs} runs each after the first, in turn")
        for n, checkout in enumerate(checkouts):
            print(f"  {n + 1}: {checkout}")
        compare(checkouts, folder, options.runs)


if __name__ == "__main__":
    main()
