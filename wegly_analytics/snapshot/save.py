"""Publishing a snapshot: personal data treated, batch by batch, as a new folder of Parquet files."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from wegly_analytics import settings
from wegly_analytics.errors import IncompleteError
from wegly_analytics.model.tables import DEALS
from wegly_analytics.snapshot.privacy import Protection
from wegly_analytics.snapshot.secret import read_secret
from wegly_analytics.store import parquet
from wegly_analytics.store.manifest import Manifest
from wegly_analytics.store.publish import writable_root

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from pathlib import Path

    import numpy as np
    import pyarrow as pa

    from wegly_analytics.model.personal import Mode, Treatment
    from wegly_analytics.parsing.drift import Drift
    from wegly_analytics.snapshot.completeness import Completeness
    from wegly_analytics.store.parquet import Writer

MOST_MISSING: Final = 0.05
"""The share of deals missing for a reason other than 404 above which nothing is published unless it is allowed."""


@dataclass(frozen=True, kw_only=True)
class Summary:
    """What the manifest of a snapshot says of it as a whole.

    Parameters
    ----------
    taken_from, taken_at
        When the first and the last response was received.
    deals
        The number of deals.
    completeness
        The ledger, counted.
    drift_seen
        How responses and documentation differ.
    filters
        What `where` kept.
    """

    taken_from: datetime
    taken_at: datetime
    deals: int
    completeness: Completeness
    drift_seen: Drift
    filters: tuple[str, ...] = ()


class Publisher:
    """Publishes a snapshot whose rows come in batches, as a context manager; nothing is left if it is not completed.

    Parameters
    ----------
    root, personal, columns, allow_incomplete
        As for `Snapshot.save`; they are checked at once.
    done
        How personal columns are treated already.
    deals
        The columns of deals.
    """

    def __init__(
        self,
        root: str | Path,
        personal: Mode,
        columns: Mapping[str, Treatment] | None = None,
        *,
        allow_incomplete: bool = False,
        done: Protection | None = None,
        deals: pa.Schema = DEALS.schema,
    ) -> None:
        writable_root(root)
        self._done = done or Protection()
        self._protection = self._done.further(personal, columns, deals, lambda: read_secret(settings.salt_file()))
        self._rest = self._protection.rest(self._done)
        self._allow_incomplete = allow_incomplete
        self._columns = deals.names
        self._rows: Counter[str] = Counter()
        self._writing = parquet.writing(root)
        self._writer: Writer | None = None
        self._held: Mapping[str, pa.Table] | None = None

    def __enter__(self) -> Publisher:
        return self

    def __exit__(self, *failure: Any) -> None:
        if self._writer:
            self._writing.__exit__(*failure)

    def _write_held(self) -> Writer:
        """Write the batch before, so that a snapshot of one batch that must not be published leaves no folder."""
        if self._writer is None:
            self._writer = self._writing.__enter__()
        if self._held is not None:
            self._writer.add(self._held, self._treated)
            self._held = None
        return self._writer

    def add(self, tables: Mapping[str, pa.Table]) -> None:
        """Treat the personal columns of a batch, and write it, both while the next one is made.

        Raises
        ------
        OSError
            If a batch before cannot be written.
        """
        if self._held is not None:
            self._write_held()
        self._held = tables

    def _treated(self, tables: Mapping[str, pa.Table]) -> dict[str, pa.Table]:
        treated = self._rest.apply(tables, ledger=True, first_rows=self._rows)
        self._rows.update({name: table.num_rows for name, table in tables.items()})
        return {name: self._protection.marked(name, table) for name, table in treated.items()}

    def sort(self, ranks: Callable[[str, int, pa.Table], np.ndarray]) -> None:
        """Sort the rows of all tables, and leave out some; see `Writer.sort`."""
        self._write_held().sort(ranks)

    def require_complete(self, counts: Completeness) -> None:
        """Raise `IncompleteError` if too many deals are missing to be published."""
        if counts.missing > MOST_MISSING * counts.requested and not self._allow_incomplete:
            raise IncompleteError(
                f"{counts}: more than {MOST_MISSING:.0%} are missing, so nothing was published. Fetch again, or pass "
                "allow_incomplete=True if every figure may rest on what was received"
            )

    def publish(self, summary: Summary) -> Path:
        """Publish all that was added.

        Raises
        ------
        IncompleteError
            If too many deals are missing.
        SnapshotError
            If it cannot be written completely.
        """
        self.require_complete(summary.completeness)
        protection = self._protection
        return self._write_held().publish(
            lambda published_at, files: Manifest(
                taken_from=summary.taken_from,
                taken_at=summary.taken_at,
                published_at=published_at,
                completeness=summary.completeness.as_dict(),
                filters=protection.without_values(summary.filters, self._columns, self._done),
                personal=protection.as_dict(),
                drift=protection.drift(summary.drift_seen).as_dict(),
                tables=files,
            ),
            private=protection.mode == "keep",
        )
