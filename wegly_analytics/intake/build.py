"""Responses become one snapshot, in batches.

Pieces of some hundred responses are read in threads. A batch of them is flattened in the calling thread, while the next
ones are read, and handed to a sink: `Collected` in memory, or a `Publisher`, which writes it in a thread of its own. So
the whole is held only where a snapshot in memory is wanted. At the end the sink sorts the rows if they were not added
in the order requested, or if batches hold several versions of a deal. So the same responses give the same snapshot,
whatever the batch, however many threads received them, and whether they come from the network or from an archive.
"""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from wegly_analytics.errors import DriftWarning, IncompleteWarning
from wegly_analytics.intake.response import Piece, Response, with_outcomes
from wegly_analytics.intake.streams import emit
from wegly_analytics.intake.versions import Versions, places_by_batch
from wegly_analytics.model.enums import MISSING
from wegly_analytics.model.tables import LEDGER
from wegly_analytics.parsing.drift import Drift
from wegly_analytics.parsing.flatten import unfolded
from wegly_analytics.parsing.lines import PIECE_BYTES, PIECE_ROWS
from wegly_analytics.parsing.reader import Reader
from wegly_analytics.snapshot.completeness import Completeness
from wegly_analytics.snapshot.consistency import require_agreement
from wegly_analytics.snapshot.save import Summary
from wegly_analytics.snapshot.sources import ALL_TABLES
from wegly_analytics.store.sort import by_rank

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from concurrent.futures import Future
    from datetime import datetime

    from wegly_analytics.parsing.lines import Lines
    from wegly_analytics.parsing.reader import Rows
    from wegly_analytics.snapshot.snapshot import Snapshot

_BATCH_BYTES: Final = 12 << 20
"""The bytes of responses that are flattened together."""

_BATCH_ROWS: Final = 5_000
"""The responses that are flattened together, at most."""

_AHEAD_BYTES: Final = 24 << 20
"""The bytes of pieces that are read ahead of the batch that is flattened."""

_READERS: Final = min(4, os.cpu_count() or 1)


class Sink(Protocol):
    """What takes the batches of a snapshot."""

    def add(self, tables: Mapping[str, pa.Table]) -> None:
        """Take a batch."""

    def sort(self, ranks: Callable[[str, int, pa.Table], np.ndarray]) -> None:
        """Sort the rows of all tables by rank, and leave out those with a negative one."""


class Collected:
    """Keeps batches in memory."""

    def __init__(self) -> None:
        self._batches: list[dict[str, pa.Table]] = []

    def add(self, tables: Mapping[str, pa.Table]) -> None:
        """Take a batch."""
        self._batches.append(dict(tables))

    def sort(self, ranks: Callable[[str, int, pa.Table], np.ndarray]) -> None:
        """Sort the rows of all tables, and leave out some; see `Sink.sort`."""
        tables = {}
        for name in list(self._batches[0]):
            parts = [batch.pop(name) for batch in self._batches]
            places = np.concatenate([ranks(name, n, part) for n, part in enumerate(parts)])
            tables[name] = by_rank(pa.concat_tables(parts), places)
            del parts
            pa.default_memory_pool().release_unused()
        self._batches = [tables]

    def tables(self) -> dict[str, pa.Table]:
        """Return the tables, each in one piece per batch."""
        empty = {name: declared.schema.empty_table() for name, declared in ALL_TABLES.items()}
        batches = [empty, *self._batches]
        return {name: pa.concat_tables([batch[name] for batch in batches]) for name in empty}


class SnapshotBuilder:
    """Reads responses and hands their tables to a sink.

    Parameters
    ----------
    sink
        What takes the tables; by default they are kept in memory.
    piece_rows, batch_rows
        The most responses that are read, and that are flattened, together.
    """

    def __init__(
        self, sink: Sink | None = None, *, piece_rows: int = PIECE_ROWS, batch_rows: int = _BATCH_ROWS
    ) -> None:
        self._piece_rows = piece_rows
        self._batch_rows = batch_rows
        self._collected = Collected()
        self._sink = sink or self._collected
        self._threads = ThreadPoolExecutor(_READERS, "wegly-reader")
        self._reader = Reader()
        self._waiting: list[tuple[int, Response]] = []
        self._waiting_bytes = 0
        self._under_way: deque[tuple[Piece, Future[Rows]]] = deque()
        self._read: list[tuple[Piece, Rows]] = []
        self._n_bodies = 0
        self._versions = Versions()
        self._ledger_positions: list[np.ndarray] = []
        self._counts: list[dict[str, Any]] = []
        self._times: list[pa.Array] = []
        self._drift = Drift()
        self._missing: list[pa.Table] = [LEDGER.schema.empty_table()]

    def add(self, position: int, response: Response) -> None:
        """Add the response for the id at this position of the request order, counted from 0; in any order."""
        size = len(response.body or b"")
        if self._waiting and (self._waiting_bytes + size >= PIECE_BYTES or len(self._waiting) == self._piece_rows):
            self._read_waiting()
        self._waiting.append((position, response))
        self._waiting_bytes += size + 1

    def add_lines(self, position: int, lines: Lines, label: str, first: int, fetched_at: datetime) -> None:
        """Add the responses of a file.

        Parameters
        ----------
        position
            The position of the first one.
        lines, label, first, fetched_at
            As for `Piece.of_file`.
        """
        self._read_waiting()
        if len(lines):
            self._start(Piece.of_file(lines, label, first, fetched_at, position))

    def summary(self, now: datetime) -> Summary:
        """Finish, and say what was read as a whole.

        Parameters
        ----------
        now
            The time of a snapshot without any response.
        """
        self._read_waiting()
        while self._under_way:
            self._take()
        if self._read:
            self._flatten()
        self._threads.shutdown()
        self._sort()
        span = pc.min_max(pa.chunked_array(self._times, LEDGER.schema.field("fetched_at").type)).as_py()
        return Summary(
            taken_from=span["min"] or now,
            taken_at=span["max"] or now,
            deals=len(self._versions),
            completeness=Completeness.summed(self._counts, "count_all"),
            drift_seen=self._drift,
        )

    @property
    def missing(self) -> pa.Table:
        """The rows of the ledger of deals that are missing for a reason other than 404."""
        return pa.concat_tables(self._missing)

    def snapshot(self, now: datetime) -> Snapshot:
        """Finish, and make a snapshot in memory of all that was added; see `summary`."""
        return self.collected(self.summary(now))

    def collected(self, summary: Summary) -> Snapshot:
        """Make a snapshot of the tables that were kept in memory."""
        from wegly_analytics.snapshot.snapshot import Snapshot

        return Snapshot(
            tables=self._collected.tables(),
            taken_from=summary.taken_from,
            taken_at=summary.taken_at,
            drift_seen=summary.drift_seen,
        )

    def _read_waiting(self) -> None:
        if self._waiting:
            # in the order requested, which decides between two equal versions of a deal
            self._start(Piece.of(sorted(self._waiting, key=itemgetter(0))))
            self._waiting, self._waiting_bytes = [], 0

    def _start(self, piece: Piece) -> None:
        """Read a piece in a thread; flatten what is read by now if there is enough of it."""
        while self._under_way and sum(len(each.lines.text) for each, _ in self._under_way) > _AHEAD_BYTES:
            self._take()
        self._under_way.append((piece, self._threads.submit(self._reader.read, piece.lines, self._n_bodies)))
        self._n_bodies += len(piece.lines)

    def _take(self) -> None:
        piece, reading = self._under_way.popleft()
        self._read.append((piece, reading.result()))
        n_bytes = sum(len(each.lines.text) for each, _ in self._read)
        n_rows = sum(each.ledger.num_rows for each, _ in self._read)
        if n_bytes >= _BATCH_BYTES or n_rows >= self._batch_rows:
            self._flatten()

    def _flatten(self) -> None:
        """Make the tables of the responses that were read, and hand them to the sink."""
        pieces, rows = [piece for piece, _ in self._read], [rows for _, rows in self._read]
        self._read = []
        starts = np.cumsum([0, *(piece.ledger.num_rows for piece in pieces)])
        positions = np.concatenate([np.zeros(0, np.int64), *(piece.positions for piece in pieces)])
        with_body = [start + piece.with_body for start, piece in zip(starts, pieces, strict=False)]
        bodies = np.concatenate([np.zeros(0, np.int64), *with_body])
        places = positions[bodies].tolist()
        flat = unfolded(rows, [wanted for piece in pieces for wanted in piece.wanted], places)
        ledger = pa.concat_tables([LEDGER.schema.empty_table(), *(piece.ledger for piece in pieces)])
        ledger = with_outcomes(ledger, bodies, flat)
        tables = flat.tables | {LEDGER.name: ledger}
        require_agreement(tables)
        deals = flat.tables["deals"]
        first: dict[str, int] = {}
        for n, deal_id in flat.deal_ids.items():
            first[deal_id] = min(places[n], first.get(deal_id, places[n]))
        ids = deals.column("deal_id").combine_chunks()
        self._versions.add(
            ids,
            deals.column("updated_at").combine_chunks().cast(pa.int64()),
            positions[bodies][flat.kept],
            np.array([first[deal_id] for deal_id in ids.to_pylist()], np.int64),
        )
        self._ledger_positions.append(positions)
        self._counts += ledger.group_by(["outcome", "in_scope"]).aggregate([([], "count_all")]).to_pylist()
        self._times.append(_span(ledger))
        self._missing.append(ledger.filter(pc.is_in(ledger.column("outcome"), value_set=pa.array(MISSING))))
        for each in rows:
            self._drift = self._drift + each.drift
        self._sink.add(tables)

    def _sort(self) -> None:
        """Let the sink sort the rows, if they are not in the order requested or not all to be kept."""
        of_deals, of_ledger = self._versions.ranks(), places_by_batch(self._ledger_positions)
        if of_deals is None and of_ledger is None:
            return
        in_turn = np.cumsum([0, *map(len, self._ledger_positions)])
        deals_before = np.cumsum([0, *(len(self._versions.deals_of(n)) for n in range(len(self._ledger_positions)))])

        def ranks(name: str, batch: int, table: pa.Table) -> np.ndarray:
            if name == LEDGER.name:
                return in_turn[batch] + np.arange(table.num_rows) if of_ledger is None else of_ledger[batch]
            ids = self._versions.deals_of(batch)
            # in one piece: the kernel hashes all of `ids` once for each chunk
            found = pc.index_in(table.column("deal_id").combine_chunks(), value_set=ids).to_numpy()
            places: np.ndarray = deals_before[batch] + found if of_deals is None else of_deals[batch][found]
            return places

        self._sink.sort(ranks)


def _span(ledger: pa.Table) -> pa.Array:
    """Return the first and the last time in a ledger."""
    span = pc.min_max(ledger.column("fetched_at"))
    return pa.array([span["min"].as_py(), span["max"].as_py()], LEDGER.schema.field("fetched_at").type)


def warn(summary: Summary, *, stacklevel: int = 3) -> Summary:
    """Warn of missing deals and of undocumented fields, each once; `stacklevel` is that of the public function."""
    if summary.completeness.missing:
        emit(f"{summary.completeness}: see snap.ledger for each", IncompleteWarning, stacklevel)
    if unknown := summary.drift_seen.unknown:
        named = ", ".join(sorted(unknown)[:5]) + (", …" if len(unknown) > 5 else "")
        emit(f"received fields that are not documented: {named}; see snap.drift", DriftWarning, stacklevel)
    return summary
