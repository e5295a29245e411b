"""The true rates of a simulated company: declared as plain data, with the figures that follow from them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from wegly_analytics.sandbox.entities import (
        Absence,
        Discount,
        Field,
        Frequencies,
        Owner,
        Pipeline,
        Reason,
        Source,
        Stage,
        Tag,
    )

_NEAR = 1e-9


@dataclass(frozen=True)
class Truth:
    """The true rates of a simulated company, all independent of each other.

    A deal is won with the chance of its source plus the deltas of its owner and of its discount. Its value, its
    pipeline and its time in each stage depend on nothing else, so each rate can be estimated from the company's deals.

    Parameters
    ----------
    pipelines, sources, owners, discounts, reasons
        What deals are made of; shares add up to 1, and weighted deltas to 0.
    seasons
        Arrivals of each month of the year; 1 is an average month.
    spread
        The standard deviation of the logarithm of the time in any stage.
    value, value_spread
        The median value of deals, and the standard deviation of its logarithm.
    retired
        A stage that no longer exists.
    frequencies
        How often unusual things happen to deals.
    tags, fields
        Tags and custom fields.
    optional
        The parts of a response that are sometimes null or missing.
    running
        Whether `stage_durations` includes the time of an open deal in its current stage.

    Raises
    ------
    ValueError
        If shares do not add up to 1, deltas not to 0, or a deal's chance would not be between 0 and 1.
    """

    pipelines: tuple[Pipeline, ...]
    sources: tuple[Source, ...]
    owners: tuple[Owner, ...]
    discounts: tuple[Discount, ...]
    reasons: tuple[Reason, ...]
    seasons: tuple[float, ...]
    spread: float
    value: float
    value_spread: float
    retired: Stage
    frequencies: Frequencies
    tags: tuple[Tag, ...]
    fields: tuple[Field, ...]
    optional: Mapping[str, Absence]
    running: bool = True

    def __post_init__(self) -> None:
        for name in ("pipelines", "sources", "owners", "discounts", "reasons"):
            _check(sum(each.share for each in getattr(self, name)), 1.0, f"the shares of {name}")
        for pipeline in self.pipelines:
            _check(sum(stage.lost for stage in pipeline.stages), 1.0, f"the shares lost in {pipeline.name}")
        for name in ("owners", "discounts"):
            _check(sum(each.share * each.delta for each in getattr(self, name)), 0.0, f"the weighted deltas of {name}")
        if len(self.seasons) != 12:
            raise ValueError(f"seasons has {len(self.seasons)} months: give 12")
        edges = [
            pick(s.win for s in self.sources)
            + pick(o.delta for o in self.owners)
            + pick(d.delta for d in self.discounts)
            for pick in (min, max)
        ]
        if not 0 < edges[0] <= edges[1] < 1:
            raise ValueError(
                f"the chance of winning a deal ranges from {edges[0]:.3f} to {edges[1]:.3f}: keep it between 0 and 1"
            )

    def arrivals(self, day: date) -> float:
        """Return the arrivals in the month of a day, as a multiple of an average month at first."""
        return self.seasons[day.month - 1] * sum(source.arrivals(day) for source in self.sources)

    def mix(self, day: date) -> dict[str, float]:
        """Return the share of each source among the deals that arrive on a day."""
        arriving = {source.name: source.arrivals(day) for source in self.sources}
        total = sum(arriving.values())
        return {name: amount / total for name, amount in arriving.items()}

    def win_rate_by_source(self) -> dict[str, float]:
        """Return the chance of winning a deal from each source; it never changes."""
        return {source.name: source.win for source in self.sources}

    def win_rate(self, since: date | None = None, until: date | None = None) -> float:
        """Return the chance of winning a deal that arrives in a period; without a period, in the long run.

        Parameters
        ----------
        since, until
            Any day of the first month, and of the last.

        Returns
        -------
        float
            Share of deals.
        """
        days = [date.max] if since is None else list(_months(since, until or since))
        weights = [self.arrivals(day) for day in days]
        by_source = self.win_rate_by_source()
        rates = [sum(share * by_source[name] for name, share in self.mix(day).items()) for day in days]
        return sum(w * r for w, r in zip(weights, rates, strict=True)) / sum(weights)

    def win_rate_by_discount(self, since: date | None = None, until: date | None = None) -> dict[str, float]:
        """Return the chance that a deal is won once it has a proposal, by the proposal's depth of discount.

        Every won deal had a proposal, but only some of the lost ones; so this is higher than `win_rate`.

        Parameters
        ----------
        since, until
            Any day of the first month in which the deals arrive, and of the last; the long run if not given.

        Returns
        -------
        dict
            Share of deals by depth.
        """
        overall, lost_after = self.win_rate(since, until), self.lost_with_proposal()
        chances = {depth.name: overall + depth.delta for depth in self.discounts}
        return {name: chance / (chance + (1 - chance) * lost_after) for name, chance in chances.items()}

    def lost_with_proposal(self) -> float:
        """Return the share of lost deals that had a proposal."""
        return sum(p.share * sum(stage.lost for stage in p.stages[p.proposal :]) for p in self.pipelines)

    def loss_reasons(self) -> dict[str, float]:
        """Return the share of each reason among lost deals that have one."""
        return {reason.name: reason.share for reason in self.reasons}

    def stage_medians(self, pipeline: str) -> dict[str, float]:
        """Return the median days in each stage of a pipeline, whether a deal leaves it or is lost in it."""
        return {stage.name: stage.days for p in self.pipelines if p.name == pipeline for stage in p.stages}

    def cycle_days(self) -> float:
        """Return the mean days from creation to winning of won deals."""
        frequencies = self.frequencies
        total = (
            frequencies.retired * self._mean(self.retired) + frequencies.reopened * sum(frequencies.reopened_days) / 2
        )
        for pipeline in self.pipelines:
            means = [self._mean(stage) for stage in pipeline.stages]
            skipped = [means[place] for place in pipeline.skippable]
            total += pipeline.share * (sum(means) - frequencies.skips * sum(skipped) / max(len(skipped), 1))
        return total

    def mean_value(self) -> float:
        """Return the mean value of deals that have one."""
        return self.value * math.exp(self.value_spread**2 / 2)

    def _mean(self, stage: Stage) -> float:
        return stage.days * math.exp(self.spread**2 / 2)


def _months(since: date, until: date) -> Iterator[date]:
    """Yield the middle of each month from one day's to another's."""
    for month in range(since.year * 12 + since.month - 1, until.year * 12 + until.month):
        yield date(month // 12, month % 12 + 1, 15)


def _check(found: float, expected: float, what: str) -> None:
    if abs(found - expected) > _NEAR:
        raise ValueError(f"{what} add up to {found:g}, not {expected:g}")
