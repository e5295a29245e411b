"""What the goals share: the options and inputs of a run, the works, and the rows of the table."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

from measure import HERE, Usage, Work, in_turn, least, median, once

if TYPE_CHECKING:
    from collections.abc import Sequence

OURS: Final = "wegly_analytics"
WEGLY: Final = (sys.executable, "-c", "from wegly_analytics.cli.main import main; main()")
WORKS: Final = (sys.executable, HERE / "works.py")


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

    def turns(
        self, name: str, ours: Sequence[str | Path], *others: Work, runs: int | None = None
    ) -> dict[str, list[Usage]]:
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
        words = (sys.executable, HERE / "inputs.py", self.folder, str(deals), what)
        return Path(once(work("inputs", *words), self.folder).facts["file"])

    @cached_property
    def clean(self) -> Path:
        """The file that most goals are about."""
        return self.input("clean", self.deals)

    @cached_property
    def reads(self) -> dict[str, list[Usage]]:
        """The reading of the clean file, by us and DuckDB, and of the one with refused responses."""
        sql = self.folder / "duckdb_read.sql"
        refused = self.input("refused", self.deals)
        script = once(work("SQL", sys.executable, "-m", "peers.duckdb_sql", self.clean), self.folder).facts
        sql.write_text(script["sql"])
        duckdb = work("DuckDB", sys.executable, "-m", "peers.duckdb_read", sql)
        return self.turns("read", read_command(self.clean), duckdb, work("refused", *read_command(refused)))

    @cached_property
    def root(self) -> Path:
        """A published snapshot of the clean file, written anew for every run of the benchmarks."""
        root = self.folder / "root"
        shutil.rmtree(root, ignore_errors=True)
        once(work("publish", *WEGLY, "read", self.clean, "--root", root), self.folder)
        return root


def work(name: str, *words: str | Path, checkout: Path = HERE.parent) -> Work:
    """Make a work of a command in which ``{}`` stands for the folder that it may write to."""
    return Work(name, lambda place: [str(word).replace("{}", str(place)) for word in words], checkout, published_rows)


def read_command(file: Path) -> list[str | Path]:
    """Write the command that publishes a file of deals."""
    return [*WEGLY, "read", file, "--root", "{}/root", "--json"]


def published_rows(place: Path) -> dict[str, dict[str, int]]:
    """Read the rows of each table of the snapshot that was published in a folder, if there is one."""
    for folder in place.glob("root/snapshot=*"):
        manifest = json.loads((folder / "_manifest.json").read_text())
        return {"rows": {name: table["rows"] for name, table in manifest["tables"].items()}}
    return {}


def cell(usages: Sequence[Usage]) -> str:
    """Write wall time, CPU time and the peak of the memory."""
    peak = megabytes(max(usage.peak for usage in usages))
    return f"{median(usages):.2f} s ({least(usages):.2f}), CPU {least(usages, 'cpu'):.2f} s, {peak}"


def megabytes(size: float) -> str:
    """Write a number of bytes."""
    return f"{size / 1e6:,.0f} MB"


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
