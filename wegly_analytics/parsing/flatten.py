"""Answers become nine Arrow tables, in bulk.

The answers of a batch are joined into newline-delimited JSON and read at once by `pyarrow.json` with the schema that
the declarations give; the lists inside are taken apart with Arrow kernels. No Python object is made per deal.

Two precautions make the bulk way safe. Each answer gets its number in the batch as its first field, so that an answer
which holds two objects, or half of one, can never pass for its neighbour. And an answer that is not even in braces
never reaches the reader, which ends the process with a segmentation fault when its first value is ``null``.

A batch that the reader refuses is halved until the culprit stands alone; that one is given to `diagnosis`, which
repairs it or says what is wrong.
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
from wegly_analytics.parsing.repair import mend, parse, unwrapped

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_ROW: Final = "wegly_analytics:row"
"""The field that carries an answer's number."""

_SCHEMA: Final = pa.schema([pa.field(_ROW, pa.int64()), *READ.read])
_BLOCK: Final = 2_000
"""Answers that are read at once."""

_BLOCK_BYTES: Final = 64 << 20
"""The same in bytes, for answers that are unusually large."""

_BYTES: Final = 1 << 22
"""What one thread parses at once, unless a single answer is larger."""


@dataclass(frozen=True)
class Flat:
    """A batch of answers as tables.

    Attributes
    ----------
    tables
        The nine tables by name, each with its declared schema.
    deal_ids
        The deal in each answer that was read, by number. Where several answers are versions of one deal, only the
        newest is in the tables.
    refused
        The answers set aside, by number.
    notes
        What was repaired, or had to be read as missing, in answers that were kept; by number.
    """

    tables: dict[str, pa.Table] = field(default_factory=dict)
    deal_ids: dict[int, str] = field(default_factory=dict)
    refused: dict[int, PayloadError] = field(default_factory=dict)
    notes: dict[int, list[str]] = field(default_factory=dict)


def flatten(bodies: Sequence[bytes], requested: Sequence[str | None] | None = None) -> Flat:
    """Turn answers into the nine tables.

    Parameters
    ----------
    bodies
        One deal's JSON each, as it came.
    requested
        For each, the id it was requested with, as `ids.deal_key` writes it; an answer about another deal is set aside.

    Returns
    -------
    Flat
        The tables, and what became of each answer: every number below ``len(bodies)`` is in `deal_ids` or in `refused`.

    Examples
    --------
    >>> flat = flatten([b'{"id": "a", "tags": [{"name": "vip"}]}', b"<html>"])
    >>> flat.tables["tags"].column("tag").to_pylist()
    ['vip']
    >>> print(flat.refused[1])
    response: expected a JSON object, found '<html>', Expecting value at 0
    """
    flat = Flat()
    answers: dict[int, bytes] = {}
    for n, body in enumerate(bodies):
        if text := unwrapped(body):
            answers[n] = text
        else:
            flat.refused[n] = _verdict(body)
    blocks = (_read(block, flat) for block in _blocks(answers))
    rows = pa.concat_tables([_SCHEMA.empty_table(), *chain.from_iterable(blocks)])
    rows = _identified(rows, requested, flat)
    root = rows.to_struct_array().combine_chunks()
    for table in TABLES.values():
        flat.tables[table.name] = _table(table, root, flat)
    return flat


def _verdict(body: bytes) -> PayloadError:
    try:
        parse(body)
    except PayloadError as error:
        return error
    raise AssertionError("an answer that is not in braces was taken for an object")


def _blocks(answers: dict[int, bytes]) -> Iterator[dict[int, bytes]]:
    """Cut the answers into pieces that the processor's caches and the allocator deal with well."""
    block: dict[int, bytes] = {}
    size = 0
    for n, body in answers.items():
        block[n] = body
        size += len(body)
        if len(block) == _BLOCK or size > _BLOCK_BYTES:
            yield block
            block, size = {}, 0
    if block:
        yield block


def _read(answers: dict[int, bytes], flat: Flat) -> Iterator[pa.Table]:
    """Read answers in bulk; where the reader refuses, halve until the culprit stands alone."""
    try:
        yield _bulk(answers)
    except pa.ArrowInvalid as refusal:
        if len(answers) > 1:
            items = list(answers.items())
            middle = len(items) // 2
            yield from _read(dict(items[:middle]), flat)
            yield from _read(dict(items[middle:]), flat)
            return
        ((n, body),) = answers.items()
        try:
            mended, notes = mend(body)
            yield _bulk({n: mended})
            flat.notes[n] = notes
        except PayloadError as error:
            flat.refused[n] = error
        except pa.ArrowInvalid:
            flat.refused[n] = PayloadError("", "a readable deal", str(refusal))


def _bulk(answers: dict[int, bytes]) -> pa.Table:
    """Read answers at once, or raise `pyarrow.ArrowInvalid` without naming a culprit."""
    lines = pa.py_buffer(b"".join(chain.from_iterable(_line(n, body) for n, body in answers.items())))
    whole = pa.array([0, len(lines)], pa.int64()).buffers()[1]
    pa.LargeStringArray.from_buffers(1, whole, lines).validate(full=True)  # the reader takes any bytes for text
    table = pj.read_json(
        pa.BufferReader(lines),
        read_options=pj.ReadOptions(block_size=max(_BYTES, 99 + max(map(len, answers.values())))),
        parse_options=pj.ParseOptions(explicit_schema=_SCHEMA, unexpected_field_behavior="ignore"),
    )
    if not np.array_equal(table.column(_ROW).to_numpy(), np.fromiter(answers, np.int64)):
        raise pa.ArrowInvalid("an answer holds more, or less, than one object")
    return table


def _line(n: int, body: bytes) -> tuple[bytes, bytes | memoryview, bytes]:
    """Put an answer on one line, with its number as first field, in pieces that are not copied yet.

    Raw line breaks stand between values only (inside JSON strings they are escaped), so spaces do as well.
    """
    if b"\n" in body or b"\r" in body:
        body = body.replace(b"\n", b" ").replace(b"\r", b" ")
    is_empty = body[1:2] != b'"' and body[1:].lstrip().startswith(b"}")
    return b'{"%s":%d%s' % (_ROW.encode(), n, b"" if is_empty else b","), memoryview(body)[1:], b"\n"


def _identified(rows: pa.Table, requested: Sequence[str | None] | None, flat: Flat) -> pa.Table:
    """Set aside answers without an id or about another deal; of several versions of one deal keep the newest."""
    newest: dict[str, tuple[int, int, int]] = {}
    updated = rows.column(UPDATED_AT.path).cast(pa.int64()).fill_null(-(2**63))  # Python's years end at 9999
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
    """The objects at one depth of the answers.

    Attributes
    ----------
    path
        Where they stand, such as ``"participants[]"``.
    objects
        The objects themselves.
    above
        For each, the number of the object on the level above that it belongs to.
    answers
        For each, the number of its answer.
    """

    path: str
    objects: pa.StructArray
    above: pa.Array
    answers: pa.Array

    def values(self, column: Column) -> pa.Array:
        return pc.struct_field(self.objects, steps(column.path[len(self.path) :]))


def _table(table: Table, root: pa.StructArray, flat: Flat) -> pa.Table:
    """Cut one table out of the answers."""
    levels = [_Level("", root, pa.nulls(len(root), pa.int64()), root.field(_ROW))]
    *hops, _ = table.rows.split("[]")
    for n, hop in enumerate(hops, start=1):
        up = levels[-1]
        lists = pc.struct_field(up.objects, steps(hop))
        objects, above = _elements(lists, keep_empty=table.keep_empty and n == len(hops))
        levels.append(_Level(f"{up.path}{hop}[]", objects, above, up.answers.take(above)))
    arrays = []
    for column in table.columns:
        depth = max(n for n, level in enumerate(levels) if column.path.startswith(level.path))
        values = _keep(column, levels[depth], flat)
        for level in levels[depth + 1 :]:
            values = values.take(level.above)
        arrays.append(values)
    return pa.Table.from_arrays(arrays, schema=table.schema)


def _elements(lists: pa.ListArray, *, keep_empty: bool) -> tuple[pa.StructArray, pa.Array]:
    """Take lists apart: the elements, and for each the number of its list. A null element is no element."""
    objects, above = pc.list_flatten(lists), pc.list_parent_indices(lists)
    if objects.null_count:
        there = pc.is_valid(objects)
        objects, above = objects.filter(there), above.filter(there)
    if keep_empty:
        owners = np.asarray(above)
        childless = np.setdiff1d(np.arange(len(lists)), owners)
        order = np.argsort(np.concatenate([owners, childless]), kind="stable")
        objects = objects.take(pa.array(order, mask=order >= len(owners)))
        above = pa.array(np.concatenate([owners, childless])[order])
    return objects, above


def _keep(column: Column, level: _Level, flat: Flat) -> pa.Array:
    """Turn what was read into what is kept; a value that is not what was promised is noted and read as missing."""
    values = level.values(column)
    kept, expected = values, ""
    match column.kind:
        case Kind.DAY:
            kept = values.cast(pa.date32())  # the UTC day: the API writes midnight UTC
        case Kind.NUMBER:
            kept = pc.if_else(pc.is_finite(values), values, None)  # the reader takes NaN for a number
            expected = column.kind.says
        case Kind.WORD:
            words = column.words or {}
            known = pa.array(words, pa.int64())
            kept = pa.array(words.values()).take(pc.index_in(values, value_set=known))
            expected = "one of " + ", ".join(map(str, words))
    if kept.null_count != values.null_count:
        odd = pc.and_(pc.is_valid(values), pc.is_null(kept))
        for n, found in zip(level.answers.filter(odd).to_pylist(), values.filter(odd).to_pylist(), strict=True):
            note = f"{column.path}: expected {expected}, found {found}; read as missing"
            flat.notes.setdefault(n, []).append(note)
    return kept
