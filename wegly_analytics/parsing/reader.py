"""Reading the responses of an intake in pieces: in bulk where that is possible, and one by one where it is not.

Types of fields that no table keeps are inferred, which shows every undocumented field of every response. Inference is
switched off where it could harm: it needs time and memory for each pair of a response and an undocumented key, and ends
the process at deep nesting.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import pyarrow as pa

from wegly_analytics.errors import PayloadError
from wegly_analytics.parsing.bulk import DECLARED, declared, is_documented, read_lines, row_of, suspects
from wegly_analytics.parsing.drift import Drift
from wegly_analytics.parsing.lines import PIECE_BYTES, Lines
from wegly_analytics.parsing.repair import add_note, parse, repair, unwrapped

if TYPE_CHECKING:
    from collections.abc import Iterator

ROW: Final = "wegly_analytics:row"
"""The field that holds the number of a response."""

SCHEMA: Final = pa.schema([pa.field(ROW, pa.int64()), *DECLARED])

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


class _Part(NamedTuple):
    """Responses that were read at once, by number, and whether types were inferred."""

    numbers: list[int]
    table: pa.Table
    is_inferred: bool


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
        infer = self._infers and len(lines.text) <= _MAX_BYTES and lines.most_openings <= _MAX_OPENINGS
        error, parts = None, []
        if lines.are_objects and len(lines):
            try:
                parts = [_Part(list(range(len(lines))), read_lines(lines, infer=infer), infer)]
            except pa.ArrowInvalid as raised:
                error = str(raised)
        if not parts:
            parts = list(_sifted(_readable(lines, rows), rows, infer=infer, error=error))
        self._look(lines, parts, first, rows.drift)
        if parts:
            rows.table = _joined(parts)
        return rows

    def _look(self, lines: Lines, parts: list[_Part], first: int, drift: Drift) -> None:
        """Compare the responses with the documentation, those of inferred types all at once."""
        singly = set(range(len(lines)))
        for part in parts:
            if part.is_inferred:
                start = sum(first + n < LOOK_AT_FIRST for n in part.numbers[:LOOK_AT_FIRST])
                singly.difference_update(part.numbers[start:])
                if drift.look_at(part.table.slice(start)) > _MAX_INFERRED:
                    self._infers = False
        for n in sorted(singly):
            if first + n < LOOK_AT_ALL or (first + n) % LOOK_AT_EVERY == 0:
                drift.look(lines.bodies[n])


def _joined(parts: list[_Part]) -> pa.Table:
    """Put together the rows of all parts, in the order of their numbers."""
    numbers = np.concatenate([part.numbers for part in parts]).astype(np.int64)
    table = pa.concat_tables([declared(part.table) for part in parts])
    table = table.add_column(0, SCHEMA.field(0), pa.array(numbers))
    return table if len(parts) == 1 else table.take(np.argsort(numbers)).combine_chunks()


def _readable(lines: Lines, rows: Rows) -> list[tuple[int, bytes]]:
    """List the responses that may be objects, by number; the others are refused."""
    readable = []
    for n, body in enumerate(lines):
        if text := unwrapped(body):
            readable.append((n, text))
        else:
            rows.refused[n] = _error_of(body)
    return readable


def _error_of(body: bytes) -> PayloadError:
    try:
        parse(body)
    except PayloadError as error:
        return error
    raise AssertionError("a response without braces was parsed as an object")


def _sifted(
    bodies: list[tuple[int, bytes]],
    rows: Rows,
    *,
    infer: bool,
    error: str | None = None,
    is_numbered: bool = True,
) -> Iterator[_Part]:
    """Read responses in bulk, except those that the reader refuses; these are read alone.

    Parameters
    ----------
    bodies
        The responses, with their numbers.
    rows
        What is refused or repaired is added to it.
    infer
        Whether types are inferred.
    error
        What the reader said of these responses, if it has tried already.
    is_numbered
        Whether the rows that the reader names are the places of the responses. They are not if one holds two objects.
    """
    before: list[tuple[int, bytes]] = []
    while bodies:
        if error is None:
            try:
                table = read_lines(Lines.of([body for _, body in bodies]), infer=infer)
            except pa.ArrowInvalid as raised:
                error = str(raised)
            else:
                yield _Part([n for n, _ in bodies], table, infer)
                break
        if infer and not is_documented(error):
            infer, error = False, None
            continue
        row = row_of(error) if is_numbered else None
        places = [min(row, len(bodies) - 1)] if row is not None else suspects([body for _, body in bodies], error)
        error = None
        if not places and len(bodies) > 1:
            middle = len(bodies) // 2
            yield from _sifted(bodies[:middle], rows, infer=infer, is_numbered=is_numbered)
            bodies = bodies[middle:]
            continue
        alone = set(places or [0])
        for place in sorted(alone):
            yield from _alone(*bodies[place], rows)
        if row is not None:  # up to there, the reader found nothing wrong
            before += bodies[: places[0]]
            bodies = bodies[places[0] + 1 :]
        else:
            bodies = [each for place, each in enumerate(bodies) if place not in alone]
    if before:
        yield from _sifted(before, rows, infer=infer, is_numbered=False)


def _alone(n: int, body: bytes, rows: Rows) -> Iterator[_Part]:
    """Read one response, repaired if it must be, or refuse it."""
    try:
        table = read_lines(Lines.of([body]))
    except pa.ArrowInvalid:
        table = _repaired(n, body, rows)
    if table is not None:
        yield _Part([n], table, False)


def _repaired(n: int, body: bytes, rows: Rows) -> pa.Table | None:
    """Read a response that the reader refused, or refuse it."""
    try:
        repaired, notes = repair(body)
        table = read_lines(Lines.of([repaired]))
    except PayloadError as error:
        rows.refused[n] = error
        return None
    except pa.ArrowInvalid:  # its message may quote the response
        rows.refused[n] = PayloadError("", "a readable deal", "values that the reader refuses")
        return None
    if not notes:
        add_note(notes, "a field that no table keeps has a value that cannot be read; ignored")
    rows.notes[n] = notes
    return table
