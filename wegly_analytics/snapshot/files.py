"""Tables in files: columns are read when they are first needed, or an engine queries them."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, TypeVar

import narwhals as nw
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from wegly_analytics.errors import SnapshotError
from wegly_analytics.model.tables import DEAL_ID, DEALS, LEDGER
from wegly_analytics.snapshot.completeness import Completeness
from wegly_analytics.snapshot.keys import keyed
from wegly_analytics.snapshot.sources import (
    ALL_TABLES,
    Source,
    count,
    ids_of,
    keep_deals,
    require_columns,
    select,
    with_column,
)
from wegly_analytics.store.checksum import check

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from wegly_analytics.snapshot.sources import Columns
    from wegly_analytics.store.manifest import PublishedFile

_KEY: Final = DEAL_ID.name
_Read = TypeVar("_Read")


class Files(Source):
    """Tables in Parquet files; a column is read when it is first needed, and then kept.

    Parameters
    ----------
    files
        The files of each table, as published.
    rows, counted
        The rows of each table and the completeness, as published.
    check
        Compare the SHA-256 of a file with the published one before it is read.
    """

    def __init__(
        self,
        files: Mapping[str, Mapping[Path, PublishedFile]],
        rows: Mapping[str, int],
        counted: Completeness,
        *,
        check: bool = True,
    ) -> None:
        self.paths = {name: list(paths) for name, paths in files.items()}
        self._published = files
        self._is_checked = check
        self._rows = rows
        self._counted = counted
        self._schemas: dict[str, pa.Schema] = {}
        self._columns: dict[str, dict[str, pa.ChunkedArray]] = {name: {} for name in ALL_TABLES}

    def table(self, name: str, columns: Columns = None) -> pa.Table:
        """Read a table, or some of its columns."""
        schema, cached = self.schema(name), self._columns[name]
        names = schema.names if columns is None else list(columns)
        require_columns(name, names, schema)
        if missing := [column for column in names if column not in cached]:
            read = self._read(name, lambda path: pq.read_table(path, columns=missing, partitioning=None))
            table = pa.concat_tables(read).select(missing)
            if table.num_rows != self._rows[name]:
                raise self._unreadable(name, f"it has {table.num_rows} rows, published were {self._rows[name]}")
            cached |= zip(missing, table.columns, strict=True)
        fields = [schema.field(column) for column in names]
        return pa.table([cached[column] for column in names], schema=pa.schema(fields, schema.metadata))

    def batches(self, name: str, columns: Columns = None) -> Iterator[pa.Table]:
        """Read a table, or some of its columns, row group by row group; nothing of it is kept."""
        before = self.check(name)
        schema = self.schema(name)
        names = schema.names if columns is None else list(columns)
        require_columns(name, names, schema)
        n_rows = 0
        try:
            for path in self.paths[name]:
                with pq.ParquetFile(path) as file:
                    n_rows += file.metadata.num_rows
                    for n in range(file.num_row_groups):
                        yield file.read_row_group(n, columns=names).select(names)
        except (OSError, ValueError, pa.ArrowException) as error:
            raise self._unreadable(name, error) from error
        if n_rows != self._rows[name]:
            raise self._unreadable(name, f"it has {n_rows} rows, published were {self._rows[name]}")
        if self.check(name) != before:
            raise self._unreadable(name, "it was changed while it was read")

    def schema(self, name: str) -> pa.Schema:
        """Return the columns of a table, from the footer of its first file."""
        if name not in self._schemas:
            self._schemas[name] = self._read(name, pq.read_schema)[0]
        return self._schemas[name]

    def check(self, name: str) -> tuple[object, ...]:
        """Compare the files of a table with what was published, unless that is switched off."""
        return check(self._published[name]) if self._is_checked else ()

    def _read(self, name: str, read: Callable[[Path], _Read]) -> list[_Read]:
        """Read the files of a table between two checks: a file may be replaced at any time."""
        before = self.check(name)
        try:
            found = [read(path) for path in self.paths[name]]
        except (OSError, ValueError, pa.ArrowException) as error:
            raise self._unreadable(name, error) from error
        if self.check(name) != before:
            raise self._unreadable(name, "it was changed while it was read")
        return found

    def n_rows(self, name: str) -> int:
        """Return the number of rows that a table was published with."""
        return self._rows[name]

    def completeness(self) -> Completeness:
        """Return the completeness as published."""
        return self._counted

    def _unreadable(self, name: str, error: object) -> SnapshotError:
        return SnapshotError(f"{self.paths[name][0].parent} cannot be read: {error}; wa.verify lists what is damaged")


class Queries(Source):
    """Tables that stay in their files: an engine does the work, and only small results are collected.

    Parameters
    ----------
    files
        The files, for a table as a whole.
    frames, engine
        The tables as queries, and what runs them; DuckDB closes a connection without a reference.
    assigned
        Columns of deals that are not in the files, with their types.
    narrowed
        Whether deals were excluded after the files were published.
    """

    in_memory = False

    def __init__(
        self,
        files: Files,
        frames: Mapping[str, nw.LazyFrame[Any]],
        engine: object,
        *,
        assigned: Mapping[str, pa.Field] | None = None,
        narrowed: bool = False,
    ) -> None:
        self._files = files
        self._frames = frames
        self._engine = engine
        self._assigned = dict(assigned or {})
        self._narrowed = narrowed
        self._counted: dict[str, int] = {}

    def table(self, name: str, columns: Columns = None) -> pa.Table:
        """Read a table, or some of its columns, from the files; keep the rows of the deals in scope."""
        table = self._files.table(name)
        if self._narrowed:
            table = keep_deals(name, table, self._kept)
        if name == DEALS.name and self._assigned:
            computed = self.frame(name).select(_KEY, *self._assigned).collect("pyarrow").to_native()
            rows = pc.index_in(table.column(_KEY), value_set=computed.column(_KEY).combine_chunks())
            for column, field in self._assigned.items():
                table = with_column(table, field, computed.column(column).take(rows).cast(field.type))
        return table if columns is None else select(name, table, columns)

    def schema(self, name: str) -> pa.Schema:
        """Return the columns of a table."""
        schema = self._files.schema(name)
        if name == DEALS.name:
            for column, field in self._assigned.items():
                at = schema.get_field_index(column)
                schema = schema.append(field) if at < 0 else schema.set(at, field)
        return schema

    def n_rows(self, name: str) -> int:
        """Let the engine count the rows of a table."""
        if not self._narrowed:
            return self._files.n_rows(name)
        if name not in self._counted:
            self._counted[name] = count(self.frame(name))
        return self._counted[name]

    def frame(self, name: str, columns: Columns = None) -> nw.LazyFrame[Any]:
        """Return a table as a query of the engine."""
        for each in {name, DEALS.name} if self._narrowed else {name}:
            self._files.check(each)  # a file may have been replaced since the last query
        if columns is None:
            return self._frames[name]
        require_columns(name, columns, self.schema(name))
        return self._frames[name].select(*columns)

    def keyed(self, name: str, *columns: str, **named: str) -> nw.LazyFrame[Any]:
        """Return columns of a table, some under new names, and its `deal_id` as the key `deal`."""
        require_columns(name, [*columns, *named.values()], self.schema(name))
        return keyed(self.frame(name), lambda: self.numbers(name), columns, named)

    def completeness(self) -> Completeness:
        """Return the completeness as published, or let the engine count the ledger."""
        if not self._narrowed:
            return self._files.completeness()
        counts = self.frame(LEDGER.name).group_by("outcome", "in_scope").agg(n=nw.len())
        return Completeness.summed(counts.collect("pyarrow").to_native().to_pylist())

    def among(self, deals: nw.LazyFrame[Any], ids: nw.LazyFrame[Any], *, inside: bool) -> nw.LazyFrame[Any]:
        """Keep the deals whose ids are among `ids`, or are not if `inside` is false."""
        return deals.join(ids, on=_KEY, how="semi" if inside else "anti")

    def keeping(self, deals: nw.LazyFrame[Any]) -> Queries:
        """Return the same tables for these deals only."""
        kept = deals.select(_KEY)
        frames = {name: _keep_deals(name, frame, kept) for name, frame in self._frames.items()} | {DEALS.name: deals}
        return Queries(self._files, frames, self._engine, assigned=self._assigned, narrowed=True)

    def assigning(self, deals: nw.LazyFrame[Any], fields: Mapping[str, pa.Field]) -> Queries:
        """Return the same tables with columns of deals added or replaced."""
        frames = {**self._frames, DEALS.name: deals}
        assigned = {**self._assigned, **fields}
        return Queries(self._files, frames, self._engine, assigned=assigned, narrowed=self._narrowed)

    @cached_property
    def _kept(self) -> pa.Array:
        return ids_of(self.frame(DEALS.name))


def _keep_deals(name: str, frame: nw.LazyFrame[Any], kept: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Do the same as `keep_deals`, as a query."""
    if name != LEDGER.name:
        return frame.join(kept, on=_KEY, how="semi")
    marked = frame.join(kept.with_columns(is_kept=nw.lit(value=True)), on=_KEY, how="left")
    is_excluded = ~nw.col(_KEY).is_null() & nw.col("is_kept").is_null()
    in_scope = nw.when(is_excluded).then(nw.lit(value=False)).otherwise(nw.col("in_scope"))
    return marked.with_columns(in_scope=in_scope).drop("is_kept")
