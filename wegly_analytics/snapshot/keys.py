"""Keys that join the tables of a snapshot: `deal_id` on an engine, a number in memory, which joins far faster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

import narwhals as nw
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from wegly_analytics.model.tables import DEAL_ID
from wegly_analytics.snapshot.codes import SHORT, Codes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

DEAL: Final = "deal"
"""The column that identifies deals in a keyed frame."""


def keyed(
    frame: nw.LazyFrame[Any], numbers: Callable[[], pa.Array], columns: Sequence[str], named: Mapping[str, str]
) -> nw.LazyFrame[Any]:
    """Select columns of a whole table, and add the key `deal`.

    Parameters
    ----------
    frame
        The table, with `deal_id` on an engine.
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
    if columns or named:
        table = frame.select(*columns, **renamed).collect("pyarrow").to_native().append_column(DEAL, numbers())
    else:
        table = pa.table({DEAL: numbers()})
    lazy: nw.LazyFrame[Any] = nw.from_native(table).lazy()
    return lazy


def joined(
    rows: nw.LazyFrame[Any], deals: nw.LazyFrame[Any], how: Literal["inner", "left"] = "inner"
) -> nw.LazyFrame[Any]:
    """Add the columns of a frame that has each deal at most once; in memory this is far faster than a general join."""
    if not rows.implementation.is_pyarrow():
        return rows.join(deals, on=DEAL, how=how)
    table, other = (frame.collect("pyarrow").to_native() for frame in (rows, deals))
    at = _rows_of(table.column(DEAL), other.column(DEAL))
    if how == "inner":
        table, at = table.filter(at.is_valid()), at.drop_null()
    for field in other.schema:
        if field.name != DEAL:
            table = table.append_column(field.name, other.column(field.name).take(at))
    lazy: nw.LazyFrame[Any] = nw.from_native(table).lazy()
    return lazy


def encoded(deals: nw.LazyFrame[Any], column: str) -> nw.LazyFrame[Any]:
    """Give numbers to the texts of a column before it is joined to more rows in memory, for `tallied`."""
    if not deals.implementation.is_pyarrow():
        return deals
    table = deals.collect("pyarrow").to_native()
    numbers = table.column(column).combine_chunks().dictionary_encode(null_encoding="encode")
    table = table.set_column(table.column_names.index(column), column, numbers)
    lazy: nw.LazyFrame[Any] = nw.from_native(table).lazy()
    return lazy


def matching(rows: nw.LazyFrame[Any], others: nw.LazyFrame[Any], on: Sequence[str]) -> nw.LazyFrame[Any]:
    """Keep the rows that agree with a row of another frame in some columns; missing values agree with nothing."""
    if not rows.implementation.is_pyarrow():
        return rows.join(others.select(*on), on=list(on), how="semi")
    table, other = (frame.collect("pyarrow").to_native() for frame in (rows, others))
    both = pa.concat_tables([table.select(list(on)), other.select(list(on))])
    codes, size = pa.scalar(0, pa.int64()), 1
    for name in on:
        encoded = both.column(name).combine_chunks().dictionary_encode()
        codes = pc.add(pc.multiply(codes, len(encoded.dictionary)), encoded.indices.cast(pa.int64()))
        size *= len(encoded.dictionary)
    mine, theirs = codes[: table.num_rows], codes[table.num_rows :]
    lazy: nw.LazyFrame[Any] = nw.from_native(table.filter(_among(mine, theirs, size))).lazy()
    return lazy


def _rows_of(deals: pa.ChunkedArray, others: pa.ChunkedArray) -> pa.Array:
    """Find the row of each deal among others; missing where it is not there.

    Deals have small numbers, so a list of all of them takes a fifth of the time of a hash table.
    """
    wanted, there = (column.fill_null(-1).to_numpy() for column in (deals, others))
    rows = np.full(max(wanted.max(initial=0), there.max(initial=0)) + 2, -1, dtype=np.int32)
    rows[there] = np.arange(len(there), dtype=np.int32)
    rows[-1] = -1  # where the number is missing
    found = rows[wanted]
    return pa.array(found, mask=found < 0)


def _among(codes: pa.Array, others: pa.Array, size: int) -> pa.Array:
    """Whether numbers below `size` are among others; a missing one is not. A list of all is fastest if it is short."""
    if size > SHORT:
        return pc.is_in(codes, value_set=others, skip_nulls=True)
    marks = np.zeros(size + 1, dtype=bool)
    marks[others.drop_null().to_numpy()] = True
    return pa.array(marks[codes.fill_null(size).to_numpy()])


def tallied(rows: nw.LazyFrame[Any], *columns: str) -> nw.LazyFrame[Any]:
    """Count the rows of each combination of values, as `n`; in memory far faster than a general grouping of texts."""
    coded = Codes.of(rows, columns)
    if coded is None:
        return rows.group_by(*columns).agg(n=nw.len())
    if coded.size <= SHORT // 8:
        counts = np.bincount(coded.codes, minlength=coded.size)
        there = np.flatnonzero(counts)
        counts = counts[there]
    else:
        there, counts = (pa.array(coded.codes).value_counts().field(n).to_numpy() for n in (0, 1))
    table = pa.table([*coded.values(there), pa.array(counts)], names=[*columns, "n"])
    lazy: nw.LazyFrame[Any] = nw.from_native(table).lazy()
    return lazy


def summed(
    rows: nw.LazyFrame[Any], keys: Sequence[str], amount: str, greatest: Sequence[str] = ()
) -> nw.LazyFrame[Any]:
    """Sum an amount by some keys, with the greatest of other columns.

    In memory rows that are one for each combination of the keys, as nearly all are that need this, are only checked.
    """
    coded = Codes.of(rows, keys)
    if coded is not None and coded.are_distinct:
        return rows.select(*keys, amount, *greatest)
    return rows.group_by(*keys).agg(nw.col(amount).sum(), *(nw.col(name).max() for name in greatest))


def numbers_of(table: pa.Table, ids: pa.Array) -> pa.Array:
    """Find the row in deals of the deal of each row of a table.

    Parameters
    ----------
    table
        The table, with `deal_id`.
    ids
        The ids of the deals.
    """
    # the rows of one deal follow each other, so each id is looked up once for all of them
    runs = pc.run_end_encode(table.column(DEAL_ID.name).combine_chunks())
    lengths = np.diff(runs.run_ends.to_numpy(), prepend=0)
    found = pc.index_in(runs.values, value_set=ids)
    return found.take(pa.array(np.repeat(np.arange(len(lengths)), lengths)))
