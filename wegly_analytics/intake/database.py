"""The SQLite file of an archive: created whole and private, opened only if it is one, and checked for damage."""

from __future__ import annotations

import errno
import os
import secrets
import sqlite3
import struct
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Final

from wegly_analytics.errors import ArchiveError
from wegly_analytics.store.publish import sync

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

APPLICATION: Final = 0x5765676C
"""The application id of an archive: "Wegl"."""

VERSION: Final = 1

DAMAGE: Final = {sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
"""The error codes of a damaged file."""

TIMEOUT: Final = 60.0
"""Seconds that a process waits for the writes of others."""

_SCHEMA: Final = """
    CREATE TABLE response (
        n INTEGER PRIMARY KEY,
        requested TEXT NOT NULL,
        at INTEGER NOT NULL,
        status INTEGER,
        message TEXT,
        is_final INTEGER NOT NULL,
        body BLOB,
        crc INTEGER NOT NULL
    );
    CREATE TABLE total (records INTEGER NOT NULL, crcs INTEGER NOT NULL);
    INSERT INTO total VALUES (0, 0);
"""

_WAL_HEADER, _FRAME_HEADER = struct.Struct(">8I"), struct.Struct(">6I")
_LITTLE: Final = 0x377F0682
"""The first number of a write-ahead log whose checksums are of little-endian words; one more: big-endian."""


def log_of(path: Path) -> Path:
    """Name the write-ahead log of a database."""
    return path.with_name(f"{path.name}-wal")


def create(path: Path) -> None:
    """Create an empty archive if there is none; whole or not at all, and private before its first byte.

    Raises
    ------
    ArchiveError
        If the write-ahead log of another archive is there, which SQLite would take for that of the new one.
    OSError, sqlite3.Error
        If the file cannot be written.
    """
    if log_of(path).exists() and not path.exists():
        raise ArchiveError(f"{log_of(path)} was left by an archive that is gone: move it aside, or delete it")
    if path.parent.is_file():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    try:
        if not path.exists():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            new = path.with_name(f".{path.name}.new-{secrets.token_hex(4)}")
            try:
                _make(new, path)
            finally:
                _remove(new)
    except sqlite3.OperationalError:
        if not path.exists():
            raise
    finally:  # what a process that was killed has left
        for left in path.parent.glob(f".{path.name}.new-*"):
            _remove(left)


def _make(new: Path, path: Path) -> None:
    os.close(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    with closing(_opened(new, "rw")) as connection:
        connection.execute(f"PRAGMA application_id = {APPLICATION}")
        connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.executescript(_SCHEMA)
        connection.execute("PRAGMA journal_mode=WAL")  # where it cannot be, such as without shared memory: DELETE
    with suppress(FileExistsError, FileNotFoundError):  # another process was faster, and swept
        os.link(new, path)
    sync(path.parent)


def _remove(left: Path) -> None:
    """Remove what is no longer needed; what cannot be removed now is removed at the next opening."""
    for _ in range(2):
        with suppress(OSError):
            left.unlink(missing_ok=True)
            return


def connect(path: Path, *, write: bool = False) -> sqlite3.Connection:
    """Open an archive; without `write` also one that cannot be written to.

    The file itself is never opened but by SQLite: closing it would release SQLite's locks.

    Raises
    ------
    ArchiveError
        If the file is not an archive.
    OSError, sqlite3.Error
        If it cannot be opened.
    """
    if path.stat().st_size == 0:
        raise ArchiveError(f"{path} is empty, so it is not an archive, or all was cut off: delete it, or restore it")
    mode = "rw"
    if not all(os.access(each, os.W_OK) for each in (path, path.parent)):
        if write:
            raise PermissionError(errno.EACCES, "it is read-only")
        mode = "ro" if log_of(path).exists() else "ro&immutable=1"
    connection = _opened(path, mode)
    try:
        connection.text_factory = bytes  # a damaged text is one record's damage, not the end of a query
        _check_format(connection, path)
        connection.execute("PRAGMA synchronous=FULL")
    except BaseException:
        connection.close()
        raise
    return connection


def _check_format(connection: sqlite3.Connection, path: Path) -> None:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    if application != APPLICATION:
        raise ArchiveError(f"{path} is an SQLite file, but not an archive of responses: name another file")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version != VERSION:
        raise ArchiveError(f"{path} has format {version}, and this version reads {VERSION}: update wegly-analytics")


def is_archive(path: Path) -> bool:
    """Tell whether a file is an archive by what it contains, or at least by its name."""
    if path.suffix == ".sqlite":
        return True
    try:
        with closing(_opened(path, "ro&immutable=1")) as connection:
            found: int = connection.execute("PRAGMA application_id").fetchone()[0]
            return found == APPLICATION
    except sqlite3.Error:
        return False


def fault_of(connection: sqlite3.Connection) -> str | None:
    """Say what is wrong with the structure of a file, which is not safe to write to then; None if nothing is."""
    try:
        (result,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError as error:
        return str(error)
    return None if result == b"ok" else str(result.decode(errors="replace")).replace("\n", " ")


def has_lost_writes(connection: sqlite3.Connection, path: Path) -> bool:
    """Tell whether the write-ahead log, which a killed process leaves, is damaged.

    SQLite reads the log up to the first frame with a wrong checksum and ignores all that follow, silently: a log that
    was cut off in a power failure looks like this, too, but then nothing that was acknowledged is in the rest.
    """
    log = log_of(path)
    if not log.exists() or not log.stat().st_size or not os.access(log, os.W_OK):
        return False
    connection.execute("BEGIN IMMEDIATE")  # nobody writes meanwhile
    try:
        return _is_broken(log.read_bytes())
    finally:
        connection.execute("ROLLBACK")


def _is_broken(log: bytes) -> bool:
    if len(log) < _WAL_HEADER.size:
        return False
    magic, _, page, _, *salts, first, second = _WAL_HEADER.unpack_from(log)
    order = "<" if magic == _LITTLE else ">"
    sums = _sums(log[:24], order, (0, 0))
    if magic not in (_LITTLE, _LITTLE + 1) or sums != (first, second):
        return len(log) > _WAL_HEADER.size
    size = _FRAME_HEADER.size + page
    for start in range(_WAL_HEADER.size, len(log) - size + 1, size):
        head = _FRAME_HEADER.unpack_from(log, start)
        same = [one == other for one, other in zip(head[2:4], salts, strict=True)]
        if not any(same):  # left from before the log was begun again
            return False
        sums = _sums(log[start : start + 8], order, sums)
        sums = _sums(log[start + _FRAME_HEADER.size : start + size], order, sums)
        if not all(same) or sums != head[4:]:
            return True
    return False


def _sums(data: bytes, order: str, sums: tuple[int, int]) -> tuple[int, int]:
    """Continue the checksum of a write-ahead log, as its file format specifies."""
    one, two = sums
    words = iter(struct.unpack(f"{order}{len(data) // 4}I", data))
    for even, odd in zip(words, words, strict=True):
        one = (one + even + two) & 0xFFFFFFFF
        two = (two + odd + one) & 0xFFFFFFFF
    return one, two


def _opened(path: Path, mode: str) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    return sqlite3.connect(uri, uri=True, timeout=TIMEOUT, isolation_level=None, check_same_thread=False)


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """Do everything or nothing."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield connection
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
