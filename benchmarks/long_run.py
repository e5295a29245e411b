"""What a long run takes: time per deal at the beginning and at the end, the peak of the memory, and the resume.

A minimal server, in a process of its own, sends deals that differ in id and code: those of the sandbox's company
(about 5.6 kB), or small ones. The intake runs in a new process with an archive, and then again, when all comes from the
archive. Run ``python benchmarks/scale.py --only ids --ids 20000``.
"""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from server import KINDS, served, templates

import wegly_analytics as wa

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection


class Timed(wa.Client):
    """A client that notes when each thousandth request was sent."""

    times: list[float]
    sent: int = 0

    def deal(self, id: str | int) -> bytes:  # noqa: A002
        """Request a deal."""
        if self.sent % 1000 == 0:
            self.times.append(time.perf_counter())
        self.sent += 1
        return super().deal(id)


def fetch(url: str, archive: Path, ids: int, line: Connection) -> None:
    """Fetch once and report seconds, seconds per deal in the first and the last quarter, and the memory."""
    client = Timed("benchmark", base_url=url, per_second=None)
    client.times = []
    start = time.perf_counter()
    snap = wa.fetch(range(1, ids + 1), client=client, archive=archive, progress=False)
    took = time.perf_counter() - start
    assert len(snap) == ids
    times, quarter = client.times, max(1, len(client.times) // 4)
    per_deal = [
        (part[-1] - part[0]) / (len(part) - 1) / 1000 for part in (times[:quarter], times[-quarter:]) if len(part) > 1
    ]
    line.send((took, per_deal, memory(), sum(table.nbytes for table in snap.tables.values())))


def memory() -> dict[str, int]:
    """Read the process's memory in bytes: the peak, and what is held now."""
    lines = Path("/proc/self/status").read_text().splitlines()
    status = dict(line.split(":", 1) for line in lines)
    return {name: int(status[name].split()[0]) << 10 for name in ("VmHWM", "VmRSS", "RssAnon")}


def in_child(work: Callable[..., None], *arguments: Any) -> tuple[multiprocessing.Process, Connection]:
    """Start a function in a new process."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=work, args=(*arguments, there), daemon=True)
    process.start()
    there.close()
    return process, here  # type: ignore[return-value]


def measured(ids: int) -> None:
    """Measure and print, for each kind of deal."""
    for kind in KINDS:
        found = templates(kind)
        mean = sum(map(len, found)) / len(found)
        print(f"{ids:,} ids, deals of {mean:,.0f} bytes ({kind})")
        with served(kind, ids) as url, tempfile.TemporaryDirectory() as folder:
            archive = Path(folder, "responses.sqlite")
            for what in ("first run", "resume"):
                child, result = in_child(fetch, url, archive, ids)
                took, per_deal, held, tables = result.recv()
                child.join()
                quarters = ", ".join(f"{seconds * 1e3:.2f}" for seconds in per_deal)
                print(
                    f"  {what:10} {took:8.1f} s {took / ids * 1e3:6.2f} ms per id"
                    f" (first and last quarter: {quarters or '-'} ms);"
                    f" peak {held['VmHWM'] / 1e6:,.0f} MB, at the end {held['VmRSS'] / 1e6:,.0f} MB,"
                    f" not of files {held['RssAnon'] / 1e6:,.0f} MB, tables {tables / 1e6:,.0f} MB",
                    flush=True,
                )
            print(f"  archive    {archive.stat().st_size / 1e6:,.0f} MB")
