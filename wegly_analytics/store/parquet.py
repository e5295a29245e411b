"""Tables as Parquet files: written in batches with their manifest, and opened after a comparison with it."""

from __future__ import annotations

import hashlib
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, BinaryIO, Final, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from wegly_analytics.errors import SnapshotError
from wegly_analytics.store.checksum import unreadable
from wegly_analytics.store.manifest import Manifest, PublishedFile, PublishedTable
from wegly_analytics.store.publish import PARTIAL, Staging, staged
from wegly_analytics.store.sort import sorted_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    import numpy as np

    _Treatment: TypeAlias = Callable[[Mapping[str, pa.Table]], Mapping[str, pa.Table]]

ROW_GROUP: Final = 65_536
ROW_GROUP_BYTES: Final = 16 << 20
"""The most rows, and about the most bytes, of a row group: what readers read at once, and what waits to be written."""

_FILE: Final = "part-00000.parquet"


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
        self._files: dict[str, _TableFile] = {}
        self._opened: list[_TableFile] = []
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
        for name, table in tables.items():
            if name not in self._files:
                folder = self.folder / name
                folder.mkdir()
                self._files[name] = self._new_file(folder, table.schema)
            self._files[name].add(table)

    def _new_file(self, folder: Path, schema: pa.Schema) -> _TableFile:
        file = _TableFile(folder, schema)
        self._opened.append(file)
        return file


class _TableFile:
    """The file of one table while it is written.

    Parameters
    ----------
    folder
        The folder of the table.
    schema
        The schema of the table.
    """

    def __init__(self, folder: Path, schema: pa.Schema) -> None:
        self.schema = schema
        self._path = folder / f"{_FILE}{PARTIAL}"
        self._sink = _Hashed(self._path.open("wb"))
        self._pending = schema.empty_table()
        self._batches: list[int] = []
        self._group = 0
        try:
            self._writer = pq.ParquetWriter(self._sink, schema, compression="zstd")
        except BaseException:
            with suppress(OSError):
                self._sink.close()
            raise

    def add(self, table: pa.Table) -> None:
        """Add rows; what fills a row group is written."""
        self._batches.append(table.num_rows)
        if not self._group and table.num_rows:
            self._group = max(1, min(ROW_GROUP, ROW_GROUP_BYTES * table.num_rows // max(1, table.nbytes)))
        self._pending = pa.concat_tables([self._pending, table])
        while self._pending.num_rows >= self._group > 0:
            self._writer.write_table(self._pending.slice(0, self._group))
            self._pending = self._pending.slice(self._group)

    def close(self) -> None:
        """Write what is pending, and the end of the file."""
        if self._writer.is_open:
            if self._pending.num_rows or not sum(self._batches):
                self._writer.write_table(self._pending)
                self._pending = self.schema.empty_table()
            self._writer.close()
            self._sink.close()

    def abandon(self) -> None:
        """Close the file as it is."""
        self._sink.discard()
        # its finalizer would close it later, fail and print a traceback
        with suppress(OSError, ValueError, pa.ArrowException):
            self._writer.close()
        self._writer.is_open = False
        with suppress(OSError):  # of what is still in the buffer
            self._sink.close()

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """Read again what was added, batch by batch."""
        self.close()
        schema = self.schema if columns is None else pa.schema([self.schema.field(name) for name in columns])
        rows = schema.empty_table()
        with pq.ParquetFile(self._path) as file:
            groups = iter(range(file.num_row_groups))
            for n in self._batches:
                while rows.num_rows < n:
                    rows = pa.concat_tables([rows, file.read_row_group(next(groups), schema.names).cast(schema)])
                yield rows.slice(0, n)
                rows = rows.slice(n)

    def replace(self, other: _TableFile) -> None:
        """Take the place of another file."""
        self._path = self._path.rename(other._path)

    def published(self) -> PublishedTable:
        """Finish the file, and describe it."""
        self.close()
        file = PublishedFile(self._sink.size, self._sink.sha256.hexdigest())
        return PublishedTable(sum(self._batches), {_FILE: file})


class _Hashed:
    """A file that computes its SHA-256 while it is written."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._is_discarded = False
        self.sha256 = hashlib.sha256()
        self.size = 0

    def discard(self) -> None:
        """Ignore what is written from now on."""
        self._is_discarded = True

    def write(self, data: Any) -> int:
        """Write bytes."""
        view = memoryview(data)
        if self._is_discarded:
            return view.nbytes
        self.sha256.update(view)
        self.size += view.nbytes
        return self._file.write(view)

    def tell(self) -> int:
        """Return the number of bytes written."""
        return self.size

    def flush(self) -> None:
        """Hand the bytes to the operating system."""
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    @property
    def closed(self) -> bool:
        """Whether the file is closed."""
        return self._file.closed


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
