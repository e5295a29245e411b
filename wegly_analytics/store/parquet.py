"""A folder of Parquet files and its manifest, written whole or not at all.

The files are written aside, in a staging folder that is the root's sibling, made durable, and then published by a
single rename. Nobody who reads the root ever sees half a snapshot, and a process that dies leaves only the staging
folder, which the next write sweeps away.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from wegly_analytics.errors import SnapshotError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MANIFEST: Final = "_manifest.json"
PREFIX: Final = "snapshot="
_STAGING: Final = ".staging-"
_STALE: Final = 24 * 3600
"""Seconds after which a staging folder is taken for a dead process' and swept."""


def write(root: str | Path, moment: datetime, tables: Mapping[str, pa.Table], manifest: Mapping[str, Any]) -> Path:
    """Publish tables as one new folder under `root`.

    Parameters
    ----------
    root
        The folder of snapshots; made if it is not there.
    moment
        Names the new folder, so that names sort by time.
    tables
        What to write, one folder a table.
    manifest
        What to say about them; rows, bytes and SHA-256 of every file are added.

    Returns
    -------
    pathlib.Path
        The folder, ``snapshot=20261123T184800Z-3f9a``.

    Raises
    ------
    SnapshotError
        If the disk is full or the place cannot be written; nothing is left there then.
    """
    root = Path(root).absolute()
    staging = root.with_name(f"{root.name}{_STAGING}{secrets.token_hex(4)}")
    try:
        root.mkdir(parents=True, exist_ok=True)
        _sweep(root)
        staging.mkdir()
        try:
            files = {name: _write_table(table, staging / name) for name, table in tables.items()}
            text = json.dumps({**manifest, "tables": files}, indent=2, ensure_ascii=False) + "\n"
            (staging / MANIFEST).write_text(text, encoding="utf-8")
            for path in (staging / MANIFEST, *(staging / name for name in tables), staging):
                _sync(path)
            return _publish(staging, root, moment)
        finally:
            shutil.rmtree(staging, ignore_errors=True)  # gone already where the rename went through
    except OSError as error:
        raise SnapshotError(
            f"cannot write a snapshot to {root}: {error.strerror or error}; nothing was left"
        ) from error


def _write_table(table: pa.Table, folder: Path) -> dict[str, Any]:
    folder.mkdir()
    path = folder / "part-00000.parquet"
    pq.write_table(table, path, compression="zstd")
    _sync(path)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"rows": table.num_rows, "files": {path.name: {"bytes": path.stat().st_size, "sha256": digest}}}


def _publish(staging: Path, root: Path, moment: datetime) -> Path:
    stamp = moment.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    while True:
        folder = root / f"{PREFIX}{stamp}-{secrets.token_hex(2)}"
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


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read what a folder says of itself.

    Raises
    ------
    SnapshotError
        If there is no manifest, or it cannot be read.
    """
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SnapshotError(f"{folder} is no snapshot: it has no {MANIFEST}") from None
    except (OSError, ValueError) as error:
        raise SnapshotError(f"{folder / MANIFEST} cannot be read: {error}") from error
    if not isinstance(manifest, dict) or not isinstance(manifest.get("tables"), dict):
        raise SnapshotError(f"{folder / MANIFEST} lists no tables; the snapshot cannot be trusted")
    return manifest


def read_table(folder: Path, name: str, manifest: Mapping[str, Any]) -> pa.Table:
    """Read one table of a snapshot, and hold its rows against the manifest.

    Raises
    ------
    SnapshotError
        If a file is missing, damaged, or holds another number of rows than it was published with.
    """
    try:
        table = pa.concat_tables([pq.read_table(p, partitioning=None) for p in _listed(folder, name, manifest)])
    except (OSError, pa.ArrowException) as error:
        raise SnapshotError(f"{folder / name} cannot be read: {error}") from error
    _hold_against(table.num_rows, folder, name, manifest)
    return table


def files(folder: Path, name: str, manifest: Mapping[str, Any]) -> list[Path]:
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


def schema(paths: Sequence[Path]) -> pa.Schema:
    """Read what columns the files of a table have."""
    return pq.read_schema(paths[0])


def _listed(folder: Path, name: str, manifest: Mapping[str, Any]) -> list[Path]:
    listed = manifest["tables"].get(name)
    if listed is None:
        raise SnapshotError(f"{folder} has no table {name!r}; its manifest lists {', '.join(manifest['tables'])}")
    return [folder / name / file for file in listed["files"]]


def _hold_against(rows: int, folder: Path, name: str, manifest: Mapping[str, Any]) -> None:
    promised = manifest["tables"][name]["rows"]
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
    for name, listed in read_manifest(folder)["tables"].items():
        for file, promised in listed["files"].items():
            path = folder / name / file
            if not path.is_file():
                found.append(f"{path} is missing")
                continue
            with path.open("rb") as handle:
                if hashlib.file_digest(handle, "sha256").hexdigest() != promised["sha256"]:
                    found.append(f"{path} is not what was published")
    return found
