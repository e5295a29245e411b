"""Responses as received, on disk: what is in an archive need not be requested again.

An archive is one SQLite file, private to the user, to which many processes and threads may write at once. Each record
is on the disk when `write` returns, so a killed process, or a power failure, loses nothing that was acknowledged. Each
carries a CRC of all its columns, and the file the number of its records and the sum of their CRCs: what is damaged or
missing is named, and never taken for a response.
"""

from __future__ import annotations

import sqlite3
import zlib
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, Self

from wegly_analytics.errors import ArchiveError, SettingError
from wegly_analytics.intake import database
from wegly_analytics.intake.row import INSERT, SELECT, Found, Row, columns_of, crc_of, time_of
from wegly_analytics.intake.rows import rows_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from wegly_analytics.intake.record import Record

ARCHIVE: Final = "data/responses.sqlite"
"""The file that errors suggest for an archive."""


class Archive:
    """A file of responses.

    Parameters
    ----------
    path
        The file; created by `open`, or when the first record is written.

    Attributes
    ----------
    damaged
        What the last reading could not read, and why.

    Raises
    ------
    SettingError
        If `path` is a folder.

    Examples
    --------
    >>> import tempfile
    >>> from datetime import UTC, datetime
    >>> from wegly_analytics.intake.record import Record
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with Archive(f"{folder}/responses.sqlite") as archive:
    ...         found = archive.write(Record("17", 404, datetime(2026, 11, 23, tzinfo=UTC)))
    ...     [record.requested for record in archive]
    ['17']
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        with self._errors("read"):
            is_folder = self.path.is_dir()
        if is_folder:
            raise SettingError(f"{path} is a folder, and an archive is a file: give for example archive={ARCHIVE!r}")
        self.damaged: dict[str, str] = {}
        self._connection: sqlite3.Connection | None = None
        self._is_closed = False
        self._lock = Lock()

    def __repr__(self) -> str:
        return f"Archive({str(self.path)!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Record]:
        """Read every record, in the order in which they were written."""
        for row in self._all():
            if record := self._record(row):
                yield record

    def exists(self) -> bool:
        """Tell whether there is a file yet."""
        with self._errors("read"):
            return self.path.exists()

    def open(self) -> None:
        """Make sure that the archive can be written to.

        Raises
        ------
        ArchiveError
            If it cannot, or if its structure is damaged, so that writing might damage more.
        """
        with self._lock, self._errors("write to"):
            self._is_closed = False
            self._opened()

    def write(self, record: Record) -> Found:
        """Add a record; threads and processes may do so at the same time. It is on the disk when this returns.

        Returns
        -------
        Found
            What `records` reads it by.

        Raises
        ------
        ArchiveError
            If the disk is full or the file cannot be written. What was written before is kept.
        """
        columns = columns_of(record)
        with self._lock, self._errors("write to"), database.transaction(self._opened()) as connection:
            (n,) = connection.execute("SELECT coalesce(max(n), 0) + 1 FROM response").fetchone()
            crc = crc_of(n, *columns)
            connection.execute(INSERT, (n, *columns, crc))
            connection.execute("UPDATE total SET records = records + 1, crcs = crcs + ?", (crc,))
        return Found(record.is_final, record.at, n, record.status)

    def close(self) -> None:
        """Close the file, if it is open."""
        with self._lock, self._errors("write to"):
            self._is_closed = True
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()

    def newest(self, now: datetime | None = None) -> dict[str, Found]:
        """Find the record that stands for each id: the newest final one, or the newest where none is final.

        A time after `now`, which the clock of another computer has written, counts as older than any other.
        """
        found: dict[str, Found] = {}
        for row in self._all():
            id_, one = row.requested.decode(), Found(bool(row.is_final), row.time, row.n, row.status)
            other = found.get(id_)
            if other is None or one.rank(now) > other.rank(now):
                found[id_] = one
        return found

    def records(self, wanted: Mapping[str, Found]) -> Iterator[Record]:
        """Read the records that `newest` found, one by one; those that were damaged or erased since are left out."""
        if not wanted:
            return
        with self._errors("read"), closing(database.connect(self.path)) as connection:
            for row in rows_of(connection, ((id_, found.n) for id_, found in wanted.items()), self._note):
                record = self._record(row) if self._is_whole(row) else None
                found = wanted.get(record.requested) if record else None
                if record and found and (found.n, found.at) == (row.n, record.at):
                    yield record

    def erase(self, before: datetime, *, after: datetime | None = None) -> int:
        """Erase all records from before a time, for good, and those whose time is not known because they are damaged.

        Parameters
        ----------
        before
            The time.
        after
            Erase also what is dated later than this: the clock that dated it was wrong.

        Returns
        -------
        int
            How many records were erased.

        Raises
        ------
        ArchiveError
            If the file cannot be written, or its structure is damaged: nothing is erased then.
        """
        with self._errors("erase from"), closing(database.connect(self.path, write=True)) as connection:
            self._check(connection)
            connection.execute("PRAGMA secure_delete=ON")
            self.damaged.clear()
            self._check_log(connection)
            with database.transaction(connection):
                (held,) = connection.execute("SELECT count(*) FROM response").fetchone()
                kept = [
                    (row.n,)
                    for row in self._rows(connection)
                    if before <= row.time and (after is None or row.time <= after)
                ]
                connection.execute("CREATE TEMP TABLE kept (n INTEGER PRIMARY KEY)")
                connection.executemany("INSERT INTO kept VALUES (?)", kept)
                connection.execute("DELETE FROM response WHERE rowid NOT IN (SELECT n FROM kept)")
                connection.execute("DELETE FROM total")
                connection.execute("INSERT INTO total SELECT count(*), coalesce(sum(crc), 0) FROM response")
            connection.execute("VACUUM")
            (is_busy, *_) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            if is_busy:
                raise ArchiveError(
                    f"erased from {self.path}, but traces remain in {database.log_of(self.path)} while another process "
                    "reads it: erase again when it has ended"
                )
        return int(held) - len(kept)

    def count(self) -> dict[str, Any]:
        """Count what the archive holds, and check every record.

        Returns
        -------
        dict
            `bytes`, `records`, `ids` (distinct ids requested), `oldest` and `newest` (times, or None).
        """
        times: list[int] = []
        ids: set[bytes] = set()
        for row in self._all():
            times.append(row.at)
            ids.add(row.requested)
        with self._errors("read"):
            n_bytes = sum(file.stat().st_size for file in (self.path, database.log_of(self.path)) if file.exists())
        return {
            "bytes": n_bytes,
            "records": len(times),
            "ids": len(ids),
            "oldest": time_of(min(times)) if times else None,
            "newest": time_of(max(times)) if times else None,
        }

    def _opened(self) -> sqlite3.Connection:
        if self._is_closed:
            raise ArchiveError(f"the archive {self.path} was closed")
        if self._connection is None:
            database.create(self.path)
            connection = database.connect(self.path, write=True)
            try:
                self._check(connection)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _check(self, connection: sqlite3.Connection) -> None:
        if fault := database.fault_of(connection):
            raise self._damage(fault)

    def _all(self) -> Iterator[Row]:
        """Read all rows as they are at one moment; without a file there are none."""
        self.damaged.clear()
        with self._errors("read"):
            if not self.path.exists():
                return
            with closing(database.connect(self.path)) as connection:
                self._check_log(connection)
                connection.execute("BEGIN")  # ended by closing: after damage it cannot be committed
                yield from self._rows(connection)

    def _check_log(self, connection: sqlite3.Connection) -> None:
        if database.has_lost_writes(connection, self.path):
            self.damaged[database.log_of(self.path).name] = "it is damaged, so the last records may be missing"

    def _rows(self, connection: sqlite3.Connection) -> Iterator[Row]:
        """Read all rows that are as they were written, and note what is not."""
        written, n_read, crcs_read, last = None, 0, 0, 0
        for direction in ("ASC", "DESC"):  # from the end, too: beyond a damaged page there are other records
            try:
                written = connection.execute("SELECT records, crcs FROM total").fetchone()
                for row in map(Row._make, connection.execute(f"{SELECT} ORDER BY rowid {direction}")):
                    if direction == "DESC" and row.n <= last:
                        break
                    last = row.n if direction == "ASC" else last
                    n_read += 1
                    crcs_read += row.crc if isinstance(row.crc, int) else 0
                    if self._is_whole(row):
                        yield row
                break
            except sqlite3.DatabaseError as error:
                if isinstance(error, sqlite3.OperationalError):
                    raise
                self.damaged[self.path.name] = str(error)
        n_written, crcs = written or (None, None)
        if n_read != n_written or (crcs_read != crcs and not self.damaged):
            self.damaged["records"] = f"{n_written} were written, {n_read} were found, or one was exchanged"

    def _is_whole(self, row: Row) -> bool:
        if row.is_whole:
            return True
        self._note(row.n, row.requested, "its checksum is wrong")
        return False

    def _record(self, row: Row) -> Record | None:
        try:
            return row.record()
        except (ValueError, zlib.error) as error:
            self._note(row.n, row.requested, str(error))
            return None

    def _note(self, n: int, requested: object, why: str) -> None:
        id_ = requested.decode(errors="replace") if isinstance(requested, bytes) else requested
        self.damaged[f"record {n} (requested: {str(id_)!r:.60})"] = why

    @contextmanager
    def _errors(self, doing: str) -> Iterator[None]:
        try:
            yield
        except UnicodeDecodeError as error:  # SQLite quotes a damaged schema in its message
            raise self._damage("malformed database schema") from error
        except (sqlite3.Error, OSError) as error:
            if getattr(error, "sqlite_errorcode", None) in database.DAMAGE:
                raise self._damage(str(error)) from error
            what = getattr(error, "strerror", None) or error.args[-1]
            if getattr(error, "sqlite_errorname", "").startswith(("SQLITE_IOERR_SHM", "SQLITE_PROTOCOL")):
                what += " (on a network file system? use a local one)"
            raise ArchiveError(
                f"cannot {doing} the archive {self.path}: {what}; what was written before is kept"
            ) from error

    def _damage(self, why: str) -> ArchiveError:
        return ArchiveError(
            f"{self.path} is damaged ({why}): move it aside and run again; wa.read takes what can still be read in it, "
            "alone or together with the new archive"
        )
