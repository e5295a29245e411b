"""Personal data: whose data a column may hold, and what each privacy mode does with it."""

from __future__ import annotations

from enum import Enum
from typing import Final, Literal

Mode = Literal["hash", "hash-all", "drop", "keep"]
"""What happens to personal data when a snapshot is saved."""

Treatment = Literal["hash", "drop", "keep", "ids"]
"""What happens to one column; ``"ids"`` leaves codes and UUIDs, and replaces other texts by the number of the row."""


PROTECTED_MODES: Final[tuple[Mode, ...]] = ("hash", "hash-all", "drop")
"""The modes that protect personal data, from weakest to strongest."""


class Personal(Enum):
    """What a text column may hold, and so what each mode does with it. Every text column declares one.

    A kind stays readable in a mode only if `readable_in` lists that mode, and in ``keep``. In ``drop`` it is removed
    otherwise, and in the other modes it gets `protection`. A key is never removed: rows are told apart by it.
    """

    CUSTOMER = (
        "customer",
        (),
        "hash",
        "A customer: a name, a contact or an id. Pseudonyms still count and join.",
    )
    STAFF = (
        "staff",
        ("hash",),
        "hash",
        "A colleague: a name or an id. Reports are grouped by it, so only `hash-all` replaces it.",
    )
    FREE_TEXT = (
        "free text",
        (),
        "drop",
        "Text that someone typed and that may name anyone. Hardly any two are equal, so a pseudonym is of no use.",
    )
    REPEATED_TEXT = (
        "repeated text",
        (),
        "hash",
        "An address of a page, which may hold a name or an e-mail address, but repeats. Pseudonyms still form groups.",
    )
    LABEL = (
        "label",
        ("hash", "hash-all"),
        "hash",
        "A short label that names someone only if it is misused. Metrics are grouped by it.",
    )
    CATEGORY = (
        "category",
        ("hash", "hash-all", "drop"),
        "hash",
        "A list that the company maintains. Metrics are grouped by it.",
    )
    IDENTIFIER = (
        "identifier",
        ("hash", "hash-all", "drop"),
        "hash",
        "An id of a deal, a record or a list, not of a person. Tables are joined by it.",
    )
    KEY = (
        "key",
        (),
        "ids",
        "The id of a deal, or the name of a file, which may name someone. Only ids stay; tables are joined by them.",
    )

    def __init__(self, whose: str, readable_in: tuple[Mode, ...], protection: Treatment, reason: str) -> None:
        self.whose = whose
        self.readable_in = readable_in
        self.protection = protection
        self.reason = reason

    @property
    def may_name_someone(self) -> bool:
        """Whether messages must not quote values: all but categories and identifiers."""
        return self not in (Personal.CATEGORY, Personal.IDENTIFIER, Personal.KEY)

    def treatment(self, mode: Mode) -> Treatment:
        """Return what a mode does with such a column.

        Examples
        --------
        >>> Personal.STAFF.treatment("hash"), Personal.STAFF.treatment("hash-all")
        ('keep', 'hash')
        """
        if mode == "keep" or mode in self.readable_in:
            return "keep"
        return "drop" if mode == "drop" and self is not Personal.KEY else self.protection


UNDECLARED: Final = Personal.REPEATED_TEXT
"""The kind of a text column that nobody declared, such as one that `Snapshot.assign` added."""
