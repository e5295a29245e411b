"""How the parts of the sandbox fit together: who knows deals, and who writes answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    from datetime import datetime


class Source(Protocol):
    """Whoever knows the deals: `Company`, `Saved`, or your own."""

    def answer(self, key: str, at: datetime) -> bytes | None:
        """Give the body for a code or UUID at a moment, or None where there is no such deal."""


class Reply(Protocol):
    """The answer to one request, as a fault may write it."""

    @property
    def key(self) -> str:
        """The code or UUID that was requested."""

    def send(self, status: int, body: bytes, headers: Mapping[str, str] = ...) -> None:
        """Send a whole answer."""

    def begin(self, status: int, length: int, headers: Mapping[str, str] = ...) -> None:
        """Send the head of an answer that says how many bytes will follow."""

    def write(self, part: bytes) -> None:
        """Send a part of the body."""

    def pause(self, seconds: float) -> None:
        """Wait; if the server stops meanwhile, the connection is dropped."""

    def hang_up(self) -> None:
        """Close the connection once the answer is sent."""

    def reset(self) -> None:
        """Break the connection off at once."""


Fault: TypeAlias = Callable[[Reply, bytes], None]
"""Writes what it wants in place of the honest body."""

Choice: TypeAlias = Callable[[str], Fault | None]
"""Which fault a key meets, if any."""
