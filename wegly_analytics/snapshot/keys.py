"""Keys that join the tables of a snapshot: `deal_id` on an engine, a number in memory, which joins far faster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import narwhals as nw
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from wegly_analytics.model.tables import DEAL_ID, DEALS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

DEAL: Final = "deal"
"""The column that tells deals apart in a keyed frame."""


def keyed(
    frame: nw.LazyFrame[Any], numbers: Callable[[], pa.Array], columns: Sequence[str], named: Mapping[str, str]
) -> nw.LazyFrame[Any]:
    """Select columns of a whole table, and add the key `deal`.

    Parameters
    ----------
    frame
        The table, with `deal_id`.
    numbers
        Gives the number of the deal of each row, for a table in memory.
    columns
        Columns that keep their names.
    named
        New names, and the columns that are to have them.
    """
    renamed = {name: nw.col(column) for name, column in named.items()}
    if not frame.implementation.is_pyarrow():
        return frame.select(*columns, **{DEAL: nw.col(DEAL_ID.name)}, **renamed)
    table = frame.select(DEAL_ID.name, *(c for c in columns if c != DEAL_ID.name), **renamed)
    table = table.collect("pyarrow").to_native().append_column(DEAL, numbers())
    table = table.select([*columns, *named, DEAL])
    lazy: nw.LazyFrame[Any] = nw.from_native(table).lazy()
    return lazy


def numbers_of(name: str, table: pa.Table, ids: pa.Array) -> pa.Array:
    """Find the row in deals of the deal of each row of a table.

    Parameters
    ----------
    name
        The table's name.
    table
        The table, with `deal_id`.
    ids
        The ids of the deals.
    """
    if name == DEALS.name:
        return pa.array(np.arange(table.num_rows, dtype=np.int32))
    # the rows of one deal follow each other, so each id is looked up once for all of them
    runs = pc.run_end_encode(table.column(DEAL_ID.name).combine_chunks())
    lengths = np.diff(runs.run_ends.to_numpy(), prepend=0)
    found = pc.index_in(runs.values, value_set=ids)
    return found.take(pa.array(np.repeat(np.arange(len(lengths)), lengths)))
