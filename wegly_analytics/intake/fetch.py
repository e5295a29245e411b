"""Deals over HTTP become a snapshot."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from wegly_analytics.errors import ApiError, IdError
from wegly_analytics.intake.build import SnapshotBuilder, warn
from wegly_analytics.intake.crawl import MAX_FAILURES
from wegly_analytics.intake.durations import duration
from wegly_analytics.intake.frontier import Frontier, Walk
from wegly_analytics.intake.id_sources import ids_of
from wegly_analytics.intake.run import Run
from wegly_analytics.model.ids import Ids

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import timedelta
    from pathlib import Path

    from wegly_analytics.intake.client import Client
    from wegly_analytics.snapshot.save import Summary
    from wegly_analytics.snapshot.snapshot import Snapshot


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
        The client that sends the requests; by default ``Client()``, which takes the token from WEGLY_TOKEN.
    archive
        A file that stores every response as received, such as ``"data/responses.sqlite"``. A deal or a 404 in it is not
        requested again, so a run that was stopped or killed resumes when the same line is run again. A walk requests
        the codes beyond its last deal again: there may be new deals.
    workers
        The number of concurrent requests. The client's `per_second` applies to all of them together.
    progress
        Whether to show a progress bar in a terminal or a notebook, and one line per minute elsewhere.
    max_age
        How old an archived response may be, such as ``"1d"`` or ``"12h"``; older ones are requested again, and so
        are those with a time in the future. None accepts any age, and warns if one is older than a day.
    max_failures
        The share of failed requests beyond which the run stops, checked from the fiftieth on.

    Returns
    -------
    Snapshot
        The deals received. Its ledger has one row for every id requested.

    Raises
    ------
    IdError
        If any id is neither a UUID nor a positive whole number, or there is none; nothing is requested then.
    SettingError
        If there are more than ten million ids, or another argument cannot be used.
    AuthError, OriginError
        If the token is refused: at a 401, or when the first deals all get a 403.
    UnreachableError
        If the server cannot be reached.
    ApiError
        If more than `max_failures` of the requests fail, if none gets a response or all get a server error, if the
        server requests a wait of more than ten minutes, or if every id is a 404.
    ArchiveError
        If the archive cannot be written, or its structure is damaged.
    StoppedError
        At Ctrl-C.

    Warns
    -----
    IncompleteWarning
        If deals are missing for a reason other than 404.
    StaleWarning
        If responses older than a day were taken from the archive.
    DriftWarning
        If fields were received that are not documented.
    """
    builder = SnapshotBuilder()
    summary = fetch_into(
        builder,
        ids,
        client=client,
        archive=archive,
        workers=workers,
        progress=progress,
        max_age=max_age,
        max_failures=max_failures,
        stacklevel=3,
    )
    return builder.collected(summary)


def fetch_into(
    builder: SnapshotBuilder,
    ids: Iterable[Any] | str | Path | Walk,
    *,
    client: Client | None,
    archive: str | Path | None,
    workers: int,
    progress: bool,
    max_age: str | timedelta | None,
    max_failures: float,
    stacklevel: int = 2,
) -> Summary:
    """Fetch deals into a builder.

    Parameters
    ----------
    builder
        What takes the responses.
    ids, client, archive, workers, progress, max_age, max_failures
        As for `fetch`.
    stacklevel
        Of the warnings; 2 names the caller of this function.
    """
    oldest = datetime.min.replace(tzinfo=UTC)
    if max_age is not None:
        oldest = datetime.now(UTC) - duration("max_age", max_age)
    wanted = Ids() if isinstance(ids, Walk) else ids_of(ids)
    if not (len(wanted) or isinstance(ids, Walk)):  # an empty snapshot that is published would become the newest
        raise IdError("there is no id to fetch, so nothing was published: give ids, a range such as '1-500', or a file")
    frontier = Frontier(wanted, ids if isinstance(ids, Walk) else None)
    run = Run.of(client=client, archive=archive, workers=workers, progress=progress, max_failures=max_failures)
    run.collect(frontier, lambda found: found.is_final and found.at >= oldest, builder, stacklevel=stacklevel + 1)
    summary = builder.summary(datetime.now(UTC))
    counts = summary.completeness
    if counts.requested and counts.not_found == counts.requested:
        raise ApiError(
            f"none of {counts.requested:,} ids was found (404) at {run.client.base_url}: check the address and the "
            "ids; a token without permission to see these deals looks the same",
            404,
        )
    return warn(summary, stacklevel=stacklevel + 1)
