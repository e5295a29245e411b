"""The whole lifecycle of a deal, as data: what happens to it, and when.

Nothing here depends on the time of a request: that only decides how much of the lifecycle is visible. Instants are
seconds since 1970.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from wegly_analytics.sandbox.entities import Discount, Owner, Pipeline, Source

NEVER: Final = 1 << 62
"""An instant after all others."""

OPEN, WON, LOST = 1, 2, 3
RETIRED: Final = -1
"""The position of the stage that the pipeline no longer has."""


class StageVisit(NamedTuple):
    """A stay in a stage, which is given by its position in the pipeline."""

    position: int
    entered: int
    left: int


class EarlyClose(NamedTuple):
    """A first closing that was undone: the two instants, and how the deal had been closed."""

    closed: int
    reopened: int
    status: int


class ProposalVersion(NamedTuple):
    """One version of a deal's proposal."""

    version: int
    rate: float
    amount: float
    created: int
    replaced: int
    approved: int
    rejected: int

    @property
    def instants(self) -> tuple[int, ...]:
        """The instants of all its events."""
        return self.created, self.replaced, self.approved, self.rejected


class Change(NamedTuple):
    """A value, and the instant from which it holds."""

    instant: int
    value: float


@dataclass(slots=True)
class Lifecycle:
    """What happens to a deal, and when."""

    code: int
    created: int
    pipeline: Pipeline
    source: Source | None
    owner: Owner
    new_owner: Change
    """The position of a later owner among all owners, and the instant of the handover."""
    discount: Discount
    visits: list[StageVisit]
    closed: int
    won: bool
    early_close: EarlyClose | None
    archived: int
    reason: int | None
    values: list[Change]
    has_value: bool
    expected: list[Change]
    """Expected close days, as midnights in UTC."""
    proposals: list[ProposalVersion]
    instants: list[int]
    """Every instant at which something happens, in order."""

    def status(self, at: int) -> int:
        """Open, won or lost at an instant."""
        if self.early_close and self.early_close.closed <= at < self.early_close.reopened:
            return self.early_close.status
        if at < self.closed:
            return OPEN
        return WON if self.won else LOST

    def last_closed(self, status: int, at: int) -> int | None:
        """Return when it was last closed with a status, even if it was reopened since."""
        if self.closed <= at and self.status(at) == status:
            return self.closed
        early = self.early_close
        return early.closed if early and early.status == status and early.closed <= at else None

    def visit(self, at: int) -> StageVisit:
        """Return the latest visit that has begun at an instant."""
        return next((visit for visit in reversed(self.visits) if visit.entered <= at), self.visits[0])

    def updated(self, at: int) -> int:
        """Return the latest instant, not after another, at which something happened."""
        return self.instants[bisect_right(self.instants, at) - 1]
