"""The Parquet file of one table, while it is written: in row groups, with its SHA-256."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from typing import TYPE_CHECKING, Any, BinaryIO, Final

import pyarrow as pa
import pyarrow.parquet as pq

from wegly_analytics.store.manifest import PublishedFile, PublishedTable
from wegly_analytics.store.publish import PARTIAL

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

ROW_GROUP: Final = 65_536
ROW_GROUP_BYTES: Final = 16 << 20
"""The most rows, and about the most bytes, of a row group: what readers read at once, and what waits to be written."""

_FILE: Final = "part-00000.parquet"


class TableFile:
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

    def replace(self, other: TableFile) -> None:
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
