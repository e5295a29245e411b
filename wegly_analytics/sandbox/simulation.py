"""Simulates the lifecycle of a deal once, from the company's seed and the deal's code.

The draws have a fixed order: another order would give another company.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from wegly_analytics.sandbox.lifecycle import (
    LOST,
    NEVER,
    RETIRED,
    WON,
    Change,
    EarlyClose,
    Lifecycle,
    ProposalVersion,
    StageVisit,
)
from wegly_analytics.sandbox.working_hours import DAY, is_open, to_continuous, to_working

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wegly_analytics.sandbox.entities import Discount, Frequencies, Owner, Pipeline, Source
    from wegly_analytics.sandbox.truth import Truth

_T = TypeVar("_T")


class _Traits(NamedTuple):
    """What is drawn about a deal before anything happens to it."""

    pipeline: Pipeline
    source: Source
    owner: Owner
    discount: Discount
    won: bool
    last: int
    """The position of the stage in which it ends."""


class _Interruption(NamedTuple):
    """A time on the path at which the deal is archived, or, with a gap, closed and later reopened."""

    cut: float
    gap: float


class _Clock:
    """A deal's own time in seconds: a deal created in working hours advances in working hours only."""

    def __init__(self, created: int) -> None:
        self._in_working_hours = is_open(created)
        self.start = to_continuous(created) if self._in_working_hours else float(created)

    def instant(self, time: float) -> int:
        """Return the instant at a time."""
        return round(to_working(time) if self._in_working_hours else time)


@dataclass
class _Course:
    """The visits of a deal, and what interrupted them."""

    visits: list[StageVisit]
    early_close: EarlyClose | None = None
    archived: int = NEVER

    @property
    def closed(self) -> int:
        return NEVER if self.archived < NEVER else self.visits[-1].left


def rng(seed: int, code: int, use: int = 0) -> Random:
    """Make the random numbers of one deal for one use, independent of all others."""
    return Random((seed * 4 + use) << 40 | code)


def simulate(truth: Truth, seed: int, code: int, created: int) -> Lifecycle:
    """Simulate the lifecycle of a deal that is created at an instant.

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
    traits = _draw_traits(draw, truth, datetime.fromtimestamp(created, UTC))
    clock = _Clock(created)
    path = _draw_path(draw, truth, traits)
    total = sum(seconds for _, seconds in path)
    course = _follow(draw, frequencies, clock, path, _draw_interruption(draw, frequencies, total))
    values = _draw_values(draw, truth, clock, total)
    lifecycle = Lifecycle(
        code=code,
        created=course.visits[0].entered,
        pipeline=traits.pipeline,
        source=None if draw.random() < frequencies.no_source else traits.source,
        owner=traits.owner,
        new_owner=_draw_new_owner(draw, truth, clock, total),
        discount=traits.discount,
        visits=course.visits,
        closed=course.closed,
        won=traits.won,
        early_close=course.early_close,
        archived=course.archived,
        reason=_draw_reason(draw, truth),
        values=values,
        has_value=draw.random() >= frequencies.no_value,
        expected=_draw_expected(draw, truth, course.visits[0].entered, min(course.closed, course.archived)),
        proposals=[],
        instants=[],
    )
    lifecycle.proposals = _draw_proposals(draw, truth, lifecycle)
    lifecycle.instants = sorted(_instants(lifecycle))
    return lifecycle


def _one(draw: Random, things: Sequence[_T], weights: Sequence[float]) -> _T:
    return draw.choices(things, weights)[0]


def _draw_traits(draw: Random, truth: Truth, created: datetime) -> _Traits:
    pipeline = _one(draw, truth.pipelines, [p.share for p in truth.pipelines])
    source = _one(draw, truth.sources, [s.arrivals(created.date()) for s in truth.sources])
    owner = _one(draw, truth.owners, [o.share for o in truth.owners])
    discount = _one(draw, truth.discounts, [d.share for d in truth.discounts])
    won = draw.random() < source.win + owner.delta + discount.delta
    positions = range(len(pipeline.stages))
    last = positions[-1] if won else _one(draw, positions, [stage.lost for stage in pipeline.stages])
    return _Traits(pipeline, source, owner, discount, won, last)


def _draw_path(draw: Random, truth: Truth, traits: _Traits) -> list[tuple[int, float]]:
    """Draw the stages of a deal up to its last one, and the seconds in each."""
    frequencies, pipeline, last = truth.frequencies, traits.pipeline, traits.last
    path = [
        (position, draw.lognormvariate(math.log(pipeline.stages[position].days * DAY), truth.spread))
        for position in range(last + 1)
    ]
    skips, revisits, retired = (
        draw.random() < share for share in (frequencies.skips, frequencies.revisits, frequencies.retired)
    )
    skipped, where, part = draw.choice(pipeline.skippable or [0]), draw.random(), draw.uniform(0.3, 0.7)
    if revisits and last:
        # Back and forth between two stages; each time is split in two, so the totals stay as drawn.
        here = int(where * last)
        (a, long), (b, short) = path[here : here + 2]
        path[here : here + 2] = [(a, long * part), (b, short * part), (a, long * (1 - part)), (b, short * (1 - part))]
    elif skips and skipped in pipeline.skippable and skipped < last:
        del path[skipped]
    if retired:
        path.insert(0, (RETIRED, draw.lognormvariate(math.log(truth.retired.days * DAY), truth.spread)))
    return path


def _draw_interruption(draw: Random, frequencies: Frequencies, total: float) -> _Interruption:
    fate, share = draw.random(), draw.uniform(0.3, 0.9)
    if fate < frequencies.archived:
        return _Interruption(share * total, 0.0)
    if fate < frequencies.archived + frequencies.reopened:
        return _Interruption(share * total, draw.uniform(*frequencies.reopened_days) * DAY)
    return _Interruption(math.inf, 0.0)


def _follow(
    draw: Random,
    frequencies: Frequencies,
    clock: _Clock,
    path: list[tuple[int, float]],
    interruption: _Interruption,
) -> _Course:
    """Follow a path stage by stage, up to its end or to the archiving of the deal."""
    course = _Course([])
    time, (cut, gap) = clock.start, interruption
    for position, seconds in path:
        until = time - clock.start + seconds
        if not time - clock.start <= cut < until:
            course.visits.append(StageVisit(position, clock.instant(time), clock.instant(time + seconds)))
            time += seconds
            continue
        instant = clock.instant(clock.start + cut)
        if not gap:
            course.archived = instant
            course.visits.append(StageVisit(position, clock.instant(time), NEVER))
            break
        reopened = clock.instant(clock.start + cut + gap)
        status = WON if draw.random() < frequencies.reopened_won else LOST
        course.early_close = EarlyClose(instant, reopened, status)
        course.visits.append(StageVisit(position, clock.instant(time), instant))
        course.visits.append(StageVisit(position, reopened, clock.instant(time + gap + seconds)))
        time += gap + seconds
        cut = math.inf
    return course


def _draw_values(draw: Random, truth: Truth, clock: _Clock, total: float) -> list[Change]:
    """Draw the deal's value, and perhaps a later one: the same on average."""
    value = round(draw.lognormvariate(math.log(truth.value), truth.value_spread), 2)
    edited, share, factor = draw.random() < truth.frequencies.edited, draw.random(), draw.uniform(0.7, 1.3)
    values = [Change(0, value)]
    if edited:
        values.append(Change(clock.instant(clock.start + share * total), round(value * factor, 2)))
    return values


def _draw_new_owner(draw: Random, truth: Truth, clock: _Clock, total: float) -> Change:
    handed_over = draw.random() < truth.frequencies.handed_over
    instant = clock.instant(clock.start + draw.random() * total) if handed_over else NEVER
    return Change(instant, draw.randrange(len(truth.owners)))


def _draw_reason(draw: Random, truth: Truth) -> int | None:
    if draw.random() < truth.frequencies.no_reason:
        return None
    return _one(draw, range(len(truth.reasons)), [reason.share for reason in truth.reasons])


def _draw_expected(draw: Random, truth: Truth, created: int, ended: int) -> list[Change]:
    """Draw the expected close day, and the later days to which it is moved as each passes."""
    if draw.random() < truth.frequencies.unexpected:
        return []
    due = created + draw.uniform(0.5, 1.5) * truth.cycle_days() * DAY
    days = [Change(created, due // DAY * DAY)]
    while due < ended and draw.random() < truth.frequencies.pushed:
        instant = int(due)
        due += draw.uniform(15, 60) * DAY
        days.append(Change(instant, due // DAY * DAY))
    return days


def _draw_proposals(draw: Random, truth: Truth, lifecycle: Lifecycle) -> list[ProposalVersion]:
    """Draw the versions of the proposal that the proposal stage brings."""
    rate = round(draw.uniform(lifecycle.discount.low, lifecycle.discount.high), 4)
    revised, refused = draw.random() < truth.frequencies.revised, draw.random() < truth.frequencies.rejected
    stay = next((visit for visit in lifecycle.visits if visit.position == lifecycle.pipeline.proposal), None)
    if stay is None:
        return []
    # The last visit of an archived deal has no end; its proposal comes within a day.
    length = DAY if stay.left == NEVER else stay.left - stay.entered
    created = [stay.entered + length // 20, *([stay.entered + length // 2] if revised else [])]
    rates = [rate / 2, rate] if revised else [rate]
    closed = lifecycle.closed
    decided = closed < NEVER
    approved = closed - (closed - lifecycle.visits[-1].entered) // 4 if lifecycle.won and decided else NEVER
    rejected = closed if refused and not lifecycle.won else NEVER
    versions = []
    for number, (instant, given) in enumerate(zip(created, rates, strict=True), 1):
        is_final = number == len(created)
        versions.append(
            ProposalVersion(
                number,
                round(given, 4),
                next(change.value for change in reversed(lifecycle.values) if change.instant <= instant),
                instant,
                replaced=NEVER if is_final else created[number],
                approved=approved if is_final else NEVER,
                rejected=rejected if is_final else NEVER,
            )
        )
    return versions


def _instants(lifecycle: Lifecycle) -> set[int]:
    instants = {lifecycle.created, lifecycle.closed, lifecycle.archived, lifecycle.new_owner.instant}
    instants.update(visit.entered for visit in lifecycle.visits)
    instants.update(change.instant for change in (*lifecycle.values, *lifecycle.expected))
    instants.update(instant for version in lifecycle.proposals for instant in version.instants)
    if lifecycle.early_close:
        instants |= {lifecycle.early_close.closed, lifecycle.early_close.reopened}
    return {instant for instant in instants if lifecycle.created <= instant < NEVER}
