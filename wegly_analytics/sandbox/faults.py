"""Misbehaviour, declared: what a server may do in place of the honest answer.

A fault is called with the `Reply` to a request and the honest body, and writes what it wants. Only deals that exist are
answered with faults: a gap stays a gap. `FAULTS` names them all; `parse` makes a choice of them from text.

Examples
--------
>>> choose = parse("reset:0.5")
>>> sum(choose(str(code)) is not None for code in range(1_000)) in range(450, 550)
True
"""

from __future__ import annotations

import functools
import hashlib
import json
import threading
import zlib
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any, Final

from wegly_analytics.sandbox.protocols import Choice, Fault, Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = [
    "FAULTS",
    "Bomb",
    "Broken",
    "Changed",
    "Choice",
    "Dated",
    "Drip",
    "Fault",
    "Huge",
    "Put",
    "Reply",
    "Status",
    "Times",
    "at_random",
    "parse",
    "with_field",
    "wrong_type",
]

_MEGABYTE: Final = 1 << 20
_MARK: Final = "(here)"


@dataclass(frozen=True)
class Status:
    """Answers with another status."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b'{"message": "pretended"}'

    def __call__(self, reply: Reply, honest: bytes) -> None:  # noqa: ARG002
        """Send it."""
        reply.send(self.status, self.body, self.headers)


@dataclass(frozen=True)
class Dated:
    """Answers 429 with the date from which to try again."""

    seconds: float = 1.0

    def __call__(self, reply: Reply, honest: bytes) -> None:  # noqa: ARG002
        """Send it."""
        until = format_datetime(datetime.now(UTC) + timedelta(seconds=self.seconds + 1), usegmt=True)
        reply.send(429, b'{"message": "pretended"}', {"Retry-After": until})


@dataclass(frozen=True)
class Changed:
    """Answers 200 with another body."""

    change: Callable[[bytes], bytes]
    headers: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, reply: Reply, honest: bytes) -> None:
        """Send it."""
        reply.send(200, self.change(honest), self.headers)


@dataclass(frozen=True)
class Broken:
    """Stops in the middle of the body: with a reset, or as if the answer were complete."""

    abrupt: bool

    def __call__(self, reply: Reply, honest: bytes) -> None:
        """Send half of it."""
        reply.begin(200, len(honest))
        reply.write(honest[: len(honest) // 2])
        if self.abrupt:
            reply.reset()
        else:
            reply.hang_up()


@dataclass(frozen=True)
class Drip:
    """Sends the body drop by drop, over some seconds."""

    seconds: float = 5.0
    drops: int = 50

    def __call__(self, reply: Reply, honest: bytes) -> None:
        """Send it."""
        size = -(-len(honest) // self.drops)
        reply.begin(200, len(honest))
        for start in range(0, len(honest), size):
            reply.pause(self.seconds / self.drops)
            reply.write(honest[start : start + size])


@dataclass(frozen=True)
class Huge:
    """Sends the deal with so many megabytes of padding, without ever holding them."""

    megabytes: int = 200

    def __call__(self, reply: Reply, honest: bytes) -> None:
        """Send it."""
        head, tail, chunk = b'{"padding": "', b'", ' + honest.lstrip()[1:], b"x" * _MEGABYTE
        reply.begin(200, len(head) + self.megabytes * _MEGABYTE + len(tail))
        reply.write(head)
        for _ in range(self.megabytes):
            reply.write(chunk)
        reply.write(tail)


@dataclass(frozen=True)
class Bomb:
    """Sends a small body that unpacks to so many megabytes."""

    megabytes: int = 200

    def __call__(self, reply: Reply, honest: bytes) -> None:  # noqa: ARG002
        """Send it."""
        reply.send(200, _bomb(self.megabytes), {"Content-Encoding": "gzip"})


@dataclass(frozen=True)
class Put:
    """Sends the deal with another value at a path such as ``proposals[].total``; what is missing on the way is made."""

    path: str
    value: Any

    def __call__(self, reply: Reply, honest: bytes) -> None:
        """Send it."""
        reply.send(200, self.into(honest))

    def into(self, honest: bytes) -> bytes:
        """Put the value into a body."""
        deal = json.loads(honest)
        _put(deal, self.path.split("."), self.value)
        return json.dumps(deal).encode()


@dataclass(frozen=True)
class Times:
    """Lets a fault happen so many times for each key; then answers honestly."""

    fault: Fault
    n: int
    _seen: Counter[str] = field(default_factory=Counter, repr=False, compare=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def __call__(self, reply: Reply, honest: bytes) -> None:
        """Send the fault or the honest body."""
        with self._lock:
            self._seen[reply.key] += 1
            again = self._seen[reply.key] <= self.n
        if again:
            self.fault(reply, honest)
        else:
            reply.send(200, honest)


def wrong_type(path: str, value: Any) -> Fault:
    """Send a value of the wrong type at a path.

    Parameters
    ----------
    path
        Where, from the deal's root: ``"value"``, ``"proposals[].total"``.
    value
        What to put there, such as ``"abc"``.
    """
    return Put(path, value)


def with_field(path: str, value: Any) -> Fault:
    """Send a field that nobody has heard of.

    Parameters
    ----------
    path
        Where, from the deal's root: ``"mood"``, ``"tags[].emoji"``.
    value
        What to put there.
    """
    return Put(path, value)


def at_random(rate: float, fault: Fault, seed: int = 0) -> Choice:
    """Let a share of keys meet a fault: always the same ones.

    Parameters
    ----------
    rate
        Share of keys, 0 to 1.
    fault
        What they meet.
    seed
        Which keys.
    """
    if not 0 <= rate <= 1:
        raise ValueError(f"a share of {rate:g}: give one from 0 to 1")

    def choose(key: str) -> Fault | None:
        digest = hashlib.blake2b(f"{seed} {key}".encode(), digest_size=8).digest()
        return fault if int.from_bytes(digest) < rate * 2**64 else None

    return choose


def parse(text: str) -> Choice:
    """Make a choice of faults from text.

    Parameters
    ----------
    text
        A name of `FAULTS`; ``name*2`` for twice a key and honest from then on; ``name:0.01`` for a share of the keys;
        several with commas between them, of which a key meets the first that it is chosen for.

    Returns
    -------
    callable
        Key to fault or None, as `Server` takes it.

    Raises
    ------
    ValueError
        If the text names no fault, or its number is none.
    """
    choices = [_parse_one(part.strip(), seed) for seed, part in enumerate(text.split(","))]

    def choose(key: str) -> Fault | None:
        return next((fault for each in choices if (fault := each(key)) is not None), None)

    return choose


def _parse_one(text: str, seed: int) -> Choice:
    name, _, share = text.partition(":")
    name, _, times = name.partition("*")
    if name not in FAULTS:
        raise ValueError(f"no fault is called {name!r}; there are {', '.join(FAULTS)}")
    try:
        fault = Times(FAULTS[name], int(times)) if times else FAULTS[name]
        return at_random(float(share) if share else 1.0, fault, seed)
    except ValueError:
        raise ValueError(
            f"{text!r}: write name, name*times, name:share or name*times:share, share from 0 to 1"
        ) from None


def _put(node: Any, path: list[str], value: Any) -> None:
    name, rest = path[0], path[1:]
    key, is_list = name.removesuffix("[]"), name.endswith("[]")
    if not rest:
        node[key] = [value] if is_list else value
        return
    if not node.get(key):
        node[key] = [{}] if is_list else {}
    for each in node[key] if is_list else [node[key]]:
        _put(each, rest, value)


def _marked(path: str, raw: bytes) -> Callable[[bytes], bytes]:
    """Put raw bytes at a path, JSON or not."""
    marked, mark = Put(path, _MARK), json.dumps(_MARK).encode()
    return lambda honest: marked.into(honest).replace(mark, raw)


@functools.cache
def _bomb(megabytes: int) -> bytes:
    packer = zlib.compressobj(wbits=31)
    chunk = b" " * _MEGABYTE
    parts = [packer.compress(chunk) for _ in range(megabytes)]
    return b"".join([*parts, packer.compress(b"{}"), packer.flush()])


_PAGE: Final = "<!doctype html><html><body><h1>Manutenção</h1><p>Voltamos já.</p></body></html>".encode()
_DEEP: Final = 100_000

FAULTS: Final[Mapping[str, Fault]] = {
    "error500": Status(500),
    "error503": Status(503, {"Retry-After": "1"}),
    "limited": Status(429, {"Retry-After": "1"}),
    "limited_date": Dated(),
    "limited_zero": Status(429, {"Retry-After": "0"}),
    "limited_bare": Status(429),
    "limited_rubbish": Status(429, {"Retry-After": "daqui a pouco"}),
    "unauthorized": Status(401),
    "forbidden": Status(403),
    "not_found": Status(404),
    "redirect": Status(302, {"Location": "https://elsewhere.example.com/integrations/external/deals/1"}),
    "reset": Broken(abrupt=True),
    "short": Broken(abrupt=False),
    "drip": Drip(),
    "huge": Huge(),
    "gzip_bomb": Bomb(),
    "html": Changed(lambda _: _PAGE, {"Content-Type": "text/html; charset=utf-8"}),
    "empty": Changed(lambda _: b""),
    "truncated": Changed(lambda honest: honest[: len(honest) // 2]),
    "bad_utf8": Changed(_marked("title", b'"\xff\xfe"')),
    "lone_surrogate": Put("title", "\ud800"),
    "duplicate_key": Changed(lambda honest: b'{"status": 3, ' + honest.lstrip()[1:]),
    "deep": Changed(_marked("depth", b"[" * _DEEP + b"]" * _DEEP)),
    "wrong_type": wrong_type("value", "abc"),
    "new_field": with_field("mood", {"emoji": "🙂"}),
}
"""The faults by name."""
