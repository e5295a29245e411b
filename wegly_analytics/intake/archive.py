"""Responses as received, on disk: what is in an archive need not be requested again.

An archive is a folder of segments, one for each run: newline-delimited JSON, compressed with gzip, private to the user.
Each line is one record: the id requested, the HTTP status, the time, and the body byte by byte. A record is written as
soon as it exists, so a killed process loses at most the last one; once a second the file is also synced to the disk. A
record that was cut off when its process was killed is skipped, and its id requested again. Segments are never changed;
only `erase` rewrites them.
"""

from __future__ import annotations

import secrets
import zlib
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

from wegly_analytics.errors import ArchiveError
from wegly_analytics.intake.record import Record
from wegly_analytics.intake.segment import Segment, read_lines
from wegly_analytics.store.publish import sync

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

SUFFIX: Final = ".ndjson.gz"
_PREFIX: Final = "responses-"


class Found(NamedTuple):
    """A record in the archive: its number, its status, its time."""

    n: int
    status: int | None
    at: datetime


class Archive:
    """A folder of responses.

    Parameters
    ----------
    folder
        The folder; created when the first record is written.

    Attributes
    ----------
    damaged
        Files that could not be read to their end, and why; filled while they are read.

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
        self._segment: Segment | None = None
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
        """Make sure that the archive can be written to.

        Raises
        ------
        ArchiveError
            If it cannot.
        """
        with self._lock:
            self._open_segment()

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
                self._open_segment().write(line)
            except OSError as error:
                raise self._error(error) from error

    def close(self) -> None:
        """End the segment, if there is one."""
        with self._lock:
            segment, self._segment = self._segment, None
            if segment is not None:
                try:
                    segment.close()
                except OSError as error:
                    raise self._error(error) from error

    def newest(self, is_wanted: Callable[[Record], bool]) -> dict[str, Found]:
        """Find the newest record of each id among those that are wanted."""
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
        """Erase all records from before a time, for good.

        Parameters
        ----------
        before
            The time.

        Returns
        -------
        int
            How many records were erased.

        Raises
        ------
        ArchiveError
            If a segment cannot be rewritten, or is damaged, so that not all it holds is known.
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
                    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
                    segment = Segment(temporary)
                    for record in kept:
                        segment.write(record.line())
                    segment.close()
                    temporary.replace(path)
                else:
                    path.unlink()
                sync(self.folder)
            except OSError as error:
                raise self._error(error) from error
            erased += len(records) - len(kept)
        return erased

    def count(self) -> dict[str, Any]:
        """Count what the archive holds.

        Returns
        -------
        dict
            `segments`, `bytes`, `records`, `ids` (distinct ids requested), `oldest` and `newest` (times, or None).
        """
        times: list[datetime] = []
        ids: Counter[str] = Counter()
        for record in self:
            times.append(record.at)
            ids[record.requested] += 1
        files = self.segments()
        return {
            "segments": len(files),
            "bytes": sum(path.stat().st_size for path in files),
            "records": len(times),
            "ids": len(ids),
            "oldest": min(times, default=None),
            "newest": max(times, default=None),
        }

    def _open_segment(self) -> Segment:
        if self._segment is None:
            stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%fZ")
            try:
                self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._segment = Segment(self.folder / f"{_PREFIX}{stamp}-{secrets.token_hex(2)}{SUFFIX}")
                sync(self.folder)
            except OSError as error:
                raise self._error(error) from error
        return self._segment

    def _error(self, error: OSError) -> ArchiveError:
        what = error.strerror or str(error)
        return ArchiveError(f"cannot write to the archive {self.folder}: {what}; what was written before is kept")

    def _records(self, path: Path) -> Iterator[Record]:
        try:
            with path.open("rb") as file:
                for line in read_lines(file):
                    yield Record.parse(line)
        except zlib.error as error:
            self.damaged[path] = str(error)
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            self.damaged[path] = f"a line that is not a record: {error!r}"
        except OSError as error:
            raise ArchiveError(f"{path} cannot be read: {error.strerror or error}") from error
