"""One response, or the fact that there was none, as an archive keeps it."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from wegly_analytics.parsing.repair import unwrapped


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

    def line(self) -> bytes:
        """Write the record as one line of JSON."""
        fields: dict[str, Any] = {"requested": self.requested, "status": self.status, "at": self.at.isoformat()}
        if self.message is not None:
            fields["message"] = self.message
        if self.body is not None:
            try:
                fields["body"] = self.body.decode()
            except UnicodeDecodeError:  # kept byte by byte all the same
                fields["base64"] = base64.b64encode(self.body).decode()
        return json.dumps(fields, ensure_ascii=False).encode() + b"\n"

    @classmethod
    def parse(cls, line: bytes) -> Self:
        """Read what `line` wrote; `ValueError`, `LookupError` or `TypeError` if it is anything else."""
        fields = json.loads(line)
        body = fields["body"].encode() if "body" in fields else None
        if "base64" in fields:
            body = base64.b64decode(fields["base64"])
        at = datetime.fromisoformat(fields["at"])
        return cls(str(fields["requested"]), fields["status"], at, body, fields.get("message"))
