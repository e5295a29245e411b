"""The words for what the API documents as numbers, and the words of the ledger.

Only documented numbers have words here. `proposals.status`, `proposals.discount_type`, `contacts.type` and
`custom_fields.field_type` are not documented, so they stay numbers.
"""

from __future__ import annotations

from typing import Final

STATUS: Final = {1: "open", 2: "won", 3: "lost"}
"""`deals.status`."""

VISIBILITY: Final = {0: "private", 1: "team", 2: "public"}
"""`deals.visibility`: the owner and supervisors; the team; everyone."""

TEMPERATURE: Final = {1: "cold", 2: "warm", 3: "hot"}
"""`deals.temperature`."""

OUTCOMES: Final = {
    "fetched": "the deal came in this run",
    "carried": "the deal was not requested again and is kept from an earlier snapshot",
    "not_found": "404: a gap in the codes, or a deal that this key may not see",
    "forbidden": "403: this key may not see this deal",
    "failed": "no usable answer after every attempt",
    "unreadable": "an answer came, but it is not a deal",
}
"""What can become of an id, and what each means."""

RECEIVED: Final = ("fetched", "carried")
"""The outcomes that put a deal into the tables."""

NOT_INFORMED: Final = "(not informed)"
"""The name of the group whose value is missing."""
