"""What a long run takes: time per deal at the beginning and at the end, the peak of the memory, and the resume.

A minimal server, in a process of its own, sends deals that differ in id and code: those of the sandbox's company
(about 5.6 kB), or small ones. The intake runs in a new process with an archive, and then again, when all comes from the
archive. Run ``python benchmarks/scale.py``, with ``--ids 20000`` for a short one.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import wegly_analytics as wa
from wegly_analytics.sandbox import Company

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection

NOW = datetime(2026, 7, 1, tzinfo=UTC)
SMALL = b'{"id": "%s", "code": %d, "status": 1, "updated_at": "2026-06-01T00:00:00.000Z", "tags": [{"name": "a"}]}'


def templates(kind: str) -> list[bytes]:
    """Return deals with places for the id and the code."""
    if kind == "small":
        return [SMALL]
    bodies = [body for _, body in Company(deals_per_month=60).responses(NOW)]
    return [b'{"id": "%s", "code": %d' + body[body.index(b', "title"') :].replace(b"%", b"%%") for body in bodies]


def deal(found: list[bytes], code: int) -> bytes:
    """Write the deal with a code."""
    return found[code % len(found)] % (str(UUID(int=code << 64 | code)).encode(), code)


class Deals(asyncio.Protocol):
    """Reads requests and sends each deal, over connections that stay open."""

    found: list[bytes]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin a connection."""
        self.transport: Any = transport
        self.received = b""

    def data_received(self, data: bytes) -> None:
        """Send what was requested."""
        self.received += data
        while b"\r\n\r\n" in self.received:
            head, _, self.received = self.received.partition(b"\r\n\r\n")
            body = deal(self.found, int(head.split(b" ", 2)[1].rpartition(b"/")[2]))
            self.transport.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
            )


def serve(kind: str, line: Connection) -> None:
    """Serve until the process is ended."""
    Deals.found = templates(kind)

    async def run() -> None:
        server = await asyncio.get_running_loop().create_server(Deals, "127.0.0.1", 0)
        line.send(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        await server.serve_forever()

    asyncio.run(run())


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


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ids", type=int, default=200_000)
    parser.add_argument("--deal", choices=["sandbox", "small"], action="append")
    options = parser.parse_args()
    for kind in options.deal or ["sandbox", "small"]:
        server, line = in_child(serve, kind)
        url = line.recv()
        found = templates(kind)
        mean = sum(map(len, found)) / len(found)
        print(f"{options.ids:,} ids, deals of {mean:,.0f} bytes ({kind})")
        with tempfile.TemporaryDirectory() as folder:
            archive = Path(folder, "responses.sqlite")
            for what in ("first run", "resume"):
                child, result = in_child(fetch, url, archive, options.ids)
                took, per_deal, held, tables = result.recv()
                child.join()
                quarters = ", ".join(f"{seconds * 1e3:.2f}" for seconds in per_deal)
                print(
                    f"  {what:10} {took:8.1f} s {took / options.ids * 1e3:6.2f} ms per id"
                    f" (first and last quarter: {quarters or '-'} ms);"
                    f" peak {held['VmHWM'] / 1e6:,.0f} MB, at the end {held['VmRSS'] / 1e6:,.0f} MB,"
                    f" not of files {held['RssAnon'] / 1e6:,.0f} MB, tables {tables / 1e6:,.0f} MB",
                    flush=True,
                )
            print(f"  archive    {archive.stat().st_size / 1e6:,.0f} MB")
        server.terminate()


if __name__ == "__main__":
    main()
