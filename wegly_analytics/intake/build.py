"""Responses become one snapshot.

A block of responses is flattened as soon as it is full, and its tables are kept compressed, so that neither uses up the
memory. At the end the rows are sorted in the order requested, table by table. So the same responses give the same
snapshot, however many threads received them, and whether they come from the network or from an archive.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from operator import itemgetter
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from wegly_analytics.errors import DriftWarning, IncompleteWarning
from wegly_analytics.intake.streams import emit
from wegly_analytics.model.tables import LEDGER, TABLES
from wegly_analytics.parsing.drift import Drift
from wegly_analytics.parsing.flatten import flatten
from wegly_analytics.snapshot.snapshot import Snapshot

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from wegly_analytics.parsing.flatten import Flat

_BLOCK: Final = 1_000
"""Responses that are flattened together, at most."""

_BLOCK_BYTES: Final = 16 << 20
"""The size of the bodies at which a block is flattened, however few they are."""

LOOK_AT_ALL: Final = 2_000
LOOK_AT_EVERY: Final = 20
"""Drift is looked for in each of the first responses, then in every twentieth."""


@dataclass(frozen=True, slots=True)
class Response:
    """The outcome of one id.

    Parameters
    ----------
    requested
        The id as requested.
    outcome
        One of `enums.OUTCOMES`.
    fetched_at
        When the response was received.
    http_status
        The last HTTP status; None if there was no response, or if it was read from a file.
    message
        What went wrong, or None.
    body
        The body, for outcome ``"fetched"``.
    check_id
        Whether the body must describe the deal that was requested.
    """

    requested: str
    outcome: str
    fetched_at: datetime
    http_status: int | None = None
    message: str | None = None
    body: bytes | None = None
    check_id: bool = True


@dataclass
class SnapshotBuilder:
    """Collects responses and builds a snapshot from them."""

    _pending: list[tuple[int, Response]] = field(default_factory=list)
    _pending_bytes: int = 0
    _blocks: list[dict[str, pa.Buffer]] = field(default_factory=list)
    _positions: dict[str, list[np.ndarray]] = field(default_factory=lambda: {"deals": [], LEDGER.name: []})
    _drift: Drift = field(default_factory=Drift)
    _n_read: int = 0

    def add(self, position: int, response: Response) -> None:
        """Add the response for the id at this position of the request order, counted from 0; in any order."""
        self._pending.append((position, response))
        self._pending_bytes += len(response.body or b"")
        if len(self._pending) == _BLOCK or self._pending_bytes >= _BLOCK_BYTES:
            self._flatten()

    def snapshot(self, now: datetime) -> Snapshot:
        """Make the snapshot of all that was added.

        Parameters
        ----------
        now
            The time of a snapshot without any response. No response counts as received later than this.
        """
        self._flatten()
        order, older = _newest_versions(self._blocks, self._positions["deals"])
        tables: dict[str, pa.Table] = {}
        for name in TABLES:
            parts = [_unpacked(block.pop(name)) for block in self._blocks]
            for n, ids in older.items():
                parts[n] = parts[n].filter(pc.invert(pc.is_in(parts[n].column("deal_id"), ids)))
            tables[name] = in_order(pa.concat_tables(parts), order)
            del parts
            pa.default_memory_pool().release_unused()
        ledger = pa.concat_tables([_unpacked(block.pop(LEDGER.name)) for block in self._blocks])
        ledger = ledger.take(np.argsort(np.concatenate(self._positions[LEDGER.name]), kind="stable"))
        column = LEDGER.names.index("fetched_at")
        times, latest = ledger.column(column), pa.scalar(now, LEDGER.schema.field(column).type)
        times = pc.if_else(pc.greater(times, latest), latest, times)  # another computer's clock may be ahead
        span = pc.min_max(times).as_py()
        return Snapshot(
            tables=tables | {LEDGER.name: ledger.set_column(column, ledger.schema.field(column), times)},
            taken_from=span["min"] or now,
            taken_at=span["max"] or now,
            drift_seen=self._drift,
        ).check()

    def _flatten(self) -> None:
        # in the order requested, which decides between two equal versions of a deal
        responses, self._pending, self._pending_bytes = sorted(self._pending, key=itemgetter(0)), [], 0
        read = [(position, response) for position, response in responses if response.body is not None]
        bodies = [response.body or b"" for _, response in read]
        flat = flatten(bodies, [response.requested if response.check_id else None for _, response in read])
        first = {deal_id: read[n][0] for n, deal_id in reversed(flat.deal_ids.items())}
        deals = flat.tables["deals"].column("deal_id").to_pylist()
        self._positions["deals"].append(np.array([first[deal_id] for deal_id in deals], np.int64))
        numbers = {position: n for n, (position, _) in enumerate(read)}
        ledger = [_row(response, flat, numbers.get(position)) for position, response in responses]
        self._positions[LEDGER.name].append(np.array([position for position, _ in responses], np.int64))
        tables = flat.tables | {LEDGER.name: pa.Table.from_pylist(ledger, schema=LEDGER.schema)}
        self._blocks.append({name: _packed(table) for name, table in tables.items()})
        for n, body in enumerate(bodies, start=self._n_read):
            if n < LOOK_AT_ALL or n % LOOK_AT_EVERY == 0:
                self._drift.look(body)
        self._n_read += len(bodies)


def _row(response: Response, flat: Flat, n: int | None) -> dict[str, object]:
    row: dict[str, object] = {name: getattr(response, name, None) for name in LEDGER.names} | {"in_scope": True}
    if n in flat.refused:
        row |= {"outcome": "unreadable", "message": str(flat.refused[n])}
    elif n is not None:
        row |= {"deal_id": flat.deal_ids[n], "message": "; ".join(flat.notes.get(n, ())) or None}
    return row


def _packed(table: pa.Table) -> pa.Buffer:
    """Compress a table."""
    stream = pa.BufferOutputStream()
    with pa.ipc.new_file(stream, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as file:
        file.write_table(table)
    return stream.getvalue()


def _unpacked(packed: pa.Buffer, columns: Sequence[str] | None = None) -> pa.Table:
    """Decompress a table, or some of its columns."""
    chosen = None if columns is None else [pa.ipc.open_file(packed).schema.get_field_index(name) for name in columns]
    return pa.ipc.open_file(packed, options=pa.ipc.IpcReadOptions(included_fields=chosen)).read_all()


def _newest_versions(
    blocks: list[dict[str, pa.Buffer]], positions: list[np.ndarray]
) -> tuple[pa.Array, dict[int, pa.Array]]:
    """Find the newest version of a deal that several blocks hold; within a block, `flatten` has done so.

    Returns
    -------
    tuple
        The deals, in the order in which they were first requested; and by block the deals of which another block holds
        a newer version.
    """
    read = [_unpacked(block["deals"], ["deal_id", "updated_at"]) for block in blocks]
    versions = pa.concat_tables(read).to_pandas()
    versions["block"] = np.repeat(np.arange(len(blocks)), [table.num_rows for table in read])
    versions["position"] = np.concatenate(positions)
    twice = versions[versions.duplicated("deal_id", keep=False)]
    newest = twice.sort_values(["updated_at", "position"], na_position="first").drop_duplicates("deal_id", keep="last")
    older = {int(n): pa.array(ids, pa.string()) for n, ids in twice.drop(newest.index).groupby("block")["deal_id"]}
    order = versions.sort_values("position")["deal_id"].drop_duplicates()
    return pa.array(order, pa.string()), older


def in_order(table: pa.Table, deal_ids: pa.Array) -> pa.Table:
    """Sort the rows of a table by an order of deals, and keep their order within a deal."""
    # in one piece: the kernel hashes all of `deal_ids` once for each chunk
    found = pc.index_in(table.column("deal_id").combine_chunks(), value_set=deal_ids)
    positions = found.to_numpy(zero_copy_only=False)
    is_sorted = bool((positions[1:] >= positions[:-1]).all())
    return table if is_sorted else table.take(np.argsort(positions, kind="stable"))


def warn(snap: Snapshot, *, stacklevel: int = 3) -> Snapshot:
    """Warn of missing deals and of undocumented fields, each once; `stacklevel` is that of the public function."""
    if snap.completeness.missing:
        emit(f"{snap.completeness}: see snap.ledger for each", IncompleteWarning, stacklevel)
    if unknown := snap.drift_seen.unknown:
        named = ", ".join(sorted(unknown)[:5]) + (", …" if len(unknown) > 5 else "")
        emit(f"received fields that are not documented: {named}; see snap.drift", DriftWarning, stacklevel)
    return snap
