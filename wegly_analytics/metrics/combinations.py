"""The numbers of a column for each combination of the values of others, far faster than by grouping texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import narwhals as nw
import numpy as np
import pyarrow as pa

from wegly_analytics.metrics.results import collect, collected
from wegly_analytics.snapshot.codes import Codes
from wegly_analytics.snapshot.keys import tallied

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pandas as pd
    from numpy.typing import NDArray

_N: Final = "n"


@dataclass(frozen=True)
class Combinations:
    """The numbers of a column, those of each combination of other columns together.

    Parameters
    ----------
    table
        The combinations, one row for each.
    numbers
        The numbers of the first combination, then those of the second, and so on; each perhaps more than once.
    n
        How many rows there are of each.
    ends
        Where the numbers of each combination end.
    """

    table: pd.DataFrame
    numbers: NDArray[Any]
    n: NDArray[np.int64]
    ends: NDArray[np.int64]

    @classmethod
    def of(cls, rows: nw.LazyFrame[Any], by: Sequence[str], column: str) -> Combinations:
        """Read them; an engine counts equal rows first."""
        if not rows.implementation.is_pyarrow():
            rows = nw.from_native(collected(tallied(rows, *by, column))).lazy()
        table = rows.collect("pyarrow").to_native()
        found, place = _numbered(rows, list(by))
        # numpy sorts numbers of 16 bits by counting them
        order = np.argsort(place.astype(np.int16) if len(found) < 1 << 15 else place, kind="stable")
        n = table.column(_N).to_numpy()[order] if _N in table.column_names else np.ones(len(order), dtype=np.int64)
        return cls(found, table.column(column).to_numpy()[order], n, np.bincount(place, minlength=len(found)).cumsum())

    def at(self, combinations: Iterable[int]) -> list[slice]:
        """Return where in `numbers` and `n` those of some combinations are."""
        return [slice(self.ends[each - 1] if each else 0, self.ends[each]) for each in combinations]


def _numbered(rows: nw.LazyFrame[Any], columns: list[str]) -> tuple[pd.DataFrame, NDArray[np.int64]]:
    """Return the combinations of values, and the number of each row's."""
    coded = Codes.of(rows, columns)
    if coded is None:  # many columns of many values
        grouped = collect(rows.select(*columns)).groupby(columns, dropna=False, sort=False)
        return grouped.size().reset_index()[columns], grouped.ngroup().to_numpy().astype(np.int64)
    numbers, place = coded.dense()
    distinct: nw.LazyFrame[Any] = nw.from_native(pa.table(coded.values(numbers), names=columns)).lazy()
    return collect(distinct), place
