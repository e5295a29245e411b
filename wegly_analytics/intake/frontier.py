"""Which id to request next: the listed ones, then consecutive codes until a run of misses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from wegly_analytics.intake.arguments import whole_number
from wegly_analytics.model.ids import MAX_CODE

if TYPE_CHECKING:
    from collections.abc import Collection

    from wegly_analytics.model.ids import Ids


def walk(start: int = 1, *, misses: int = 100) -> Walk:
    """Walk over consecutive codes until so many in a row do not exist: ``fetch(walk())``.

    Parameters
    ----------
    start
        The first code.
    misses
        How many codes in a row without a deal end the walk. Earlier gaps are rows of the ledger.

    Returns
    -------
    Walk
        For `fetch`, in place of ids.

    Raises
    ------
    SettingError
        If either is not a positive whole number.
    """
    return Walk(start, misses)


@dataclass(frozen=True)
class Walk:
    """Consecutive codes from `start` on, until `misses` in a row do not exist. Give it to `fetch` in place of ids.

    Whether codes are dense, or start at 1, is not documented; so a walk happens only where it is requested.

    Parameters
    ----------
    start
        The first code.
    misses
        How many codes in a row without a deal end the walk.

    Raises
    ------
    SettingError
        If either is not a positive whole number.
    """

    start: int = 1
    misses: int = 100

    def __post_init__(self) -> None:
        whole_number("start", self.start)
        whole_number("misses", self.misses)


class Frontier:
    """Hands out ids, and takes note of which exist.

    A walk hands out no code beyond the last existing one by more than the misses that end it. So however many workers
    make requests at once, no code is requested that one worker alone would not have requested.

    Parameters
    ----------
    ids
        Ids that are requested in any case, first; each once.
    walk
        Codes to walk over after that, or None.

    Attributes
    ----------
    positions
        The ids that were handed out, each with its position in that order.

    Examples
    --------
    >>> frontier = Frontier([], Walk(start=1, misses=2))
    >>> frontier.next(), frontier.next(), frontier.next()
    ('1', '2', None)
    >>> frontier.note("1", exists=True)
    >>> frontier.next(), frontier.next()
    ('3', None)
    """

    def __init__(self, ids: Collection[str] | Ids, walk: Walk | None = None) -> None:
        self._listed = ids
        self._ids = iter(ids)
        self._walk = walk
        self._code = walk.start if walk else 0
        self._last = self._code - 1
        self.positions: dict[str, int] = {}

    @property
    def total(self) -> int | None:
        """How many ids there are; None for a walk, whose end is not known."""
        return None if self._walk else len(self._listed)

    @property
    def walk(self) -> Walk | None:
        """The codes to walk over after the listed ids, or None."""
        return self._walk

    @property
    def listed(self) -> Collection[str] | Ids:
        """The listed ids, handed out or not."""
        return self._listed

    @property
    def is_exhausted(self) -> bool:
        """Whether all listed ids were handed out, and there is no walk."""
        return len(self.positions) >= len(self._listed) and not self._walk

    def next(self) -> str | None:
        """Hand out an id; None if there is none, or none before more is known."""
        id_ = next(self._ids, None)
        if id_ is None and self._walk:
            while str(self._code) in self.positions:
                self._code += 1
            if self._code <= min(self._last + self._walk.misses, MAX_CODE):
                id_ = str(self._code)
                self._code += 1
        if id_ is not None:
            self.positions[id_] = len(self.positions)
        return id_

    def note(self, id_: str, *, exists: bool) -> None:
        """Take note of whether an id may have a deal: every response but a 404 means that it may."""
        if self._walk and exists and id_.isdigit() and int(id_) < self._code:
            self._last = max(self._last, int(id_))
