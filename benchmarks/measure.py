"""What a process takes: wall time, CPU time with that of its children, and the peak of its memory.

Each work runs in a process of its own, so none warms up or fills the memory for another. Works that are compared run in
turn (A, B, A, B, …), because the load of a machine changes. This module imports nothing large: a process begins with
the peak of the one that started it.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

HERE: Final = Path(__file__).resolve().parent
"""The folder of the benchmarks, from which processes import."""

DONE: Final = (0, 3)
"""Exit codes of a work that was done; 3 is that of `wegly` when some deals are missing."""


class FailedError(RuntimeError):
    """A process that was to be measured failed."""


@dataclass(frozen=True)
class Usage:
    """What one run took.

    Attributes
    ----------
    seconds, cpu
        Wall time and CPU time (user and system, with children) of the process; or those of the work in it, if the
        process reports them.
    peak
        The most memory that the process, or the largest of its children, held, in bytes.
    facts
        What the process reported.
    """

    seconds: float
    cpu: float
    peak: int
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Work:
    """A command to measure.

    Parameters
    ----------
    name
        What it is, for tables.
    command
        Makes the command's words, given an empty folder for what it writes.
    checkout
        The folder whose `wegly_analytics` it imports.
    look
        Looks at the folder afterwards, and returns further facts.
    """

    name: str
    command: Callable[[Path], Sequence[str | Path]]
    checkout: Path = HERE.parent
    look: Callable[[Path], Mapping[str, Any]] | None = None


def once(work: Work, folder: Path) -> Usage:
    """Run a work in a process of its own.

    Parameters
    ----------
    work
        The work.
    folder
        A folder in which another one is created for the output, and removed after.

    Raises
    ------
    FailedError
        If it did not succeed; with the end of what it wrote to standard error.
    """
    place = Path(tempfile.mkdtemp(prefix="run-", dir=folder))
    try:
        words = [str(word) for word in work.command(place)]
        with (place / "stdout").open("wb") as out, (place / "stderr").open("wb") as err:
            begun = time.perf_counter()
            process = subprocess.Popen(words, stdout=out, stderr=err, cwd=place, env=_environment(work, place))
            _, status, used = os.wait4(process.pid, 0)
            seconds = time.perf_counter() - begun
            process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode not in DONE:
            last = (place / "stderr").read_text(errors="replace")[-2_000:]
            raise FailedError(f"{work.name} ended with {process.returncode}: {' '.join(words)}\n{last}")
        facts = _facts((place / "stdout").read_text(errors="replace"))
        facts |= work.look(place) if work.look else {}
        # the unit of ru_maxrss is a kilobyte, and on macOS a byte
        peak = used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        cpu = used.ru_utime + used.ru_stime
        return Usage(facts.get("seconds", seconds), facts.get("cpu", cpu), peak, facts)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def in_turn(works: Sequence[Work], runs: int, folder: Path) -> dict[str, list[Usage]]:
    """Run each work so many times, one after the other, by turns."""
    found: dict[str, list[Usage]] = {work.name: [] for work in works}
    for _ in range(runs):
        for work in works:
            found[work.name].append(once(work, folder))
    return found


def report(work: Callable[[], Mapping[str, Any] | None]) -> None:
    """Run a function in this process, and print what it took and what it returned, for `once` to read."""
    cpu, begun = time.process_time(), time.perf_counter()
    facts = work() or {}
    seconds = time.perf_counter() - begun
    print(json.dumps({"seconds": seconds, "cpu": time.process_time() - cpu, **facts}), flush=True)


def least(usages: Sequence[Usage], what: str = "seconds") -> float:
    """Return the least of several runs: what a machine can do that does nothing else."""
    return min(getattr(usage, what) for usage in usages)


def median(usages: Sequence[Usage], what: str = "seconds") -> float:
    """Return the median of several runs."""
    return statistics.median(getattr(usage, what) for usage in usages)


def _environment(work: Work, place: Path) -> dict[str, str]:
    """Keep settings and secrets of the user out: what a process writes goes to its own folder."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WEGLY_")}
    path = os.pathsep.join(map(str, (HERE, work.checkout.resolve())))
    return {**kept, "PYTHONPATH": path, "WEGLY_SALT_FILE": str(place / "salt"), "MPLBACKEND": "agg"}


def _facts(output: str) -> dict[str, Any]:
    last = output.strip().rpartition("\n")[2]
    return json.loads(last) if last.startswith("{") and last.endswith("}") else {}
