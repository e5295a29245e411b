"""Lines of responses become rows of nested JSON, in bulk; what the bulk reader refuses is read alone, or repaired.

`pyarrow.json` reads all lines at once with the schema derived from the declarations. It also infers the types of fields
that no table keeps, which shows every undocumented field of every response. Inference is switched off where it could
harm: it needs time and memory for each pair of a row and an undocumented key, and ends the process at deep nesting.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.json as pj

from wegly_analytics.errors import PayloadError
from wegly_analytics.model.tables import READ
from wegly_analytics.parsing.drift import Drift
from wegly_analytics.parsing.lines import PIECE_BYTES, Lines
from wegly_analytics.parsing.repair import add_note, parse, repair, unwrapped

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wegly_analytics.model.schema import Node

ROW: Final = "wegly_analytics:row"
"""The field that holds the number of a response."""

LOOK_AT_FIRST: Final = 200
"""The responses of an intake that are compared with the documentation one by one, so that fields sent as null count."""

LOOK_AT_ALL: Final = 2_000
LOOK_AT_EVERY: Final = 20
"""Without inference, each of the first responses is compared with the documentation, then every twentieth."""

_MAX_BYTES: Final = 2 * PIECE_BYTES
"""The bytes of a piece up to which types are inferred: a response may have a new key every few bytes."""

_MAX_OPENINGS: Final = 500
"""The braces and brackets of a response up to which types are inferred; a thread's stack may hold 1,000 levels."""

_MAX_INFERRED: Final = 100
"""The undocumented fields in one piece beyond which types are no longer inferred: their names probably hold data."""

_FIELDS: Final = list(READ.json_type)
_NAMES: Final = [each.name for each in _FIELDS]
_READ: Final = pa.schema(_FIELDS)
SCHEMA: Final = pa.schema([pa.field(ROW, pa.int64()), *_FIELDS])

_ROW_OF_ERROR: Final = re.compile(r" in row (\d+)$")
_COLUMN_OF_ERROR: Final = re.compile(r"Column\((/.*)\) (?:changed|was specified)")


@dataclass
class Rows:
    """Responses that were read together.

    Attributes
    ----------
    table
        One row for each response that was read, in order, with its number.
    sizes
        The bytes of each response, by number.
    refused
        The refused responses, by number.
    notes
        The repairs of responses, by number.
    drift
        How the responses differ from the documentation.
    """

    table: pa.Table
    sizes: np.ndarray
    refused: dict[int, PayloadError] = field(default_factory=dict)
    notes: dict[int, list[str]] = field(default_factory=dict)
    drift: Drift = field(default_factory=Drift)


class Reader:
    """Reads the responses of one intake, in pieces; threads may do so at the same time."""

    def __init__(self) -> None:
        self._infers = True

    def read(self, lines: Lines, first: int = 0) -> Rows:
        """Read a piece.

        Parameters
        ----------
        lines
            One response on each line.
        first
            The number of the first of them among all responses of the intake.
        """
        rows = Rows(SCHEMA.empty_table(), lines.sizes)
        if not len(lines):
            return rows
        table, stop = None, None
        is_inferred = self._infers and len(lines.text) <= _MAX_BYTES and lines.most_openings <= _MAX_OPENINGS
        if lines.are_objects:
            try:
                table = _bulk(lines, infer=is_inferred)
            except pa.ArrowInvalid as error:
                stop = _row_of(error)
        numbers = np.arange(len(lines))
        if table is None:
            is_inferred = False
            numbers, table = _one_by_one(lines, stop, rows)
        self._look(lines, table if is_inferred else None, first, rows.drift)
        rows.table = _declared(table).add_column(0, SCHEMA.field(0), pa.array(numbers, pa.int64()))
        return rows

    def _look(self, lines: Lines, inferred: pa.Table | None, first: int, drift: Drift) -> None:
        """Compare the responses with the documentation."""
        if inferred is None:
            for n, body in enumerate(lines, start=first):
                if n < LOOK_AT_ALL or n % LOOK_AT_EVERY == 0:
                    drift.look(body)
            return
        singly = max(0, min(LOOK_AT_FIRST - first, len(lines)))
        for body in islice(lines, singly):
            drift.look(body)
        if drift.look_at(inferred.slice(singly)) > _MAX_INFERRED:
            self._infers = False


def _bulk(lines: Lines, *, infer: bool = False) -> pa.Table:
    """Read responses at once, or raise `pyarrow.ArrowInvalid`."""
    text = pa.py_buffer(lines.text)
    whole = pa.array([0, len(text)], pa.int64()).buffers()[1]
    # the reader does not check that text is UTF-8
    pa.LargeStringArray.from_buffers(1, whole, text).validate(full=True)
    table = pj.read_json(
        pa.BufferReader(text),
        read_options=pj.ReadOptions(use_threads=False, block_size=len(text) + 1),
        parse_options=pj.ParseOptions(explicit_schema=_READ, unexpected_field_behavior="infer" if infer else "ignore"),
    )
    if table.num_rows != len(lines):
        raise pa.ArrowInvalid("a response holds more or less than one object")
    return table


def _declared(table: pa.Table) -> pa.Table:
    """Leave out the fields whose types were inferred."""
    return table if table.schema.equals(_READ) else table.select(_NAMES).cast(_READ)


def _row_of(error: pa.ArrowInvalid) -> int | None:
    """Return the row at which the reader stopped; None if it does not say, or stopped at a field that is inferred."""
    column = _COLUMN_OF_ERROR.search(str(error))
    node: Node | None = READ
    for step in column[1].split("/")[1:] if column else ():
        node = node and (node.item if step == "[]" else node.fields.get(step))
    row = _ROW_OF_ERROR.search(str(error))
    return int(row[1]) if row and node else None


def _one_by_one(lines: Lines, stop: int | None, rows: Rows) -> tuple[np.ndarray, pa.Table]:
    """Read all responses that can be read, and note what is wrong with the others."""
    readable: list[tuple[int, bytes]] = []
    for n, body in enumerate(lines):
        if text := unwrapped(body):
            readable.append((n, text))
        else:
            rows.refused[n] = _error_of(body)
    parts = list(_sifted(readable, rows, stop))
    numbers = np.array([n for some, _ in parts for n in some], np.int64)
    return numbers, pa.concat_tables([table for _, table in parts] or [_READ.empty_table()])


def _error_of(body: bytes) -> PayloadError:
    try:
        parse(body)
    except PayloadError as error:
        return error
    raise AssertionError("a response without braces was parsed as an object")


def _sifted(
    bodies: Sequence[tuple[int, bytes]], rows: Rows, stop: int | None = None, *, is_numbered: bool = True
) -> Iterator[tuple[list[int], pa.Table]]:
    """Read responses in bulk, except those at which the reader stops; they are read alone.

    Parameters
    ----------
    bodies
        The responses, with their numbers.
    rows
        What is refused or repaired is added to it.
    stop
        The place at which the reader stopped, if it has tried already.
    is_numbered
        Whether the reader's row numbers are the places of the responses; if not, the responses are halved. They are
        not if some response holds two objects.
    """
    while bodies:
        if stop is None:
            try:
                table = _bulk(Lines.of([body for _, body in bodies]))
            except pa.ArrowInvalid as error:
                stop = _row_of(error) if is_numbered else None
            else:
                yield [n for n, _ in bodies], table
                return
        if stop is None and len(bodies) > 1:
            middle = len(bodies) // 2
            yield from _sifted(bodies[:middle], rows, is_numbered=is_numbered)
            bodies = bodies[middle:]
            continue
        stop = min(stop or 0, len(bodies) - 1)
        yield from _sifted(bodies[:stop], rows, is_numbered=False)
        yield from _alone(*bodies[stop], rows)
        bodies, stop = bodies[stop + 1 :], None


def _alone(n: int, body: bytes, rows: Rows) -> Iterator[tuple[list[int], pa.Table]]:
    """Read one response, repaired if it must be, or refuse it."""
    try:
        table = _bulk(Lines.of([body]))
    except pa.ArrowInvalid:
        table = _repaired(n, body, rows)
    if table is not None:
        yield [n], table


def _repaired(n: int, body: bytes, rows: Rows) -> pa.Table | None:
    """Read a response that the reader refused, or refuse it."""
    try:
        repaired, notes = repair(body)
        table = _bulk(Lines.of([repaired]))
        if not notes:
            add_note(notes, "a field that no table keeps has a value that cannot be read; ignored")
        rows.notes[n] = notes
    except PayloadError as error:
        rows.refused[n] = error
        return None
    except pa.ArrowInvalid:  # its message may quote the response
        rows.refused[n] = PayloadError("", "a readable deal", "values that the reader refuses")
        return None
    return table
