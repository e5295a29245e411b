"""A refresh in batches: what was received waits on disk, and is merged with the earlier rows, table by table.

In memory are the ledger and a few numbers for each row of one table; never a whole table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from wegly_analytics.intake.changes import Comparison
from wegly_analytics.intake.ledger import column, received, renewed_ledger, whole
from wegly_analytics.model.enums import MISSING
from wegly_analytics.model.tables import DEAL_ID, DEALS, LEDGER, TABLES
from wegly_analytics.snapshot.completeness import Completeness
from wegly_analytics.snapshot.consistency import require_ledger_agreement
from wegly_analytics.snapshot.save import Summary
from wegly_analytics.snapshot.sources import ALL_TABLES, batches
from wegly_analytics.store import parquet
from wegly_analytics.store.sort import by_rank, sorted_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from wegly_analytics.intake.changes import Changes
    from wegly_analytics.snapshot.privacy import Protection
    from wegly_analytics.snapshot.save import Publisher
    from wegly_analytics.snapshot.snapshot import Snapshot
    from wegly_analytics.store.parquet import Writer

RANKS_PER_FILE: Final = 20_000
"""How many deals are sorted at once; ten million of them take as many files as a process may have open."""

_LOOKED_UP: Final = 50_000
"""How many rows are looked up at once at least; more if there are more deals, because each time all are hashed."""


class Spool:
    """Keeps what was received until all of it is known: the ledger in memory, and the tables in files beside a root.

    It is a context manager, and the sink of a `SnapshotBuilder`. The files are removed at its end.

    Parameters
    ----------
    root
        The folder of snapshots.
    personal
        How personal columns are treated before anything is written; the ledger is not treated.
    """

    def __init__(self, root: str | Path, personal: Protection) -> None:
        self._personal = personal
        self._writing = parquet.writing(root)
        self._writer: Writer | None = None
        self._ledgers = [LEDGER.schema.empty_table()]

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *failure: Any) -> None:
        if self._writer:
            self._writing.__exit__(*failure)

    def _opened(self) -> Writer:
        """Create the folder when it is first needed: after a long crawl it would count as that of a dead process."""
        if self._writer is None:
            self._writer = self._writing.__enter__()
        return self._writer

    def add(self, tables: Mapping[str, pa.Table]) -> None:
        """Take a batch."""
        treated = self._personal.apply(tables)
        self._ledgers.append(treated.pop(LEDGER.name))
        self._opened().add(treated)

    def sort(self, ranks: Callable[[str, int, pa.Table], np.ndarray]) -> None:
        """Sort the rows of all tables, and leave out some; see `Writer.sort`."""
        places = [ranks(LEDGER.name, n, part) for n, part in enumerate(self._ledgers[1:])]
        self._ledgers = [by_rank(pa.concat_tables(self._ledgers), np.concatenate(places))]
        self._opened().sort(ranks)

    def ledger(self) -> pa.Table:
        """Return the ledger."""
        return pa.concat_tables(self._ledgers)

    def batches(self, name: str, columns: list[str] | None = None) -> Iterator[pa.Table]:
        """Read a table again in batches."""
        return self._opened().batches(name, columns)

    def sorted(
        self, name: str, rows: Iterable[tuple[pa.Table, np.ndarray]], schema: pa.Schema, per_file: int
    ) -> Iterator[pa.Table]:
        """Sort rows by rank in a folder of the spool; see `sorted_rows`."""
        folder = self._opened().folder / f"{name}.sorting"
        folder.mkdir()
        yield from sorted_rows(rows, schema, folder, per_file)


@dataclass(frozen=True, kw_only=True)
class Renewal:
    """What a refresh has handed to a publisher.

    Attributes
    ----------
    summary
        The new snapshot as a whole.
    missing
        The rows of its ledger of deals that are missing, or kept as before, for a reason other than 404.
    changes
        What the refresh has changed.
    """

    summary: Summary
    missing: pa.Table
    changes: Changes


class Merge:
    """Replaces the rows of deals that were received again, and carries the rest.

    Parameters
    ----------
    snap
        The earlier snapshot.
    spool
        What was received.
    wanted
        As for `renewed_ledger`.
    per_file
        As for `sorted_rows`.
    """

    def __init__(self, snap: Snapshot, spool: Spool, wanted: Mapping[str, str], per_file: int) -> None:
        self._snap = snap
        self._spool = spool
        self._per_file = per_file
        old, fresh = whole(pa.concat_tables(batches(snap.tables, LEDGER.name))), spool.ledger()
        self.ledger = renewed_ledger(old, fresh, wanted)
        _give_back()
        self._deal_ids = received(self.ledger)
        is_replaced = pc.is_in(self._deal_ids, value_set=received(fresh))
        # the last element is of deals that are not kept, whose place is -1
        self._is_left_out = np.append(is_replaced.to_numpy(zero_copy_only=False), True)
        self.comparison = Comparison(old, self.ledger)
        compared = pc.index_in(self._deal_ids, value_set=self.comparison.received).fill_null(-1)
        self._compared = np.append(compared.to_numpy(zero_copy_only=False), -1)

    def into(self, publisher: Publisher) -> None:
        """Hand the merged tables to a publisher.

        Raises
        ------
        SnapshotError
            If an earlier file cannot be read, or the deals do not agree with the ledger. Rows of other tables always
            agree: they have the rank of a deal of the ledger, or are left out.
        """
        publisher.add({name: declared.schema.empty_table() for name, declared in ALL_TABLES.items()})
        for name, declared in TABLES.items():
            _give_back()
            kept = [pa.array([], pa.string())]
            for table in self._spool.sorted(name, self._rows(name), declared.schema, self._per_file):
                if name == DEALS.name:
                    kept.append(column(table, DEAL_ID.name))
                publisher.add({name: table})
                _give_back()
            if name == DEALS.name:
                require_ledger_agreement(pa.concat_arrays(kept), self.ledger)
        publisher.add({LEDGER.name: self.ledger})

    def _rows(self, name: str) -> Iterator[tuple[pa.Table, np.ndarray]]:
        """Return the earlier rows of a table, then those received, each with the rank of its deal or -1."""
        places = self._places(batches(self._snap.tables, name, [DEAL_ID.name]))
        for table in self._declared(name, batches(self._snap.tables, name)):
            these, places = np.split(places, [table.num_rows])
            self.comparison.add(name, table, self._compared[these], is_earlier=True)
            yield table, np.where(self._is_left_out[these], -1, these)
        places = self._places(self._spool.batches(name, [DEAL_ID.name]))
        for table in self._declared(name, self._spool.batches(name)):
            these, places = np.split(places, [table.num_rows])
            self.comparison.add(name, table, self._compared[these], is_earlier=False)
            yield table, these

    def _declared(self, name: str, tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
        schema = TABLES[name].schema
        return (table.select(schema.names).cast(schema) for table in tables)

    def _places(self, tables: Iterable[pa.Table]) -> np.ndarray:
        """Find the place of the deal of each row in the new order; -1 where there is none."""
        found, waiting, n_rows = [np.zeros(0, np.int32)], [], 0
        for table in tables:
            waiting.append(column(table, DEAL_ID.name))
            n_rows += table.num_rows
            if n_rows >= max(_LOOKED_UP, len(self._deal_ids)):
                found.append(self._looked_up(waiting))
                waiting, n_rows = [], 0
        return np.concatenate([*found, self._looked_up(waiting)])

    def _looked_up(self, deal_ids: list[pa.Array]) -> np.ndarray:
        together = pa.concat_arrays([pa.array([], pa.string()), *deal_ids])
        places: np.ndarray = pc.index_in(together, value_set=self._deal_ids).fill_null(-1).to_numpy()
        return places


def _give_back() -> None:
    """Give memory that was freed back to the system: what each step leaves in pieces would add up to half the peak."""
    pa.default_memory_pool().release_unused()


def renew_into(
    publisher: Publisher, snap: Snapshot, spool: Spool, fresh: Summary, wanted: Mapping[str, str], per_file: int
) -> Renewal:
    """Merge a snapshot with what was received, and hand the result to a publisher.

    Parameters
    ----------
    publisher
        What takes the tables.
    snap, spool, wanted, per_file
        As for `Merge`.
    fresh
        What was received as a whole.
    """
    merge = Merge(snap, spool, wanted, per_file)
    merge.into(publisher)
    summary = Summary(
        taken_from=min(snap.taken_from, fresh.taken_from),
        taken_at=max(snap.taken_at, fresh.taken_at),
        deals=len(received(merge.ledger)),
        completeness=Completeness.of(merge.ledger),
        drift_seen=snap.drift_seen + fresh.drift_seen,
    )
    return Renewal(summary=summary, missing=_missing(merge.ledger), changes=merge.comparison.changes())


def _missing(ledger: pa.Table) -> pa.Table:
    """Return the rows of deals that are missing, or were kept as before, for a reason other than 404."""
    outcomes = column(ledger, "outcome")
    is_gone = pc.equal(column(ledger, "http_status"), 404).fill_null(False)
    is_kept = pc.and_(pc.equal(outcomes, "carried"), column(ledger, "missed_at").is_valid())
    return ledger.filter(pc.or_(pc.is_in(outcomes, value_set=pa.array(MISSING)), pc.and_not(is_kept, is_gone)))
