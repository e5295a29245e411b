"""Rows of nested JSON become the nine tables, with Arrow kernels: lists are flattened, values converted and checked.

What enters a table can be read by every reader of it: numbers are finite, instants are in the range that `dates`
states, and a text that is repeated on many rows does not fill the memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from wegly_analytics.errors import PayloadError
from wegly_analytics.model.schema import TIMESTAMP, Column, Kind, Table, steps
from wegly_analytics.model.tables import TABLES
from wegly_analytics.parsing.dates import EARLIEST, LATEST
from wegly_analytics.parsing.reader import ROW
from wegly_analytics.parsing.repair import add_note

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAX_REPEATED: Final = 256 << 10
"""The bytes that one text column of a response may take by being repeated on the rows of inner lists."""

_MAX_TIMES: Final = 8
"""The same, as a multiple of the response's size."""


def levels_of(rows: pa.Table) -> Levels:
    """Flatten the lists that the rows of each table are in.

    Parameters
    ----------
    rows
        One row per response.
    """
    root = rows.to_struct_array().combine_chunks()
    return {name: _levels(table, root) for name, table in TABLES.items()}


def unfold(levels: Levels, notes: dict[int, list[str]]) -> dict[str, pa.Table]:
    """Make the nine tables of responses that were read in bulk.

    Parameters
    ----------
    levels
        What `levels_of` returned.
    notes
        The values read as missing are added to it, by the number of the response.
    """
    return {name: _table(TABLES[name], each, notes) for name, each in levels.items()}


def oversized(levels: Levels, sizes: np.ndarray) -> dict[int, PayloadError]:
    """Find responses that would become many times larger: a long id with many rows below it.

    Parameters
    ----------
    levels
        What `levels_of` returned.
    sizes
        The bytes of each response, by number.
    """
    limits = np.maximum(_MAX_REPEATED, _MAX_TIMES * sizes)
    refused: dict[int, PayloadError] = {}
    for name, of_table in levels.items():
        most = np.bincount(of_table[-1].responses).max(initial=0)
        for column, depth in _depths(TABLES[name], of_table):
            if column.kind is not Kind.TEXT or depth == len(of_table) - 1:
                continue
            lengths = pc.binary_length(of_table[depth].values(column))
            if most * (pc.max(lengths).as_py() or 0) <= _MAX_REPEATED:
                continue
            repeated = _carried(lengths.fill_null(0), of_table[depth + 1 :])
            total = np.bincount(of_table[-1].responses, weights=repeated, minlength=len(limits))
            for n in np.flatnonzero(total > limits).tolist():
                found = f"{int(total[n]):,} bytes when repeated on each of {TABLES[name].rows}"
                refused.setdefault(n, PayloadError(column.path, f"at most {int(limits[n]):,} bytes", found))
    return refused


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


Levels: TypeAlias = dict[str, list[_Level]]
"""For each table, the objects at each depth down to those that are its rows."""


def _table(table: Table, levels: list[_Level], notes: dict[int, list[str]]) -> pa.Table:
    """Build one table from the responses."""
    arrays = [
        _carried(_converted(column, levels[depth], notes), levels[depth + 1 :])
        for column, depth in _depths(table, levels)
    ]
    return pa.Table.from_arrays(arrays, schema=table.schema)


def _levels(table: Table, root: pa.StructArray) -> list[_Level]:
    """Flatten the lists that a table's rows are in, the outermost first."""
    levels = [_Level("", root, pa.nulls(len(root), pa.int64()), root.field(ROW))]
    *hops, _ = table.rows.split("[]")
    for n, hop in enumerate(hops, start=1):
        up = levels[-1]
        lists = pc.struct_field(up.objects, steps(hop))
        objects, above = _elements(lists, keep_empty=table.keep_empty and n == len(hops))
        levels.append(_Level(f"{up.path}{hop}[]", objects, above, up.responses.take(above)))
    return levels


def _depths(table: Table, levels: list[_Level]) -> Iterator[tuple[Column, int]]:
    """Yield each column with the number of the level that its values are on."""
    for column in table.columns:
        yield column, max(n for n, level in enumerate(levels) if column.path.startswith(level.path))


def _carried(values: pa.Array, below: list[_Level]) -> pa.Array:
    """Repeat values on the rows of the levels below."""
    for level in below:
        values = values.take(level.above)
    return values


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


def in_range(instants: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Return instants that every reader can read, and the others as missing."""
    first, last = (pa.scalar(instant, TIMESTAMP) for instant in (EARLIEST, LATEST))
    return pc.if_else(pc.and_(pc.greater_equal(instants, first), pc.less_equal(instants, last)), instants, None)


def _converted(column: Column, level: _Level, notes: dict[int, list[str]]) -> pa.Array:
    """Convert what was read to the type of the table; a value that is noted is read as missing."""
    values = level.values(column)
    kept, expected = values, column.kind.description
    match column.kind:
        case Kind.INSTANT:
            kept = in_range(values)
        case Kind.DAY:
            kept = in_range(values).cast(pa.date32())  # the UTC day: the API writes midnight UTC
        case Kind.NUMBER:
            kept = pc.if_else(pc.is_finite(values), values, None)  # the reader accepts NaN as a number
        case Kind.ENUM:
            labels = column.labels or {}
            known = pa.array(labels, pa.int64())
            kept = pa.array(labels.values()).take(pc.index_in(values, value_set=known))
            expected = "one of " + ", ".join(map(str, labels))
    if kept.null_count != values.null_count:
        odd = pc.and_(pc.is_valid(values), pc.is_null(kept))
        found = values.filter(odd).cast(pa.string())  # Python has no year 0, and none beyond 9999
        for n, value in zip(level.responses.filter(odd).to_pylist(), found.to_pylist(), strict=True):
            note = f"{column.path}: expected {expected}, found {value}; read as missing"
            add_note(notes.setdefault(n, []), note)
    return kept
