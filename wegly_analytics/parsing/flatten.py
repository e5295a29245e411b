"""Responses become nine Arrow tables, in bulk.

The responses of a batch are joined into newline-delimited JSON and read at once by `pyarrow.json`, with the schema
derived from the declarations. The lists inside are flattened with Arrow kernels. No Python object is created per deal.

The first field of each line is the number of the response in the batch, so a response with two objects, or half of one,
is never confused with the next one. A response without braces is not given to the reader, because the reader ends the
process with a segmentation fault if the first value is ``null``.

A batch that cannot be read is halved until the invalid response is alone. `repair` then repairs it or reports what is
wrong.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj

from wegly_analytics.errors import PayloadError
from wegly_analytics.model.schema import Column, Kind, Table, steps
from wegly_analytics.model.tables import CODE, DEAL_ID, READ, TABLES, UPDATED_AT
from wegly_analytics.parsing.repair import parse, repair, unwrapped

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_ROW: Final = "wegly_analytics:row"
"""The field that holds the number of a response."""

_SCHEMA: Final = pa.schema([pa.field(_ROW, pa.int64()), *READ.json_type])
_BLOCK: Final = 2_000
"""The number of responses read at once."""

_BLOCK_BYTES: Final = 64 << 20
"""The bytes read at once, for unusually large responses."""

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
    response: expected a JSON object, found '<html>', Expecting value at 0
    """
    flat = Flat()
    responses: dict[int, bytes] = {}
    for n, body in enumerate(bodies):
        if text := unwrapped(body):
            responses[n] = text
        else:
            flat.refused[n] = _error_of(body)
    blocks = (_read(block, flat) for block in _blocks(responses))
    rows = pa.concat_tables([_SCHEMA.empty_table(), *chain.from_iterable(blocks)])
    rows = _identified(rows, requested, flat)
    root = rows.to_struct_array().combine_chunks()
    for table in TABLES.values():
        flat.tables[table.name] = _table(table, root, flat)
    return flat


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
    except pa.ArrowInvalid as refusal:
        if len(responses) > 1:
            items = list(responses.items())
            middle = len(items) // 2
            yield from _read(dict(items[:middle]), flat)
            yield from _read(dict(items[middle:]), flat)
            return
        ((n, body),) = responses.items()
        try:
            repaired, notes = repair(body)
            yield _bulk({n: repaired})
            flat.notes[n] = notes
        except PayloadError as error:
            flat.refused[n] = error
        except pa.ArrowInvalid:
            flat.refused[n] = PayloadError("", "a readable deal", str(refusal))


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
    if not np.array_equal(table.column(_ROW).to_numpy(), np.fromiter(responses, np.int64)):
        raise pa.ArrowInvalid("a response holds more or less than one object")
    return table


def _line(n: int, body: bytes) -> tuple[bytes, bytes | memoryview, bytes]:
    """Write a response on one line, with its number as the first field, as pieces that are not copied yet.

    Raw line breaks occur only between values (inside JSON strings they are escaped), so spaces can replace them.
    """
    if b"\n" in body or b"\r" in body:
        body = body.replace(b"\n", b" ").replace(b"\r", b" ")
    is_empty = body[1:2] != b'"' and body[1:].lstrip().startswith(b"}")
    return b'{"%s":%d%s' % (_ROW.encode(), n, b"" if is_empty else b","), memoryview(body)[1:], b"\n"


def _identified(rows: pa.Table, requested: Sequence[str | None] | None, flat: Flat) -> pa.Table:
    """Refuse responses without an id or with another deal; of several versions of one deal keep the newest."""
    newest: dict[str, tuple[int, int, int]] = {}
    updated = rows.column(UPDATED_AT.path).cast(pa.int64()).fill_null(-(2**63))  # Python has no year beyond 9999
    columns = (c.to_pylist() for c in (rows.column(_ROW), rows.column(DEAL_ID.path), rows.column(CODE.path), updated))
    for row, (n, deal_id, code, updated_at) in enumerate(zip(*columns, strict=True)):
        wanted = requested[n] if requested else None
        if not (deal_id and deal_id.strip()):
            flat.refused[n] = PayloadError(DEAL_ID.path, "the deal's id", "nothing")
        elif wanted and wanted.isdigit() and code not in (None, int(wanted)):
            flat.refused[n] = PayloadError(CODE.path, f"deal {wanted}, as requested", f"deal {code}")
        elif wanted and not wanted.isdigit() and deal_id.lower() != wanted:
            flat.refused[n] = PayloadError(DEAL_ID.path, f"deal {wanted}, as requested", f"deal {deal_id}")
        else:
            flat.deal_ids[n] = deal_id
            version = (updated_at, n, row)
            newest[deal_id] = max(version, newest.get(deal_id, version))
    for n in flat.refused.keys() & flat.notes.keys():
        del flat.notes[n]
    return rows.take(pa.array(sorted(row for _, _, row in newest.values()), pa.int64()))


@dataclass(frozen=True)
class _Level:
    """The objects at one depth of the responses.

    Attributes
    ----------
    path
        Their path, such as ``"participants[]"``.
    objects
        The objects.
    above
        For each, the number of its parent on the level above.
    responses
        For each, the number of its response.
    """

    path: str
    objects: pa.StructArray
    above: pa.Array
    responses: pa.Array

    def values(self, column: Column) -> pa.Array:
        return pc.struct_field(self.objects, steps(column.path[len(self.path) :]))


def _table(table: Table, root: pa.StructArray, flat: Flat) -> pa.Table:
    """Build one table from the responses."""
    levels = [_Level("", root, pa.nulls(len(root), pa.int64()), root.field(_ROW))]
    *hops, _ = table.rows.split("[]")
    for n, hop in enumerate(hops, start=1):
        up = levels[-1]
        lists = pc.struct_field(up.objects, steps(hop))
        objects, above = _elements(lists, keep_empty=table.keep_empty and n == len(hops))
        levels.append(_Level(f"{up.path}{hop}[]", objects, above, up.responses.take(above)))
    arrays = []
    for column in table.columns:
        depth = max(n for n, level in enumerate(levels) if column.path.startswith(level.path))
        values = _converted(column, levels[depth], flat)
        for level in levels[depth + 1 :]:
            values = values.take(level.above)
        arrays.append(values)
    return pa.Table.from_arrays(arrays, schema=table.schema)


def _elements(lists: pa.ListArray, *, keep_empty: bool) -> tuple[pa.StructArray, pa.Array]:
    """Flatten lists: the elements, and for each the number of its list. Null elements are skipped."""
    objects, above = pc.list_flatten(lists), pc.list_parent_indices(lists)
    if objects.null_count:
        is_present = pc.is_valid(objects)
        objects, above = objects.filter(is_present), above.filter(is_present)
    if keep_empty:
        owners = np.asarray(above)
        empty = np.setdiff1d(np.arange(len(lists)), owners)
        order = np.argsort(np.concatenate([owners, empty]), kind="stable")
        objects = objects.take(pa.array(order, mask=order >= len(owners)))
        above = pa.array(np.concatenate([owners, empty])[order])
    return objects, above


def _converted(column: Column, level: _Level, flat: Flat) -> pa.Array:
    """Convert what was read to the type of the table; an undocumented value is noted and read as missing."""
    values = level.values(column)
    kept, expected = values, ""
    match column.kind:
        case Kind.DAY:
            kept = values.cast(pa.date32())  # the UTC day: the API writes midnight UTC
        case Kind.NUMBER:
            kept = pc.if_else(pc.is_finite(values), values, None)  # the reader accepts NaN as a number
            expected = column.kind.description
        case Kind.ENUM:
            labels = column.labels or {}
            known = pa.array(labels, pa.int64())
            kept = pa.array(labels.values()).take(pc.index_in(values, value_set=known))
            expected = "one of " + ", ".join(map(str, labels))
    if kept.null_count != values.null_count:
        odd = pc.and_(pc.is_valid(values), pc.is_null(kept))
        for n, found in zip(level.responses.filter(odd).to_pylist(), values.filter(odd).to_pylist(), strict=True):
            note = f"{column.path}: expected {expected}, found {found}; read as missing"
            flat.notes.setdefault(n, []).append(note)
    return kept
