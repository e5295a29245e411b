"""Ids go in, a snapshot comes out: over the network, or from saved answers.

This is the only room that sees network, archive and tables together.
"""

from __future__ import annotations

import io
import json
import warnings
from collections import Counter
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from wegly_analytics import settings
from wegly_analytics.errors import ApiError, IncompleteWarning, SettingError, StaleWarning, StoppedError
from wegly_analytics.intake.archive import Archive, Record, age
from wegly_analytics.intake.build import Answer, Assembly, warn
from wegly_analytics.intake.client import Client
from wegly_analytics.intake.crawl import MAX_FAILURES, Asking, outcome_of
from wegly_analytics.intake.frontier import Frontier, Walk
from wegly_analytics.intake.id_sources import ids_of
from wegly_analytics.intake.progress import Progress
from wegly_analytics.intake.refresh import due, highest_code, renewed
from wegly_analytics.model.ids import deal_keys
from wegly_analytics.snapshot.privacy import read_secret

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from wegly_analytics.intake.archive import Found
    from wegly_analytics.snapshot.snapshot import Snapshot

_STALE: Final = timedelta(days=1)
"""Archived answers older than this are used, but never without a word."""

_BEGUN: Final = datetime.min.replace(tzinfo=UTC)


def fetch(
    ids: Iterable[Any] | str | Path | Walk,
    *,
    client: Client | None = None,
    archive: str | Path | None = None,
    workers: int = 8,
    progress: bool = True,
    max_age: str | timedelta | None = None,
    max_failures: float = MAX_FAILURES,
) -> Snapshot:
    """Fetch deals over HTTP and make a snapshot of them.

    Parameters
    ----------
    ids
        Codes or UUIDs: a list, a range, a column of a DataFrame, a text such as ``"1-500"``, the name of a file of
        ids; or a `walk`. An id given twice is requested once.
    client
        Who asks; by default ``Client()``, which takes the key from WEGLY_TOKEN.
    archive
        A folder that keeps every answer as it came, such as ``"data/raw"``. What it has answered is not requested
        again, so a run that was stopped, or killed, goes on where it was when the same line is run again.
    workers
        Requests under way at once. The client's `per_second` holds for all of them together.
    progress
        Whether to show a bar in a terminal or a notebook, and elsewhere a line a minute.
    max_age
        How old an archived answer may be, such as ``"1d"`` or ``"12h"``; older ones are requested again. None takes
        any, and warns if one is of an earlier day.
    max_failures
        The share of failed requests beyond which the run stops, looked at from the fiftieth on.

    Returns
    -------
    Snapshot
        The deals that came. Its ledger has one row for every id requested.

    Raises
    ------
    IdError
        If any id is neither a UUID nor a positive whole number; nothing is requested then.
    SettingError
        If another argument cannot be used.
    AuthError, OriginError
        If the key is refused: at a 401, or when the first deals all answer 403.
    ApiError
        If more than `max_failures` of the requests fail, the server asks to wait for longer than ten minutes, or every
        id is a 404.
    ArchiveError
        If the archive cannot be written.
    StoppedError
        At Ctrl-C.

    Warns
    -----
    IncompleteWarning
        If deals are missing for a reason other than 404.
    StaleWarning
        If answers older than a day were taken from the archive.
    DriftWarning
        If fields came that are not documented.
    """
    frontier = Frontier([], ids) if isinstance(ids, Walk) else Frontier(deal_keys(ids_of(ids)))
    oldest = _BEGUN if max_age is None else _now() - _age("max_age", max_age)
    snap = _asked(
        frontier,
        client=client,
        archive=archive,
        workers=workers,
        progress=progress,
        max_failures=max_failures,
        is_known=lambda record: record.settles and record.at >= oldest,
    )
    counts = snap.completeness
    if counts.requested and counts.not_found == counts.requested:
        where = client.base_url if client is not None else "the base URL (WEGLY_BASE_URL)"
        raise ApiError(
            f"none of {counts.requested:,} ids was found (404) at {where}: check the address and the ids; "
            "a token without permission to see these deals looks the same",
            404,
        )
    return warn(snap)


def walk(start: int = 1, *, misses: int = 100) -> Walk:
    """Walk over numeric codes until so many in a row do not exist: ``fetch(walk())``.

    Parameters
    ----------
    start
        The first code.
    misses
        So many codes in a row without a deal end the walk. Gaps before that are rows of the ledger.

    Returns
    -------
    Walk
        For `fetch`, in place of ids.

    Raises
    ------
    SettingError
        If either is not a positive whole number.
    """
    return Walk(start, misses)


def refresh(
    snap: Snapshot,
    *,
    client: Client | None = None,
    archive: str | Path | None = None,
    recent: str | timedelta = "30d",
    misses: int = 100,
    workers: int = 8,
    progress: bool = True,
    max_failures: float = MAX_FAILURES,
) -> Snapshot:
    """Bring a snapshot up to date with few requests: ask for what may have changed, and carry the rest.

    Requested again are open deals, deals that were closed or updated recently, ids that failed, and codes beyond the
    highest known. A deal that answers 404 for the first time is kept and marked; only when a later refresh gets a 404
    again does it count as gone. A deal whose request fails is kept as it was.

    Parameters
    ----------
    snap
        The snapshot, whole: not one that `where` has cut.
    client, workers, progress, max_failures
        As for `fetch`.
    archive
        As for `fetch`; answers younger than the snapshot are those of a refresh that was stopped, and are used.
    recent
        How long before the snapshot's moment a deal must have been closed or updated to be requested again.
    misses
        So many codes in a row without a deal end the search for new ones; 0 does not search.

    Returns
    -------
    Snapshot
        As many ledger rows as before, and one for each new code. What was not requested has outcome ``"carried"``,
        and keeps the moment it came. `missed_at` says when a kept deal last failed to come.

    Raises
    ------
    SettingError
        If the snapshot was cut by `where`, if its pseudonyms were made with a secret that is not here, or if an
        argument cannot be used.
    AuthError, OriginError, ApiError, ArchiveError, StoppedError
        As for `fetch`.

    Warns
    -----
    IncompleteWarning, DriftWarning
        As for `fetch`.
    """
    if snap.filters:
        raise SettingError("refresh takes the whole snapshot; apply where() to what it returns")
    if snap.personal.key:  # before the first request: the news will need the pseudonyms of the old
        snap = replace(snap, personal=snap.personal.unlocked(read_secret(settings.salt_file())))
    wanted = due(snap, _age("recent", recent))
    ahead = Walk(highest_code(snap) + 1, misses) if misses else None
    fresh = _asked(
        Frontier(wanted, ahead),
        client=client,
        archive=archive,
        workers=workers,
        progress=progress,
        max_failures=max_failures,
        is_known=lambda record: record.settles and record.at > snap.taken_at,
    )
    return warn(renewed(snap, fresh, wanted))


def read(paths: str | Path | Iterable[str | Path], *, taken_at: datetime | None = None) -> Snapshot:
    """Make a snapshot of saved answers, without network.

    Parameters
    ----------
    paths
        One or several of: an archive that `fetch` has written; files of JSON (one deal, or a list of deals) or
        newline-delimited JSON (``.ndjson``, ``.jsonl``), plain or compressed (``.gz``, ``.zst``).
    taken_at
        When the answers of files were taken, which metrics take for "now"; by default when the newest file was last
        written. An archive knows its moments by itself.

    Returns
    -------
    Snapshot
        One ledger row for every id that the archive was requested, and for every answer in the files. Of several
        versions of a deal the newest is kept. Where the archive's newest answer is a failure, the last one before it
        that was none counts.

    Raises
    ------
    SettingError
        If a file cannot be read at all. An answer that cannot be is a ledger row.
    ArchiveError
        If a folder holds no archive, or cannot be read.

    Warns
    -----
    IncompleteWarning
        If answers are unreadable, or an archive is damaged.
    DriftWarning
        If fields came that are not documented.
    """
    files = [Path(paths)] if isinstance(paths, str | Path) else [Path(path) for path in paths]
    assembly, place = Assembly(), 0
    moments = []
    saved = [file for file in files if not file.is_dir()]
    sources = [
        _archived([file for file in files if file.is_dir()]),
        *(_saved_answers(file, label, taken_at) for file, label in zip(saved, _labels(saved), strict=True)),
    ]
    for source in sources:
        for moment, answer in source:
            assembly.add(place, answer)
            moments.append(moment)
            place += 1
    return warn(assembly.snapshot(max(moments, default=taken_at or _now())))


def _asked(
    frontier: Frontier,
    *,
    client: Client | None,
    archive: str | Path | None,
    workers: int,
    progress: bool,
    max_failures: float,
    is_known: Callable[[Record], bool],
) -> Snapshot:
    """Ask for all that a frontier hands out, but for what the archive knows, and make a snapshot of both."""
    if workers < 1:
        raise SettingError(f"workers={workers}: at least one worker must ask")
    if not 0 <= max_failures <= 1:
        raise SettingError(f"max_failures={max_failures}: give a share from 0 to 1")
    client = client or Client()
    keep = Archive(archive) if archive is not None else None
    known: Mapping[str, Found] = keep.newest(is_known) if keep else {}
    assembly = Assembly()
    asking = Asking(client, frontier, workers, keep, known, max_failures)
    done = sum(key in known for key in frontier.waiting)
    with Progress(frontier.total, progress, done) as shown, keep or nullcontext():
        if keep:
            keep.open()
        try:
            for record in asking.records():
                assembly.add(frontier.places[record.requested], _answer(record))
                shown.count(outcome_of(record))
        except KeyboardInterrupt:
            raise StoppedError(f"stopped: {_kept(asking, keep)}") from None
        except ApiError as error:
            error.add_note(_kept(asking, keep))
            raise
    used = [found for key, found in known.items() if key in frontier.places]
    if keep:
        for record in keep.pick(found.n for found in used):
            assembly.add(frontier.places[record.requested], _answer(record))
        _warn_of_archive(keep, used, len(frontier.places))
    return assembly.snapshot(_now())


def _kept(asking: Asking, archive: Archive | None) -> str:
    received = f"{asking.counts['fetched']:,} deals were received"
    if archive is None:
        return f"{received}, and were not kept; with archive='data/raw' a run goes on where it stopped"
    return f"{received} and are kept in {archive.folder}; run the same line again to go on"


def _warn_of_archive(archive: Archive, used: list[Found], requested: int) -> None:
    _warn_of_damage(archive)
    oldest = min((found.at for found in used), default=None)
    if oldest and _now() - oldest > _STALE:
        warnings.warn(
            f"{len(used):,} of {requested:,} responses were taken from {archive.folder}, "
            f"the oldest from {oldest:%Y-%m-%d}; "
            "max_age='1d' asks for them again, wa.refresh asks for what may have changed",
            StaleWarning,
            stacklevel=4,
        )


def _warn_of_damage(archive: Archive) -> None:
    for path, why in archive.damaged.items():
        warnings.warn(
            f"{path} is damaged and was read only in part ({why}); what it lacks must be requested again",
            IncompleteWarning,
            stacklevel=5,
        )


def _answer(record: Record) -> Answer:
    outcome = outcome_of(record)
    is_body = record.status == 200 and record.body is not None
    return Answer(
        record.requested,
        "fetched" if is_body else outcome,
        record.at,
        record.status,
        record.message,
        record.body if is_body else None,
    )


def _archived(folders: list[Path]) -> Iterator[tuple[datetime, Answer]]:
    """Give for each id the newest response that settles it, of all archives; where none does, the newest."""
    archives = [Archive(folder) for folder in folders]
    newest: dict[str, tuple[bool, datetime, int, Found]] = {}
    for n, archive in enumerate(archives):
        if not archive.segments():
            raise SettingError(f"{archive.folder} holds no archive: fetch(archive={str(archive.folder)!r}) makes one")
        for settles, found in (
            (False, archive.newest(lambda _: True)),
            (True, archive.newest(lambda record: record.settles)),
        ):
            for key, each in found.items():
                rank = (settles, each.at, n, each)
                newest[key] = max(newest.get(key, rank), rank, key=lambda r: r[:3])
    for n, archive in enumerate(archives):
        for record in archive.pick(found.n for *_, place, found in newest.values() if place == n):
            yield record.at, _answer(record)
        _warn_of_damage(archive)


def _labels(files: list[Path]) -> list[str]:
    """Name each file in the ledger: by its name, or by its path where another one has the same name."""
    names = Counter(file.name for file in files)
    paths = Counter(map(str, files))
    if repeated := [path for path, n in paths.items() if n > 1]:
        raise SettingError(f"{repeated[0]} is given twice: each file holds its responses once")
    return [file.name if names[file.name] == 1 else str(file) for file in files]


def _saved_answers(file: Path, label: str, taken_at: datetime | None) -> Iterator[tuple[datetime, Answer]]:
    try:
        moment = taken_at or datetime.fromtimestamp(file.stat().st_mtime, UTC)
        for number, body in enumerate(_saved(file), start=1):
            yield moment, Answer(f"{label}:{number}", "fetched", moment, body=body, check_id=False)
    except OSError as error:
        raise SettingError(f"{file} cannot be read: {error.strerror or error}") from error


def _saved(file: Path) -> Iterator[bytes]:
    """Take the answers out of a file, one by one."""
    with pa.input_stream(str(file), compression="detect") as stream:
        if {".ndjson", ".jsonl"} & set(file.suffixes):
            yield from (line for line in io.BufferedReader(stream) if line.strip())
            return
        whole = stream.read()
    try:
        deals = json.loads(whole)
    except (ValueError, RecursionError):
        yield whole  # flatten says what is wrong with it
        return
    if isinstance(deals, list):
        yield from (json.dumps(deal).encode() for deal in deals)
    else:
        yield whole


def _age(name: str, text: str | timedelta) -> timedelta:
    try:
        return age(text)
    except (ValueError, AttributeError, TypeError):
        raise SettingError(f"{name}={text!r}: write a length of time such as '30d', '12h' or '45m'") from None


def _now() -> datetime:
    return datetime.now(UTC)
