"""Many ids, many workers: asks for all that a frontier hands out, and keeps each answer before anyone looks at it."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import TYPE_CHECKING, Final

from wegly_analytics.errors import ApiError, AuthError, PayloadError, WeglyError
from wegly_analytics.intake.archive import Record
from wegly_analytics.parsing.repair import unwrapped

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from wegly_analytics.intake.archive import Archive, Found
    from wegly_analytics.intake.client import Client
    from wegly_analytics.intake.frontier import Frontier

MAX_FAILURES: Final = 0.05
"""The share of failed requests beyond which a run stops, and of missing deals beyond which nothing is published."""

FEW: Final = 50
"""Answers before which no share of failures says anything."""

_PROBES: Final = 3
"""So many first deals may be forbidden before the key itself is taken to be refused."""

_NAP: Final = 0.5
"""Seconds after which a waiting run looks whether it was interrupted."""

_AHEAD: Final = 4
"""Requests that wait per worker, so that none is ever idle."""


@dataclass
class Asking:
    """A run of requests.

    Parameters
    ----------
    client
        Who asks.
    frontier
        What to ask for.
    workers
        Requests under way at once.
    archive
        Where answers are kept; None keeps none.
    known
        What the archive has answered already, and is not requested again.
    max_failures
        The share of failures beyond which the run stops, looked at once `FEW` have answered.

    Attributes
    ----------
    counts
        How many requests ended with which outcome.
    """

    client: Client
    frontier: Frontier
    workers: int
    archive: Archive | None = None
    known: Mapping[str, Found] = field(default_factory=dict)
    max_failures: float = MAX_FAILURES
    counts: Counter[str] = field(default_factory=Counter)
    _todo: SimpleQueue[str | None] = field(default_factory=SimpleQueue)
    _done: SimpleQueue[tuple[Record, Exception | None]] = field(default_factory=SimpleQueue)
    _stopped: Event = field(default_factory=Event)

    def records(self) -> Iterator[Record]:
        """Ask, alone at first, until the key is known to be good, then with all workers; give answers as they come.

        Raises
        ------
        AuthError, OriginError
            At a 401, or when the first deals all answer 403.
        RateLimitError
            If the server asks for more patience than a run has.
        ApiError
            If too large a share of requests fails.
        ArchiveError
            If an answer cannot be kept.
        """
        self.client.budget.resume()
        under_way, most = 0, 1
        workers: list[Thread] = []
        try:
            while True:
                while under_way < most and (key := self._next()) is not None:
                    self._todo.put(key)
                    under_way += 1
                if not under_way:
                    return
                if len(workers) < min(under_way, self.workers):
                    # daemons: an answer that is still awaited must not keep a process that wants to end
                    workers.append(Thread(target=self._work, name="wegly", daemon=True))
                    workers[-1].start()
                    continue
                record, error = self._next_answer()
                under_way -= 1
                self._judge(record, error)
                self.frontier.hear(record.requested, exists=record.status != 404)
                if record.status != 403:
                    most = self.workers * _AHEAD
                yield record
        finally:  # also when the reader of these answers gives up
            self._stopped.set()
            if under_way:
                self.client.budget.stop()
            for _ in workers:
                self._todo.put(None)

    def _next(self) -> str | None:
        """Find the next id that the archive cannot answer."""
        while (key := self.frontier.next()) is not None and key in self.known:
            self.frontier.hear(key, exists=self.known[key].status != 404)
        return key

    def _next_answer(self) -> tuple[Record, Exception | None]:
        """Wait for an answer, but never long: Ctrl-C may reach another thread, and is noticed when this one wakes."""
        while True:
            with suppress(Empty):
                return self._done.get(timeout=_NAP)

    def _work(self) -> None:
        while (key := self._todo.get()) is not None and not self._stopped.is_set():
            record, error = _ask(self.client, key)
            if self.archive and not self._stopped.is_set():
                try:
                    self.archive.write(record)
                except WeglyError as trouble:
                    error = trouble
            self._done.put((record, error))

    def _judge(self, record: Record, error: Exception | None) -> None:
        """Raise what concerns the whole run; what concerns one deal is counted."""
        outcome = outcome_of(record)
        self.counts[outcome] += 1
        total = self.counts.total()
        if isinstance(error, AuthError):
            is_key_refused = self.counts["forbidden"] == total and (total == _PROBES or self.frontier.is_exhausted)
            if error.status == 401 or is_key_refused:
                raise error
        is_of_one_deal = isinstance(error, ApiError | PayloadError) and not getattr(error, "wait", None)
        if error and not is_of_one_deal:
            raise error
        failed = self.counts["failed"] + self.counts["unreadable"]
        if total >= FEW and failed > self.max_failures * total:
            what = error or record.message or "an answer that is no deal"
            raise ApiError(
                f"{failed:,} of the first {total:,} requests failed, more than max_failures={self.max_failures:g} "
                f"allows; the last: {what}",
                record.status,
            )


def outcome_of(record: Record) -> str:
    """Name what became of an id, as far as a glance at its answer tells."""
    match record.status:
        case 200:
            return "fetched" if record.body and unwrapped(record.body) else "unreadable"
        case 404:
            return "not_found"
        case 401 | 403:
            return "forbidden"
    return "failed"


def _ask(client: Client, key: str) -> tuple[Record, Exception | None]:
    try:
        return Record(key, 200, _now(), client.deal(key)), None
    except ApiError as error:
        return Record(key, error.status, _now(), error.body or None, str(error)), error
    except PayloadError as error:
        return Record(key, 200, _now(), None, str(error)), error
    except Exception as error:  # noqa: BLE001 - the reader of the answers raises it
        return Record(key, None, _now(), None, str(error)), error


def _now() -> datetime:
    return datetime.now(UTC)
