"""A minimal server that sends deals as fast as Python can, in a process of its own.

It sends a deal for each code up to a last one: those of the sandbox's company (about 5.6 kB) under other ids and codes,
or small ones.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from wegly_analytics.sandbox import Company

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection

NOW: Final = datetime(2026, 7, 1, tzinfo=UTC)
KINDS: Final = ("sandbox", "small")
SMALL: Final = (
    b'{"id": "%s", "code": %d, "status": 1, "updated_at": "2026-06-01T00:00:00.000Z", "tags": [{"name": "a"}]}'
)
NOT_FOUND: Final = b"HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


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
    last: int

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin a connection."""
        self.transport: Any = transport
        self.received = b""

    def data_received(self, data: bytes) -> None:
        """Send what was requested."""
        self.received += data
        while b"\r\n\r\n" in self.received:
            head, _, self.received = self.received.partition(b"\r\n\r\n")
            code = int(head.split(b" ", 2)[1].rpartition(b"/")[2])
            if code > self.last:
                self.transport.write(NOT_FOUND)
                continue
            body = deal(self.found, code)
            self.transport.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
            )


def serve(kind: str, last: int, line: Connection) -> None:
    """Serve until the process is ended."""
    Deals.found, Deals.last = templates(kind), last

    async def run() -> None:
        server = await asyncio.get_running_loop().create_server(Deals, "127.0.0.1", 0)
        line.send(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        await server.serve_forever()

    asyncio.run(run())


@contextlib.contextmanager
def served(kind: str, last: int) -> Iterator[str]:
    """Serve from another process, and yield the address."""
    line, other = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(kind, last, other), daemon=True)
    process.start()
    other.close()
    try:
        yield line.recv()
    finally:
        process.terminate()
        process.join(5)


def main() -> None:
    """Serve until standard input is closed, and print the address."""
    import sys

    with served(sys.argv[1], int(sys.argv[2])) as url:
        print(url, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
