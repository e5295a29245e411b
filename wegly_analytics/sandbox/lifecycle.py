"""The whole lifecycle of a deal, simulated once from the company's seed and the deal's code.

Nothing here depends on the time of the request: that only decides how much of the lifecycle has happened.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from wegly_analytics.sandbox.working_hours import DAY, is_open, to_continuous, to_working

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wegly_analytics.sandbox.entities import Discount, Owner, Pipeline, Source
    from wegly_analytics.sandbox.truth import Truth

NEVER: Final = 1 << 62
"""An instant after all others."""

_T = TypeVar("_T")

OPEN, WON, LOST = 1, 2, 3
RETIRED: Final = -1
"""The place of the stage that the pipeline no longer has."""


class StageVisit(NamedTuple):
    """A stay in a stage, by the stage's place in the pipeline; instants are seconds since 1970."""

    place: int
    entered: int
    left: int


class EarlyClose(NamedTuple):
    """A closing that was taken back: when, when it was taken back, and how the deal had been closed."""

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


class Change(NamedTuple):
    """From when on something has a value."""

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
    """From when on somebody else owns it, and who, by place."""
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
    """Expected close days, as midnights UTC, each from when on."""
    offers: list[ProposalVersion]
    instants: list[int]
    """Every instant at which something happens, in order."""

    def status(self, at: int) -> int:
        """Open, won or lost at an instant."""
        if self.early_close and self.early_close.closed <= at < self.early_close.reopened:
            return self.early_close.status
        if at < self.closed:
            return OPEN
        return WON if self.won else LOST

    def visit(self, at: int) -> StageVisit:
        """Give the latest visit that has begun at an instant."""
        return next((v for v in reversed(self.visits) if v.entered <= at), self.visits[0])

    def updated(self, at: int) -> int:
        """Give the latest instant up to another at which something happened."""
        return self.instants[bisect_right(self.instants, at) - 1]


def rng(seed: int, code: int, use: int = 0) -> Random:
    """Make the random numbers of one deal for one use, apart from all others."""
    return Random((seed * 4 + use) << 40 | code)


def simulate(truth: Truth, seed: int, code: int, created: int) -> Lifecycle:
    """Script the life of a deal that is created at an instant.

    Parameters
    ----------
    truth
        The company's true rates.
    seed, code
        The company's seed and the deal's code.
    created
        When it is created, in seconds since 1970.

    Returns
    -------
    Lifecycle
        What happens to the deal.
    """
    draw = rng(seed, code)
    frequencies = truth.frequencies
    day = datetime.fromtimestamp(created, UTC).date()
    pipeline = _one(draw, truth.pipelines, [p.share for p in truth.pipelines])
    source = _one(draw, truth.sources, [s.arrivals(day) for s in truth.sources])
    owner = _one(draw, truth.owners, [o.share for o in truth.owners])
    discount = _one(draw, truth.discounts, [d.share for d in truth.discounts])
    won = draw.random() < source.win + owner.delta + discount.delta
    last = len(pipeline.stages) - 1
    end = last if won else _one(draw, range(last + 1), [stage.lost for stage in pipeline.stages])

    # What was created out of hours goes on at any hour; everything else happens while people work.
    busy = is_open(created)
    start = to_continuous(created) if busy else float(created)

    def clock(time: float) -> int:
        return round(to_working(time) if busy else time)

    path = _path(draw, truth, pipeline, end)
    total = sum(seconds for _, seconds in path)
    fate, share = draw.random(), draw.uniform(0.3, 0.9)
    cut = math.inf
    gap = 0.0
    if fate < frequencies.archived:
        cut = share * total
    elif fate < frequencies.archived + frequencies.reopened:
        cut, gap = share * total, draw.uniform(*frequencies.reopened_days) * DAY

    visits: list[StageVisit] = []
    time = start
    early_close: EarlyClose | None = None
    archived = NEVER
    for place, seconds in path:
        until = time - start + seconds
        if time - start <= cut < until:
            instant = clock(start + cut)
            if not gap:
                archived = instant
                visits.append(StageVisit(place, clock(time), NEVER))
                break
            again = clock(start + cut + gap)
            early_close = EarlyClose(instant, again, WON if draw.random() < frequencies.reopened_won else LOST)
            visits += StageVisit(place, clock(time), instant), StageVisit(place, again, clock(time + gap + seconds))
            time += gap + seconds
            cut = math.inf
            continue
        visits.append(StageVisit(place, clock(time), clock(time + seconds)))
        time += seconds
    closed = NEVER if archived < NEVER else visits[-1].left

    values = _values(draw, truth, start, total, clock)
    life = Lifecycle(
        code=code,
        created=visits[0].entered,
        pipeline=pipeline,
        source=None if draw.random() < frequencies.no_source else source,
        owner=owner,
        new_owner=Change(
            clock(start + draw.random() * total) if draw.random() < frequencies.handed_over else NEVER,
            draw.randrange(len(truth.owners)),
        ),
        discount=discount,
        visits=visits,
        closed=closed,
        won=won,
        early_close=early_close,
        archived=archived,
        reason=None
        if draw.random() < frequencies.no_reason
        else _one(draw, range(len(truth.reasons)), [reason.share for reason in truth.reasons]),
        values=values,
        has_value=draw.random() >= frequencies.no_value,
        expected=_expected(draw, truth, visits[0].entered, min(closed, archived)),
        offers=[],
        instants=[],
    )
    life.offers = _offers(draw, truth, life)
    life.instants = sorted(_instants(life))
    return life


def _one(draw: Random, things: Sequence[_T], weights: Sequence[float]) -> _T:
    return draw.choices(things, weights)[0]


def _path(draw: Random, truth: Truth, pipeline: Pipeline, end: int) -> list[tuple[int, float]]:
    """Draw the stages of a deal up to the one it ends in, and the seconds in each."""
    frequencies = truth.frequencies
    path = [
        (place, draw.lognormvariate(math.log(pipeline.stages[place].days * DAY), truth.spread))
        for place in range(end + 1)
    ]
    skips, revisits, retired = (
        draw.random() < share for share in (frequencies.skips, frequencies.revisits, frequencies.retired)
    )
    skipped, again, part = draw.choice(pipeline.skippable or [0]), draw.random(), draw.uniform(0.3, 0.7)
    if revisits and end:
        # Back and forth between two stages, each time parted in two: the totals stay as drawn.
        here = int(again * end)
        (a, long), (b, short) = path[here : here + 2]
        path[here : here + 2] = [(a, long * part), (b, short * part), (a, long * (1 - part)), (b, short * (1 - part))]
    elif skips and skipped in pipeline.skippable and skipped < end:
        del path[skipped]
    if retired:
        path.insert(0, (RETIRED, draw.lognormvariate(math.log(truth.retired.days * DAY), truth.spread)))
    return path


def _values(draw: Random, truth: Truth, start: float, total: float, clock: Callable[[float], int]) -> list[Change]:
    """Draw what the deal is worth, and perhaps what it is worth later: the same on average."""
    worth = round(draw.lognormvariate(math.log(truth.value), truth.value_spread), 2)
    edited, share, factor = draw.random() < truth.frequencies.edited, draw.random(), draw.uniform(0.7, 1.3)
    values = [Change(0, worth)]
    if edited:
        values.append(Change(clock(start + share * total), round(worth * factor, 2)))
    return values


def _expected(draw: Random, truth: Truth, created: int, ended: int) -> list[Change]:
    """Draw the day the deal should close, and the days it is pushed to as each passes."""
    if draw.random() < truth.frequencies.unexpected:
        return []
    due = created + draw.uniform(0.5, 1.5) * truth.cycle_days() * DAY
    days = [Change(created, due // DAY * DAY)]
    while due < ended and draw.random() < truth.frequencies.pushed:
        instant = int(due)
        due += draw.uniform(15, 60) * DAY
        days.append(Change(instant, due // DAY * DAY))
    return days


def _offers(draw: Random, truth: Truth, life: Lifecycle) -> list[ProposalVersion]:
    """Draw the proposals that come with the proposal stage."""
    rate = round(draw.uniform(life.discount.low, life.discount.high), 4)
    revised, refused = draw.random() < truth.frequencies.revised, draw.random() < truth.frequencies.rejected
    stay = next((visit for visit in life.visits if visit.place == life.pipeline.proposal), None)
    if stay is None:
        return []
    # An archived deal's last visit has no end; its proposal comes within the day.
    length = min(stay.left, stay.entered + DAY) - stay.entered if stay.left == NEVER else stay.left - stay.entered
    instants = [stay.entered + length // 20, *([stay.entered + length // 2] if revised else [])]
    rates = [rate / 2, rate] if revised else [rate]
    approved = life.closed - (life.closed - life.visits[-1].entered) // 4 if life.won else NEVER
    rejected = life.closed if refused and not life.won else NEVER
    offers = []
    for version, (instant, given) in enumerate(zip(instants, rates, strict=True), 1):
        amount = next(change.value for change in reversed(life.values) if change.instant <= instant)
        final = version == len(instants)
        offers.append(
            ProposalVersion(
                version,
                round(given, 4),
                amount,
                instant,
                replaced=NEVER if final else instants[version],
                approved=approved if final and life.closed < NEVER else NEVER,
                rejected=rejected if final and life.closed < NEVER else NEVER,
            )
        )
    return offers


def _instants(life: Lifecycle) -> set[int]:
    instants = {life.created, life.closed, life.archived, life.new_owner.instant}
    instants.update(visit.entered for visit in life.visits)
    instants.update(change.instant for change in (*life.values, *life.expected))
    instants.update(instant for offer in life.offers for instant in offer[3:])
    if life.early_close:
        instants |= {life.early_close.closed, life.early_close.reopened}
    return {instant for instant in instants if life.created <= instant < NEVER}
