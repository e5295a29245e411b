"""One run over the network: ids that the archive holds are not requested, and both parts become one snapshot."""

from __future__ import annotations

import warnings
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from wegly_analytics.errors import ApiError, IncompleteWarning, StaleWarning, StoppedError
from wegly_analytics.intake.archive import Archive
from wegly_analytics.intake.arguments import flag, instance, path, share, whole_number
from wegly_analytics.intake.build import Response, SnapshotBuilder
from wegly_analytics.intake.client import Client
from wegly_analytics.intake.crawl import Crawl, outcome_of
from wegly_analytics.intake.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from wegly_analytics.intake.archive import Found
    from wegly_analytics.intake.frontier import Frontier
    from wegly_analytics.intake.record import Record
    from wegly_analytics.snapshot.snapshot import Snapshot

ARCHIVE: Final = "data/raw"
"""The folder that errors suggest for an archive."""

_STALE: Final = timedelta(days=1)
"""Archived responses older than this are used with a warning."""


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

    def snapshot(self, frontier: Frontier, is_known: Callable[[Record], bool], *, stacklevel: int = 3) -> Snapshot:
        """Request all ids of a frontier that the archive does not hold.

        Parameters
        ----------
        frontier
            The ids.
        is_known
            Whether an archived record stands for its id.
        stacklevel
            Of the warnings; 3 names the caller of the function that calls this one.

        Raises
        ------
        AuthError, OriginError, ApiError, ArchiveError, StoppedError
            As `fetch`.
        """
        known: Mapping[str, Found] = self.archive.newest(is_known) if self.archive else {}
        builder = SnapshotBuilder()
        crawl = Crawl(self.client, frontier, self.workers, self.archive, known, self.max_failures)
        n_done = sum(id_ in known for id_ in frontier.pending)
        with Progress(frontier.total, self.progress, n_done) as shown, self.archive or nullcontext():
            if self.archive:
                self.archive.open()
            try:
                for record in crawl.records():
                    builder.add(frontier.positions[record.requested], response_of(record))
                    shown.count(outcome_of(record))
            except KeyboardInterrupt:
                raise StoppedError(f"stopped: {self._kept(crawl)}") from None
            except ApiError as error:
                error.add_note(self._kept(crawl))
                raise
        used = [found for id_, found in known.items() if id_ in frontier.positions]
        if self.archive:
            for record in self.archive.pick(found.n for found in used):
                builder.add(frontier.positions[record.requested], response_of(record))
            warn_of_damage(self.archive, stacklevel=stacklevel + 1)
            _warn_of_age(self.archive, used, len(frontier.positions), stacklevel=stacklevel + 1)
        return builder.snapshot(datetime.now(UTC))

    def _kept(self, crawl: Crawl) -> str:
        received = f"{crawl.counts['fetched']:,} deals were received"
        if self.archive is None:
            return f"{received}, and were not kept; with archive={ARCHIVE!r} a run can be resumed"
        return f"{received} and are kept in {self.archive.folder}; run the same line again to resume"


def response_of(record: Record) -> Response:
    """Turn an archived record into a response for a snapshot."""
    has_body = record.status == 200 and record.body is not None
    return Response(
        record.requested,
        "fetched" if has_body else outcome_of(record),
        record.at,
        record.status,
        record.message,
        record.body if has_body else None,
    )


def warn_of_damage(archive: Archive, *, stacklevel: int) -> None:
    """Warn of each file of an archive that was read only in part."""
    for file, why in archive.damaged.items():
        warnings.warn(
            f"{file} is damaged and was read only in part ({why}); what it lacks must be requested again",
            IncompleteWarning,
            stacklevel=stacklevel,
        )


def _warn_of_age(archive: Archive, used: list[Found], requested: int, *, stacklevel: int) -> None:
    oldest = min((found.at for found in used), default=None)
    if oldest and datetime.now(UTC) - oldest > _STALE:
        warnings.warn(
            f"{len(used):,} of {requested:,} responses were taken from {archive.folder}, "
            f"the oldest from {oldest:%Y-%m-%d}; "
            "max_age='1d' requests them again, wa.refresh requests what may have changed",
            StaleWarning,
            stacklevel=stacklevel,
        )
