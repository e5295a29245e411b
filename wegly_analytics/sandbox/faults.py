"""The faults of the sandbox's server by name, and the choice of the deals that they affect.

Faults affect only deals that exist: a gap in the codes stays a 404. `FAULTS` names all faults; `parse` reads them
from text.

Examples
--------
>>> choose = parse("reset:0.5")
>>> sum(choose(str(code)) is not None for code in range(1_000)) in range(450, 550)
True
"""

from __future__ import annotations

import gzip
import hashlib
from typing import TYPE_CHECKING, Any, Final

from wegly_analytics.sandbox.fault_kinds import (
    Bomb,
    Broken,
    Changed,
    Dated,
    Drip,
    Huge,
    Status,
    Times,
    ValueAt,
    raw_at,
)
from wegly_analytics.sandbox.protocols import Choice, Fault, ResponseWriter

if TYPE_CHECKING:
    from collections.abc import Mapping

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
    "ResponseWriter",
    "Status",
    "Times",
    "ValueAt",
    "at_random",
    "parse",
    "with_field",
    "wrong_type",
]

_PAGE: Final = "<!doctype html><html><body><h1>Manutenção</h1><p>Voltamos já.</p></body></html>".encode()
_DEPTH: Final = 100_000


def wrong_type(path: str, value: Any) -> Fault:
    """Send a value of the wrong type at a path.

    Parameters
    ----------
    path
        Path from the deal's root: ``"value"``, ``"proposals[].total"``.
    value
        The value to send there, such as ``"abc"``.
    """
    return ValueAt(path, value)


def with_field(path: str, value: Any) -> Fault:
    """Send a field that is not documented.

    Parameters
    ----------
    path
        Path from the deal's root: ``"mood"``, ``"tags[].emoji"``.
    value
        The value to send there.
    """
    return ValueAt(path, value)


def at_random(rate: float, fault: Fault, seed: int = 0) -> Choice:
    """Apply a fault to a share of the requested ids: always the same ids.

    Parameters
    ----------
    rate
        Share of ids, 0 to 1.
    fault
        The fault that they meet.
    seed
        Another seed chooses other ids.
    """
    if not 0 <= rate <= 1:
        raise ValueError(f"rate={rate:g}: give a share of the ids, from 0 to 1")

    def choose(requested_id: str) -> Fault | None:
        digest = hashlib.blake2b(f"{seed} {requested_id}".encode(), digest_size=8).digest()
        return fault if int.from_bytes(digest) < rate * 2**64 else None

    return choose


def parse(text: str) -> Choice:
    """Read a choice of faults from text.

    Parameters
    ----------
    text
        A name of `FAULTS`; ``name*2`` for twice per id and correct responses from then on; ``name:0.01`` for a share of
        the ids; several separated by commas, of which an id meets the first that it is chosen for.

    Returns
    -------
    callable
        From a requested id to a fault or None, as `Server` takes it.

    Raises
    ------
    ValueError
        If the text names an unknown fault, or its number is not valid.
    """
    choices = [_parse_one(part.strip(), seed) for seed, part in enumerate(text.split(","))]

    def choose(requested_id: str) -> Fault | None:
        return next((fault for choice in choices if (fault := choice(requested_id)) is not None), None)

    return choose


def _parse_one(text: str, seed: int) -> Choice:
    name, _, share = text.partition(":")
    name, _, times = name.partition("*")
    if name not in FAULTS:
        raise ValueError(f"no fault is called {name!r}; use one of {', '.join(FAULTS)}")
    try:
        fault = Times(FAULTS[name], int(times)) if times else FAULTS[name]
        return at_random(float(share) if share else 1.0, fault, seed)
    except ValueError:
        raise ValueError(
            f"{text!r}: write name, name*times, name:share or name*times:share, share from 0 to 1"
        ) from None


def _with_keys(body: bytes, n: int, different: int) -> bytes:
    return b"{" + b"".join(b'"key%d": 0, ' % (k % different) for k in range(n)) + body.lstrip()[1:]


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
    "truncated": Changed(lambda body: body[: len(body) // 2]),
    "bad_utf8": Changed(raw_at("title", b'"\xff\xfe"')),
    "lone_surrogate": ValueAt("title", "\ud800"),
    "duplicate_key": Changed(lambda body: b'{"status": 3, ' + body.lstrip()[1:]),
    "deep": Changed(raw_at("depth", b"[" * _DEPTH + b"]" * _DEPTH)),
    "spaces": Changed(lambda _: b" " * _DEPTH),
    "list": Changed(lambda body: b"[" + body + b"]"),
    "two_objects": Changed(lambda body: body + body),
    "utf16": Changed(lambda body: body.decode().encode("utf-16")),
    "gzip_inside": Changed(gzip.compress),
    "no_id": wrong_type("id", None),
    "long_id": wrong_type("id", "x" * _DEPTH),
    "other_deal": wrong_type("code", 10**12),
    "repeated_keys": Changed(lambda body: _with_keys(body, 60_000, 30_000)),
    "many_keys": Changed(lambda body: _with_keys(body, 100_000, 100_000)),
    "long_key": with_field("k" * _DEPTH, 1),
    "surrogate_key": with_field("\ud800", 1),
    "nulls": wrong_type("tags", [None] * _DEPTH),
    "year_zero": wrong_type("created_at", "0000-01-01T00:00:00Z"),
    "year_9999": wrong_type("updated_at", "9999-12-31T23:59:59-05:00"),
    "no_date": wrong_type("won_date", "0000-00-00"),
    "nan": Changed(raw_at("value", b"NaN")),
    "infinity": Changed(raw_at("value", b"1e400")),
    "long_number": Changed(raw_at("value", b"9" * _DEPTH)),
    "wrong_type": wrong_type("value", "abc"),
    "new_field": with_field("mood", {"emoji": "🙂"}),
}
"""The faults by name."""
