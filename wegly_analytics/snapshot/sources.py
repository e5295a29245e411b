"""Where the tables of a snapshot come from: the base class, and sources in memory. `files` has the others."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import narwhals as nw
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from wegly_analytics.errors import MissingColumnError, SettingError
from wegly_analytics.model.tables import DEAL_ID, DEALS, LEDGER, TABLES
from wegly_analytics.snapshot.completeness import Completeness
from wegly_analytics.snapshot.keys import keyed, numbers_of

if TYPE_CHECKING:
    Columns: TypeAlias = Sequence[str] | None


ALL_TABLES: Final = {**TABLES, LEDGER.name: LEDGER}

_KEY: Final = DEAL_ID.name


class Source(Mapping[str, pa.Table], ABC):
    """The tables of a snapshot, each read when it is first needed.

    As a mapping it returns whole Arrow tables by name; `frame` returns the lazy frames that filters and metrics use.
    """

    in_memory: bool = True
    """Whether a function of the user may take the deals as a pandas frame."""

    @abstractmethod
    def table(self, name: str, columns: Columns = None) -> pa.Table:
        """Read a table, or some of its columns."""

    @abstractmethod
    def schema(self, name: str) -> pa.Schema:
        """Return the columns of a table without reading it."""

    @abstractmethod
    def n_rows(self, name: str) -> int:
        """Count the rows of a table."""

    def batches(self, name: str, columns: Columns = None) -> Iterator[pa.Table]:
        """Read a table, or some of its columns, in batches of rows; those that are read from a file are not kept."""
        yield self.table(name, columns)

    def frame(self, name: str, columns: Columns = None) -> nw.LazyFrame[Any]:
        """Return a table as a lazy frame."""
        lazy: nw.LazyFrame[Any] = nw.from_native(self.table(name, columns)).lazy()
        return lazy

    def keyed(self, name: str, *columns: str, **named: str) -> nw.LazyFrame[Any]:
        """Return columns of a table, some under new names, and `deal`, the key that joins it to the others."""
        read = dict.fromkeys([*columns, *named.values()])
        if name != DEALS.name or not read:  # the number of a deal is its row, so its id need not be read
            read = dict.fromkeys([_KEY, *read])
        return keyed(self.frame(name, list(read)), lambda: self.numbers(name), columns, named)

    def numbers(self, name: str) -> pa.Array:
        """Find the row in deals of the deal of each row of a table; computed once."""
        if name == DEALS.name:
            return pa.array(np.arange(self.n_rows(name), dtype=np.int32))
        if name not in self._numbers:
            ids = self.table(DEALS.name, [_KEY]).column(_KEY).combine_chunks()
            self._numbers[name] = numbers_of(self.table(name, [_KEY]), ids)
        return self._numbers[name]

    @cached_property
    def _numbers(self) -> dict[str, pa.Array]:
        return {}

    def completeness(self) -> Completeness:
        """Count the ledger."""
        return Completeness.of(self.table(LEDGER.name, ["outcome", "in_scope"]))

    def among(self, deals: nw.LazyFrame[Any], ids: nw.LazyFrame[Any], *, inside: bool) -> nw.LazyFrame[Any]:
        """Keep, in their order, the deals whose ids are among `ids`, or are not if `inside` is false."""
        table = deals.collect("pyarrow").to_native()
        found = pc.is_in(table.column(_KEY), value_set=ids_of(ids))
        kept: nw.LazyFrame[Any] = nw.from_native(table.filter(found if inside else pc.invert(found))).lazy()
        return kept

    def keeping(self, deals: nw.LazyFrame[Any]) -> Source:
        """Return the same tables for these deals only."""
        return Narrowed(self, ids_of(deals))

    def require(self, name: str) -> None:
        """Raise an error if there is no such table."""
        if name not in self:
            raise SettingError(f"there is no table {name!r}; there are {', '.join(self)}")

    def __getitem__(self, name: str) -> pa.Table:
        if name not in self:
            raise KeyError(name)
        return self.table(name)

    def __contains__(self, name: object) -> bool:
        return name in ALL_TABLES

    def __iter__(self) -> Iterator[str]:
        return iter(ALL_TABLES)

    def __len__(self) -> int:
        return sum(1 for _ in self)


class Memory(Source):
    """Tables in memory.

    Parameters
    ----------
    tables
        The tables by name.
    """

    def __init__(self, tables: Mapping[str, pa.Table]) -> None:
        self._tables = dict(tables)

    def table(self, name: str, columns: Columns = None) -> pa.Table:
        """Return a table, or some of its columns."""
        table = self._tables[name]
        return table if columns is None else select(name, table, columns)

    def schema(self, name: str) -> pa.Schema:
        """Return the columns of a table."""
        return self._tables[name].schema

    def n_rows(self, name: str) -> int:
        """Count the rows of a table."""
        return int(self._tables[name].num_rows)

    def __contains__(self, name: object) -> bool:
        return name in self._tables

    def __iter__(self) -> Iterator[str]:
        return iter(self._tables)


def batches(tables: Mapping[str, pa.Table], name: str, columns: Columns = None) -> Iterator[pa.Table]:
    """Read a table of a snapshot in batches; see `Source.batches`."""
    return (tables if isinstance(tables, Source) else Memory(tables)).batches(name, columns)


class Narrowed(Source):
    """The tables of another source for some of its deals.

    Parameters
    ----------
    whole
        The other source.
    kept
        The ids of the deals.
    """

    def __init__(self, whole: Source, kept: pa.Array) -> None:
        self._whole = whole
        self._kept = kept
        self._kept_tables: dict[str, pa.Table] = {}

    def table(self, name: str, columns: Columns = None) -> pa.Table:
        """Read a table, or some of its columns, and keep the rows of these deals."""
        if name in self._kept_tables:
            return self._kept_tables[name] if columns is None else select(name, self._kept_tables[name], columns)
        if columns is None:
            self._kept_tables[name] = keep_deals(name, self._whole.table(name), self._kept)
            return self._kept_tables[name]
        return keep_deals(name, self._whole.table(name, list({*columns, _KEY})), self._kept).select(columns)

    def schema(self, name: str) -> pa.Schema:
        """Return the columns of a table."""
        return self._whole.schema(name)

    def n_rows(self, name: str) -> int:
        """Count the rows of a table."""
        return len(self._kept) if name == DEALS.name else int(self.table(name, [_KEY]).num_rows)

    def __contains__(self, name: object) -> bool:
        return name in self._whole

    def __iter__(self) -> Iterator[str]:
        return iter(self._whole)


class WithDeals(Source):
    """The tables of another source, with columns of deals added or replaced.

    Parameters
    ----------
    rest
        The other source.
    deals
        The deals, in the same order.
    """

    def __init__(self, rest: Source, deals: pa.Table) -> None:
        self._rest = rest
        self._deals = deals

    def table(self, name: str, columns: Columns = None) -> pa.Table:
        """Read a table, or some of its columns."""
        if name != DEALS.name:
            return self._rest.table(name, columns)
        return self._deals if columns is None else select(name, self._deals, columns)

    def schema(self, name: str) -> pa.Schema:
        """Return the columns of a table."""
        return self._deals.schema if name == DEALS.name else self._rest.schema(name)

    def n_rows(self, name: str) -> int:
        """Count the rows of a table."""
        return self._rest.n_rows(name)

    def numbers(self, name: str) -> pa.Array:
        """Find the row in deals of the deal of each row of a table."""
        return self._rest.numbers(name)

    def completeness(self) -> Completeness:
        """Count the ledger."""
        return self._rest.completeness()

    def __contains__(self, name: object) -> bool:
        return name in self._rest

    def __iter__(self) -> Iterator[str]:
        return iter(self._rest)


def ids_of(deals: nw.LazyFrame[Any]) -> pa.Array:
    """Collect the ids of deals."""
    ids = deals.select(_KEY).collect("pyarrow").to_native().column(_KEY).combine_chunks()
    return ids.cast(pa.string())


def count(frame: nw.LazyFrame[Any]) -> int:
    """Count the rows of a lazy frame."""
    return int(frame.select(nw.len().alias("n")).collect("pyarrow").to_native().column("n")[0].as_py())


def with_column(table: pa.Table, field: pa.Field, column: pa.ChunkedArray | pa.Array) -> pa.Table:
    """Add a column to a table, or replace the one of that name; a replaced column keeps its metadata."""
    at = table.schema.get_field_index(field.name)
    return table.append_column(field, column) if at < 0 else table.set_column(at, table.schema.field(at), column)


def select(name: str, table: pa.Table, columns: Sequence[str]) -> pa.Table:
    """Return some columns of a table."""
    require_columns(name, columns, table.schema)
    return table.select(list(columns))


def require_columns(name: str, columns: Sequence[str], schema: pa.Schema) -> None:
    """Raise an error for a column that a table does not have."""
    for column in columns:
        if column not in schema.names:
            raise MissingColumnError(name, column, schema.names)


def keep_deals(name: str, table: pa.Table, kept: pa.Array) -> pa.Table:
    """Keep the rows of some deals. The ledger keeps all rows and marks the other deals as out of scope."""
    is_kept = pc.is_in(table.column(_KEY), value_set=kept)
    if name != LEDGER.name:
        return table.filter(is_kept)
    if "in_scope" not in table.schema.names:
        return table
    remaining = pc.and_(table.column("in_scope"), is_kept)
    # whether a missing deal is in scope is not known
    in_scope = pc.if_else(pc.is_valid(table.column(_KEY)), remaining, table.column("in_scope"))
    return table.set_column(table.schema.get_field_index("in_scope"), LEDGER.schema.field("in_scope"), in_scope)
