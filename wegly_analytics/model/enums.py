"""Labels for the numbers that the API documents, and the outcomes in the ledger.

`proposals.status`, `proposals.discount_type`, `contacts.type` and `custom_fields.field_type` are not documented, so
they have no labels and stay numbers.
"""

from __future__ import annotations

from typing import Final

STATUS: Final = {1: "open", 2: "won", 3: "lost"}
"""`deals.status`."""

VISIBILITY: Final = {0: "private", 1: "team", 2: "public"}
"""`deals.visibility`: visible to the owner and supervisors, to the team, or to everyone."""

TEMPERATURE: Final = {1: "cold", 2: "warm", 3: "hot"}
"""`deals.temperature`."""

OUTCOMES: Final = {
    "fetched": "the deal was received in this run",
    "carried": "the deal was kept from an earlier snapshot",
    "not_found": "404: a gap in the codes, or a deal that this token may not see",
    "forbidden": "403: this token may not see this deal",
    "failed": "no usable response after the last attempt",
    "unreadable": "the response is not a deal",
}
"""The possible outcomes of an id, and what each means."""

RECEIVED: Final = ("fetched", "carried")
"""The outcomes of deals that are in the tables."""

MISSING: Final = ("forbidden", "failed", "unreadable")
"""The outcomes of deals that are missing for a reason other than 404."""

NOT_INFORMED: Final = "(not informed)"
"""The name of the group of missing values."""
