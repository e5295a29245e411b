"""The tables of a snapshot as pandas frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol, overload

import pandas as pd
import pyarrow as pa

from wegly_analytics.snapshot.sources import ALL_TABLES

if TYPE_CHECKING:
    from wegly_analytics.parsing.drift import Drift

_NULLABLE: Final = {pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}


class WithTables(Protocol):
    """Anything whose tables can be pandas frames."""

    def as_pandas(self, name: str) -> pd.DataFrame:
        """Return one table; the frame is shared and must not be changed."""


class TableAsPandas:
    """One table as a pandas frame; every access returns a copy."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name
        self.__doc__ = ALL_TABLES[name].grain

    @overload
    def __get__(self, snap: None, owner: type) -> TableAsPandas: ...
    @overload
    def __get__(self, snap: WithTables, owner: type) -> pd.DataFrame: ...
    def __get__(self, snap: WithTables | None, owner: type) -> TableAsPandas | pd.DataFrame:
        return self if snap is None else snap.as_pandas(self._name).copy()


def pandas_frame(table: pa.Table) -> pd.DataFrame:
    """Convert a table to pandas; integers and booleans keep their type where values are missing."""
    frame: pd.DataFrame = table.to_pandas(date_as_object=False, types_mapper=_NULLABLE.get)
    return frame


def drift_frame(drift: Drift) -> pd.DataFrame:
    """Convert drift to the frame that `Snapshot.drift` returns."""
    frame = pd.DataFrame(drift.rows(), columns=["path", "drift", "deals", "example"])
    frame.attrs["looked_at"] = drift.looked_at
    return frame
