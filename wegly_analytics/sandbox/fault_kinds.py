"""Kinds of faults: what a server may send in place of the correct response.

A fault is called with the `ResponseWriter` of a request and the correct body, and writes its own response.
"""

from __future__ import annotations

import functools
import json
import threading
import zlib
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from wegly_analytics.sandbox.protocols import Fault, ResponseWriter

_MEGABYTE: Final = 1 << 20
_MARKER: Final = "(marker)"
_MESSAGE: Final = b'{"message": "simulated fault"}'


@dataclass(frozen=True)
class Status:
    """Sends another status."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = _MESSAGE

    def __call__(self, writer: ResponseWriter, body: bytes) -> None:  # noqa: ARG002
        """Send the status."""
        writer.send(self.status, self.body, self.headers)


@dataclass(frozen=True)
class Dated:
    """Sends 429, with the date from which to try again."""

    seconds: float = 1.0

    def __call__(self, writer: ResponseWriter, body: bytes) -> None:  # noqa: ARG002
        """Send the 429."""
        until = format_datetime(datetime.now(UTC) + timedelta(seconds=self.seconds + 1), usegmt=True)
        writer.send(429, _MESSAGE, {"Retry-After": until})


@dataclass(frozen=True)
class Changed:
    """Sends 200 with another body."""

    change: Callable[[bytes], bytes]
    headers: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, writer: ResponseWriter, body: bytes) -> None:
        """Send the changed body."""
        writer.send(200, self.change(body), self.headers)


@dataclass(frozen=True)
class Broken:
    """Stops in the middle of the body: with a reset, or by closing the connection as if the response were complete."""

    abrupt: bool

    def __call__(self, writer: ResponseWriter, body: bytes) -> None:
        """Send half of the body."""
        writer.begin(200, len(body))
        writer.write(body[: len(body) // 2])
        if self.abrupt:
            writer.reset()
        else:
            writer.close()


@dataclass(frozen=True)
class Drip:
    """Sends the body slowly, in small parts over some seconds."""

    seconds: float = 5.0
    parts: int = 50

    def __call__(self, writer: ResponseWriter, body: bytes) -> None:
        """Send one part after the other."""
        size = -(-len(body) // self.parts)
        writer.begin(200, len(body))
        for start in range(0, len(body), size):
            writer.wait(self.seconds / self.parts)
            writer.write(body[start : start + size])


@dataclass(frozen=True)
class Huge:
    """Sends the deal with many megabytes of padding, which are never held in memory at once."""

    megabytes: int = 200

    def __call__(self, writer: ResponseWriter, body: bytes) -> None:
        """Send padding, then the deal."""
        head, tail, chunk = b'{"padding": "', b'", ' + body.lstrip()[1:], b"x" * _MEGABYTE
        writer.begin(200, len(head) + self.megabytes * _MEGABYTE + len(tail))
        writer.write(head)
        for _ in range(self.megabytes):
            writer.write(chunk)
        writer.write(tail)


@dataclass(frozen=True)
class Bomb:
    """Sends a small gzip body that unpacks to many megabytes."""

    megabytes: int = 200

    def __call__(self, writer: ResponseWriter, body: bytes) -> None:  # noqa: ARG002
        """Send the compressed body."""
        writer.send(200, _compressed_spaces(self.megabytes), {"Content-Encoding": "gzip"})


@dataclass(frozen=True)
class ValueAt:
    """Sends the deal with another value at a path such as ``proposals[].total``; missing parents are created."""

    path: str
    value: Any

    def __call__(self, writer: ResponseWriter, body: bytes) -> None:
        """Send the changed deal."""
        writer.send(200, self.insert(body))

    def insert(self, body: bytes) -> bytes:
        """Insert the value into a body."""
        deal = json.loads(body)
        _insert(deal, self.path.split("."), self.value)
        return json.dumps(deal).encode()


@dataclass(frozen=True)
class Times:
    """Lets a fault occur `n` times for each requested id, then sends the correct body."""

    fault: Fault
    n: int
    _counts: Counter[str] = field(default_factory=Counter, repr=False, compare=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def __call__(self, writer: ResponseWriter, body: bytes) -> None:
        """Send the fault or the correct body."""
        with self._lock:
            self._counts[writer.requested_id] += 1
            occurs = self._counts[writer.requested_id] <= self.n
        if occurs:
            self.fault(writer, body)
        else:
            writer.send(200, body)


def raw_at(path: str, raw: bytes) -> Callable[[bytes], bytes]:
    """Insert raw bytes at a path, whether they are valid JSON or not."""
    marked, marker = ValueAt(path, _MARKER), json.dumps(_MARKER).encode()
    return lambda body: marked.insert(body).replace(marker, raw)


def _insert(node: Any, path: list[str], value: Any) -> None:
    name, rest = path[0], path[1:]
    key, is_list = name.removesuffix("[]"), name.endswith("[]")
    if not rest:
        node[key] = [value] if is_list else value
        return
    if not node.get(key):
        node[key] = [{}] if is_list else {}
    for child in node[key] if is_list else [node[key]]:
        _insert(child, rest, value)


@functools.cache
def _compressed_spaces(megabytes: int) -> bytes:
    compressor = zlib.compressobj(wbits=31)
    chunk = b" " * _MEGABYTE
    parts = [compressor.compress(chunk) for _ in range(megabytes)]
    return b"".join([*parts, compressor.compress(b"{}"), compressor.flush()])
