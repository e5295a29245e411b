"""Parquet files as lazy frames on an engine of the user's choice: DuckDB, Polars or Spark."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import narwhals as nw

from wegly_analytics.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    Files: TypeAlias = Mapping[str, Sequence[Path]]
    Frames: TypeAlias = dict[str, nw.LazyFrame[Any]]
    Opened: TypeAlias = tuple[Frames, object]

Engine: TypeAlias = "Literal['duckdb', 'polars'] | Any"


def opened(engine: Engine, tables: Files) -> Opened:
    """Open each table's files on an engine; nothing but their footers is read.

    Parameters
    ----------
    engine
        ``"duckdb"``, ``"polars"``, or a Spark session, of Spark Connect, too.
    tables
        The files of each table.

    Returns
    -------
    dict
        A lazy frame for each table.
    object
        What runs them, to be held as long as they are used: DuckDB closes a connection that nobody holds.

    Raises
    ------
    SettingError
        If there is no such engine, or it is not installed.
    """
    if isinstance(engine, str) and engine in _BY_NAME:
        return _BY_NAME[engine](tables)
    if type(engine).__module__.startswith("pyspark.sql."):
        return _spark(engine, tables)
    raise SettingError(f"engine={engine!r} is none of 'duckdb', 'polars', or a Spark session")


def _needed(name: str) -> Any:
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        raise SettingError(
            f"engine={name!r} needs {name}, which is not installed: pip install 'wegly-analytics[{name}]'"
        ) from None


def _duckdb(tables: Files) -> Opened:
    # a connection of its own: nobody else's settings, views or time zone
    connection = _needed("duckdb").connect(":memory:")
    connection.execute("SET TimeZone = 'UTC'")
    frames = {
        name: nw.from_native(connection.read_parquet([_literal(p) for p in paths], hive_partitioning=False)).lazy()
        for name, paths in tables.items()
    }
    return frames, connection


def _polars(tables: Files) -> Opened:
    polars = _needed("polars")
    frames = {
        name: nw.from_native(polars.scan_parquet(list(paths), hive_partitioning=False, glob=False)).lazy()
        for name, paths in tables.items()
    }
    return frames, polars


def _spark(session: Any, tables: Files) -> Opened:
    frames = {
        name: nw.from_native(session.read.parquet(*(_escaped(p) for p in paths))).lazy()
        for name, paths in tables.items()
    }
    return frames, session


def _literal(path: Path) -> str:
    """Keep DuckDB from taking a folder's name for a pattern."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in str(path))


def _escaped(path: Path) -> str:
    """Say that a path is a local one, and keep Spark from taking a folder's name for a pattern."""
    return "file://" + "".join(f"\\{letter}" if letter in "*?[]{}\\" else letter for letter in str(path))


_BY_NAME: Final[Mapping[str, Callable[[Files], Opened]]] = {"duckdb": _duckdb, "polars": _polars}
