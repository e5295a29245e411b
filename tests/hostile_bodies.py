"""A table of hostile responses: what a server may send in place of a deal, and the expected outcome of each.

Each is one valid deal after one change: another value at a path, another key, or another body.
"""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pandas as pd
from server_side import uuid_of
from strategies import TAKEN_AT, body

import wegly_analytics as wa
from wegly_analytics.intake.build import Response, SnapshotBuilder
from wegly_analytics.model.tables import TABLES
from wegly_analytics.sandbox.fault_kinds import raw_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from wegly_analytics.snapshot.snapshot import Snapshot

    Change = Callable[[bytes], bytes]

MARK: Final = "Ana Lima"
"""Stands in texts that may hold personal data: no message repeats it."""

_DATE: Final = "2026-03-01T00:00:00Z"
_PLACE: Final = "(here)"


def deal(code: int) -> dict[str, Any]:
    """A valid deal with a row in most tables."""
    person = {"id": "p", "name": MARK, "contacts": [{"id": "c", "value": MARK, "primary": True}]}
    return {
        "id": uuid_of(code),
        "code": code,
        "title": MARK,
        "status": 1,
        "value": 12.5,
        "created_at": _DATE,
        "updated_at": _DATE,
        "expected_close_date": _DATE,
        "stage": {"id": "s", "name": "New", "pipeline": {"id": "l", "name": "Sales"}},
        "participants": [{"id": "a", "person": person}],
        "custom_fields": [{"field_id": "f", "answers": [{"id": "w", "value": MARK}]}],
        "tags": [{"id": "t", "name": "vip"}],
        "proposals": [{"id": "o", "total": 10, "is_primary": True, "valid_until": _DATE}],
    }


PLACES: Final = (
    "id",
    "code",
    "status",
    "value",
    "proposals[].total",
    "proposals[].is_primary",
    "updated_at",
    "expected_close_date",
    "title",
    "participants[].person.name",
    "participants[].person.contacts[].value",
    "stage",
    "stage.pipeline",
    "tags",
    "tags[]",
    "created_by.avatar",
    "unknown",
)
"""Where the values below are put."""

_N: Final = 20_000

VALUES: Final = {
    # name: (value, outcome at each of PLACES: f = fetched, u = unreadable)
    "null": (b"null", "uffffffffffffffff"),
    "empty text": (b'""', "uffffffffffffffff"),
    "half a character": (rb'"\ud800"', "uuuuuuuufffuuuuff"),
    "NUL": (rb'"\u0000"', "uuuuuuuufffuuuuff"),
    "control characters": (rb'"\u0001\u001b[31m\r\n\u202e"', "uuuuuuuufffuuuuff"),
    "raw NUL": (b'"\x00"', "uuuuuuuuuuuuuuuuu"),
    "not UTF-8": (b'"\xff\xfe"', "uuuuuuuuuuuuuuuuu"),
    "surrogate as UTF-8": (b'"\xed\xa0\x80"', "uuuuuuuuuuuuuuuuu"),
    "long text": (b'"' + b"x" * _N + b'"', "uuuuuuuufffuuuuff"),
    "NaN": (b"NaN", "uuuffuuufffuuuuff"),
    "infinity": (b"-Infinity", "uuuffuuufffuuuuff"),
    "beyond double precision": (b"1e400", "fuuffuuufffuuuuff"),
    "huge exponent": (b"1e999999999999", "fuuffuuufffuuuuff"),
    "2^63": (b"9223372036854775808", "fuuffuuufffuuuuff"),
    "long number": (b"9" * _N, "uuuffuuufffuuuuff"),
    "long fraction": (b"0." + b"1" * _N, "uuuffuuufffuuuuff"),
    "negative zero": (b"-0.0", "fuffffuufffuuuuff"),
    "year 0": (b'"0000-01-01T00:00:00Z"', "fuuuuufffffuuuuff"),
    "no date": (b'"0000-00-00"', "fuuuuufffffuuuuff"),
    "year 10000": (b'"10000-01-01T00:00:00Z"', "fuuuuufffffuuuuff"),
    "year 9999": (b'"9999-12-31T23:59:59-05:00"', "fuuuuufffffuuuuff"),
    "leap second": (b'"2016-12-31T23:59:60Z"', "fuuuuufffffuuuuff"),
    "30 February": (b'"2026-02-30"', "fuuuuuuufffuuuuff"),
    "object": (b'{"x": "' + MARK.encode() + b'"}', "uuuuuuuuuuuffufff"),
    "list": (b'["' + MARK.encode() + b'"]', "uuuuuuuuuuuuuuuff"),
    "nulls": (b"[" + b",".join([b"null"] * _N) + b"]", "uuuuuuuuuuuuufuff"),
    "deep": (b"[" * _N + b"]" * _N, "uuuuuuuuuuuuuuuff"),
}
"""Values, and their outcome at each of `PLACES`: f for fetched, u for unreadable."""


KEYS: Final = {
    "half a character": rb"\ud800",
    "NUL": rb"\u0000",
    "control characters": rb"\u001b[31m\n",
    "empty": b"",
    "long": b"k" * 1_000_000,
    "a path": b"stage.name",
    "a path in a list": b"tags[].name",
    "a property of JavaScript": b"__proto__",
    "another case": b"Title",
    "full width": "ｔｉｔｌｅ".encode(),
    "a name": MARK.encode(),
    "the reader's own": b"wegly_analytics:row",
    "escaped": rb"\u0075nknown",
}
"""Undocumented keys: none costs the deal."""

KEY_PLACES: Final = ("", "stage", "tags[]", "participants[].person", "proposals[]")


def _add(addition: bytes) -> Change:
    return lambda valid: valid[:-1] + b", " + addition + b"}"


BODIES: Final[dict[str, tuple[Change, str]]] = {
    "empty": (lambda _: b"", "u"),
    "spaces": (lambda _: b" " * 1_000_000, "u"),
    "spaces around": (lambda valid: b" \t\r\n" * 50_000 + valid + b" \t\r\n" * 50_000, "f"),
    "leading NULs": (lambda valid: b"\0\0" + valid, "u"),
    "trailing NULs": (lambda valid: valid + b"\0\0", "u"),
    "no fields": (lambda _: b"{}", "u"),
    "spaces in braces": (lambda _: b"{ \t }", "u"),
    "null": (lambda _: b"null", "u"),
    "a number": (lambda _: b"17", "u"),
    "a text": (lambda _: b'"Ana Lima"', "u"),
    "a list": (lambda valid: b"[" + valid + b"]", "u"),
    "an empty list": (lambda _: b"[]", "u"),
    "an envelope": (lambda valid: b'{"data": ' + valid + b"}", "u"),
    "an error": (lambda _: b'{"message": "Ana Lima"}', "u"),
    "two objects": (lambda valid: valid + valid, "u"),
    "two lines": (lambda valid: valid + b"\n" + valid, "u"),
    "two objects with a comma": (lambda valid: valid + b"," + valid, "u"),
    "an object and the next row": (lambda valid: valid + b'{"wegly_analytics:row": 1, "id": "evil"}', "u"),
    "an empty object before": (lambda valid: b"{}" + valid, "u"),
    "an object and null": (lambda valid: valid + b" null {}", "u"),
    "half": (lambda valid: valid[: len(valid) // 2], "u"),
    "half with a brace": (lambda valid: valid[: len(valid) // 2] + b"}", "u"),
    "the other half": (lambda valid: b"{" + valid[len(valid) // 2 :], "u"),
    "without the first brace": (lambda valid: valid[1:], "u"),
    "a brace too many": (lambda valid: valid + b"}", "u"),
    "open text": (lambda valid: valid[:-1] + b', "x": "}', "u"),
    "open list": (lambda valid: valid[:-1] + b', "x": [{}', "u"),
    "braces only": (lambda _: b"{" * 20_000 + b"}" * 20_000, "u"),
    "a comment": (lambda valid: valid[:-1] + b"/* x */}", "u"),
    "a comma at the end": (lambda valid: valid[:-1] + b",}", "u"),
    "a comma at the start": (lambda valid: b"{," + valid[1:], "u"),
    "single quotes": (lambda valid: valid.replace(b'"', b"'"), "u"),
    "a byte order mark": (lambda valid: b"\xef\xbb\xbf" + valid, "f"),
    "two byte order marks": (lambda valid: b"\xef\xbb\xbf" * 2 + valid, "u"),
    "UTF-16": (lambda valid: valid.decode().encode("utf-16"), "u"),
    "UTF-16 without a mark": (lambda valid: valid.decode().encode("utf-16-le"), "u"),
    "UTF-32": (lambda valid: valid.decode().encode("utf-32"), "u"),
    "gzip inside": (gzip.compress, "u"),
    "an HTML page": (lambda _: b"<html><title>Ana Lima</title></html>", "u"),
    "indented": (lambda valid: json.dumps(json.loads(valid), indent=1).replace("\n", "\r\n").encode(), "f"),
    "line breaks in a text": (_add(b'"x": "a\nb"'), "u"),
    "another deal": (lambda _: body(deal(1_000_001)), "u"),
    "another deal without a code": (lambda _: b'{"id": "' + uuid_of(1_000_002).encode() + b'"}', "f"),
    "without id": (lambda valid: valid.replace(b'"id"', b'"ID"', 1), "u"),
    "id twice": (_add(b'"id": "x"'), "u"),
    "code twice, with one value": (lambda valid: valid[:-1] + b", " + valid[1:].split(b", ")[1] + b"}", "f"),
    "60,000 repeated keys": (_add(b", ".join(b'"k%d": 0' % (n // 2) for n in range(60_000))), "f"),
    "60,000 times one key": (_add(b", ".join([b'"k": 0'] * 60_000)), "f"),
    "documented keys repeated": (_add(b", ".join([b'"archived_at": ""'] * 60_000)), "f"),
    "100,000 undocumented keys": (_add(b", ".join(b'"k%d": 0' % n for n in range(100_000))), "f"),
    "100,000 repairs": (_add(b'"followers": [' + b", ".join([b'{"role": ""}'] * 100_000) + b"]"), "f"),
    "1,000,000 nulls": (_add(b'"followers": [' + b",".join([b"null"] * 1_000_000) + b"]"), "f"),
    "a long id on many rows": (
        lambda valid: valid.replace(b'"id": "a"', b'"id": "%s"' % (b"a" * 50_000), 1).replace(
            b'"contacts": [', b'"contacts": [' + b"{}, " * 50_000
        ),
        "u",
    ),
    "a long name of a field on many rows": (
        lambda valid: valid.replace(
            b'"answers": [', b'"field_name": "%s", "answers": [' % (b"a" * 50_000) + b"{}, " * 50_000
        ),
        "u",
    ),
    "deep in a field that is ignored": (_add(b'"x": ' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000), "f"),
    "random bytes": (lambda _: bytes(range(256)) * 100, "u"),
    "random bytes in braces": (lambda _: b"{" + bytes(range(256)) * 100 + b"}", "u"),
}
"""Bodies, each with its outcome."""


@dataclass(frozen=True)
class Hostile:
    """One row of the table: what is sent in place of a valid deal, and whether the deal is ``fetched`` nevertheless."""

    name: str
    change: Change
    outcome: str


def hostile_responses() -> list[Hostile]:
    """List the whole table."""
    outcomes = {"f": "fetched", "u": "unreadable"}
    rows = [Hostile(name, change, outcomes[outcome]) for name, (change, outcome) in BODIES.items()]
    for name, (value, each) in VALUES.items():
        rows += [
            Hostile(f"{name} at {place}", raw_at(place, value), outcomes[outcome])
            for place, outcome in zip(PLACES, each, strict=True)
        ]
    for name, key in KEYS.items():
        for place in KEY_PLACES:
            rows.append(Hostile(f"key {name} in {place or 'the deal'}", _with_key(place, key), "fetched"))
    return rows


def _with_key(place: str, key: bytes) -> Change:
    inner = raw_at(f"{place}.{_PLACE}" if place else _PLACE, b"1")
    return lambda valid: inner(valid).replace(_PLACE.encode(), key)


def snapshot_with(hostile: Iterable[Hostile]) -> Snapshot:
    """Build a snapshot in which a valid deal stands between any two hostile responses."""
    builder = SnapshotBuilder()
    for n, each in enumerate(hostile):
        for code, change in ((2 * n + 1, each.change), (2 * n + 2, None)):
            sent = body(deal(code))
            sent = change(sent) if change else sent
            builder.add(code, Response(str(code), "fetched", TAKEN_AT, 200, body=sent))
    return builder.snapshot(TAKEN_AT)


def check(snap: Snapshot, hostile: list[Hostile], folder: Path) -> None:
    """Compare outcomes with the table, other deals with what they are alone, and the snapshot with what is on disk."""
    ledger = snap.ledger.set_index("requested")
    codes = {str(2 * n + 1): each for n, each in enumerate(hostile)}
    wrong = {
        each.name: tuple(ledger.loc[code, ["outcome", "message"]])
        for code, each in codes.items()
        if ledger.loc[code, "outcome"] != each.outcome
    }
    assert not wrong
    messages = ledger.loc[list(codes), "message"].dropna()
    assert not messages.str.contains(MARK).any()
    assert (messages.str.len() < 5_000).all()
    assert messages.map(str.isprintable).all()
    others = [code for code in ledger.index if code not in codes]
    alone = SnapshotBuilder()
    for code in others:
        alone.add(int(code), Response(code, "fetched", TAKEN_AT, 200, body=body(deal(int(code)))))
    undisturbed = alone.snapshot(TAKEN_AT)
    ids = set(undisturbed.deals["deal_id"])
    for name in TABLES:
        table = getattr(snap, name)
        kept = table[table["deal_id"].isin(ids)].reset_index(drop=True)
        pd.testing.assert_frame_equal(kept, getattr(undisturbed, name))
    _check_published(snap, folder)


def _check_published(snap: Snapshot, folder: Path) -> None:
    snap.save(folder, personal="keep", allow_incomplete=True)
    assert wa.verify(folder).empty
    loaded = wa.load(folder)
    pd.testing.assert_frame_equal(loaded.drift, snap.drift)
    scans = [wa.scan(folder, engine="duckdb"), wa.scan(folder, engine="polars")]
    for name in [*TABLES, "ledger"]:
        expected = getattr(snap, name)
        for other in (loaded, *scans):
            pd.testing.assert_frame_equal(getattr(other, name), expected, check_exact=True)
