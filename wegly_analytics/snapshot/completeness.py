"""How many deals were requested, and how many were received."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from wegly_analytics.model.enums import OUTCOMES, RECEIVED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pyarrow as pa


@dataclass(frozen=True, kw_only=True)
class Completeness:
    """The ledger, counted.

    Attributes
    ----------
    requested
        Ids requested; the sum of the six outcomes.
    fetched, carried, not_found, forbidden, failed, unreadable
        Ids with that outcome.
    in_scope
        Ids whose deal was received and not excluded by `Snapshot.where`.

    Examples
    --------
    >>> print(Completeness(requested=2000, fetched=1980, not_found=18, failed=2, in_scope=1980))
    1,980 of 2,000 requested deals received (99.0 %); 18 not found, 2 failed
    """

    requested: int = 0
    fetched: int = 0
    carried: int = 0
    not_found: int = 0
    forbidden: int = 0
    failed: int = 0
    unreadable: int = 0
    in_scope: int = 0

    @classmethod
    def of(cls, ledger: pa.Table) -> Completeness:
        """Count a ledger."""
        counts = ledger.group_by(["outcome", "in_scope"]).aggregate([([], "count_all")])
        return cls.summed(counts.to_pylist(), "count_all")

    @classmethod
    def summed(cls, counts: Iterable[Mapping[str, Any]], n: str = "n") -> Completeness:
        """Sum the numbers of rows, `n`, that a ledger has for each `outcome` and `in_scope`."""
        sums: Counter[str] = Counter()
        for row in counts:
            sums["requested"] += row[n]
            sums[row["outcome"]] += row[n]
            sums["in_scope"] += row[n] * (row["outcome"] in RECEIVED and bool(row["in_scope"]))
        return cls(**sums)

    @property
    def received(self) -> int:
        """Ids whose deal was received."""
        return self.fetched + self.carried

    @property
    def missing(self) -> int:
        """Ids whose deal is missing for a reason other than 404."""
        return self.forbidden + self.failed + self.unreadable

    @property
    def share(self) -> float | None:
        """Share of the requested ids whose deal was received; None if no id was requested."""
        return self.received / self.requested if self.requested else None

    def as_dict(self) -> dict[str, int]:
        """Return all counts by name, for a manifest or the attrs of a table."""
        return asdict(self)

    def __str__(self) -> str:
        share = "" if self.share is None else f" ({self.share:.1%})".replace("%", " %")
        text = f"{self.received:,} of {self.requested:,} requested deals received{share}"
        gaps = [
            f"{n:,} {name.replace('_', ' ')}"
            for name in OUTCOMES
            if name not in RECEIVED and (n := getattr(self, name))
        ]
        if gaps:
            text += "; " + ", ".join(gaps)
        if self.in_scope != self.received:
            text += f"; {self.in_scope:,} in scope"
        return text
