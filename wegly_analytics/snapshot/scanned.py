"""A snapshot whose tables stay in their files: an engine does the work, and only small results come home."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn

import narwhals as nw

from wegly_analytics.errors import SettingError
from wegly_analytics.model.tables import DEAL_ID, LEDGER
from wegly_analytics.snapshot.completeness import Completeness
from wegly_analytics.snapshot.filters import Among
from wegly_analytics.snapshot.snapshot import ALL_TABLES, Snapshot, cut, excluded_by

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pandas as pd
    import pyarrow as pa

_HINTS = 1000
"""Among how many names a misspelt one looks for its neighbour."""

_IN_MEMORY = "a scanned snapshot does not have its deals in memory: wa.load(...) the snapshot first, then {}"


class Shelf(Mapping[str, "pa.Table"]):
    """The tables of a snapshot, each read when it is requested, and then kept.

    Parameters
    ----------
    read
        Reads one table.
    keeps
        The ids of the deals in scope as a lazy frame; None for all.
    """

    def __init__(self, read: Callable[[str], pa.Table], keeps: nw.LazyFrame[Any] | None = None) -> None:
        self.read = read
        self._keeps = keeps
        self._taken: dict[str, pa.Table] = {}

    def __getitem__(self, name: str) -> pa.Table:
        if name not in ALL_TABLES:
            raise KeyError(name)
        if name not in self._taken:
            table = self.read(name)
            self._taken[name] = table if self._keeps is None else cut(name, table, self._kept)
        return self._taken[name]

    def __contains__(self, name: object) -> bool:
        return name in ALL_TABLES

    def __iter__(self) -> Iterator[str]:
        return iter(ALL_TABLES)

    def __len__(self) -> int:
        return len(ALL_TABLES)

    @cached_property
    def _kept(self) -> pa.ChunkedArray:
        assert self._keeps is not None  # noqa: S101 - for the type checker
        return self._keeps.collect("pyarrow").to_native().column(DEAL_ID.name)


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Scanned(Snapshot):
    """A snapshot in its files, made by `scan`, for every metric.

    What metrics ask of a snapshot is answered without reading tables whole: its frames are queries of the engine,
    `completeness` and `rows` come from the manifest, or are counted by the engine where `where` has left deals out.
    What asks for a table as a whole gets it, read from its files: ``snap.deals`` and the others under their names,
    `check` and `save`. A function of the user's and `assign` need the deals in memory and are refused, for nobody scans
    who has the room; `load` is for these.

    Parameters
    ----------
    frames, engine
        The tables as queries, and what runs them.
    schema
        The columns of deals.
    counted, promised
        The completeness and the rows of each table, as published; None where deals were left out since.
    """

    frames: Mapping[str, nw.LazyFrame[Any]]
    engine: object
    schema: pa.Schema
    counted: Completeness | None
    promised: Mapping[str, int] | None

    @cached_property
    def completeness(self) -> Completeness:
        """How many deals were requested, and what became of them."""
        if self.counted is not None:
            return self.counted
        counts = self.frames[LEDGER.name].group_by("outcome", "in_scope").agg(n=nw.len())
        return Completeness.summed(counts.collect("pyarrow").to_native())

    @property
    def rows(self) -> dict[str, int]:
        """How many rows each table has."""
        return dict(self._rows)

    @cached_property
    def _rows(self) -> Mapping[str, int]:
        return self.promised or {name: _count(frame) for name, frame in self.frames.items()}

    def frame(self, name: str) -> nw.LazyFrame[Any]:
        """Give a table as a lazy frame of the engine, the form that metrics work on.

        Hold on to the snapshot while you use it: older versions of DuckDB close their connection with it.

        Parameters
        ----------
        name
            A table's name, or ``"ledger"``.
        """
        if name not in self.frames:
            raise SettingError(f"there is no table {name!r}; there are {', '.join(self.frames)}")
        return self.frames[name]

    def where(
        self,
        *conditions: Callable[[pd.DataFrame], Any],
        quality: str | Sequence[str] | None = None,
        **columns: object,
    ) -> Scanned:
        """Keep some deals; every table follows. The engine does it, and only counts come home.

        Parameters
        ----------
        *conditions
            None can be applied here; see Raises.
        quality, **columns
            As for `Snapshot.where`, but for functions.

        Raises
        ------
        MissingColumnError
            If deals has no such column.
        SettingError
            If a condition is a function, if a value cannot be compared with its column, or there is no such rule.

        Warns
        -----
        EmptyScopeWarning
            If no deal is left.
        """
        if conditions or any(callable(wanted) for wanted in columns.values()):
            raise SettingError(_IN_MEMORY.format("where(function)"))
        among = [Among.of(self.schema, name, wanted) for name, wanted in columns.items()]
        said = [str(each) for each in among]
        deals = self.frame("deals")
        self._warn_of_nothing(among, deals)
        for each in among:
            deals = deals.filter(_is(each))
        if quality is not None:
            n, broken = _count(deals), self._breaking(quality)
            deals = deals.join(broken, on=DEAL_ID.name, how="anti")
            said.append(excluded_by(quality, n, _count(deals), stacklevel=2))
        kept = deals.select(DEAL_ID.name)
        frames = {name: _cut(name, frame, kept) for name, frame in self.frames.items()} | {"deals": deals}
        shelf = Shelf(self.tables.read if isinstance(self.tables, Shelf) else self.tables.__getitem__, kept)
        return replace(self, tables=shelf, frames=frames, counted=None, promised=None, filters=(*self.filters, *said))

    def assign(self, **columns: Any) -> NoReturn:
        """Refuse: columns are made in memory.

        Raises
        ------
        SettingError
            Always.
        """
        raise SettingError(_IN_MEMORY.format(f"assign({', '.join(columns)}=...)"))

    def _warn_of_nothing(self, among: Sequence[Among], deals: nw.LazyFrame[Any]) -> None:
        if not among:
            return
        met = [
            nw.when(_is(each)).then(nw.lit(1)).otherwise(nw.lit(0)).max().alias(f"n_{n}")
            for n, each in enumerate(among)
        ]
        row = deals.select(*met).collect("pyarrow").to_native().to_pylist()[0]
        for n, each in enumerate(among):
            if row[f"n_{n}"] == 0:  # missing where there are no deals at all
                there = deals.group_by(each.column).agg(n=nw.len()).head(_HINTS).collect("pyarrow").to_native()
                each.warn_of_nothing(there.column(each.column).to_pylist(), stacklevel=3)


def _is(among: Among) -> nw.Expr:
    column, values = nw.col(among.column), among.known.to_pylist()
    known = column.is_in(values) if values else ~column.is_null() & column.is_null()
    return known | column.is_null() if among.takes_missing else known


def _count(frame: nw.LazyFrame[Any]) -> int:
    return int(frame.select(nw.len().alias("n")).collect("pyarrow").to_native().column("n")[0].as_py())


def _cut(name: str, frame: nw.LazyFrame[Any], kept: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Do what `snapshot.cut` does, as a query."""
    if name != LEDGER.name:
        return frame.join(kept, on=DEAL_ID.name, how="semi")
    marked = frame.join(kept.with_columns(is_kept=nw.lit(value=True)), on=DEAL_ID.name, how="left")
    is_out = ~nw.col(DEAL_ID.name).is_null() & nw.col("is_kept").is_null()
    in_scope = nw.when(is_out).then(nw.lit(value=False)).otherwise(nw.col("in_scope"))
    return marked.with_columns(in_scope=in_scope).drop("is_kept")
