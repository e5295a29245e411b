"""Many ids, many workers: requests all ids of a frontier, and archives each response before it is parsed."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from queue import Empty, SimpleQueue
from threading import Condition, Event, Thread
from typing import TYPE_CHECKING, Final, NamedTuple

from wegly_analytics.errors import ApiError, AuthError, PayloadError, RateLimitError, UnreachableError
from wegly_analytics.intake.record import Record
from wegly_analytics.parsing.repair import unwrapped

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from wegly_analytics.intake.archive import Archive
    from wegly_analytics.intake.client import Client
    from wegly_analytics.intake.frontier import Frontier
    from wegly_analytics.intake.row import Found

MAX_FAILURES: Final = 0.05
"""The share of failed requests beyond which a run stops, and of missing deals beyond which nothing is published."""

FEW: Final = 50
"""Requests before which the share of failures is not checked."""

_PROBES: Final = 3
"""How many first deals may be forbidden before the token itself is taken to be refused."""

_NAP: Final = 0.5
"""Seconds after which a waiting run checks whether it was interrupted."""

_AHEAD: Final = 4
"""Ids that wait per worker, so that none is idle."""

_MOST_BYTES: Final = 32 << 20
"""Bytes of bodies that wait to be read, beyond which no worker sends a request."""


class _Outcome(NamedTuple):
    """What became of a request."""

    record: Record
    error: BaseException | None
    found: Found | None = None


@dataclass
class Crawl:
    """A run of requests.

    Parameters
    ----------
    client
        What sends the requests.
    frontier
        What to request.
    workers
        The number of concurrent requests.
    archive
        Where responses are kept; None keeps none.
    known
        What the archive holds already, and is not requested again.
    max_failures
        The share of failures beyond which the run stops, checked from the `FEW`-th request on.

    counts
        How many requests ended with which outcome; those of an earlier crawl are counted on.
    has_others
        Whether other ids have a response, so that failures of all these do not mean that the server is down.

    Attributes
    ----------
    written
        What was written to the archive, by id.
    """

    client: Client
    frontier: Frontier
    workers: int
    archive: Archive | None = None
    known: Mapping[str, Found] = field(default_factory=dict)
    max_failures: float = MAX_FAILURES
    counts: Counter[str] = field(default_factory=Counter)
    has_others: bool = False
    written: dict[str, Found] = field(default_factory=dict, init=False)
    _without_response: int = field(default=0, init=False)
    _last_status: int | None = field(default=None, init=False)
    _last_reason: str = field(default="", init=False)
    _todo: SimpleQueue[str | None] = field(default_factory=SimpleQueue, init=False)
    _done: SimpleQueue[_Outcome] = field(default_factory=SimpleQueue, init=False)
    _stopped: Event = field(default_factory=Event, init=False)
    _room: Condition = field(default_factory=Condition, init=False)
    _waiting_bytes: int = field(default=0, init=False)

    def records(self) -> Iterator[Record]:
        """Request one id at a time until the token is known to be accepted, then with all workers.

        Yields
        ------
        Record
            Each response, in the order received.

        Raises
        ------
        AuthError, OriginError
            At a 401, or when the first deals all get a 403.
        RateLimitError
            If the server requests a longer wait than a run allows.
        UnreachableError
            If the first request cannot connect to the server.
        ApiError
            If too large a share of the requests fails, or all of them.
        ArchiveError
            If a response cannot be kept.
        """
        under_way, most = 0, 1
        workers: list[Thread] = []
        try:
            while True:
                while under_way < most and (id_ := self._next()) is not None:
                    self._todo.put(id_)
                    under_way += 1
                if not under_way:
                    break
                if len(workers) < min(under_way, self.workers):
                    # daemons: a pending response must not keep the process from ending
                    worker = Thread(target=self._work, name="wegly", daemon=True)
                    worker.start()
                    workers.append(worker)
                    continue
                record, error, found = self._next_response()
                under_way -= 1
                self._check(record, error)
                if found:
                    self.written[record.requested] = found
                self.frontier.note(record.requested, exists=record.status != 404)
                if record.status != 403:
                    most = self.workers * _AHEAD
                yield record
            self._check_server()
        finally:  # also when the caller stops reading
            self._stopped.set()
            with self._room:
                self._room.notify_all()
            if under_way:
                self.client.rate_limit.stop(workers)
            for _ in workers:
                self._todo.put(None)

    def _next(self) -> str | None:
        """Find the next id that is not in the archive."""
        while (id_ := self.frontier.next()) is not None and id_ in self.known:
            self.frontier.note(id_, exists=self.known[id_].status != 404)
        return id_

    def _next_response(self) -> _Outcome:
        """Wait for a response in short steps: Ctrl-C may reach another thread, and is noticed when this one wakes."""
        while True:
            with suppress(Empty):
                outcome = self._done.get(timeout=_NAP)
                self._hold(-len(outcome.record.body or b""))
                return outcome

    def _hold(self, n: int) -> None:
        """Count the bytes of bodies that wait to be read."""
        with self._room:
            self._waiting_bytes += n
            self._room.notify_all()

    def _has_room(self) -> bool:
        return self._waiting_bytes < _MOST_BYTES or self._stopped.is_set()

    def _work(self) -> None:
        while (id_ := self._todo.get()) is not None:
            with self._room:
                self._room.wait_for(self._has_room)
            if self._stopped.is_set():
                return
            outcome = self._outcome(id_)
            self._hold(len(outcome.record.body or b""))
            self._done.put(outcome)

    def _outcome(self, id_: str) -> _Outcome:
        """Request an id and keep the response; whatever is raised is raised again where the records are read."""
        try:
            record, error = _request(self.client, id_)
            found = self.archive.write(record) if self.archive and not self._stopped.is_set() else None
        except BaseException as trouble:  # noqa: BLE001 - a worker that ends unnoticed would leave the run waiting
            return _Outcome(Record(id_, None, _now(), None, type(trouble).__name__), trouble)
        return _Outcome(record, error, found)

    def _check(self, record: Record, error: BaseException | None) -> None:
        """Raise what concerns the whole run; count what concerns one deal."""
        outcome = outcome_of(record)
        self.counts[outcome] += 1
        total = self.counts.total()
        if isinstance(error, AuthError):
            is_token_refused = self.counts["forbidden"] == total and (total == _PROBES or self.frontier.is_exhausted)
            if error.status == 401 or is_token_refused:
                raise error
        if isinstance(error, UnreachableError) and total == 1:
            raise error
        is_of_all = isinstance(error, RateLimitError) and error.status == 429 and error.wait
        is_of_one_deal = isinstance(error, ApiError | PayloadError) and not is_of_all
        if error and not is_of_one_deal:
            raise error
        if outcome == "failed" and (record.status is None or record.status >= 500):
            self._without_response += 1
        if outcome in ("failed", "unreadable"):
            self._last_status = record.status
            self._last_reason = str(error or record.message or "a response that is not a deal")
        if total == FEW and self.frontier.total is None:
            self._check_server()  # a walk that gets no response would not end
        failed = self.counts["failed"] + self.counts["unreadable"]
        if total >= FEW and failed > self.max_failures * total:
            self._check_server()
            raise ApiError(
                f"{failed:,} of the first {total:,} requests failed, more than max_failures={self.max_failures:g} "
                f"allows; the last: {self._last_reason}",
                self._last_status,
            )

    def _check_server(self) -> None:
        """Raise if no request got a response, or none but a server error, and the archive has none either."""
        total = self.counts.total()
        is_down = total > 0 and self._without_response == total and not self.has_others
        if is_down and not any(id_ in self.known for id_ in self.frontier.positions):
            requests = "the only request" if total == 1 else f"all {total:,} requests"
            what = f"{requests} to {self.client.base_url} failed; the last: {self._last_reason}"
            if self._last_status is None:
                what += "; check the address (base_url, WEGLY_BASE_URL), or run again later"
            raise ApiError(what, self._last_status)


def outcome_of(record: Record) -> str:
    """Name the outcome of an id, as far as its response tells without being parsed."""
    match record.status:
        case 200:
            return "fetched" if record.body and unwrapped(record.body) else "unreadable"
        case 404:
            return "not_found"
        case 401 | 403:
            return "forbidden"
    return "failed"


def _request(client: Client, id_: str) -> tuple[Record, Exception | None]:
    try:
        body = client.deal(id_)
    except ApiError as error:
        return Record(id_, error.status, _now(), error.body or None, str(error)), error
    except PayloadError as error:
        return Record(id_, 200, _now(), None, str(error)), error
    except MemoryError:  # of the process, not of a deal
        raise
    except Exception as error:  # noqa: BLE001 - a client of the user's own may raise anything
        failure = ApiError(f"{type(error).__name__}: {error}")
        return Record(id_, None, _now(), None, str(failure)), failure
    if isinstance(body, bytes):
        return Record(id_, 200, _now(), body), None
    failure = ApiError(f"the client's deal() returned {type(body).__name__}, not bytes")
    return Record(id_, None, _now(), None, str(failure)), failure


def _now() -> datetime:
    return datetime.now(UTC)
