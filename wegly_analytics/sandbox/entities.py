"""The parts of a simulated company, as dataclasses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date


@dataclass(frozen=True)
class Stage:
    """A stage of a pipeline: the median days in it, and the share of lost deals that are lost in it.

    Medians of whole weeks stay exact; others are slightly changed by weekends.
    """

    name: str
    days: float
    lost: float = 0.0


@dataclass(frozen=True)
class Pipeline:
    """A pipeline: its share of deals, its stages in order, and the position of the stage that brings a proposal."""

    name: str
    share: float
    stages: tuple[Stage, ...]
    proposal: int

    @property
    def skippable(self) -> range:
        """The positions of the stages that a deal may skip: after the first, before the proposal."""
        return range(1, self.proposal)


@dataclass(frozen=True)
class Growth:
    """A linear growth of arrivals, from 1 at the first day to `times` at the last, and `times` from then on."""

    since: date
    until: date
    times: float

    def at(self, day: date) -> float:
        """Return the multiple of the first level on a day."""
        elapsed = (day - self.since).days / (self.until - self.since).days
        return 1.0 + (self.times - 1.0) * min(max(elapsed, 0.0), 1.0)


@dataclass(frozen=True)
class Source:
    """A source of deals: its share of arrivals at first, and the chance that its deals are won."""

    name: str
    share: float
    win: float
    growth: Growth | None = None

    def arrivals(self, day: date) -> float:
        """Return its arrivals on a day, as a share of what all sources bring at first."""
        return self.share * (self.growth.at(day) if self.growth else 1.0)


@dataclass(frozen=True)
class Owner:
    """A seller: the share of deals, and what is added to a deal's chance to be won."""

    name: str
    share: float
    delta: float


@dataclass(frozen=True)
class Discount:
    """A range of discounts, from `low` to `high`: its share of deals, and what is added to their chance to be won."""

    name: str
    low: float
    high: float
    share: float
    delta: float


@dataclass(frozen=True)
class Reason:
    """A loss reason, and its share of the lost deals that have a reason."""

    name: str
    share: float


@dataclass(frozen=True)
class Tag:
    """A tag, its colour, and the share of deals that have it."""

    name: str
    color: str
    share: float


@dataclass(frozen=True)
class Field:
    """A custom field: its options, or none for free text; and how many may be chosen at most."""

    name: str
    type: int
    options: tuple[str, ...] = ()
    most: int = 1


@dataclass(frozen=True)
class Absence:
    """How often an optional part of a response is null, and how often it is missing."""

    null: float = 0.0
    missing: float = 0.0


@dataclass(frozen=True)
class Frequencies:
    """How often unusual things happen to deals: shares of deals unless stated otherwise."""

    gaps: float = 0.03
    """Codes whose response is a 404."""
    archived: float = 0.04
    """Archived while open; they never end."""
    reopened: float = 0.025
    """Closed once and opened again; the old date stays."""
    reopened_won: float = 0.3
    """Of these, closed as won the first time."""
    reopened_days: tuple[float, float] = (3.0, 40.0)
    """For how long these stay closed, uniformly between the two."""
    handed_over: float = 0.06
    skips: float = 0.05
    """Skipped one stage before the proposal, unless they are lost in it."""
    revisits: float = 0.05
    """Returned to a stage; the total time in each stage is the same."""
    retired: float = 0.03
    """Began in a stage that the pipeline no longer has."""
    no_reason: float = 0.18
    """Of lost deals."""
    described: float = 0.4
    """Of lost deals, with a description by the owner."""
    no_value: float = 0.06
    edited: float = 0.12
    """The value was changed once."""
    no_source: float = 0.03
    unexpected: float = 0.06
    """No expected close date."""
    pushed: float = 0.8
    """Of expected close dates that pass: moved to a later day; the rest stay overdue."""
    revised: float = 0.3
    """Of proposals: followed by a second version."""
    rejected: float = 0.6
    """Of lost deals with a proposal: the proposal is rejected; the rest expire."""
