"""Tables as Parquet files: written in batches with their manifest, and opened after a comparison with it."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeAlias

from wegly_analytics.errors import SnapshotError
from wegly_analytics.store.checksum import unreadable
from wegly_analytics.store.publish import staged
from wegly_analytics.store.sort import sorted_rows
from wegly_analytics.store.table_file import TableFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    import numpy as np
    import pyarrow as pa

    from wegly_analytics.store.manifest import Manifest, PublishedFile, PublishedTable
    from wegly_analytics.store.publish import Staging

    _Treatment: TypeAlias = Callable[[Mapping[str, pa.Table]], Mapping[str, pa.Table]]


@contextmanager
def writing(root: str | Path) -> Iterator[Writer]:
    """Write tables to a new folder under `root`; nothing is left there unless they are published.

    Parameters
    ----------
    root
        The folder of snapshots; created if it does not exist.

    Raises
    ------
    SettingError
        If `root` cannot be a folder of snapshots.
    SnapshotError
        If the disk is full or the folder cannot be written; nothing is left there then.
    """
    with staged(root) as staging:
        writer = Writer(staging)
        try:
            yield writer
        finally:
            writer.stop()


def write(
    root: str | Path,
    tables: Mapping[str, pa.Table],
    describe: Callable[[datetime, Mapping[str, PublishedTable]], Manifest],
    *,
    private: bool = False,
) -> Path:
    """Publish tables that are in memory; see `writing` and `Writer.publish`."""
    with writing(root) as writer:
        writer.add(tables)
        return writer.publish(describe, private=private)


class Writer:
    """Writes the tables of one snapshot, batch by batch, in a thread of its own.

    Parameters
    ----------
    staging
        Where to write.

    Attributes
    ----------
    folder
        The staging folder.
    """

    def __init__(self, staging: Staging) -> None:
        self._staging = staging
        self.folder = staging.folder
        self._files: dict[str, TableFile] = {}
        self._opened: list[TableFile] = []
        self._thread = ThreadPoolExecutor(1, "wegly-writer")
        self._pending: Future[None] | None = None

    def add(self, tables: Mapping[str, pa.Table], treat: _Treatment = lambda tables: tables) -> None:
        """Add rows to tables; the batch before is written when this returns.

        Parameters
        ----------
        tables
            The rows by table.
        treat
            Makes what is written of them, in the writer's thread.

        Raises
        ------
        OSError
            If the batch before could not be written.
        """
        self._wait()
        self._pending = self._thread.submit(lambda: self._write(treat(tables)))

    def sort(self, ranks: Callable[[str, int, pa.Table], np.ndarray]) -> None:
        """Sort the rows of all tables, and leave out some.

        Parameters
        ----------
        ranks
            Returns the rank of each row, or a negative number to leave it out, given the name of the table, the number
            of the batch and its rows.
        """
        self._wait()
        for name, file in self._files.items():
            rows = ((table, ranks(name, n, table)) for n, table in enumerate(file.batches()))
            folder = self.folder / f"{name}.sorting"
            folder.mkdir()
            ordered = self._new_file(folder, file.schema)
            for table in sorted_rows(rows, file.schema, folder):
                ordered.add(table)
            ordered.close()
            ordered.replace(file)
            folder.rmdir()
            self._files[name] = ordered

    def batches(self, name: str, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """Read a table again as it was added, or sorted; nothing can be added to it any more.

        Parameters
        ----------
        name
            The name of the table; one without rows may be unknown.
        columns
            Read only these columns; None for all.
        """
        self._wait()
        if name in self._files:
            yield from self._files[name].batches(columns)

    def publish(
        self, describe: Callable[[datetime, Mapping[str, PublishedTable]], Manifest], *, private: bool = False
    ) -> Path:
        """Publish what was written as one new folder.

        Parameters
        ----------
        describe
            Makes the manifest, given the time of publication and the files.
        private
            Whether only the user may read the files (modes 0700 and 0600), or everybody (0755 and 0644); the umask does
            not matter.

        Returns
        -------
        pathlib.Path
            The new folder.
        """
        self._wait()
        files = {name: file.published() for name, file in self._files.items()}
        return self._staging.publish(lambda at: describe(at, files).to_json(), private=private)

    def stop(self) -> None:
        """Give up what was not published."""
        self._thread.shutdown(cancel_futures=True)
        for file in self._opened:
            file.abandon()

    def _wait(self) -> None:
        pending, self._pending = self._pending, None
        if pending:
            pending.result()

    def _write(self, tables: Mapping[str, pa.Table]) -> None:
        self.folder.touch()  # a long crawl is no dead process, whose folder another one would remove
        for name, table in tables.items():
            if name not in self._files:
                folder = self.folder / name
                folder.mkdir()
                self._files[name] = self._new_file(folder, table.schema)
            self._files[name].add(table)

    def _new_file(self, folder: Path, schema: pa.Schema) -> TableFile:
        file = TableFile(folder, schema)
        self._opened.append(file)
        return file


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
