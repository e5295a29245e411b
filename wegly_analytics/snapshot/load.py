"""Snapshots on disk: list, load, scan, verify. Writing is `Snapshot.save`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from wegly_analytics.errors import SnapshotError
from wegly_analytics.parsing.drift import Drift
from wegly_analytics.snapshot.completeness import Completeness
from wegly_analytics.snapshot.files import Files, Queries
from wegly_analytics.snapshot.privacy import restored
from wegly_analytics.snapshot.root import (
    by_publication,
    checked_root,
    chosen,
    folders,
    name_of,
    no_snapshot,
    readable,
    reading,
)
from wegly_analytics.snapshot.snapshot import Snapshot
from wegly_analytics.snapshot.sources import ALL_TABLES
from wegly_analytics.store import parquet
from wegly_analytics.store.engines import Engine, check_engine, opened
from wegly_analytics.store.manifest import NAME as MANIFEST
from wegly_analytics.store.verify import problems

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from wegly_analytics.snapshot.root import Published

_UTC: Final = "datetime64[us, UTC]"
_COLUMNS: Final = {
    "snapshot": "object", "published_at": _UTC, "taken_at": _UTC, "deals": "Int64", "requested": "Int64",
    "received": "Int64", "not_found": "Int64", "missing": "Int64", "filters": "object", "bytes": "Int64",
    "problem": "object", "path": "object",
}  # fmt: skip


def snapshots(root: str | Path) -> pd.DataFrame:
    """List the snapshots under a folder in the order of publication; those with a damaged manifest last.

    Parameters
    ----------
    root
        The folder of snapshots, such as ``"data/snapshots"``.

    Returns
    -------
    pandas.DataFrame
        One row per snapshot: `snapshot`, its name; `published_at` and `taken_at` (UTC); `deals`, rows in its deals
        table; of the ids `requested`, those `received`, those `not_found` (404), and those `missing` for another
        reason; `filters`, what `Snapshot.where` kept; `bytes` on disk; `problem`, empty unless its manifest is damaged,
        and then everything else is missing; `path`.

    Raises
    ------
    SnapshotError
        If there is no such folder.

    Warns
    -----
    DamagedWarning
        If a manifest is damaged.
    """
    damaged: dict[Path, SnapshotError] = {}
    with reading(root):
        found = readable(checked_root(root, "snapshots"), stacklevel=2, damaged=damaged)
    rows = [_row(each) for each in sorted(found, key=by_publication)]
    rows += [
        {"snapshot": name_of(folder), "problem": str(error), "path": str(folder)} for folder, error in damaged.items()
    ]
    frame = pd.DataFrame(rows, columns=[*_COLUMNS])
    return frame.astype(_COLUMNS)


def _row(each: Published) -> dict[str, object]:
    counts, tables = Completeness(**each.manifest.completeness), each.manifest.tables
    return {
        "snapshot": each.name,
        "published_at": pd.Timestamp(each.manifest.published_at),
        "taken_at": pd.Timestamp(each.manifest.taken_at),
        "deals": tables["deals"].rows,
        "requested": counts.requested,
        "received": counts.received,
        "not_found": counts.not_found,
        "missing": counts.missing,
        "filters": " · ".join(each.manifest.filters),
        "bytes": sum(file.bytes for table in tables.values() for file in table.files.values()),
        "problem": "",
        "path": str(each.folder),
    }


def load(root: str | Path, at: str | datetime | None = None, *, check: bool = True) -> Snapshot:
    """Load a snapshot: the one published last, or the last one taken up to a given time.

    Parameters
    ----------
    root
        The folder of snapshots, or the folder of one snapshot.
    at
        An instant (a text without a time zone is UTC; a day means its end), or the name of a snapshot as `snapshots`
        lists it. If None, the one published last. A snapshot that was filtered by `Snapshot.where` before it was saved
        is loaded only by its name or its own folder.
    check
        Compare the SHA-256 of each file with the published one before it is first read in this process, and again if
        the file was changed since. False reads whatever the files contain.

    Returns
    -------
    Snapshot
        Equal to the saved one, except for the personal data that `Snapshot.save` replaced or dropped. A table is read
        when it is first needed, so the folder must not be moved.

    Raises
    ------
    SnapshotError
        If there is none, or it is damaged, or was written by a newer version. A file whose content was changed is
        reported when its table is first read.

    Warns
    -----
    DamagedWarning
        If a manifest under `root` is damaged; that snapshot is skipped.

    Examples
    --------
    >>> import tempfile, wegly_analytics as wa
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = wa.sample().save(folder, personal="keep")
    ...     wa.load(folder) == wa.load(path) == wa.sample()
    True
    """
    with reading(root):
        snapshot = chosen(checked_root(root, "load"), at, stacklevel=2)
    return Snapshot(tables=_files(snapshot, check=check), **_about(snapshot))


def scan(root: str | Path, engine: Engine, at: str | datetime | None = None, *, check: bool = True) -> Snapshot:
    """Open a snapshot that is larger than memory, and let an engine compute the metrics.

    Parameters
    ----------
    root
        The folder of snapshots, or the folder of one snapshot.
    engine
        ``"duckdb"`` or ``"polars"``, for more deals than fit in memory; or a Spark session, for more than fit on one
        machine.
    at
        As for `load`.
    check
        As for `load`, but every file is compared at once. An engine reads after that: a file that is replaced while a
        query runs is noticed by the next query only.

    Returns
    -------
    Snapshot
        Its tables are queries of the engine; a metric reads only the columns it needs. In `where` and `assign`, use
        expressions: functions need the deals in memory.

    Raises
    ------
    SettingError
        If there is no such engine, or it is not installed.
    SnapshotError
        If there is no snapshot, or it is damaged, or was written by a newer version.

    Warns
    -----
    DamagedWarning
        As for `load`.

    Examples
    --------
    >>> import tempfile, wegly_analytics as wa
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = wa.sample().save(folder)
    ...     sales = wa.scan(folder, "polars").where(pipeline="Vendas")
    ...     wa.metrics.win_rate(sales).equals(wa.metrics.win_rate(wa.load(folder).where(pipeline="Vendas")))
    True
    """
    check_engine(engine)
    with reading(root):
        snapshot = chosen(checked_root(root, "scan"), at, stacklevel=2)
    files = _files(snapshot, check=check)
    for name in files:
        files.schema(name)  # with a check; without one, what cannot be opened is named
    frames, connection = opened(engine, files.paths)
    return Snapshot(tables=Queries(files, frames, connection), **_about(snapshot))


def verify(root: str | Path) -> pd.DataFrame:
    """Compare every published file with its manifest, byte by byte.

    Parameters
    ----------
    root
        The folder of snapshots, or the folder of one snapshot.

    Returns
    -------
    pandas.DataFrame
        One row per problem, of all snapshots; empty if nothing is wrong. `snapshot`, its name; `table`, missing for a
        manifest; `problem`: ``"no manifest"``, ``"damaged manifest"``, ``"missing"``, ``"unreadable"``, ``"changed"``
        (its SHA-256 differs), ``"wrong row count"`` or ``"extra"`` (a file that was not published); `path`; `detail`,
        what was found and what was published. ``.attrs["snapshots"]`` is the count of snapshots examined.

    Raises
    ------
    SnapshotError
        If there is no such folder, or no snapshot in it.

    Examples
    --------
    >>> import tempfile, wegly_analytics as wa
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = wa.sample().save(folder)
    ...     before = wa.verify(folder)
    ...     (path / "tags" / "part-00000.parquet").unlink()
    ...     after = wa.verify(folder)
    >>> before.empty
    True
    >>> after[["table", "problem"]]
      table  problem
    0  tags  missing
    """
    with reading(root):
        path = checked_root(root, "verify")
        present = folders(path, with_manifest=False)
        if not present:
            raise no_snapshot(path)
    rows = [
        (name_of(folder), problem.table, problem.problem, str(problem.path), problem.detail)
        for folder in present
        for problem in problems(folder, ALL_TABLES)
    ]
    frame = pd.DataFrame(rows, columns=["snapshot", "table", "problem", "path", "detail"])
    frame.attrs["snapshots"] = len(present)
    return frame


def _files(snapshot: Published, *, check: bool) -> Files:
    """Find the files of a snapshot and compare their sizes with the manifest; none is opened yet."""
    manifest = snapshot.manifest
    return Files(
        {name: parquet.files(snapshot.folder, name, manifest) for name in ALL_TABLES},
        {name: manifest.tables[name].rows for name in ALL_TABLES},
        Completeness(**manifest.completeness),
        check=check,
    )


def _about(snapshot: Published) -> dict[str, Any]:
    """Return what the manifest states about a snapshot, as arguments of `Snapshot`."""
    manifest = snapshot.manifest
    try:
        return {
            "taken_from": manifest.taken_from,
            "taken_at": manifest.taken_at,
            "drift_seen": Drift(**manifest.drift),
            "filters": manifest.filters,
            "personal": restored(manifest.personal),
        }
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SnapshotError(f"{snapshot.folder / MANIFEST} is damaged: 'drift' or 'personal': {error!r}") from error
