"""The result of a refresh: the difference between two snapshots of the same deals."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from wegly_analytics.intake.ledger import column, whole
from wegly_analytics.model.tables import DEAL_ID, LEDGER, TABLES

if TYPE_CHECKING:
    import numpy.typing as npt

    from wegly_analytics.snapshot.snapshot import Snapshot

_RUNNING: Final = "stage_durations"
"""The table that grows without anyone changing the deal: the time in the current stage."""


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
        then, now = (whole(snap.tables[LEDGER.name]) for snap in (before, after))
        requested = _requested(then, now)
        is_fetched = pc.equal(column(requested, "outcome"), "fetched")
        received = _key(requested).filter(is_fetched)
        is_known = pc.is_in(received, value_set=before.tables["deals"].column(DEAL_ID.name).combine_chunks())
        known = received.filter(is_known)
        not_found = _count(pc.equal(column(requested, "http_status"), 404))
        carried = column(now, DEAL_ID.name).filter(pc.equal(column(now, "outcome"), "carried"))
        return cls(
            requested=requested.num_rows,
            carried=len(carried.unique()),
            new=len(received) - len(known),
            changed=_differing(before, after, known),
            not_found=not_found,
            failed=requested.num_rows - len(received) - not_found,
        )

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


def _differing(before: Snapshot, after: Snapshot, deal_ids: pa.Array) -> int:
    """Count the deals whose rows differ, whatever the order of the rows is."""
    differs = np.zeros(len(deal_ids), bool)
    for name in TABLES:
        if name != _RUNNING:
            one, other = _digests(before.tables[name], after.tables[name], name, deal_ids)
            differs |= one != other
    return int(differs.sum())


def _digests(before: pa.Table, after: pa.Table, name: str, deal_ids: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Sum up the digests of each deal's rows in two tables; 0 for a deal without a row."""
    schema = TABLES[name].schema
    parts, deals = [], []
    for table in (before, after):
        declared = table.select(schema.names).cast(schema)
        found = pc.index_in(column(declared, DEAL_ID.name), value_set=deal_ids)
        parts.append(declared.filter(found.is_valid()))
        deals.append(found.drop_null().to_numpy())
    digests = np.split(_row_digests(pa.concat_tables(parts)), [len(deals[0])])
    sums = [np.zeros(len(deal_ids), np.uint64) for _ in parts]
    for total, rows, digest in zip(sums, deals, digests, strict=True):
        np.add.at(total, rows, digest)
    return sums[0], sums[1]


def _row_digests(table: pa.Table) -> npt.NDArray[np.uint64]:
    """Compute a digest of each row: equal rows have equal ones, others almost never.

    Each value is replaced by the number of the distinct value that it is, which is faster than hashing its text.
    """
    digests = np.zeros(table.num_rows, np.uint64)
    for values in table.columns:
        codes = values.combine_chunks().dictionary_encode("encode").indices.to_numpy().astype(np.uint64)
        digests = _mixed(digests * np.uint64(31) + codes)
    return digests


def _mixed(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Scatter 64-bit numbers, as SplitMix64 does, so that sums of them do not meet by chance."""
    values = values + np.uint64(0x9E3779B97F4A7C15)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
