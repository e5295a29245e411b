"""Publishing a snapshot: checked, with personal data treated, as a new folder of Parquet files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from wegly_analytics import settings
from wegly_analytics.errors import IncompleteError
from wegly_analytics.snapshot.secret import read_secret
from wegly_analytics.store import parquet
from wegly_analytics.store.manifest import Manifest
from wegly_analytics.store.publish import writable_root

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

    import pyarrow as pa

    from wegly_analytics.model.personal import Mode, Treatment
    from wegly_analytics.parsing.drift import Drift
    from wegly_analytics.snapshot.completeness import Completeness
    from wegly_analytics.snapshot.privacy import Protection

MOST_MISSING: Final = 0.05
"""The share of deals missing for a reason other than 404 above which nothing is published unless it is allowed."""


class Publishable(Protocol):
    """What publishing needs of a snapshot."""

    @property
    def tables(self) -> Mapping[str, pa.Table]:
        """The nine tables and the ledger."""

    @property
    def taken_from(self) -> datetime:
        """When the first response was received."""

    @property
    def taken_at(self) -> datetime:
        """When the last response was received."""

    @property
    def completeness(self) -> Completeness:
        """The ledger, counted."""

    @property
    def filters(self) -> tuple[str, ...]:
        """What `where` kept."""

    @property
    def drift_seen(self) -> Drift:
        """How responses and documentation differ."""

    @property
    def personal(self) -> Protection:
        """What was done to personal columns before."""

    def check(self) -> object:
        """Make sure that the tables agree with each other and with the ledger."""


def publish(
    snap: Publishable,
    root: str | Path,
    personal: Mode,
    columns: Mapping[str, Treatment] | None,
    *,
    deals: pa.Schema,
    allow_incomplete: bool,
) -> Path:
    """Publish a snapshot whose deals have these columns; see `Snapshot.save`."""
    writable_root(root)
    protection = snap.personal.further(personal, columns, deals, lambda: read_secret(settings.salt_file()))
    snap.check()
    counts = snap.completeness
    if counts.missing > MOST_MISSING * counts.requested and not allow_incomplete:
        raise IncompleteError(
            f"{counts}: more than {MOST_MISSING:.0%} are missing, so nothing was published. Fetch again, or pass "
            "allow_incomplete=True if every figure may rest on what was received"
        )
    tables = protection.rest(snap.personal).apply(snap.tables, ledger=True)
    return parquet.write(
        root,
        {name: protection.marked(name, table) for name, table in tables.items()},
        lambda published_at, files: Manifest(
            taken_from=snap.taken_from,
            taken_at=snap.taken_at,
            published_at=published_at,
            completeness=counts.as_dict(),
            filters=protection.without_values(snap.filters, deals.names, snap.personal),
            personal=protection.as_dict(),
            drift=protection.drift(snap.drift_seen).as_dict(),
            tables=files,
        ),
        private=protection.mode == "keep",
    )
