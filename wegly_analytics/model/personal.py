"""Personal data: whose data a column may hold, and what each privacy mode does with it."""

from __future__ import annotations

from enum import Enum
from typing import Literal

Mode = Literal["hash", "hash-all", "drop", "keep"]
"""What happens to personal data when a snapshot is saved."""

Treatment = Literal["hash", "drop", "keep"]
"""What happens to one column."""


class Personal(Enum):
    """Why a column is personal data: whose data it holds, and what each mode does with it.

    ``keep`` keeps every column and ``drop`` removes every personal one; `in_hash` and `in_hash_all` are the treatments
    in the other two modes.
    """

    CUSTOMER = (
        "customer",
        "hash",
        "hash",
        "A customer: a name, a contact or an id. Pseudonyms still count and join.",
    )
    STAFF = (
        "staff",
        "keep",
        "hash",
        "A colleague: a name or an id. Reports are grouped by it, so only `hash-all` replaces it.",
    )
    FREE_TEXT = (
        "anyone",
        "drop",
        "drop",
        "Free text that often names someone. Hardly any two are equal, so a pseudonym would be of no use.",
    )
    REPEATED_TEXT = (
        "anyone",
        "hash",
        "hash",
        "Text that may name or reach someone, but repeats. Pseudonyms still form groups.",
    )
    LABEL = (
        "anyone",
        "keep",
        "keep",
        "A short label that names someone only if it is misused. Metrics are grouped by it, so it stays readable.",
    )

    def __init__(self, whose: str, in_hash: Treatment, in_hash_all: Treatment, reason: str) -> None:
        self.whose = whose
        self.in_hash = in_hash
        self.in_hash_all = in_hash_all
        self.reason = reason

    def treatment(self, mode: Mode) -> Treatment:
        """Return what a mode does with such a column.

        Examples
        --------
        >>> Personal.STAFF.treatment("hash"), Personal.STAFF.treatment("hash-all")
        ('keep', 'hash')
        """
        match mode:
            case "hash":
                return self.in_hash
            case "hash-all":
                return self.in_hash_all
            case _:
                return mode
