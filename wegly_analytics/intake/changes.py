"""The result of a refresh: the difference between two snapshots of the same deals."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from wegly_analytics.intake.ledger import column, whole
from wegly_analytics.model.tables import DEAL_ID, DEALS, LEDGER, TABLES

if TYPE_CHECKING:
    import numpy.typing as npt

    from wegly_analytics.snapshot.snapshot import Snapshot

_RUNNING: Final = "stage_durations"
"""The table that grows without anyone changing the deal: the time in the current stage."""

_NULL: Final = 0x5851F42D4C957F2D
"""The digest of a missing value."""


@dataclass(frozen=True, kw_only=True)
class Changes:
    """What a refresh requested, and the outcomes.

    Attributes
    ----------
    requested
        Ids that the refresh requested.
    carried
        Deals that were kept as they were: not requested, or requested and not received.
    new
        Deals that the earlier snapshot did not have.
    changed
        Deals that were received again with another `updated_at` or other content. The time in the current stage does
        not count, because it grows by itself.
    not_found
        Requested ids that got a 404.
    failed
        Requested ids without a usable response for another reason.

    Examples
    --------
    >>> print(Changes(requested=40, carried=1000, new=3, changed=12, not_found=1, failed=0))
    40 requested: 3 new, 12 changed, 24 unchanged, 1 not found, 0 failed; 1,000 carried
    """

    requested: int
    carried: int
    new: int
    changed: int
    not_found: int
    failed: int

    @classmethod
    def between(cls, before: Snapshot, after: Snapshot) -> Changes:
        """Compare a snapshot with the result of `refresh`."""
        comparison = Comparison(*(whole(snap.tables[LEDGER.name]) for snap in (before, after)))
        for name in TABLES:
            for snap, is_earlier in ((before, True), (after, False)):
                table = snap.tables[name]
                found = pc.index_in(column(table, DEAL_ID.name), value_set=comparison.received)
                comparison.add(name, table, found.fill_null(-1).to_numpy(), is_earlier=is_earlier)
        return comparison.changes()

    def as_dict(self) -> dict[str, int]:
        """Return all counts by name."""
        return asdict(self) | {"unchanged": self.unchanged}

    @property
    def unchanged(self) -> int:
        """Deals that were received as they had been before."""
        return self.requested - self.new - self.changed - self.not_found - self.failed

    def __str__(self) -> str:
        return (
            f"{self.requested:,} requested: {self.new:,} new, {self.changed:,} changed, {self.unchanged:,} unchanged, "
            f"{self.not_found:,} not found, {self.failed:,} failed; {self.carried:,} carried"
        )


class Comparison:
    """Counts what a refresh has changed, while the rows pass by in batches.

    The digests of a deal's earlier rows are added, those of its present rows subtracted: what is not 0 in the end
    differs, whatever the order of the rows was.

    Parameters
    ----------
    then, now
        The ledger before and after.

    Attributes
    ----------
    received
        The deals that were received by the refresh.
    """

    def __init__(self, then: pa.Table, now: pa.Table) -> None:
        self._requested = _requested(then, now)
        is_fetched = pc.equal(column(self._requested, "outcome"), "fetched")
        self.received = _key(self._requested).filter(is_fetched)
        carried = column(now, DEAL_ID.name).filter(pc.equal(column(now, "outcome"), "carried"))
        self._n_carried = len(carried.unique())
        self._is_known = np.zeros(len(self.received), bool)
        self._differences = np.zeros(len(self.received), np.uint64)

    def add(self, name: str, table: pa.Table, places: np.ndarray, *, is_earlier: bool) -> None:
        """Add rows of a table.

        Parameters
        ----------
        name, table
            The name of the table, and some of its rows.
        places
            The place of each row's deal in `received`; -1 for others.
        is_earlier
            Whether the rows are of the snapshot before, not of the one after.
        """
        rows = np.flatnonzero(places >= 0)
        if name == DEALS.name and is_earlier:
            self._is_known[places[rows]] = True
        if name == _RUNNING or not len(rows):
            return
        schema = TABLES[name].schema
        digests = _row_digests(table.select(schema.names).cast(schema).take(rows), name)
        (np.add if is_earlier else np.subtract).at(self._differences, places[rows], digests)

    def changes(self) -> Changes:
        """Return the counts."""
        n, n_received, n_known = self._requested.num_rows, len(self.received), int(self._is_known.sum())
        not_found = _count(pc.equal(column(self._requested, "http_status"), 404))
        return Changes(
            requested=n,
            carried=self._n_carried,
            new=n_received - n_known,
            changed=int((self._is_known & (self._differences != 0)).sum()),
            not_found=not_found,
            failed=n - n_received - not_found,
        )


def _requested(then: pa.Table, now: pa.Table) -> pa.Table:
    """Find the rows of a ledger that another one has not, or with other times; the last one of each deal."""
    found = pc.index_in(column(now, "requested"), value_set=column(then, "requested"))
    differs = np.zeros(now.num_rows, bool)
    for name in ("fetched_at", "missed_at"):
        one, other = column(now, name), column(then, name).take(found)
        is_same = pc.or_(pc.equal(one, other).fill_null(False), pc.and_(one.is_null(), other.is_null()))
        differs |= ~is_same.to_numpy(zero_copy_only=False)
    rows = now.filter(pa.array(differs))
    last = pd.Series(_key(rows).dictionary_encode().indices.to_numpy()).duplicated(keep="last")
    return rows.filter(pa.array(~last.to_numpy())).combine_chunks()


def _key(ledger: pa.Table) -> pa.Array:
    """Return the deal of each row, or the id requested where there is none."""
    return pc.coalesce(column(ledger, DEAL_ID.name), column(ledger, "requested"))


def _count(mask: pa.BooleanArray) -> int:
    return int(pc.sum(mask).as_py() or 0)


def _row_digests(table: pa.Table, name: str) -> npt.NDArray[np.uint64]:
    """Compute a digest of each row of a table: equal rows have equal ones in every batch, others almost never."""
    digests = np.full(table.num_rows, list(TABLES).index(name), np.uint64)
    for values in table.columns:
        digests = _mixed(digests * np.uint64(31) + _value_digests(values.combine_chunks()))
    return digests


def _value_digests(values: pa.Array) -> npt.NDArray[np.uint64]:
    """Compute a digest of each value; a text that occurs often is hashed once."""
    digests = np.full(len(values), _NULL, np.uint64)
    present = values.drop_null()
    if pa.types.is_string(present.type):
        coded = present.dictionary_encode()
        hashed = pd.util.hash_array(coded.dictionary.to_numpy(zero_copy_only=False), categorize=False)
        found = hashed[coded.indices.to_numpy()]
    else:
        found = pd.util.hash_array(present.to_numpy(zero_copy_only=False))
    digests[values.is_valid().to_numpy(zero_copy_only=False)] = found
    return digests


def _mixed(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Scatter 64-bit numbers, as SplitMix64 does, so that sums of them do not meet by chance."""
    values = values + np.uint64(0x9E3779B97F4A7C15)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
