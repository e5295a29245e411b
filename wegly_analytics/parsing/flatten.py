"""Responses become nine Arrow tables, in bulk.

The responses of a batch are joined into newline-delimited JSON and read at once by `pyarrow.json`, with the schema
derived from the declarations. The lists inside are flattened with Arrow kernels. No Python object is created per deal.

The first field of each line is the number of the response in the batch, so a response with two objects, or half of one,
is never confused with the next one. A response without braces is not given to the reader, because the reader ends the
process with a segmentation fault if the first value is ``null``.

A batch that cannot be read is halved until the invalid response is alone. `repair` then repairs it or reports what is
wrong. `unfold` makes the nine tables of what was read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.json as pj

from wegly_analytics.errors import PayloadError
from wegly_analytics.model.tables import CODE, DEAL_ID, READ, TABLES, UPDATED_AT
from wegly_analytics.parsing.repair import add_note, parse, repair, unwrapped
from wegly_analytics.parsing.unfold import ROW, in_range, oversized, unfold

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

_SCHEMA: Final = pa.schema([pa.field(ROW, pa.int64()), *READ.json_type])
_BLOCK: Final = 2_000
"""The number of responses read at once."""

_BLOCK_BYTES: Final = 64 << 20
"""The bytes read at once, for unusually large responses."""

_MAX_ID: Final = 200
"""The most characters of a deal's id; a UUID has 36."""

_UUID: Final = re.compile(r"[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}", re.ASCII | re.IGNORECASE)

_BYTES: Final = 1 << 22
"""The bytes that one thread parses at once, unless a single response is larger."""


@dataclass(frozen=True)
class Flat:
    """A batch of responses as tables.

    Attributes
    ----------
    tables
        The nine tables by name, each with its declared schema.
    deal_ids
        The deal of each response that was read, by number. If several responses are versions of one deal, the tables
        hold only the newest.
    refused
        The refused responses, by number.
    notes
        The repairs, and the values read as missing, of responses that were kept; by number.
    """

    tables: dict[str, pa.Table] = field(default_factory=dict)
    deal_ids: dict[int, str] = field(default_factory=dict)
    refused: dict[int, PayloadError] = field(default_factory=dict)
    notes: dict[int, list[str]] = field(default_factory=dict)


def flatten(bodies: Sequence[bytes], requested: Sequence[str | None] | None = None) -> Flat:
    """Turn responses into the nine tables.

    Parameters
    ----------
    bodies
        One deal's JSON each, as received.
    requested
        For each, the requested id, as `ids.deal_key` writes it; a response with another deal is refused.

    Returns
    -------
    Flat
        The tables and the outcomes: every number below ``len(bodies)`` is in `deal_ids` or in `refused`.

    Examples
    --------
    >>> flat = flatten([b'{"id": "a", "tags": [{"name": "vip"}]}', b"<html>"])
    >>> flat.tables["tags"].column("tag").to_pylist()
    ['vip']
    >>> print(flat.refused[1])
    response: expected a JSON object, found '<…', probably an HTML page, Expecting value at 0
    """
    flat = Flat()
    responses: dict[int, bytes] = {}
    for n, body in enumerate(bodies):
        if text := unwrapped(body):
            responses[n] = text
        else:
            flat.refused[n] = _error_of(body)
    blocks = [pa.concat_tables(_read(block, flat)) for block in _blocks(responses)] or [_SCHEMA.empty_table()]
    kept = _identified([_fitting(rows, responses, flat) for rows in blocks], requested, flat)
    tables = [unfold(rows, flat.notes) for rows in kept]
    flat.tables.update({name: pa.concat_tables([block[name] for block in tables]) for name in TABLES})
    return flat


def _fitting(rows: pa.Table, responses: dict[int, bytes], flat: Flat) -> pa.Table:
    """Refuse responses whose tables would be many times larger than they are."""
    sizes = {n: len(responses[n]) for n in rows.column(ROW).to_pylist()}
    refused = oversized(rows, sizes)
    flat.refused.update(refused)
    return _without(rows, refused)


def _error_of(body: bytes) -> PayloadError:
    try:
        parse(body)
    except PayloadError as error:
        return error
    raise AssertionError("a response without braces was parsed as an object")


def _blocks(responses: dict[int, bytes]) -> Iterator[dict[int, bytes]]:
    """Split the responses into blocks that fit the processor's caches."""
    block: dict[int, bytes] = {}
    size = 0
    for n, body in responses.items():
        block[n] = body
        size += len(body)
        if len(block) == _BLOCK or size > _BLOCK_BYTES:
            yield block
            block, size = {}, 0
    if block:
        yield block


def _read(responses: dict[int, bytes], flat: Flat) -> Iterator[pa.Table]:
    """Read responses in bulk; halve a batch that the reader refuses until a single response is left."""
    try:
        yield _bulk(responses)
    except pa.ArrowInvalid:
        if len(responses) > 1:
            items = list(responses.items())
            middle = len(items) // 2
            yield from _read(dict(items[:middle]), flat)
            yield from _read(dict(items[middle:]), flat)
            return
        ((n, body),) = responses.items()
        yield _repaired(n, body, flat)


def _repaired(n: int, body: bytes, flat: Flat) -> pa.Table:
    """Read a response that the reader refused, or refuse it."""
    try:
        repaired, notes = repair(body)
        rows = _bulk({n: repaired})
        if not notes:
            add_note(notes, "a field that no table keeps has a value that cannot be read; ignored")
        flat.notes[n] = notes
    except PayloadError as error:
        flat.refused[n] = error
    except pa.ArrowInvalid:  # its message may quote the response
        flat.refused[n] = PayloadError("", "a readable deal", "values that the reader refuses")
    else:
        return rows
    return _SCHEMA.empty_table()


def _bulk(responses: dict[int, bytes]) -> pa.Table:
    """Read responses at once, or raise `pyarrow.ArrowInvalid`, which does not name the response."""
    lines = pa.py_buffer(b"".join(chain.from_iterable(_line(n, body) for n, body in responses.items())))
    whole = pa.array([0, len(lines)], pa.int64()).buffers()[1]
    pa.LargeStringArray.from_buffers(1, whole, lines).validate(
        full=True
    )  # the reader does not check that text is UTF-8
    table = pj.read_json(
        pa.BufferReader(lines),
        read_options=pj.ReadOptions(block_size=max(_BYTES, 99 + max(map(len, responses.values())))),
        parse_options=pj.ParseOptions(explicit_schema=_SCHEMA, unexpected_field_behavior="ignore"),
    )
    if not np.array_equal(table.column(ROW).to_numpy(), np.fromiter(responses, np.int64)):
        raise pa.ArrowInvalid("a response holds more or less than one object")
    return table


def _line(n: int, body: bytes) -> tuple[bytes, bytes | memoryview, bytes]:
    """Write a response on one line, with its number as the first field, as pieces that are not copied yet.

    Tabs replace line breaks: between values they mean the same, and inside a text the reader refuses both.
    """
    if b"\n" in body or b"\r" in body:
        body = body.replace(b"\n", b"\t").replace(b"\r", b"\t")
    is_empty = body[1:2] != b'"' and body[1:].lstrip().startswith(b"}")
    return b'{"%s":%d%s' % (ROW.encode(), n, b"" if is_empty else b","), memoryview(body)[1:], b"\n"


def _identified(blocks: list[pa.Table], requested: Sequence[str | None] | None, flat: Flat) -> list[pa.Table]:
    """Refuse responses without an id or with another deal; of several versions of one deal keep the newest."""
    newest: dict[str, tuple[int, int]] = {}
    for rows in blocks:
        updated = in_range(rows.column(UPDATED_AT.path)).cast(pa.int64()).fill_null(-(2**63))
        columns = (
            c.to_pylist() for c in (rows.column(ROW), rows.column(DEAL_ID.path), rows.column(CODE.path), updated)
        )
        for n, deal_id, code, updated_at in zip(*columns, strict=True):
            if error := _mistaken(deal_id, code, requested[n] if requested else None):
                flat.refused[n] = error
            else:
                flat.deal_ids[n] = deal_id
                newest[deal_id] = max((updated_at, n), newest.get(deal_id, (updated_at, n)))
    for n in flat.refused.keys() & flat.notes.keys():
        del flat.notes[n]
    kept = {n for _, n in newest.values()}
    return [_without(rows, {n for n in rows.column(ROW).to_pylist() if n not in kept}) for rows in blocks]


def _without(rows: pa.Table, numbers: Collection[int]) -> pa.Table:
    """Leave out responses, by number."""
    if not numbers:
        return rows
    return rows.filter(pa.array([n not in numbers for n in rows.column(ROW).to_pylist()], pa.bool_()))


def _mistaken(deal_id: str | None, code: int | None, wanted: str | None) -> PayloadError | None:
    """Compare the id of a response with the requested one."""
    if not (deal_id and deal_id.strip()):
        return PayloadError(DEAL_ID.path, "the deal's id", "nothing")
    if len(deal_id) > _MAX_ID:
        return PayloadError(DEAL_ID.path, "the deal's id", f"a text of {len(deal_id):,} characters")
    if not deal_id.isprintable() or "\N{REPLACEMENT CHARACTER}" in deal_id:  # two such ids could become equal
        return PayloadError(DEAL_ID.path, "the deal's id", "characters that cannot be printed")
    if wanted and wanted.isdigit() and code not in (None, int(wanted)):
        return PayloadError(CODE.path, f"deal {wanted}, as requested", f"deal {code}")
    if wanted and not wanted.isdigit() and deal_id.lower() != wanted:
        found = f"deal {deal_id}" if _UUID.fullmatch(deal_id) else "another id"
        return PayloadError(DEAL_ID.path, f"deal {wanted}, as requested", found)
    return None
