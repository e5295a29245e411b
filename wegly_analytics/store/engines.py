"""Parquet files as lazy frames of the engine that the user chose: DuckDB, Polars or Spark."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from difflib import get_close_matches
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

MEMORY: Final = "750MB"
"""What DuckDB may take before it writes to disk; with Python and a result the process stays below 2 GB."""


def opened(engine: Engine, tables: Files) -> Opened:
    """Open each table's files on an engine; only their footers are read.

    Parameters
    ----------
    engine
        ``"duckdb"``, ``"polars"``, or a Spark session, also of Spark Connect.
    tables
        The files of each table.

    Returns
    -------
    dict
        A lazy frame for each table.
    object
        What runs them. Keep a reference as long as they are used: DuckDB closes a connection without one.

    Raises
    ------
    SettingError
        If there is no such engine, or it is not installed.
    """
    check_engine(engine)
    return _BY_NAME[engine](tables) if isinstance(engine, str) else _spark(engine, tables)


def check_engine(engine: Engine) -> None:
    """Refuse an unknown engine, before any file is opened.

    Raises
    ------
    SettingError
        If there is no such engine, or it is not installed.
    """
    if isinstance(engine, str) and engine in _BY_NAME:
        _imported(engine)
    elif not type(engine).__module__.startswith("pyspark.sql."):
        near = get_close_matches(engine, _BY_NAME, n=1) if isinstance(engine, str) else []
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise SettingError(f"engine={engine!r:.80} is not 'duckdb', 'polars' or a Spark session{hint}")


def _imported(name: str) -> Any:
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        raise SettingError(
            f"engine={name!r} needs {name}, which is not installed: pip install 'wegly-analytics[{name}]'"
        ) from None


def _duckdb(tables: Files) -> Opened:
    # a connection of its own, without the settings, views and time zone of the default one
    spill = tempfile.mkdtemp(prefix="wegly-analytics-")  # only its owner may read it; by default it were ./.tmp
    # the figures do not depend on the order of rows, and keeping it takes memory
    settings = {"memory_limit": MEMORY, "temp_directory": spill, "preserve_insertion_order": False}
    connection = _imported("duckdb").connect(":memory:", config=settings)
    weakref.finalize(connection, shutil.rmtree, spill, ignore_errors=True)
    connection.execute("SET TimeZone = 'UTC'")
    frames = {
        name: nw.from_native(connection.read_parquet([_literal(p) for p in paths], hive_partitioning=False)).lazy()
        for name, paths in tables.items()
    }
    return frames, connection


def _polars(tables: Files) -> Opened:
    polars = _imported("polars")
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
    """Escape a path, so that DuckDB does not read it as a pattern."""
    return "".join(f"[{character}]" if character in "*?[" else character for character in str(path))


def _escaped(path: Path) -> str:
    """Mark a path as local and escape it, so that Spark does not read it as a pattern."""
    return "file://" + "".join(f"\\{character}" if character in "*?[]{}\\" else character for character in str(path))


_BY_NAME: Final[Mapping[str, Callable[[Files], Opened]]] = {"duckdb": _duckdb, "polars": _polars}
