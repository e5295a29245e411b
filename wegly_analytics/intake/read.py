"""Saved responses become a snapshot, without network."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from wegly_analytics.errors import SettingError
from wegly_analytics.intake.archive import ARCHIVE, Archive
from wegly_analytics.intake.arguments import instant, path, type_of
from wegly_analytics.intake.build import SnapshotBuilder, warn
from wegly_analytics.intake.damage import warn_of_damage
from wegly_analytics.intake.database import is_archive
from wegly_analytics.intake.response import Response, response_of
from wegly_analytics.parsing.decode import decode
from wegly_analytics.parsing.lines import pieces

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wegly_analytics.snapshot.save import Summary
    from wegly_analytics.snapshot.snapshot import Snapshot

_LINES: Final = frozenset({".ndjson", ".jsonl"})
_COMPRESSED: Final = frozenset({".gz", ".zst", ".bz2", ".lz4"})


def read(paths: str | Path | Iterable[str | Path], *, taken_at: datetime | None = None) -> Snapshot:
    """Make a snapshot of saved responses, without network.

    Parameters
    ----------
    paths
        One or several of: an archive that `fetch` has written; files of JSON (one deal, or a list of deals) or
        newline-delimited JSON (``.ndjson``, ``.jsonl``), plain or compressed (``.gz``, ``.zst``).
    taken_at
        When the responses in files were received, with a time zone. Metrics use it as "now". By default the time at
        which the newest file was written. An archive contains the times; one in the future, which another computer's
        clock has written, counts as now.

    Returns
    -------
    Snapshot
        One ledger row for every id in the archive, and for every response in the files. Of several versions of a deal
        the newest is kept. If the newest record of an id in an archive is a failure, an earlier deal or 404 is used.

    Raises
    ------
    SettingError
        If an argument cannot be used, or a file cannot be read at all. A response that cannot be read is a ledger row.
    ArchiveError
        If an archive cannot be read.

    Warns
    -----
    IncompleteWarning
        If responses are unreadable, or an archive is damaged.
    DriftWarning
        If fields were received that are not documented.
    """
    builder = SnapshotBuilder()
    return builder.collected(read_into(builder, paths, taken_at=taken_at, stacklevel=3))


def read_into(
    builder: SnapshotBuilder, paths: object, *, taken_at: datetime | None = None, stacklevel: int = 2
) -> Summary:
    """Read saved responses into a builder; see `read`.

    Parameters
    ----------
    builder
        What takes the responses.
    paths, taken_at
        As for `read`.
    stacklevel
        Of the warnings; 2 names the caller of this function.
    """
    files = _files(paths)
    if taken_at is not None:
        taken_at = instant("taken_at", taken_at)
    now = datetime.now(UTC)
    archives = [Archive(file) for file in files if is_archive(file) or _is_folder(file)]
    saved = [file for file in files if file not in {archive.path for archive in archives}]
    position = 0
    for response in _archived(archives, now):
        builder.add(position, response)
        position += 1
    for file, label in zip(saved, _labels(saved), strict=True):
        try:
            time = taken_at or min(datetime.fromtimestamp(file.stat().st_mtime, UTC), now)
            position = _add_file(builder, position, file, label, time)
        except OSError as error:
            raise SettingError(f"{file} cannot be read: {error.strerror or error}") from error
    for archive in archives:
        warn_of_damage(archive, stacklevel=stacklevel + 1)
    return warn(builder.summary(taken_at or now), stacklevel=stacklevel + 1)


def _files(paths: object) -> list[Path]:
    if isinstance(paths, str | Path):
        return [path("paths", paths, ARCHIVE)]
    if not isinstance(paths, Iterable) or isinstance(paths, bytes | Mapping) or hasattr(paths, "columns"):
        raise SettingError(
            f"read takes paths of archives or files, not {type_of(paths)}: give for example read({ARCHIVE!r})"
        )
    files = [path("paths", each, ARCHIVE) for each in paths]
    if not files:
        raise SettingError(f"read got no path: give for example read({ARCHIVE!r})")
    return files


def _is_folder(file: Path) -> bool:
    try:
        return file.is_dir()
    except OSError as error:
        raise SettingError(f"{file} cannot be read: {error.strerror}; check the disk and the permissions") from error


def _archived(archives: list[Archive], now: datetime) -> Iterator[Response]:
    """Return for each id the newest final record of all archives; where there is none, the newest."""
    newest: dict[str, tuple[bool, bool, datetime, int]] = {}
    everything = []
    for n, archive in enumerate(archives):
        if not archive.exists():
            raise SettingError(f"{archive.path} is not an archive: fetch(archive={str(archive.path)!r}) creates one")
        everything.append(archive.newest(now))
        for id_, found in everything[n].items():
            rank = (*found.rank(now)[:3], n)
            newest[id_] = max(newest.get(id_, rank), rank)
    for n, archive in enumerate(archives):
        chosen = {id_: found for id_, found in everything[n].items() if newest[id_][3] == n}
        yield from (response_of(record, now) for record in archive.records(chosen))


def _labels(files: list[Path]) -> list[str]:
    """Name each file in the ledger: by its name, or by its path where another one has the same name."""
    names = Counter(file.name for file in files)
    paths = Counter(map(str, files))
    if repeated := [name for name, n in paths.items() if n > 1]:
        raise SettingError(f"{repeated[0]} is given twice: each file holds its responses once")
    return [file.name if names[file.name] == 1 else str(file) for file in files]


def _add_file(builder: SnapshotBuilder, position: int, file: Path, label: str, time: datetime) -> int:
    """Add the responses in a file, and return the position after the last one."""
    number = 1
    with _opened(file) as stream:
        if _LINES & set(map(str.lower, file.suffixes)):
            for lines in pieces(stream):
                builder.add_lines(position, lines, label, number, time)
                position, number = position + len(lines), number + len(lines)
            return position
        whole = stream.read()
    for body in _deals(whole):
        builder.add(position, Response(f"{label}:{number}", "fetched", time, body=body, check_id=False))
        position, number = position + 1, number + 1
    return position


def _opened(file: Path) -> io.BufferedReader:
    """Open a file that may be compressed."""
    if file.suffix.lower() in _COMPRESSED:
        return io.BufferedReader(pa.input_stream(str(file), compression="detect"))
    return file.open("rb")


def _deals(whole: bytes) -> list[bytes]:
    """Return the deals in a file of one deal, or of a list of deals."""
    try:
        deals = decode(whole)
    except ValueError:
        return [whole]  # flatten says what is wrong with it
    return [json.dumps(deal).encode() for deal in deals] if isinstance(deals, list) else [whole]
