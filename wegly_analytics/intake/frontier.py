"""Which id to ask for next: those that were listed, then codes one after the other until a run of misses."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wegly_analytics.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True)
class Walk:
    """Numeric codes from `start` on, until `misses` in a row do not exist. Give it to `fetch` in place of ids.

    Whether codes are dense, or start at 1, is not documented; so a walk is requested and never assumed.

    Parameters
    ----------
    start
        The first code.
    misses
        So many codes in a row without a deal end the walk.

    Raises
    ------
    SettingError
        If either is not a positive whole number.
    """

    start: int = 1
    misses: int = 100

    def __post_init__(self) -> None:
        for name in ("start", "misses"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise SettingError(f"{name}={value!r}: give a positive whole number")


class Frontier:
    """Hands out ids, and hears what became of them.

    A walk hands out no code beyond the last that exists by more than the misses that end it. So however many workers
    ask at once, no code is requested that one worker alone would not have requested.

    Parameters
    ----------
    keys
        Ids that are requested in any case, first.
    walk
        Codes to walk after that, or None.

    Attributes
    ----------
    places
        The ids that were handed out, each with its number in the order.

    Examples
    --------
    >>> frontier = Frontier([], Walk(start=1, misses=2))
    >>> frontier.next(), frontier.next(), frontier.next()
    ('1', '2', None)
    >>> frontier.hear("1", exists=True)
    >>> frontier.next(), frontier.next()
    ('3', None)
    """

    def __init__(self, keys: Iterable[str], walk: Walk | None = None) -> None:
        self._keys = deque(keys)
        self._walk = walk
        self._code = walk.start if walk else 0
        self._last = self._code - 1
        self._listed = len(self._keys)
        self.places: dict[str, int] = {}

    @property
    def total(self) -> int | None:
        """How many ids there are; None where a walk finds out."""
        return None if self._walk else self._listed

    @property
    def waiting(self) -> tuple[str, ...]:
        """The listed ids that were not handed out yet."""
        return tuple(self._keys)

    @property
    def is_exhausted(self) -> bool:
        """Whether all listed ids were handed out, and there is no walk."""
        return not (self._keys or self._walk)

    def next(self) -> str | None:
        """Hand out an id; None if there is none, or none before more is heard."""
        key = None
        if self._keys:
            key = self._keys.popleft()
        elif self._walk:
            while str(self._code) in self.places:
                self._code += 1
            if self._code <= self._last + self._walk.misses:
                key = str(self._code)
                self._code += 1
        if key is not None:
            self.places[key] = len(self.places)
        return key

    def hear(self, key: str, *, exists: bool) -> None:
        """Note whether there may be a deal under an id: all but a 404 say so."""
        if self._walk and exists and key.isdigit() and int(key) < self._code:
            self._last = max(self._last, int(key))
