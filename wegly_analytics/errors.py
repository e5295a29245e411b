"""Everything that can go wrong, in one tree.

::

    WeglyError                  catch this to catch them all
    ├── SettingError            an argument or environment variable that cannot be used   (ValueError)
    │   └── IdError             an id that is neither a UUID nor a positive whole number
    ├── ApiError                what was requested did not come
    │   ├── NotFoundError       404: no such deal, or not for this key; a normal answer
    │   ├── AuthError           401 or 403: the key was refused
    │   │   └── OriginError     403 although an origin was sent: probably the wrong one
    │   └── RateLimitError      429 until patience ran out
    ├── PayloadError            one answer that is not a deal                             (ValueError)
    ├── ArchiveError            an archive of answers that cannot be written or read
    ├── SnapshotError           a snapshot that cannot be written, read or trusted
    │   └── IncompleteError         one that lacks too many deals to be published unasked
    └── MissingColumnError      a column that the table does not have                     (KeyError)

    KeyboardInterrupt
    └── StoppedError            Ctrl-C in the middle of a fetch; says what was kept and how to go on

    UserWarning
    ├── IncompleteWarning       some deals are missing for a reason other than 404
    ├── StaleWarning            answers of an earlier day were taken from the archive
    ├── DriftWarning            the API sends fields that its documentation does not have
    └── EmptyScopeWarning       a filter left nothing

What concerns a whole run is raised. What concerns one deal becomes a row of the ledger and is never raised by
`fetch`. Every message names the place and the remedy; none ever holds the token.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class WeglyError(Exception):
    """Something went wrong in `wegly_analytics`; the message says where and what to do."""


class SettingError(WeglyError, ValueError):
    """An argument or an environment variable that cannot be used."""


class IdError(SettingError):
    """An id that is neither a UUID nor a positive whole number."""


class ApiError(WeglyError):
    """The API, or the way to it, did not give what was requested.

    Parameters
    ----------
    message
        What happened, where, and what to do.
    status
        The HTTP status, or None if no answer came.
    body
        What the answer said, as far as it was read; never shown, for it may say anything.
    """

    def __init__(self, message: str, status: int | None = None, body: bytes = b"") -> None:
        super().__init__(message)
        self.status = status
        self.body = body


class AuthError(ApiError):
    """The key is missing or was refused."""


class OriginError(AuthError):
    """The key was refused although an origin was sent: most likely it is not the allowed domain."""


class NotFoundError(ApiError):
    """404: there is no such deal, or this key may not see it. A normal answer."""


class RateLimitError(ApiError):
    """The API kept answering 429 until every attempt was used up, or asks for more patience than we have.

    Parameters
    ----------
    message, status
        As for `ApiError`.
    wait
        How many seconds it asks to wait, where that is more than anyone waits within a run.
    """

    def __init__(self, message: str, status: int | None = None, wait: float | None = None) -> None:
        super().__init__(message, status)
        self.wait = wait


class PayloadError(WeglyError, ValueError):
    """One answer that is not a readable deal.

    Parameters
    ----------
    path
        Where in the answer, from its root, for example ``"proposals[2].total"``; ``""`` is the answer itself.
    expected, found
        What the documentation promises there, and what was there instead.
    """

    def __init__(self, path: str, expected: str, found: str) -> None:
        super().__init__(path, expected, found)
        self.path = path
        self.expected = expected
        self.found = found

    def __str__(self) -> str:
        return f"{self.path or 'answer'}: expected {self.expected}, found {self.found}"


class ArchiveError(WeglyError):
    """An archive of answers that cannot be written or read."""


class SnapshotError(WeglyError):
    """A snapshot that cannot be written, found, read or trusted."""


class IncompleteError(SnapshotError):
    """A snapshot that lacks too many deals to be published without allowing it."""


class MissingColumnError(WeglyError, KeyError):
    """A column that the table does not have, with the nearest name it does have.

    Examples
    --------
    >>> print(MissingColumnError("deals", "sorce", ["source", "stage"]))
    deals has no column 'sorce'; did you mean 'source'?
    """

    def __init__(self, table: str, column: str, present: Iterable[str]) -> None:
        super().__init__(table, column)
        self.table = table
        self.column = column
        self.present = tuple(present)

    def __str__(self) -> str:
        near = difflib.get_close_matches(self.column, self.present, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"it has: {', '.join(self.present)}"
        return f"{self.table} has no column {self.column!r}; {hint}"


class StoppedError(KeyboardInterrupt):
    """Ctrl-C in the middle of a fetch: the message says what was kept and how to go on."""


class StaleWarning(UserWarning):
    """Answers of an earlier day were taken from the archive instead of being requested."""


class IncompleteWarning(UserWarning):
    """Some deals are missing for a reason other than 404."""


class DamagedWarning(UserWarning):
    """A snapshot of a root is damaged and was skipped; the others are not affected."""


class DriftWarning(UserWarning):
    """The API sends fields that its documentation does not have."""


class EmptyScopeWarning(UserWarning):
    """A filter left nothing, most likely because of a name that no deal has."""
