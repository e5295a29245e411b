"""Numbers for combinations of values of tables in memory."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import narwhals as nw
    from numpy.typing import NDArray

SHORT: Final = 1 << 27
"""The most entries of a list of flags: 128 MB."""

_FEW: Final = 50_000
"""Of fewer rows than these the columns are numbered one after the other."""

_MOST: Final = 1 << 62
"""The greatest number that stands for a combination of values."""


@dataclass(frozen=True)
class Codes:
    """A number for the combination of values of each row of a frame in memory.

    Numbers are compared and counted far faster than texts, or several columns at once.

    Parameters
    ----------
    codes
        The number of each row.
    parts
        For each column how many values there are, and what gives those that some numbers stand for.
    """

    codes: NDArray[np.int64]
    parts: tuple[tuple[int, Callable[[NDArray[np.int64]], pa.Array]], ...]

    @classmethod
    def of(cls, rows: nw.LazyFrame[Any], columns: Sequence[str]) -> Codes | None:
        """Read the combinations of values of some columns; None on an engine, or if there are too many."""
        if not rows.implementation.is_pyarrow() or not columns:
            return None
        table = rows.select(*columns).collect("pyarrow").to_native()
        codes, parts, size = np.zeros(table.num_rows, dtype=np.int64), [], 1
        for places, n, values in _numbered(table):
            size *= n
            if size > _MOST:
                return None
            codes = codes * n + places
            parts.append((n, values))
        return cls(codes, tuple(parts))

    @property
    def size(self) -> int:
        """How many combinations there could be."""
        return math.prod(n for n, _ in self.parts)

    @property
    def are_distinct(self) -> bool:
        """Whether no two rows have the same values."""
        if self.size > SHORT:
            return int(pc.count_distinct(pa.array(self.codes)).as_py()) == len(self.codes)
        marks = np.zeros(self.size, dtype=bool)
        marks[self.codes] = True
        return int(np.count_nonzero(marks)) == len(self.codes)

    def dense(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the numbers that occur, ascending, and the place of each row's number among them."""
        if self.size > SHORT // 8:
            return np.unique(self.codes, return_inverse=True)
        there = np.flatnonzero(np.bincount(self.codes, minlength=self.size))
        places = np.zeros(self.size, dtype=np.int64)
        places[there] = np.arange(len(there))
        return there, places[self.codes]

    def values(self, codes: NDArray[np.int64]) -> list[pa.Array]:
        """Return the values of each column that some codes stand for."""
        arrays = []
        for n, values in reversed(self.parts):
            codes, places = np.divmod(codes, n)
            arrays.append(values(places))
        return arrays[::-1]


def _numbered(table: pa.Table) -> list[tuple[NDArray[np.int64], int, Callable[[NDArray[np.int64]], pa.Array]]]:
    """Give numbers to the values of each column, two columns at a time: Arrow releases Python's lock meanwhile."""
    if table.num_rows < _FEW:
        return [_places(column) for column in table.columns]
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(_places, table.columns))


def _places(column: pa.ChunkedArray) -> tuple[NDArray[np.int64], int, Callable[[NDArray[np.int64]], pa.Array]]:
    """Return numbers for the values of a column, from 0: of each row, how many there are, and what they stand for."""
    if pa.types.is_integer(column.type) and len(column) and not column.null_count:
        integers = column.to_numpy()
        least, greatest = int(integers.min()), int(integers.max())
        if greatest - least < SHORT:
            return integers.astype(np.int64) - least, greatest - least + 1, lambda at: pa.array(at + least, column.type)
    encoded = column.combine_chunks()
    if not pa.types.is_dictionary(encoded.type):
        encoded = encoded.dictionary_encode(null_encoding="encode")
    values = encoded.dictionary
    return encoded.indices.to_numpy().astype(np.int64), max(len(values), 1), lambda at: values.take(pa.array(at))
