"""One run over the network: ids that the archive holds are not requested, and both parts become one snapshot."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice, takewhile
from operator import ne
from typing import TYPE_CHECKING, Final

from wegly_analytics.errors import ApiError, StaleWarning, StoppedError
from wegly_analytics.intake.archive import ARCHIVE, Archive
from wegly_analytics.intake.arguments import flag, instance, path, share, whole_number
from wegly_analytics.intake.build import SnapshotBuilder
from wegly_analytics.intake.client import Client
from wegly_analytics.intake.crawl import Crawl, outcome_of
from wegly_analytics.intake.damage import warn_of_damage
from wegly_analytics.intake.frontier import Frontier
from wegly_analytics.intake.progress import Progress
from wegly_analytics.intake.response import response_of
from wegly_analytics.intake.streams import emit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from wegly_analytics.intake.record import Record
    from wegly_analytics.intake.row import Found
    from wegly_analytics.snapshot.snapshot import Snapshot

_STALE: Final = timedelta(days=1)
"""Archived responses older than this are used with a warning."""

_TOGETHER: Final = 100
"""Ids that are requested together where archived records were lost; their bodies are held until all were received."""

_UNKNOWN: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Run:
    """The checked arguments of `fetch` and `refresh`. Created by `Run.of`.

    Parameters
    ----------
    client
        What sends the requests.
    archive
        Where responses are kept; None keeps none.
    workers
        The number of concurrent requests.
    progress
        Whether to show a bar.
    max_failures
        The share of failed requests beyond which the run stops.
    """

    client: Client
    archive: Archive | None
    workers: int
    progress: bool
    max_failures: float

    @classmethod
    def of(cls, *, client: object, archive: object, workers: object, progress: object, max_failures: object) -> Run:
        """Check the arguments, and create a client if none is given.

        Raises
        ------
        SettingError
            If an argument cannot be used.
        AuthError
            If there is no client and no token.
        """
        if client is not None:
            instance("client", client, Client, "pass for example client=wa.Client(per_second=5)")
        return cls(
            archive=None if archive is None else Archive(path("archive", archive, ARCHIVE)),
            workers=whole_number("workers", workers),
            progress=flag("progress", progress),
            max_failures=share("max_failures", max_failures),
            client=client if isinstance(client, Client) else Client(),
        )

    def snapshot(self, frontier: Frontier, is_known: Callable[[Found], bool], *, stacklevel: int = 3) -> Snapshot:
        """Make a snapshot of what `collect` adds to a builder; the same arguments, and what it raises."""
        builder = SnapshotBuilder()
        self.collect(frontier, is_known, builder, stacklevel=stacklevel + 1)
        return builder.snapshot(datetime.now(UTC))

    def collect(
        self,
        frontier: Frontier,
        is_known: Callable[[Found], bool],
        builder: SnapshotBuilder,
        *,
        stacklevel: int = 3,
    ) -> None:
        """Request all ids of a frontier that the archive does not hold, and add all responses to a builder.

        With an archive all are requested first, and then added from the archive in the order in which the frontier
        handed out the ids. Without one they are added in the order received.

        Parameters
        ----------
        frontier
            The ids.
        is_known
            Whether an archived record stands for its id.
        builder
            What takes the responses.
        stacklevel
            Of the warnings; 3 names the caller of the function that calls this one.

        Raises
        ------
        AuthError, OriginError, ApiError, ArchiveError, StoppedError
            As `fetch`.
        """
        known = self._known(frontier, is_known)
        crawl = Crawl(self.client, frontier, self.workers, self.archive, known, self.max_failures)
        n_done = sum(id_ in known for id_ in frontier.listed) if known else 0
        with Progress(frontier.total, self.progress, n_done) as shown, self.archive or nullcontext():
            if self.archive:
                warn_of_damage(self.archive, stacklevel=stacklevel + 1)
                self.archive.open()
            try:
                for record in crawl.records():
                    if self.archive is None:
                        builder.add(frontier.positions[record.requested], response_of(record))
                    shown.count(outcome_of(record))
                if self.archive:
                    now = datetime.now(UTC)
                    for record in self._archived(self.archive, crawl, known, shown):
                        builder.add(frontier.positions[record.requested], response_of(record, now))
            except KeyboardInterrupt:
                raise StoppedError(f"stopped: {self._kept(crawl)}") from None
            except ApiError as error:
                error.add_note(self._kept(crawl))
                raise
        if self.archive:
            used = [known[id_] for id_ in frontier.positions if id_ in known]
            _warn_of_age(self.archive, used, len(frontier.positions), stacklevel=stacklevel + 1)

    def _known(self, frontier: Frontier, is_known: Callable[[Found], bool]) -> dict[str, Found]:
        """Find the archived records that stand for their ids."""
        begun = datetime.now(UTC)
        held = self.archive.newest(begun) if self.archive else {}
        known = {id_: found for id_, found in held.items() if is_known(_dated(found, begun))}
        return _without_open_end(known, frontier)

    def _archived(self, archive: Archive, crawl: Crawl, known: dict[str, Found], shown: Progress) -> Iterator[Record]:
        """Read the records of all ids, in the order in which these were handed out.

        Ids whose records another process erased meanwhile, or are damaged, are requested again in their place.
        """
        wanted = {id_: crawl.written.get(id_) or known[id_] for id_ in crawl.frontier.positions}
        ids = iter(wanted)
        for record in archive.records(wanted):
            yield from self._again(takewhile(partial(ne, record.requested), ids), crawl, known, shown)
            yield record
        yield from self._again(ids, crawl, known, shown)

    def _again(self, ids: Iterator[str], crawl: Crawl, known: dict[str, Found], shown: Progress) -> Iterator[Record]:
        """Request ids after a crawl whose records are lost; some together, and their responses in order."""
        while lost := list(islice(ids, _TOGETHER)):
            again = replace(crawl, frontier=Frontier(lost), known={}, has_others=True)
            received = {}
            for record in again.records():
                shown.count(outcome_of(record))
                received[record.requested] = record
            for id_ in lost:
                known.pop(id_, None)
                yield received[id_]

    def _kept(self, crawl: Crawl) -> str:
        received = f"{crawl.counts['fetched']:,} deals were received"
        if self.archive is None:
            return f"{received}, and were not kept; with archive={ARCHIVE!r} a run can be resumed"
        return f"{received} and are kept in {self.archive.path}; run the same line again to resume"


def _dated(found: Found, now: datetime) -> Found:
    """Return a record as it is dated; a time in the future, of another computer's clock, says nothing of its age."""
    return found if found.at <= now else found._replace(at=_UNKNOWN)


def _without_open_end(known: dict[str, Found], frontier: Frontier) -> dict[str, Found]:
    """Forget the 404s beyond the last deal of a walk: there may be new deals by now."""
    if (walk := frontier.walk) is None:
        return known
    last = walk.start - 1
    existing = [int(id_) for id_, found in known.items() if id_.isdigit() and found.status != 404]
    for code in sorted(code for code in existing if code >= walk.start):
        if code > last + walk.misses:
            break
        last = code
    listed = set(frontier.listed)
    return {
        id_: found
        for id_, found in known.items()
        if found.status != 404 or id_ in listed or not id_.isdigit() or int(id_) <= last
    }


def _warn_of_age(archive: Archive, used: list[Found], requested: int, *, stacklevel: int) -> None:
    now = datetime.now(UTC)
    oldest = min((_dated(found, now).at for found in used), default=now)
    if now - oldest > _STALE:
        dated = "some with a time in the future" if oldest == _UNKNOWN else f"the oldest from {oldest:%Y-%m-%d}"
        message = (
            f"{len(used):,} of {requested:,} responses were taken from {archive.path}, {dated}; "
            "max_age='1d' requests them again, wa.refresh requests what may have changed"
        )
        emit(message, StaleWarning, stacklevel)
