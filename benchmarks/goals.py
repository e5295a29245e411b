"""The goals: what is measured for each, and how its row of the table is made."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

from measure import HERE, Usage, Work, in_turn, least, median, once

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

OURS: Final = "wegly_analytics"
WEGLY: Final = (sys.executable, "-c", "from wegly_analytics.cli.main import main; main()")
WORKS: Final = (sys.executable, HERE / "works.py")
BIG_FIRST: Final = 0.15
"""Seconds that a metric may take in memory, unless `LONGER` has it."""

LONGER: Final = {"forecast, 1,000 draws": 2.0, "quality": 0.3}
"""The metrics that may take longer."""

MOST_OF_SCAN: Final = 2e9
"""The memory that a metric on a scanned snapshot may take."""


@dataclass(frozen=True)
class Row:
    """One row of the table; `value` is what the goal limits, or at least has to reach."""

    work: str
    ours: str
    peer: str
    ratio: str
    value: float
    goal: float
    goal_text: str
    at_least: bool = False

    def cells(self) -> list[str]:
        """Write the cells."""
        is_met = self.value >= self.goal if self.at_least else self.value <= self.goal
        return [self.work, self.ours, self.peer, self.ratio, self.goal_text, "met" if is_met else "**missed**"]


@dataclass
class Bench:
    """The options of a run, and the inputs, which are written when they are first needed."""

    folder: Path
    deals: int
    runs: int = 3
    dlt_python: Path | None = None
    beside: Path | None = None
    notes: list[str] = field(default_factory=list)

    def turns(self, name: str, ours: Sequence[str | Path], *others: Work, runs: int | None = None) -> dict[str, list[Usage]]:
        """Run a work of ours in turn with others, and that of another checkout if one is given."""
        works = [work(OURS, *ours), *others]
        if self.beside:
            works.append(work("beside", *ours, checkout=self.beside))
        found = in_turn(works, runs or self.runs, self.folder)
        if "beside" in found:
            ratio = least(found[OURS]) / least(found["beside"])
            self.notes.append(f"- {name}: the other checkout {cell(found['beside'])}; ratio to it {ratio:.2f}")
        return found

    def input(self, what: str, deals: int) -> Path:
        """Return a file of deals: ``"clean"``, ``"repeated"`` ten times, or with 1 % ``"refused"``."""
        usage = once(work("inputs", *WORKS, "inputs", self.folder, str(deals), what), self.folder)
        return Path(usage.facts["files"][what])

    @cached_property
    def reads(self) -> dict[str, list[Usage]]:
        """The reading of the clean file, by us and DuckDB, and of the one with refused responses."""
        clean, sql = self.input("clean", self.deals), self.folder / "duckdb_read.sql"
        refused = read_command(self.input("refused", self.deals))
        script = once(work("SQL", sys.executable, "-m", "peers.duckdb_sql", clean), self.folder).facts
        sql.write_text(script["sql"])
        duckdb = work("DuckDB", sys.executable, "-m", "peers.duckdb_read", sql)
        found = self.turns("read", read_command(clean), duckdb, work("refused", *refused))
        self.notes.append(f"- read: {clean.stat().st_size / 1e6:,.0f} MB of NDJSON")
        return found

    @cached_property
    def root(self) -> Path:
        """A published snapshot of the clean file, written anew for every run of the benchmarks."""
        import shutil

        root = self.folder / "root"
        shutil.rmtree(root, ignore_errors=True)
        once(work("publish", *WEGLY, "read", self.input("clean", self.deals), "--root", root), self.folder)
        return root


def work(name: str, *words: str | Path, checkout: Path = HERE.parent) -> Work:
    """Make a work of a command in which ``{}`` stands for the folder that it may write to."""
    return Work(name, lambda place: [str(word).replace("{}", str(place)) for word in words], checkout)


def read_command(file: Path) -> list[str | Path]:
    """Write the command that publishes a file of deals."""
    return [*WEGLY, "read", file, "--root", "{}/root"]


def cell(usages: Sequence[Usage]) -> str:
    """Write wall time, CPU time and the peak of the memory."""
    peak = max(usage.peak for usage in usages) / 1e6
    return f"{median(usages):.2f} s ({least(usages):.2f}), CPU {least(usages, 'cpu'):.2f} s, {peak:,.0f} MB"


def compared(name: str, ours: Sequence[Usage], peer: Sequence[Usage], goal: float, text: str) -> Row:
    """Make a row of a ratio that must be small."""
    ratio = least(ours) / least(peer)
    cpu = least(ours, "cpu") / least(peer, "cpu")
    return Row(name, cell(ours), cell(peer), f"{ratio:.2f} (CPU {cpu:.2f})", ratio, goal, text)


def faster(name: str, ours: Sequence[Usage], peer: Sequence[Usage], goal: float, text: str) -> Row:
    """Make a row of a ratio that must be large."""
    ratio = least(peer) / least(ours)
    cpu = least(peer, "cpu") / least(ours, "cpu")
    return Row(name, cell(ours), cell(peer), f"{ratio:.1f} × (CPU {cpu:.1f} ×)", ratio, goal, text, at_least=True)


def read(bench: Bench) -> list[Row]:
    """NDJSON to a published snapshot, beside DuckDB; its memory; and the same with refused responses."""
    ours, duckdb, refused = (bench.reads[name] for name in (OURS, "DuckDB", "refused"))
    rows = duckdb[0].facts["rows"]
    published = published_rows(bench.root)
    same = all(published[name] == n for name, n in rows.items())
    bench.notes.append(f"- read: the peer's tables have {'the same' if same else '**other**'} rows: {rows}")
    n, peak = f"{bench.deals:,}", max(usage.peak for usage in ours)
    memory = f"{peak / 1e6:,.0f} MB"
    return [
        compared(f"{n} deals, NDJSON to published snapshot, beside DuckDB", ours, duckdb, 1.1, "at most 1.1 ×"),
        Row("peak memory of it", memory, f"{duckdb[0].peak / 1e6:,.0f} MB", "", peak, 450e6, "at most 450 MB"),
        compared("1 % refused responses, beside none", refused, ours, 1.5, "at most 1.5 ×"),
    ]


def published_rows(root: Path) -> dict[str, int]:
    """Read the rows of each table of the last snapshot in a root from its manifest."""
    import json

    manifest = json.loads((max(root.glob("snapshot=*")) / "_manifest.json").read_text())
    return {name: table["rows"] for name, table in manifest["tables"].items()}


def dlt(bench: Bench) -> list[Row]:
    """The same, beside dlt, with a fifth of the deals."""
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
    """Deals in a file to tables in memory, beside `json_normalize`."""
    small = bench.input("clean", bench.deals // 5)
    peer = work("json_normalize", sys.executable, "-m", "peers.normalize", small)
    found = bench.turns("normalize", [*WORKS, "read", small], peer)
    name = f"{bench.deals // 5:,} deals, `wa.read` in memory, beside `json.loads` and `json_normalize`"
    return [faster(name, found[OURS], found["json_normalize"], 12, "at least 12 × as fast")]


def large(bench: Bench) -> list[Row]:
    """Ten times the deals: how time and memory grow."""
    file = bench.input("repeated", bench.deals)
    found = bench.turns("large", read_command(file), runs=1)[OURS]
    ratio = least(found) / least(bench.reads[OURS])
    cpu = least(found, "cpu") / least(bench.reads[OURS], "cpu")
    n, peak = f"{bench.deals * 10:,}", found[0].peak
    text = f"{ratio:.2f} (CPU {cpu:.2f})"
    return [
        Row(f"{n} deals, beside ten times a tenth of them", cell(found), "", text, ratio, 11.5, "10 × within 15 %"),
        Row("peak memory of it", f"{peak / 1e6:,.0f} MB", "", "", peak, 1e9, "at most 1 GB"),
    ]


def chart(bench: Bench) -> list[Row]:
    """A published snapshot to the first chart, beside reading the columns and drawing."""
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


def metrics(bench: Bench) -> list[Row]:
    """Every metric, in memory and scanned, beside hand-written SQL."""
    if not (HERE / "metric_queries.py").exists():
        bench.notes.append("- metrics: skipped, for there is no metric_queries.py")
        return []
    file, calls = str(bench.input("clean", bench.deals)), "5"
    found = bench.turns(
        "metrics",
        [*WORKS, "metric_times", file, calls],
        work("SQL", *WORKS, "sql_times", file, calls),
        work("scan", *WORKS, "scan_times", bench.root, calls),
        work("SQL on files", *WORKS, "sql_scan_times", bench.root, calls),
    )
    times = {name: fastest(usages) for name, usages in found.items()}
    bench.notes += metric_table(times)
    shared = times["SQL"]
    ours, sql, scan, files = (
        sum(times[name][call] for call in shared) for name in (OURS, "SQL", "scan", "SQL on files")
    )
    slowest = max((call for call in times[OURS] if call not in LONGER), key=times[OURS].__getitem__)
    n = f"{bench.deals:,} deals"
    rows = [
        Row(f"slowest metric on {n} in memory: {slowest}", f"{times[OURS][slowest]:.3f} s", "", "",
            times[OURS][slowest], BIG_FIRST, f"at most {BIG_FIRST} s each"),
    ]  # fmt: skip
    rows += [
        Row(f"{call} on {n} in memory", f"{times[OURS][call]:.3f} s", "", "", times[OURS][call], most, f"at most {most} s")
        for call, most in LONGER.items()
    ]
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


def refresh(bench: Bench) -> list[Row]:
    """A refresh at 200 requests a second: its CPU time, less what the requests take as such."""
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
    """A fetch whose responses are all in the archive, beside a loop over the archive."""
    ids = bench.deals * 2
    file = bench.folder / f"{ids}.sqlite"
    if not file.exists():
        unfinished = file.with_suffix(".unfinished")
        once(work("archive", *WORKS, "archive", unfinished, str(ids)), bench.folder)
        unfinished.replace(file)
    peer = work("loop", sys.executable, "-m", "peers.archive_loop", file)
    found = bench.turns("resume", [*WORKS, "resume", file, str(ids)], peer)
    assert found["loop"][0].facts["rows"]["responses"] == ids
    name = f"resume of {ids:,} archived responses, to a snapshot, beside a loop that unpacks them"
    return [compared(name, found[OURS], found["loop"], 1.2, "at most 1.2 ×")]


def scan(bench: Bench) -> list[Row]:
    """Every metric on a scanned snapshot of a hundred times the deals, each in its own process."""
    times, root = 100, bench.folder / f"root-{bench.deals * 100}"
    if not root.exists():
        once(work("tiling", *WORKS, "tile", bench.root, root, str(times)), bench.folder)
    calls = once(work("names", *WORKS, "names"), bench.folder).facts["names"]
    rows = []
    for call in calls:
        usage = once(work(call, *WORKS, "scan_once", root, call), bench.folder)
        title = f'{call} on `scan(engine="duckdb")` of {bench.deals * times:,} deals'
        rows.append(Row(title, cell([usage]), "", "", usage.peak, MOST_OF_SCAN, "within 2 GB"))
    return rows


GOALS: Final[dict[str, Callable[[Bench], list[Row]]]] = {
    each.__name__: each for each in (read, dlt, normalize, large, chart, metrics, refresh, resume, scan)
}
"""What can be measured, by name; each returns rows of the table."""
