"""Reading the responses of an intake in pieces: in bulk where that is possible, and one by one where it is not.

Types of fields that no table keeps are inferred, which shows every undocumented field of every response. Inference is
switched off where it could harm: it needs time and memory for each pair of a response and an undocumented key, and ends
the process at deep nesting.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Final, NamedTuple

import pyarrow as pa

from wegly_analytics.errors import PayloadError
from wegly_analytics.parsing.bulk import DECLARED, declared, is_documented, read_lines, row_of, suspects
from wegly_analytics.parsing.drift import Drift
from wegly_analytics.parsing.lines import PIECE_BYTES, Lines
from wegly_analytics.parsing.repair import add_note, parse, repair, unwrapped

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

ROW: Final = "wegly_analytics:row"
"""The field that holds the number of a response."""

SCHEMA: Final = pa.schema([pa.field(ROW, pa.int64()), *DECLARED])

LOOK_AT_FIRST: Final = 200
"""The responses of an intake that are compared with the documentation one by one, so that fields sent as null count."""

LOOK_AT_ALL: Final = 2_000
LOOK_AT_EVERY: Final = 20
"""Without inference, each of the first responses is compared with the documentation, then every twentieth."""

_TOGETHER: Final = 100
"""The responses of a piece with one that is refused that are tried again at once."""

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
        parts = []
        if lines.are_objects and len(lines):
            with suppress(pa.ArrowInvalid):
                parts.append(_Part(list(range(len(lines))), read_lines(lines, infer=infer), infer))
        if not parts:
            readable = _readable(lines, rows)
            for start in range(0, len(readable), _TOGETHER):
                parts += _sifted(readable[start : start + _TOGETHER], rows, infer=infer)
            parts = list(_merged(parts))
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
        bodies = lines.bodies if singly else []
        for n in sorted(singly):
            if first + n < LOOK_AT_ALL or (first + n) % LOOK_AT_EVERY == 0:
                drift.look(bodies[n])


def _joined(parts: list[_Part]) -> pa.Table:
    """Put together the rows of all parts."""
    numbers = pa.array([n for part in parts for n in part.numbers], pa.int64())
    return pa.concat_tables([declared(part.table) for part in parts]).add_column(0, SCHEMA.field(0), numbers)


def _merged(parts: list[_Part]) -> Iterator[_Part]:
    """Put together parts that follow each other and have the same fields, so that these are compared once."""
    for _, group in groupby(parts, lambda part: (part.is_inferred, part.table.schema)):
        some = list(group)
        if len(some) == 1:
            yield some[0]
        else:
            numbers = [n for part in some for n in part.numbers]
            yield _Part(numbers, pa.concat_tables([part.table for part in some]).combine_chunks(), some[0].is_inferred)


def _readable(lines: Lines, rows: Rows) -> list[tuple[int, bytes]]:
    """List the responses that may be objects, by number; the others are refused."""
    readable = []
    for n, body in enumerate(lines.bodies):
        if text := unwrapped(body):
            readable.append((n, text))
        else:
            rows.refused[n] = _error_of(body)
    return readable


def _error_of(body: bytes) -> PayloadError:
    try:
        parse(body)
    except PayloadError as error:
        return _without_frames(error)
    raise AssertionError("a response without braces was parsed as an object")


def _without_frames(error: PayloadError) -> PayloadError:
    """Forget where an error was raised: its frames hold the response, and whole pieces, as long as it lives."""
    error.__traceback__ = error.__context__ = error.__cause__ = None
    return error


def _sifted(
    bodies: list[tuple[int, bytes]],
    rows: Rows,
    *,
    infer: bool,
    is_numbered: bool = True,
) -> Iterator[_Part]:
    """Read responses in bulk, except those that the reader refuses; these are read alone. The order stays.

    Parameters
    ----------
    bodies
        The responses, with their numbers.
    rows
        What is refused or repaired is added to it.
    infer
        Whether types are inferred.
    is_numbered
        Whether the rows that the reader names are the places of the responses. They are not if one holds two objects.
    """
    while bodies:
        try:
            table = read_lines(Lines.of([body for _, body in bodies]), infer=infer)
        except pa.ArrowInvalid as raised:
            error = str(raised)
        else:
            yield _Part([n for n, _ in bodies], table, infer)
            return
        if infer and not is_documented(error):
            infer = False
            continue
        row = row_of(error) if is_numbered else None
        places = [min(row, len(bodies) - 1)] if row is not None else suspects([body for _, body in bodies], error)
        if not places and len(bodies) > 1:
            middle = len(bodies) // 2
            yield from _sifted(bodies[:middle], rows, infer=infer, is_numbered=is_numbered)
            bodies = bodies[middle:]
            continue
        start = 0
        for place in places or [0]:
            yield from _sifted(bodies[start:place], rows, infer=infer, is_numbered=False)
            yield from _alone(*bodies[place], rows)
            start = place + 1
        bodies = bodies[start:]


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
        rows.refused[n] = _without_frames(error)
        return None
    except pa.ArrowInvalid:  # its message may quote the response
        rows.refused[n] = PayloadError("", "a readable deal", "values that the reader refuses")
        return None
    if not notes:
        add_note(notes, "a field that no table keeps has a value that cannot be read; ignored")
    rows.notes[n] = notes
    return table
