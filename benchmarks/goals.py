"""The goals: what is measured for each, and how its row of the table is made."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from bench import OURS, WORKS, Bench, Row, cell, compared, faster, megabytes, read_command, work
from measure import least, once
from metric_goals import metrics, scan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


def read(bench: Bench) -> list[Row]:
    """Publish a file of deals, beside DuckDB; its memory; and the same with refused responses."""
    ours, duckdb, refused = (bench.reads[name] for name in (OURS, "DuckDB", "refused"))
    published, rows = (usages[0].facts["rows"] for usages in (ours, duckdb))
    same = "the same" if all(published[name] == n for name, n in rows.items()) else "**other**"
    size, n = bench.clean.stat().st_size / 1e6, refused[0].facts["unreadable"]
    bench.notes += [
        f"- read: {size:,.0f} MB of NDJSON; unreadable of the refused ones: {n:,}",
        f"- read: the peer's tables have {same} rows: {rows}",
    ]
    peak, theirs = (max(usage.peak for usage in usages) for usages in (ours, duckdb))
    name = f"{bench.deals:,} deals, NDJSON to published snapshot, beside DuckDB"
    return [
        compared(name, ours, duckdb, 1.1, "at most 1.1 ×"),
        Row("peak memory of it", megabytes(peak), megabytes(theirs), "", peak, 450e6, "at most 450 MB"),
        compared("1 % refused responses, beside none", refused, ours, 1.5, "at most 1.5 ×"),
    ]


def dlt(bench: Bench) -> list[Row]:
    """Publish a fifth of the deals, beside dlt."""
    if not bench.dlt_python:
        bench.notes.append("- dlt: skipped, for --dlt-python names no environment that has it")
        return []
    small = bench.input("clean", bench.deals // 5)
    peer = work("dlt", bench.dlt_python.absolute(), "-m", "peers.dlt_read", small, "filesystem")
    found = bench.turns("dlt", read_command(small), peer)
    facts = found["dlt"][0].facts
    bench.notes.append(f"- dlt {facts['version']}, Parquet files by its filesystem destination; rows {facts['rows']}")
    name = f"{bench.deals // 5:,} deals, NDJSON to published snapshot, beside dlt"
    return [faster(name, found[OURS], found["dlt"], 15, "at least 15 × as fast")]


def normalize(bench: Bench) -> list[Row]:
    """Read a file into memory, beside `json_normalize`."""
    small = bench.input("clean", bench.deals // 5)
    peer = work("json_normalize", sys.executable, "-m", "peers.normalize", small)
    found = bench.turns("normalize", [*WORKS, "read", small], peer)
    name = f"{bench.deals // 5:,} deals, `wa.read` in memory, beside `json.loads` and `json_normalize`"
    return [faster(name, found[OURS], found["json_normalize"], 12, "at least 12 × as fast")]


def large(bench: Bench) -> list[Row]:
    """Publish ten times the deals: how time and memory grow."""
    file = bench.input("repeated", bench.deals)
    found = bench.turns("large", read_command(file), runs=1)[OURS]
    ratio = least(found) / least(bench.reads[OURS])
    cpu = least(found, "cpu") / least(bench.reads[OURS], "cpu")
    n, peak = f"{bench.deals * 10:,}", found[0].peak
    text = f"{ratio:.2f} (CPU {cpu:.2f})"
    return [
        Row(f"{n} deals, beside ten times a tenth of them", cell(found), "", text, ratio, 11.5, "10 × within 15 %"),
        Row("peak memory of it", megabytes(peak), "", "", peak, 1e9, "at most 1 GB"),
    ]


def chart(bench: Bench) -> list[Row]:
    """Load a snapshot and draw the first chart, beside reading the columns and drawing."""
    table = bench.folder / "chart.pkl"
    once(work("table", *WORKS, "table", bench.root, table), bench.folder)
    peer = work("pandas", sys.executable, "-m", "peers.parquet_chart", bench.root, table)
    found = bench.turns("chart", [*WORKS, "chart", bench.root], peer)
    for name in (OURS, "pandas"):
        parts = min(found[name], key=lambda usage: usage.seconds).facts["parts"]
        text = ", ".join(f"{part} {seconds:.3f} s" for part, seconds in parts.items())
        bench.notes.append(f"- chart, {name}: {text}")
    title = f"`wa.load` of {bench.deals:,} deals to the first chart, beside `read_parquet` of its columns and the chart"
    return [compared(title, found[OURS], found["pandas"], 2, "at most 2 ×")]


def refresh(bench: Bench) -> list[Row]:
    """Refresh at 200 requests a second: the CPU time, less what the requests take as such."""
    deals, rate = bench.deals // 2, 200
    few = min(deals, 5_000)
    bare = once(work("requests", sys.executable, "-m", "peers.bare_requests", str(few), str(rate)), bench.folder)
    found = bench.turns("refresh", [*WORKS, "refresh", str(deals)], runs=1)[OURS]
    (usage,) = found
    http = bare.cpu / few * usage.facts["requests"]
    own = (usage.cpu - http) / usage.seconds
    bench.notes.append(
        f"- refresh: {usage.facts['requests']:,} requests took {usage.seconds:.1f} s, at least"
        f" {usage.facts['requests'] / rate:.1f} s at {rate}/s; CPU {usage.cpu:.1f} s, of which {http:.1f} s as much as"
        f" so many bare requests take ({bare.cpu / few * 1e3:.2f} ms each, of {few:,})"
    )
    name = f"refresh of {deals:,} deals at {rate} requests/s: CPU time beyond bare requests"
    return [Row(name, cell(found), f"CPU {http:.1f} s", f"{own:.1%} of the wall time", own, 0.05, "under 5 %")]


def resume(bench: Bench) -> list[Row]:
    """Fetch what is all in the archive, beside a loop over the archive."""
    ids = bench.deals * 2
    file = bench.folder / f"{ids}.sqlite"
    if not file.exists():
        unfinished = file.with_suffix(".unfinished")
        once(work("archive", *WORKS, "archive", unfinished, str(ids)), bench.folder)
        unfinished.replace(file)
    peer = work("loop", sys.executable, "-m", "peers.archive_loop", file)
    again = work("wa.read", *WORKS, "read", file)
    found = bench.turns("resume", [*WORKS, "resume", file, str(ids)], peer, again)
    assert found["loop"][0].facts["rows"]["responses"] == ids
    bench.notes.append(f"- resume: `wa.read` of the same archive {cell(found['wa.read'])}")
    name = f"resume of {ids:,} archived responses, to a snapshot, beside a loop that unpacks them"
    return [compared(name, found[OURS], found["loop"], 1.2, "at most 1.2 ×")]


GOALS: Final[dict[str, Callable[[Bench], Iterable[Row]]]] = {
    each.__name__: each for each in (read, dlt, normalize, large, chart, metrics, refresh, resume, scan)
}
"""What can be measured, by name; each returns rows of the table."""
