"""Answers as they came, on disk: what was once answered need not be requested again.

An archive is a folder of segments, one for each run: newline-delimited JSON, compressed with gzip, private to the user.
Each line is one record: the id requested, the HTTP status, the moment, and the body to the last byte. A record is
handed to the system as soon as it is made, so a process that dies loses nothing it had recorded; at most once a second
the disk is made to keep it, too. The torn record at the end of a segment whose process died is passed over, and its
id requested again. Segments are never changed; only `erase` rewrites them.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import time
import zlib
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

from wegly_analytics.errors import ArchiveError
from wegly_analytics.parsing.repair import unwrapped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

SUFFIX: Final = ".ndjson.gz"
_PREFIX: Final = "answers-"
_GZIP: Final = 31
"""zlib's number for a gzip stream of the largest window."""

_LEVEL: Final = 3
"""Of nine: half the time of zlib's default, for a tenth more bytes."""

_CHUNK: Final = 1 << 16
_SYNC_EVERY: Final = 1.0
"""Seconds between two syncs to the disk."""

_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


@dataclass(frozen=True, slots=True)
class Record:
    """One answer, or the word that none came.

    Parameters
    ----------
    requested
        The id requested, as `ids.deal_key` writes it.
    status
        The HTTP status; None if no answer came.
    at
        When.
    body
        What came, or None.
    message
        What went wrong, or None.
    """

    requested: str
    status: int | None
    at: datetime
    body: bytes | None = None
    message: str | None = None

    @property
    def settles(self) -> bool:
        """Whether it settles what was requested: a deal, a gap, or an answer too large to take.

        An error page does not, although its status is 200; nor does a refusal, which may be the wrong origin's fault.
        """
        if self.status == 200:
            return self.body is None or bool(unwrapped(self.body))
        return self.status == 404

    def line(self) -> bytes:
        """Write it as one line of JSON."""
        fields: dict[str, Any] = {"requested": self.requested, "status": self.status, "at": self.at.isoformat()}
        if self.message is not None:
            fields["message"] = self.message
        if self.body is not None:
            try:
                fields["body"] = self.body.decode()
            except UnicodeDecodeError:  # kept to the last byte all the same
                fields["base64"] = base64.b64encode(self.body).decode()
        return json.dumps(fields, ensure_ascii=False).encode() + b"\n"

    @classmethod
    def parse(cls, line: bytes) -> Self:
        """Read what `line` wrote; `ValueError`, `LookupError` or `TypeError` if it is anything else."""
        fields = json.loads(line)
        body = fields["body"].encode() if "body" in fields else None
        if "base64" in fields:
            body = base64.b64decode(fields["base64"])
        at = datetime.fromisoformat(fields["at"])
        return cls(str(fields["requested"]), fields["status"], at, body, fields.get("message"))


class Found(NamedTuple):
    """A record in the archive: its number, its status, its moment."""

    n: int
    status: int | None
    at: datetime


class Archive:
    """A folder of answers.

    Parameters
    ----------
    folder
        Where; made when the first record is written.

    Attributes
    ----------
    damaged
        Files that could not be read to their end, and why; known once they were read.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with Archive(folder) as archive:
    ...         archive.write(Record("17", 404, datetime(2026, 11, 23, tzinfo=UTC)))
    ...     [record.requested for record in Archive(folder)]
    ['17']
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.damaged: dict[Path, str] = {}
        self._segment: _Segment | None = None
        self._lock = Lock()

    def __repr__(self) -> str:
        return f"Archive({str(self.folder)!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def segments(self) -> list[Path]:
        """List the files, the oldest first."""
        return sorted(self.folder.glob(f"{_PREFIX}*{SUFFIX}"))

    def __iter__(self) -> Iterator[Record]:
        """Read every record, the oldest segment first."""
        for path in self.segments():
            yield from self._records(path)

    def open(self) -> None:
        """Make sure that the archive can be written, before anything is requested.

        Raises
        ------
        ArchiveError
            If it cannot.
        """
        with self._lock:
            self._opened()

    def write(self, record: Record) -> None:
        """Add a record; threads may do so at the same time.

        Raises
        ------
        ArchiveError
            If the disk is full or the folder cannot be written. What was written before is kept.
        """
        line = record.line()
        with self._lock:
            try:
                self._opened().write(line)
            except OSError as error:
                raise self._trouble(error) from error

    def close(self) -> None:
        """End the segment, if one was begun."""
        with self._lock:
            segment, self._segment = self._segment, None
            if segment is not None:
                try:
                    segment.close()
                except OSError as error:
                    raise self._trouble(error) from error

    def newest(self, is_wanted: Callable[[Record], bool]) -> dict[str, Found]:
        """Find for each id its newest record that is wanted."""
        found: dict[str, Found] = {}
        for n, record in enumerate(self):
            if is_wanted(record) and (record.requested not in found or record.at >= found[record.requested].at):
                found[record.requested] = Found(n, record.status, record.at)
        return found

    def pick(self, numbers: Iterable[int]) -> Iterator[Record]:
        """Read the records with these numbers."""
        wanted = set(numbers)
        yield from (record for n, record in enumerate(self) if n in wanted)

    def erase(self, before: datetime) -> int:
        """Erase every record older than a moment, for good.

        Parameters
        ----------
        before
            The moment.

        Returns
        -------
        int
            How many records were erased.

        Raises
        ------
        ArchiveError
            If a segment is damaged, so that what it holds cannot be told, or cannot be rewritten.
        """
        erased = 0
        for path in self.segments():
            records = list(self._records(path))
            if path in self.damaged and records and max(r.at for r in records) >= before:
                raise ArchiveError(f"{path} is damaged ({self.damaged[path]}); erase or repair it by hand")
            kept = [record for record in records if record.at >= before]
            if len(kept) == len(records) and records:
                continue
            try:
                if kept:
                    aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
                    segment = _Segment(aside)
                    for record in kept:
                        segment.write(record.line())
                    segment.close()
                    aside.replace(path)
                else:
                    path.unlink()
                _sync(self.folder)
            except OSError as error:
                raise self._trouble(error) from error
            erased += len(records) - len(kept)
        return erased

    def count(self) -> dict[str, Any]:
        """Say what there is.

        Returns
        -------
        dict
            `segments`, `bytes`, `records`, `ids` (distinct ids requested), `oldest` and `newest` (moments, or None).
        """
        moments: list[datetime] = []
        ids: Counter[str] = Counter()
        for record in self:
            moments.append(record.at)
            ids[record.requested] += 1
        files = self.segments()
        return {
            "segments": len(files),
            "bytes": sum(path.stat().st_size for path in files),
            "records": len(moments),
            "ids": len(ids),
            "oldest": min(moments, default=None),
            "newest": max(moments, default=None),
        }

    def _opened(self) -> _Segment:
        if self._segment is None:
            stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%fZ")
            try:
                self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._segment = _Segment(self.folder / f"{_PREFIX}{stamp}-{secrets.token_hex(2)}{SUFFIX}")
                _sync(self.folder)
            except OSError as error:
                raise self._trouble(error) from error
        return self._segment

    def _trouble(self, error: OSError) -> ArchiveError:
        what = error.strerror or str(error)
        return ArchiveError(f"cannot write to the archive {self.folder}: {what}; what was written before is kept")

    def _records(self, path: Path) -> Iterator[Record]:
        try:
            with path.open("rb") as file:
                for line in _lines(file):
                    yield Record.parse(line)
        except zlib.error as error:
            self.damaged[path] = str(error)
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            self.damaged[path] = f"a line that is no record: {error!r}"
        except OSError as error:
            raise ArchiveError(f"{path} cannot be read: {error.strerror or error}") from error


class _Segment:
    """One file of the archive, written by one run."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        self._packer = zlib.compressobj(_LEVEL, wbits=_GZIP)
        self._synced = time.monotonic()
        self._is_whole = True

    def write(self, line: bytes) -> None:
        """Add a line, and hand it to the system."""
        if not self._is_whole:
            raise OSError("the disk was full before")
        self._put(self._packer.compress(line) + self._packer.flush(zlib.Z_SYNC_FLUSH))
        if time.monotonic() - self._synced > _SYNC_EVERY:
            os.fsync(self._file)
            self._synced = time.monotonic()

    def close(self) -> None:
        """End the stream and keep it."""
        try:
            if self._is_whole:
                self._put(self._packer.flush(zlib.Z_FINISH))
                os.fsync(self._file)
        finally:
            os.close(self._file)

    def _put(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            self._is_whole = False  # until all of it is there: half a piece ends the stream
            view = view[os.write(self._file, view) :]
        self._is_whole = True


def _lines(file: Any) -> Iterator[bytes]:
    """Unpack a stream that may be torn at its end, or hold rubbish; what stands before that is read."""
    unpacker, rest = zlib.decompressobj(_GZIP), b""
    while chunk := file.read(_CHUNK):
        while chunk:
            before = unpacker.copy()
            try:
                text = unpacker.decompress(chunk)
            except zlib.error:
                *lines, _ = (rest + _until_rubbish(before, chunk)).split(b"\n")
                yield from lines
                raise
            *lines, rest = (rest + text).split(b"\n")
            yield from lines
            chunk = unpacker.unused_data
            if unpacker.eof:  # segments may have been joined into one file
                unpacker = zlib.decompressobj(_GZIP)
    # what stands after the last line break is torn


def _until_rubbish(unpacker: Any, chunk: bytes) -> bytes:
    """Unpack byte by byte: when a larger piece is refused, what it held before the fault is lost with it."""
    text = bytearray()
    with suppress(zlib.error):
        for n in range(len(chunk)):
            text += unpacker.decompress(chunk[n : n + 1])
    return bytes(text)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def age(text: str | timedelta) -> timedelta:
    """Read a length of time such as ``"30d"``, ``"12h"``, ``"45m"`` or ``"2w"``.

    Raises
    ------
    ValueError
        If it is none.

    Examples
    --------
    >>> age("30d")
    datetime.timedelta(days=30)
    """
    if isinstance(text, timedelta):
        return text
    number, unit = text.strip()[:-1], text.strip()[-1:]
    if unit not in _UNITS or not number.isdecimal():
        raise ValueError(f"{text!r} is no length of time: write 30d, 12h, 45m or 2w")
    return timedelta(**{_UNITS[unit]: int(number)})
