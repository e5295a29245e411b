"""The activity on a deal: something every few days until it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wegly_analytics.sandbox.working_hours import DAY

if TYPE_CHECKING:
    from random import Random

    from wegly_analytics.sandbox.lifecycle import Lifecycle

_ACTIVE: Final = 120 * DAY
"""The time after creation during which views, notes and the like increase."""


class Activity:
    """The activity on a deal up to an instant.

    Parameters
    ----------
    draw
        Random numbers.
    lifecycle
        The deal's lifecycle.
    at
        The instant, in seconds since 1970.
    """

    def __init__(self, draw: Random, lifecycle: Lifecycle, at: int) -> None:
        interval = int(draw.uniform(2, 9) * DAY)
        age = min(at, lifecycle.closed, lifecycle.archived) - lifecycle.created
        self.number = age // interval
        self.last = lifecycle.created + self.number * interval
        self._share = min(age / _ACTIVE, 1.0)

    def count(self, draw: Random, most: int) -> int:
        """Draw how many notes, tasks or the like there are, at most `most`."""
        return int(draw.randint(0, most) * self._share)
