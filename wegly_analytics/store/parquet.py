"""A folder of Parquet files and its manifest, written whole or not at all.

The files are written aside, in a staging folder that is the root's sibling, made durable, and then published by a
single rename. Nobody who reads the root ever sees half a snapshot, and a process that dies leaves only the staging
folder, which the next write sweeps away.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import time
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.parquet as pq

from wegly_analytics.errors import SnapshotError
from wegly_analytics.store.manifest import NAME as MANIFEST
from wegly_analytics.store.manifest import Manifest, PublishedFile, PublishedTable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PREFIX: Final = "snapshot="
_STAMP: Final = "%Y%m%dT%H%M%S.%fZ"
_STAGING: Final = ".staging-"
_STALE: Final = 24 * 3600
"""Seconds after which a staging folder is taken for a dead process' and swept."""


def write(root: str | Path, tables: Mapping[str, pa.Table], describe: Callable[[datetime], Manifest]) -> Path:
    """Publish tables as one new folder under `root`.

    Parameters
    ----------
    root
        The folder of snapshots; made if it does not exist.
    tables
        What to write, one folder for each table.
    describe
        Makes the manifest, given when the folder is published; rows, sizes and SHA-256 of the files are added here.

    Returns
    -------
    pathlib.Path
        The folder, ``snapshot=20261123T184800.123456Z-3f9a``: names sort by time of publication.

    Raises
    ------
    SnapshotError
        If the disk is full or the folder cannot be written; nothing is left there then.
    """
    root = Path(root).absolute()
    staging = root.with_name(f"{root.name}{_STAGING}{secrets.token_hex(4)}")
    try:
        root.mkdir(parents=True, exist_ok=True)
        _sweep(root)
        staging.mkdir()
        try:
            files = {name: _write_table(table, staging / name) for name, table in tables.items()}
            published_at = _next_instant(root)
            manifest = replace(describe(published_at), tables=files)
            (staging / MANIFEST).write_text(manifest.to_json(), encoding="utf-8")
            for path in (staging / MANIFEST, *(staging / name for name in tables), staging):
                _sync(path)
            return _publish(staging, root, published_at)
        finally:
            shutil.rmtree(staging, ignore_errors=True)  # gone already where the rename went through
    except OSError as error:
        raise SnapshotError(
            f"cannot write a snapshot to {root}: {error.strerror or error}; nothing was left"
        ) from error


def _write_table(table: pa.Table, folder: Path) -> PublishedTable:
    folder.mkdir()
    path = folder / "part-00000.parquet"
    pq.write_table(table, path, compression="zstd")
    _sync(path)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return PublishedTable(table.num_rows, {path.name: PublishedFile(path.stat().st_size, digest)})


def _next_instant(root: Path) -> datetime:
    """Give the time of publication, later than that of every snapshot in the root whatever the clock does."""
    now = datetime.now(UTC)
    names = [path.name.removeprefix(PREFIX).partition("-")[0] for path in root.glob(f"{PREFIX}*")]
    for name in names:
        with suppress(ValueError):  # a folder of another name is not one of ours
            now = max(now, datetime.strptime(name, _STAMP).replace(tzinfo=UTC) + timedelta(microseconds=1))
    return now


def _publish(staging: Path, root: Path, published_at: datetime) -> Path:
    while True:
        folder = root / f"{PREFIX}{published_at.strftime(_STAMP)}-{secrets.token_hex(2)}"
        if not folder.exists():
            staging.rename(folder)
            _sync(root)
            return folder


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sweep(root: Path) -> None:
    for path in root.parent.glob(f"{root.name}{_STAGING}*"):
        with suppress(FileNotFoundError):  # another process sweeps too
            if time.time() - path.stat().st_mtime > _STALE:
                shutil.rmtree(path, ignore_errors=True)


def files(folder: Path, name: str, manifest: Manifest) -> list[Path]:
    """List the files of one table, and hold the rows that their footers promise against the manifest.

    Raises
    ------
    SnapshotError
        If a file is missing, damaged, or promises another number of rows than it was published with.
    """
    paths = [path.absolute() for path in _listed(folder, name, manifest)]
    try:
        rows = sum(pq.read_metadata(path).num_rows for path in paths)
    except (OSError, pa.ArrowException) as error:
        raise SnapshotError(f"{folder / name} cannot be read: {error}") from error
    _hold_against(rows, folder, name, manifest)
    return paths


def _listed(folder: Path, name: str, manifest: Manifest) -> list[Path]:
    return [folder / name / file for file in manifest.tables[name].files]


def _hold_against(rows: int, folder: Path, name: str, manifest: Manifest) -> None:
    promised = manifest.tables[name].rows
    if rows != promised:
        raise SnapshotError(f"{folder / name} has {rows} rows, published were {promised}")


def damage(folder: Path) -> list[str]:
    """Compare every file of a snapshot with the size and SHA-256 it was published with.

    Returns
    -------
    list of str
        One sentence for each file that differs or is missing; empty if all is well.
    """
    found = []
    for name, listed in Manifest.read(folder).tables.items():
        for file, promised in listed.files.items():
            path = folder / name / file
            if not path.is_file():
                found.append(f"{path} is missing")
                continue
            with path.open("rb") as handle:
                if hashlib.file_digest(handle, "sha256").hexdigest() != promised.sha256:
                    found.append(f"{path} is not what was published")
    return found
