"""The interfaces between the parts of the sandbox: a source of deals, and a writer of responses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    from datetime import datetime


class Source(Protocol):
    """A source of deals: `Company`, `Saved`, or your own."""

    def response(self, requested_id: str, at: datetime) -> bytes | None:
        """Return the body for a code or UUID at a time, or None if there is no such deal."""


class ResponseWriter(Protocol):
    """Writes the response to one request; faults use it, too."""

    @property
    def requested_id(self) -> str:
        """The code or UUID that was requested."""

    def send(self, status: int, body: bytes, headers: Mapping[str, str] = ...) -> None:
        """Send a whole response."""

    def begin(self, status: int, length: int, headers: Mapping[str, str] = ...) -> None:
        """Send the status and headers of a response whose body has a given length."""

    def write(self, part: bytes) -> None:
        """Send a part of the body."""

    def wait(self, seconds: float) -> None:
        """Wait; if the server stops meanwhile, the connection is dropped."""

    def close(self) -> None:
        """Close the connection after the response."""

    def reset(self) -> None:
        """Reset the connection at once."""


Fault: TypeAlias = Callable[[ResponseWriter, bytes], None]
"""Writes what it wants in place of the correct body, its second argument."""

Choice: TypeAlias = Callable[[str], Fault | None]
"""Gives the fault that a requested id meets, if any."""
