"""One response, or the fact that there was none, as an archive keeps it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from wegly_analytics.parsing.repair import unwrapped

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class Record:
    """One response, or the fact that there was none.

    Parameters
    ----------
    requested
        The id requested, as `ids.deal_key` writes it.
    status
        The HTTP status; None if there was no response.
    at
        When the response was received.
    body
        The body, or None.
    message
        What went wrong, or None.
    """

    requested: str
    status: int | None
    at: datetime
    body: bytes | None = None
    message: str | None = None

    @property
    def is_final(self) -> bool:
        """Whether the id need not be requested again: a deal, a 404, or a response too large to accept.

        An error page is not final, although its status is 200; nor is a 403, which a wrong origin may cause.
        """
        if self.status == 200:
            return self.body is None or bool(unwrapped(self.body))
        return self.status == 404
