"""Snapshots on disk: list, load, scan, verify. Writing is `Snapshot.save`."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pandas as pd

from wegly_analytics.errors import SettingError, SnapshotError
from wegly_analytics.parsing.repair import Drift
from wegly_analytics.snapshot.completeness import Completeness
from wegly_analytics.snapshot.files import Files, Queries
from wegly_analytics.snapshot.privacy import restored
from wegly_analytics.snapshot.snapshot import SCHEMA_VERSION, Snapshot
from wegly_analytics.snapshot.sources import ALL_TABLES
from wegly_analytics.store import parquet
from wegly_analytics.store.engines import Engine, opened

_COLUMNS: Final = ["snapshot", "taken_at", "deals", "requested", "received", "not_found", "missing", "bytes", "path"]


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
        `requested`, those `received`, those `not_found` (404), or are `missing` for another reason; `bytes` on disk;
        `path`.

    Raises
    ------
    SnapshotError
        If there is no such folder, or a manifest cannot be read.
    """
    rows = []
    for folder in _folders(Path(root)):
        manifest = parquet.read_manifest(folder)
        counts = Completeness(**manifest["completeness"])
        tables = manifest["tables"].values()
        rows.append(
            {
                "snapshot": folder.name.removeprefix(parquet.PREFIX),
                "taken_at": pd.Timestamp(manifest["taken_at"]),
                "deals": manifest["tables"]["deals"]["rows"],
                "requested": counts.requested,
                "received": counts.received,
                "not_found": counts.not_found,
                "missing": counts.missing,
                "bytes": sum(file["bytes"] for table in tables for file in table["files"].values()),
                "path": str(folder),
            }
        )
    frame = pd.DataFrame(rows, columns=_COLUMNS)
    return frame.astype({"taken_at": "datetime64[us, UTC]"})


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
    paths = {name: parquet.files(folder, name, manifest) for name in ALL_TABLES}
    frames, held = opened(engine, paths)
    return Snapshot(tables=Queries(_files(folder, manifest), frames, held), **about)


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
    folders = [folder] if (folder / parquet.MANIFEST).is_file() else _folders(folder)
    return [sentence for each in folders for sentence in parquet.damage(each)]


def _files(folder: Path, manifest: dict[str, Any]) -> Files:
    """Open the files of a snapshot, and hold their footers against the manifest; no table is read yet."""
    return Files(
        {name: parquet.files(folder, name, manifest) for name in ALL_TABLES},
        {name: manifest["tables"][name]["rows"] for name in ALL_TABLES},
        Completeness(**manifest["completeness"]),
    )


def _folders(root: Path) -> list[Path]:
    if not root.is_dir():
        raise SnapshotError(f"{root} is no folder of snapshots: Snapshot.save or `wegly fetch` makes one")
    return sorted(p for p in root.glob(f"{parquet.PREFIX}*") if (p / parquet.MANIFEST).is_file())


def _choose(root: Path, at: str | datetime | None) -> Path:
    """Choose the snapshot of that name, the newest whole one, or the one that was the newest by then."""
    folders = _folders(root)
    if isinstance(at, str) and (named := [p for p in folders if p.name.removeprefix(parquet.PREFIX) == at]):
        return named[0]
    latest = None if at is None else _instant(at)
    there = {folder: parquet.read_manifest(folder) for folder in folders}
    whole = {folder: manifest for folder, manifest in there.items() if not manifest.get("filters")}
    if at is None:
        if whole:
            return max(whole, key=lambda folder: (str(whole[folder].get("published_at", "")), folder.name))
        if there:
            raise SnapshotError(
                f"{root} holds no whole snapshot, only {len(there)} filtered by where(): choose one by name, as in "
                f"at={folders[-1].name.removeprefix(parquet.PREFIX)!r}"
            )
        raise SnapshotError(f"{root} holds no snapshot")
    taken = {folder: datetime.fromisoformat(manifest["taken_at"]) for folder, manifest in whole.items()}
    chosen = [folder for folder, taken_at in taken.items() if latest is None or taken_at <= latest]
    if not chosen:
        raise SnapshotError(f"{root} holds no snapshot{f' taken by {at}' if folders else ''}")
    return max(chosen, key=lambda folder: (taken[folder], str(whole[folder].get("published_at", "")), folder.name))


def _published(root: Path, at: str | datetime | None) -> tuple[Path, dict[str, Any], dict[str, Any]]:
    """Choose a snapshot; give its folder, its manifest, and what that says about it."""
    folder = root
    if not (folder / parquet.MANIFEST).is_file():
        folder = _choose(folder, at)
    elif at is not None:
        raise SettingError(f"{folder} is one snapshot; give its root to choose by at={at!r}")
    manifest = parquet.read_manifest(folder)
    if manifest.get("schema_version", 0) > SCHEMA_VERSION:
        raise SnapshotError(f"{folder} was written by a newer version of wegly_analytics; upgrade to read it")
    try:
        Completeness(**manifest["completeness"])
        about = {
            "taken_from": datetime.fromisoformat(manifest["taken_from"]),
            "taken_at": datetime.fromisoformat(manifest["taken_at"]),
            "drift_seen": Drift(**manifest["drift"]),
            "filters": tuple(manifest["filters"]),
            "personal": restored(manifest["personal"]),
        }
    except (KeyError, TypeError, ValueError) as error:
        raise SnapshotError(f"{folder / parquet.MANIFEST} cannot be trusted: {error!r}") from error
    return folder, manifest, about


def _instant(at: Any) -> datetime:
    try:
        instant = at if isinstance(at, datetime) else datetime.fromisoformat(at)
    except (TypeError, ValueError):
        raise SettingError(f"at={at!r} is neither an instant such as '2026-11-23' nor a snapshot's name") from None
    if isinstance(at, str) and len(at.strip()) <= len("2026-11-23"):
        instant = instant.replace(hour=23, minute=59, second=59, microsecond=999999)
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)
