"""The result of a refresh: the difference between two snapshots of the same deals."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from wegly_analytics.model.tables import DEAL_ID, LEDGER, TABLES

if TYPE_CHECKING:
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
        then = {row["requested"]: row for row in _rows(before)}
        rows = _rows(after)
        requested = {
            row["deal_id"] or row["requested"]: row
            for row in rows
            if _times(row) != _times(then.get(row["requested"], {}))
        }
        received = {key for key, row in requested.items() if row["outcome"] == "fetched"}
        known = set(before.tables["deals"].column(DEAL_ID.name).to_pylist())
        not_found = sum(row["http_status"] == 404 for row in requested.values())
        return cls(
            requested=len(requested),
            carried=len({row["deal_id"] for row in rows if row["outcome"] == "carried"}),
            new=len(received - known),
            changed=_differing(before, after, received & known),
            not_found=not_found,
            failed=len(requested) - len(received) - not_found,
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


def _rows(snap: Snapshot) -> list[dict[str, Any]]:
    columns = ["requested", "outcome", "deal_id", "http_status", "fetched_at", "missed_at"]
    rows: list[dict[str, Any]] = snap.tables[LEDGER.name].select(columns).to_pylist()
    return rows


def _times(row: dict[str, Any]) -> tuple[Any, Any]:
    return row.get("fetched_at"), row.get("missed_at")


def _differing(before: Snapshot, after: Snapshot, deal_ids: set[str]) -> int:
    """Count the deals whose rows differ, whatever the order of the rows is."""
    ids = pa.array(sorted(deal_ids), pa.string())
    differs = pd.Series(data=False, index=ids.to_pylist())
    for name in TABLES:
        if name != _RUNNING:
            then, now = (_digests(snap.tables[name], name, ids) for snap in (before, after))
            differs |= then != now
    return int(differs.sum())


def _digests(table: pa.Table, name: str, ids: pa.Array) -> pd.Series[Any]:
    """Sum up the digests of each deal's rows; 0 for a deal without a row."""
    declared = table.select(TABLES[name].names).cast(TABLES[name].schema)
    frame = declared.filter(pc.is_in(declared.column(DEAL_ID.name), ids)).to_pandas()
    digests = pd.util.hash_pandas_object(frame, index=False)
    return digests.groupby(frame[DEAL_ID.name]).sum().reindex(ids.to_pylist(), fill_value=0)
