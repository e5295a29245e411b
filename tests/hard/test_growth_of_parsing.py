"""The time for one response grows with its size, whatever it repeats, nests or piles up."""

from __future__ import annotations

import gc
import time
from typing import TYPE_CHECKING, Final

import pytest
from strategies import TAKEN_AT

from wegly_analytics.intake.build import Response, SnapshotBuilder

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.hard


def _deal(rest: bytes, wrong: bool = True) -> bytes:
    """A deal with one value that the bulk reader refuses, so that `repair` must read it, too."""
    return b'{"id": "a", %s%s}' % (b'"code": "1", ' if wrong else b'"code": 1, ', rest)


def _list(n: int, item: bytes) -> bytes:
    return b"[" + b",".join([item] * n) + b"]"


RESPONSES: Final[dict[str, Callable[[int], bytes]]] = {
    "repeated keys": lambda n: _deal(b",".join(b'"k%d": 0' % (k // 2) for k in range(n))),
    "one key repeated": lambda n: _deal(b",".join([b'"value": 1'] * n)),
    "repeated keys with lists": lambda n: _deal(b",".join([b'"tags": ' + _list(100, b"{}")] * (n // 100))),
    "undocumented keys": lambda n: _deal(b",".join(b'"k%d": 0' % k for k in range(n))),
    "undocumented keys read in bulk": lambda n: _deal(b",".join(b'"k%d": 0' % k for k in range(n)), wrong=False),
    "undocumented keys in a list": lambda n: _deal(
        b'"tags": [' + b",".join(b'{"k%d": 0}' % k for k in range(n)) + b"]"
    ),
    "a long text": lambda n: _deal(b'"title": "' + b"x" * 50 * n + b'"'),
    "a long text of escapes": lambda n: _deal(b'"title": "' + rb"\"" * 20 * n + b'"'),
    "a long undocumented text": lambda n: _deal(b'"x": "' + rb"\ud83d\ude42" * 5 * n + b'"'),
    "a long key": lambda n: _deal(b'"' + b"x" * 50 * n + b'": 0'),
    "a long id": lambda n: b'{"id": "' + b"x" * 50 * n + b'"}',
    "a long number": lambda n: _deal(b'"value": ' + b"9" * 20 * n),
    "a long number in text": lambda n: _deal(b'"value": "' + b"9" * 20 * n + b'"'),
    "a long code": lambda n: _deal(b'"views_count": "' + b"0" * 20 * n + b'1"'),
    "a long exponent": lambda n: _deal(b'"value": 1e' + b"9" * 20 * n),
    "a long fraction": lambda n: _deal(b'"value": 0.' + b"1" * 20 * n),
    "a long date": lambda n: _deal(b'"won_date": "' + b" " * 20 * n + b'2026-01-01"'),
    "a date of digits": lambda n: _deal(b'"won_date": "' + b"2" * 20 * n + b'"'),
    "many tags": lambda n: _deal(b'"tags": ' + _list(n, b'{"name": "x", "id": "1"}')),
    "many repairs": lambda n: _deal(b'"tags": ' + _list(n, b'{"name": 5}')),
    "many values read as missing": lambda n: _deal(b'"proposals": ' + _list(n, b'{"total": NaN}'), wrong=False),
    "many nulls": lambda n: _deal(b'"tags": ' + _list(n, b"null")),
    "participants with contacts": lambda n: _deal(
        b'"participants": '
        + _list(n // 10, b'{"id": "p", "person": {"contacts": ' + _list(10, b'{"value": "x"}') + b"}}")
    ),
    "a long id with contacts": lambda n: _deal(
        b'"participants": [{"id": "%s", "person": {"contacts": %s}}]' % (b"p" * 5 * n, _list(n, b"{}"))
    ),
    "fields with answers": lambda n: _deal(
        b'"custom_fields": ' + _list(n // 10, b'{"field_id": "f", "answers": ' + _list(10, b'{"value": "x"}') + b"}")
    ),
    "deep": lambda n: _deal(b'"x": ' + b"[" * 5 * n + b"]" * 5 * n),
    "deep objects read in bulk": lambda n: _deal(b'"x": ' + b'{"a":' * 5 * n + b"1" + b"}" * 5 * n, wrong=False),
    "brackets in a text": lambda n: _deal(b'"x": "' + b"[{" * 20 * n + b'"'),
    "spaces": lambda n: _deal(b" " * 50 * n + b'"x": 0'),
    "line breaks": lambda n: _deal(b"\n\r" * 20 * n + b'"x": 0'),
    "two objects": lambda n: _deal(b'"x": 0') * n,
    "cut off": lambda n: _deal(b'"tags": ' + _list(n, b'{"name": "x"}'))[:-3] + b"}",
}


def _seconds(response: bytes) -> float:
    builder = SnapshotBuilder()
    builder.add(0, Response("1", "fetched", TAKEN_AT, 200, body=response, check_id=False))
    gc.collect()
    gc.disable()  # it runs at sizes of its own
    try:
        start = time.process_time()
        builder.snapshot(TAKEN_AT)
        return time.process_time() - start
    finally:
        gc.enable()


@pytest.mark.parametrize("name", RESPONSES)
def test_twice_the_size_takes_twice_the_time(name: str) -> None:
    small, large = RESPONSES[name](20_000), RESPONSES[name](40_000)
    assert 1.6 < len(large) / len(small) < 2.2
    ratios = (_seconds(large) / _seconds(small) for _ in range(8))
    assert any(ratio < 2.7 for ratio in ratios), "in each of eight trials it took nearly three times as long"
    assert _seconds(large) < 1 + len(large) / 1e6
