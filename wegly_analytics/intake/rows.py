"""Reading rows of an archive by their numbers, many with one query."""

from __future__ import annotations

import sqlite3
from itertools import islice
from typing import TYPE_CHECKING, Final

from wegly_analytics.intake.row import SELECT, Row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_TOGETHER: Final = 500
"""Rows that are read with one query, at most; SQLite before 3.32 takes 999 numbers."""

_MOST_BYTES: Final = 32 << 20
"""The size of the packed bodies beyond which fewer rows are read with one query."""


def rows_of(
    connection: sqlite3.Connection, wanted: Iterable[tuple[str, int]], note: Callable[[int, str, str], None]
) -> Iterator[Row]:
    """Read rows in the order wanted; what is not there is left out.

    Parameters
    ----------
    connection
        The archive.
    wanted
        The id and the number of each row.
    note
        Takes the number and the id of a row that cannot be read, and why.
    """
    pairs = iter(wanted)
    while some := list(islice(pairs, _TOGETHER)):
        yield from _part(connection, some, note)


def _part(
    connection: sqlite3.Connection, wanted: list[tuple[str, int]], note: Callable[[int, str, str], None]
) -> Iterator[Row]:
    """Read with one query; in halves if that is too much at once, or if a page is damaged."""
    try:
        rows = _select(connection, [n for _, n in wanted])
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):
            raise
        if len(wanted) == 1:
            note(wanted[0][1], wanted[0][0], str(error))
            return
        rows = None
    if rows is not None:
        yield from (rows[n] for _, n in wanted if n in rows)
        return
    half = len(wanted) // 2
    yield from _part(connection, wanted[:half], note)
    yield from _part(connection, wanted[half:], note)


def _select(connection: sqlite3.Connection, numbers: list[int]) -> dict[int, Row] | None:
    """Read rows in ascending order, because neighbours are on the same pages; None if they are too large together."""
    places = ", ".join("?" * len(numbers))
    rows: dict[int, Row] = {}
    n_bytes = 0
    for row in map(Row._make, connection.execute(f"{SELECT} WHERE rowid IN ({places}) ORDER BY rowid", numbers)):
        n_bytes += len(row.body) if isinstance(row.body, bytes) else 0
        if n_bytes > _MOST_BYTES and rows:
            return None
        rows[row.n] = row
    return rows
