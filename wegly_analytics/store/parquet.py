"""Tables as Parquet files: written with their manifest, and opened after a comparison with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from wegly_analytics.errors import SnapshotError
from wegly_analytics.store.checksum import sha256, unreadable
from wegly_analytics.store.manifest import Manifest, PublishedFile, PublishedTable
from wegly_analytics.store.publish import PARTIAL, staged

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from pathlib import Path


def write(
    root: str | Path,
    tables: Mapping[str, pa.Table],
    describe: Callable[[datetime, Mapping[str, PublishedTable]], Manifest],
    *,
    private: bool = False,
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
    private
        Whether only the user may read the files (modes 0700 and 0600), or everybody (0755 and 0644); the umask does
        not matter.

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
        return staging.publish(lambda at: describe(at, files).to_json(), private=private)


def _write_table(table: pa.Table, folder: Path) -> PublishedTable:
    folder.mkdir()
    name = "part-00000.parquet"
    path = folder / f"{name}{PARTIAL}"
    _write_file(table, path)
    return PublishedTable(table.num_rows, {name: PublishedFile(path.stat().st_size, sha256(path))})


def _write_file(table: pa.Table, path: Path) -> None:
    with pa.OSFile(str(path), "wb") as sink:
        writer = pq.ParquetWriter(sink, table.schema, compression="zstd")
        try:
            writer.write_table(table)
            writer.close()
        finally:
            writer.is_open = False  # after a failure its finalizer would close it again, fail and print a traceback


def files(folder: Path, name: str, manifest: Manifest) -> dict[Path, PublishedFile]:
    """List the files of one table, and compare their sizes with the manifest.

    Raises
    ------
    SnapshotError
        If a file is missing, or its size is not the published one.
    """
    listed = {(folder / name / file).absolute(): published for file, published in manifest.tables[name].files.items()}
    for path, published in listed.items():
        try:
            size = path.stat().st_size
        except (OSError, ValueError) as error:
            raise unreadable(path, error) from error
        if size != published.bytes:
            raise SnapshotError(
                f"{path} was changed after it was published: it has {size} bytes, published were {published.bytes}; "
                "wa.verify lists what is damaged"
            )
    return listed
