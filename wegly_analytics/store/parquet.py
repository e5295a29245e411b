"""Tables as Parquet files: written with their manifest, and opened after a comparison with it."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from wegly_analytics.errors import SnapshotError
from wegly_analytics.store.manifest import NAME as MANIFEST
from wegly_analytics.store.manifest import Manifest, PublishedFile, PublishedTable
from wegly_analytics.store.publish import staged

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from pathlib import Path


def write(
    root: str | Path,
    tables: Mapping[str, pa.Table],
    describe: Callable[[datetime, Mapping[str, PublishedTable]], Manifest],
) -> Path:
    """Publish tables as one new folder under `root`.

    Parameters
    ----------
    root
        The folder of snapshots; created if it does not exist.
    tables
        What to write, one folder for each table.
    describe
        Makes the manifest, given the time of publication and the files.

    Returns
    -------
    pathlib.Path
        The new folder.

    Raises
    ------
    SettingError
        If `root` cannot be a folder of snapshots.
    SnapshotError
        If the disk is full or the folder cannot be written; nothing is left there then.
    """
    with staged(root) as staging:
        files = {name: _write_table(table, staging.folder / name) for name, table in tables.items()}
        published_at = staging.next_instant()
        manifest = describe(published_at, files)
        (staging.folder / MANIFEST).write_text(manifest.to_json(), encoding="utf-8")
        return staging.publish(published_at)


def _write_table(table: pa.Table, folder: Path) -> PublishedTable:
    folder.mkdir()
    path = folder / "part-00000.parquet"
    pq.write_table(table, path, compression="zstd")
    return PublishedTable(table.num_rows, {path.name: PublishedFile(path.stat().st_size, sha256(path))})


def sha256(path: Path) -> str:
    """Compute the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def files(folder: Path, name: str, manifest: Manifest) -> list[Path]:
    """List the files of one table, and compare the rows in their footers with the manifest.

    Raises
    ------
    SnapshotError
        If a file is missing or damaged, or the number of rows is not the published one.
    """
    table = manifest.tables[name]
    paths = [(folder / name / file).absolute() for file in table.files]
    try:
        rows = sum(pq.read_metadata(path).num_rows for path in paths)
    except (OSError, pa.ArrowException) as error:
        raise SnapshotError(f"{folder / name} cannot be read: {error}; wa.verify lists what is damaged") from error
    if rows != table.rows:
        raise SnapshotError(
            f"{folder / name} has {rows} rows, published were {table.rows}; wa.verify lists what is damaged"
        )
    return paths
