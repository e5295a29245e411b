"""Snapshots on disk: list, load, scan, verify. Writing is `Snapshot.save`."""

from __future__ import annotations

import warnings
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pandas as pd

from wegly_analytics.errors import DamagedWarning, SettingError, SnapshotError
from wegly_analytics.parsing.drift import Drift
from wegly_analytics.snapshot.completeness import Completeness
from wegly_analytics.snapshot.files import Files, Queries
from wegly_analytics.snapshot.privacy import restored
from wegly_analytics.snapshot.snapshot import Snapshot
from wegly_analytics.snapshot.sources import ALL_TABLES
from wegly_analytics.store import parquet
from wegly_analytics.store.engines import Engine, opened
from wegly_analytics.store.manifest import NAME as MANIFEST
from wegly_analytics.store.manifest import Manifest

_COLUMNS: Final = [
    "snapshot", "taken_at", "deals", "requested", "received", "not_found", "missing",
    "filters", "bytes", "path",
]  # fmt: skip


def snapshots(root: str | Path) -> pd.DataFrame:
    """List the snapshots under a folder, oldest first.

    Parameters
    ----------
    root
        The folder of snapshots, such as ``"data/snapshots"``.

    Returns
    -------
    pandas.DataFrame
        One row per snapshot: `snapshot`, its name; `taken_at` (UTC); `deals`, rows in its deals table; of the ids
        `requested`, those `received`, those `not_found` (404), and those `missing` for another reason; `filters`,
        what was kept where the snapshot is not whole; `bytes` on disk; `path`.

    Raises
    ------
    SnapshotError
        If there is no such folder.

    Warns
    -----
    DamagedWarning
        If a manifest cannot be trusted; that snapshot is not listed.
    """
    rows = []
    for folder, manifest in _readable(_folders(Path(root))).items():
        counts = Completeness(**manifest.completeness)
        rows.append(
            {
                "snapshot": folder.name.removeprefix(parquet.PREFIX),
                "taken_at": pd.Timestamp(manifest.taken_at),
                "deals": manifest.tables["deals"].rows,
                "requested": counts.requested,
                "received": counts.received,
                "not_found": counts.not_found,
                "missing": counts.missing,
                "filters": " · ".join(manifest.filters),
                "bytes": sum(file.bytes for table in manifest.tables.values() for file in table.files.values()),
                "path": str(folder),
            }
        )
    frame = pd.DataFrame(rows, columns=_COLUMNS)
    return frame.astype({"taken_at": "datetime64[us, UTC]"}).sort_values("taken_at", kind="stable", ignore_index=True)


def load(root: str | Path, at: str | datetime | None = None) -> Snapshot:
    """Load a snapshot: the newest whole one, or the one that was newest at some time.

    Parameters
    ----------
    root
        The folder of snapshots, or the folder of one snapshot.
    at
        An instant (a text without a time zone is UTC; a bare day means its end), or a snapshot's name as `snapshots`
        lists it. None is the one that was published last. A snapshot that `Snapshot.where` filtered before it was saved
        is loaded only by its name or its own folder.

    Returns
    -------
    Snapshot
        Equal to the one that was saved, but for what `Snapshot.save` did to personal data. A table is read when it is
        first needed, so the folder must stay where it is.

    Raises
    ------
    SnapshotError
        If there is none, or it is damaged, or was written by a newer version.

    Examples
    --------
    >>> import tempfile, wegly_analytics as wa
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = wa.sample().save(folder, personal="keep")
    ...     wa.load(folder) == wa.load(path) == wa.sample()
    True
    """
    folder, manifest, about = _published(Path(root), at)
    return Snapshot(tables=_files(folder, manifest), **about)


def scan(root: str | Path, engine: Engine, at: str | datetime | None = None) -> Snapshot:
    """Open a snapshot that is larger than memory, and let an engine do the work of the metrics.

    Parameters
    ----------
    root
        The folder of snapshots, or the folder of one snapshot.
    engine
        ``"duckdb"`` or ``"polars"``, for more than memory holds; or a Spark session, for more than one machine does.
    at
        As for `load`.

    Returns
    -------
    Snapshot
        Its tables are queries of the engine: a metric reads only its columns. A function of yours needs the deals in
        memory; write an expression instead.

    Raises
    ------
    SettingError
        If there is no such engine, or it is not installed.
    SnapshotError
        If there is no snapshot, or it is damaged, or was written by a newer version.

    Examples
    --------
    >>> import tempfile, wegly_analytics as wa
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = wa.sample().save(folder)
    ...     sales = wa.scan(folder, "polars").where(pipeline="Vendas")
    ...     wa.metrics.win_rate(sales).equals(wa.metrics.win_rate(wa.load(folder).where(pipeline="Vendas")))
    True
    """
    folder, manifest, about = _published(Path(root), at)
    files = _files(folder, manifest)
    frames, held = opened(engine, files.paths)
    return Snapshot(tables=Queries(files, frames, held), **about)


def verify(root: str | Path) -> list[str]:
    """Compare every published file with the SHA-256 it was published with.

    Parameters
    ----------
    root
        The folder of snapshots, or the folder of one snapshot.

    Returns
    -------
    list of str
        One sentence for each file that is missing or changed; empty if all is well.
    """
    folder = Path(root)
    folders = [folder] if (folder / MANIFEST).is_file() else _folders(folder)
    return [sentence for each in folders for sentence in parquet.damage(each)]


def _files(folder: Path, manifest: Manifest) -> Files:
    """Open the files of a snapshot, and hold their footers against the manifest; no table is read yet."""
    return Files(
        {name: parquet.files(folder, name, manifest) for name in ALL_TABLES},
        {name: manifest.tables[name].rows for name in ALL_TABLES},
        Completeness(**manifest.completeness),
    )


def _folders(root: Path) -> list[Path]:
    if not root.is_dir():
        raise SnapshotError(f"{root} is no folder of snapshots: Snapshot.save or `wegly fetch` makes one")
    return sorted(p for p in root.glob(f"{parquet.PREFIX}*") if (p / MANIFEST).is_file())


def _choose(root: Path, at: str | datetime | None) -> Path:
    """Choose the snapshot of that name, the newest whole one, or the one that was the newest by then."""
    folders = _folders(root)
    if isinstance(at, str) and (named := [p for p in folders if p.name.removeprefix(parquet.PREFIX) == at]):
        return named[0]
    latest = None if at is None else _instant(at)
    there = _readable(folders)
    whole = {folder: manifest for folder, manifest in there.items() if not manifest.filters}
    chosen = [folder for folder, manifest in whole.items() if latest is None or manifest.taken_at <= latest]
    if chosen and latest is None:
        return max(chosen, key=lambda folder: (whole[folder].published_at, folder.name))
    if chosen:
        return max(chosen, key=lambda folder: (whole[folder].taken_at, whole[folder].published_at, folder.name))
    if folders and not there:
        Manifest.read(folders[-1], ALL_TABLES)  # says what is wrong with it
    if there and not whole:
        raise SnapshotError(
            f"{root} holds no whole snapshot, only {len(there)} filtered by where(): choose one by name, as in "
            f"at={max(there).name.removeprefix(parquet.PREFIX)!r}"
        )
    raise SnapshotError(f"{root} holds no snapshot{f' taken by {at}' if folders and at is not None else ''}")


def _readable(folders: list[Path]) -> dict[Path, Manifest]:
    """Read the manifests; a snapshot whose manifest is damaged is named in a warning and hinders no other."""
    found = {}
    for folder in folders:
        try:
            found[folder] = Manifest.read(folder, ALL_TABLES)
            Completeness(**found[folder].completeness)
        except (SnapshotError, TypeError) as error:
            found.pop(folder, None)
            warnings.warn(f"skipped: {error}", DamagedWarning, stacklevel=4)
    return found


def _published(root: Path, at: str | datetime | None) -> tuple[Path, Manifest, dict[str, Any]]:
    """Choose a snapshot; give its folder, its manifest, and what that says about it."""
    folder = root
    if not (folder / MANIFEST).is_file():
        folder = _choose(folder, at)
    elif at is not None:
        raise SettingError(f"{folder} is one snapshot; give its root to choose by at={at!r}")
    manifest = Manifest.read(folder, ALL_TABLES)
    try:
        Completeness(**manifest.completeness)
        about = {
            "taken_from": manifest.taken_from,
            "taken_at": manifest.taken_at,
            "drift_seen": Drift(**manifest.drift),
            "filters": manifest.filters,
            "personal": restored(manifest.personal),
        }
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SnapshotError(f"{folder / MANIFEST} cannot be trusted: {error!r}") from error
    return folder, manifest, about


def _instant(at: Any) -> datetime:
    try:
        instant = at if isinstance(at, datetime) else datetime.fromisoformat(at)
    except (TypeError, ValueError):
        raise SettingError(f"at={at!r} is neither an instant such as '2026-11-23' nor a snapshot's name") from None
    if isinstance(at, str) and len(at.strip()) <= len("2026-11-23"):
        instant = instant.replace(hour=23, minute=59, second=59, microsecond=999999)
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)
