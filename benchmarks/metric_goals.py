"""The goals of metrics: in memory and scanned, beside hand-written SQL, and on ten million deals."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from bench import OURS, WORKS, Bench, Row, cell, work
from measure import HERE, FailedError, Usage, once

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

EACH: Final = 0.15
"""Seconds that a metric may take in memory, unless `LONGER` has it."""

LONGER: Final = {"forecast, 1,000 draws": 2.0, "quality": 0.3}
"""The metrics that may take longer."""

MOST_OF_SCAN: Final = 2e9
"""The memory that a metric on a scanned snapshot may take."""


def metrics(bench: Bench) -> list[Row]:
    """Compute every metric, in memory and scanned, beside hand-written SQL."""
    if not (HERE / "metric_queries.py").exists():
        bench.notes.append("- metrics: skipped, for there is no metric_queries.py")
        return []
    file, calls = str(bench.clean), "5"
    found = bench.turns(
        "metrics",
        [*WORKS, "metric_times", file, calls],
        work("SQL", *WORKS, "sql_times", file, calls),
        work("scan", *WORKS, "scan_times", bench.root, calls),
        work("SQL on files", *WORKS, "sql_scan_times", bench.root, calls),
    )
    times = {name: fastest(usages) for name, usages in found.items()}
    bench.notes += metric_table(times)
    if "beside" in times:
        ratios = (f"{call} {seconds / times['beside'][call]:.2f}" for call, seconds in times[OURS].items())
        bench.notes.append(f"- metrics in memory, ratio to the other checkout: {', '.join(ratios)}")
    shared = times["SQL"]
    ours, sql, scan, files = (
        sum(times[name][call] for call in shared) for name in (OURS, "SQL", "scan", "SQL on files")
    )
    slowest = max((call for call in times[OURS] if call not in LONGER), key=times[OURS].__getitem__)
    n = f"{bench.deals:,} deals"
    rows = [
        Row(f"slowest metric on {n} in memory: {slowest}", f"{times[OURS][slowest]:.3f} s", "", "",
            times[OURS][slowest], EACH, f"at most {EACH} s each"),
    ]  # fmt: skip
    for call, most in LONGER.items():
        took = times[OURS][call]
        rows.append(Row(f"{call} on {n} in memory", f"{took:.3f} s", "", "", took, most, f"at most {most} s"))
    text = f"all metrics on {n}"
    return [
        *rows,
        Row(f"{text} in memory, beside SQL", f"{ours:.2f} s", f"{sql:.2f} s", f"{ours / sql:.2f}", ours / sql, 3,
            "at most 3 ×"),
        Row(f'{text} on `scan(engine="duckdb")`, beside SQL on files', f"{scan:.2f} s", f"{files:.2f} s",
            f"{scan / files:.2f}", scan / files, 1.3, "at most 1.3 ×"),
    ]  # fmt: skip


def fastest(usages: Sequence[Usage]) -> dict[str, float]:
    """Return the least time of each call in all runs."""
    return {call: min(min(usage.facts["calls"][call]) for usage in usages) for call in usages[0].facts["calls"]}


def metric_table(times: dict[str, dict[str, float]]) -> list[str]:
    """Write the time of each metric, in milliseconds."""
    lines = ["", "| metric, ms | memory | SQL | ratio | scan | SQL on files | ratio |", "| --- " + "| --: " * 6 + "|"]
    for call, seconds in times[OURS].items():
        cells = [f"{seconds * 1e3:.0f}"]
        for mine, other in ((OURS, "SQL"), ("scan", "SQL on files")):
            if mine != OURS:
                cells.append(f"{times[mine][call] * 1e3:.0f}")
            known = times[other].get(call)
            cells += [f"{known * 1e3:.0f}", f"{times[mine][call] / known:.1f}"] if known else ["", ""]
        lines.append(f"| {call} | {' | '.join(cells)} |")
    return [*lines, ""]


def scan(bench: Bench) -> Iterator[Row]:
    """Compute every metric on a scanned snapshot of a hundred times the deals, each in its own process."""
    times, root = 100, bench.folder / f"root-{bench.deals * 100}"
    if not root.exists():
        once(work("tiling", *WORKS, "tile", bench.root, root, str(times)), bench.folder)
    calls = once(work("names", *WORKS, "names"), bench.folder).facts["names"]
    for call in calls:
        title = f'{call} on `scan(engine="duckdb")` of {bench.deals * times:,} deals'
        try:
            usage = once(work(call, *WORKS, "scan_once", root, call), bench.folder)
        except FailedError as error:  # the others are still worth knowing
            bench.notes.append(f"- {title} failed: {error}")
            yield Row(title, "failed", "", "", math.inf, MOST_OF_SCAN, "within 2 GB")
            continue
        yield Row(title, cell([usage]), "", "", usage.peak, MOST_OF_SCAN, "within 2 GB")
