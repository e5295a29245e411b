"""All exceptions and warnings of the package, in one tree.

::

    WeglyError                  base class of every error below
    ├── SettingError            an argument or environment variable that cannot be used   (ValueError)
    │   └── IdError             an id that is neither a UUID nor a positive whole number
    ├── ApiError                the API, or the connection to it, failed
    │   ├── NotFoundError       404: no such deal, or not visible to this token
    │   ├── AuthError           401 or 403: the token was refused
    │   │   └── OriginError     403 with an origin: probably not the allowed one
    │   ├── RateLimitError      429 on every attempt, or a wait that is too long
    │   └── UnreachableError    no connection to the server
    ├── PayloadError            a response that is not a readable deal                    (ValueError)
    ├── ArchiveError            an archive of responses that cannot be written or read
    ├── SnapshotError           a snapshot that cannot be written, read or verified
    │   └── IncompleteError         too many deals are missing to publish it by default
    └── MissingColumnError      a column that the table does not have                     (KeyError)

    KeyboardInterrupt
    └── StoppedError            Ctrl-C during a fetch; says what was kept and how to resume

    UserWarning
    ├── IncompleteWarning       some deals are missing for a reason other than 404
    ├── StaleWarning            responses of an earlier day were taken from the archive
    ├── DamagedWarning          a damaged snapshot of a root was skipped
    ├── DriftWarning            the API sent fields that are not documented
    └── EmptyScopeWarning       a filter matched no deal

A problem with the whole run is raised. A problem with one deal becomes a row of the ledger; `fetch` never raises it.
Every message names the place and the remedy; no message contains the token.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class WeglyError(Exception):
    """Base class of the package's errors; the message names the place and the remedy."""


class SettingError(WeglyError, ValueError):
    """An argument or an environment variable that cannot be used."""


class IdError(SettingError):
    """An id that is neither a UUID nor a positive whole number."""


class ApiError(WeglyError):
    """The API, or the connection to it, did not return what was requested.

    Parameters
    ----------
    message
        What happened, where, and what to do.
    status
        The HTTP status, or None if there was no response.
    body
        The response body, as far as it was read; never shown, because it may contain anything.
    """

    def __init__(self, message: str, status: int | None = None, body: bytes = b"") -> None:
        super().__init__(message)
        self.status = status
        self.body = body


class AuthError(ApiError):
    """The token is missing or was refused."""


class OriginError(AuthError):
    """The token was refused although an origin was sent: the origin is probably not the allowed domain."""


class NotFoundError(ApiError):
    """404: there is no such deal, or this token may not see it; an expected outcome."""


class RateLimitError(ApiError):
    """The API returned 429 on every attempt, or requested a longer wait than a run allows.

    Parameters
    ----------
    message, status
        As for `ApiError`.
    wait
        The requested wait in seconds, if it is too long for one run.
    """

    def __init__(self, message: str, status: int | None = None, wait: float | None = None) -> None:
        super().__init__(message, status)
        self.wait = wait


class UnreachableError(ApiError):
    """No connection to the server: its name is unknown, its port closed, its certificate refused, or it is too slow."""


class PayloadError(WeglyError, ValueError):
    """A response that is not a readable deal.

    Parameters
    ----------
    path
        The place in the response, from its root, for example ``"proposals[2].total"``; ``""`` is the response itself.
    expected, found
        What the documentation specifies there, and what was found instead.
    """

    def __init__(self, path: str, expected: str, found: str) -> None:
        super().__init__(path, expected, found)
        self.path = path
        self.expected = expected
        self.found = found

    def __str__(self) -> str:
        return f"{self.path or 'response'}: expected {self.expected}, found {self.found}"


class ArchiveError(WeglyError):
    """An archive of responses that cannot be written or read."""


class SnapshotError(WeglyError):
    """A snapshot that cannot be written, found, read or verified."""


class IncompleteError(SnapshotError):
    """A snapshot in which too many deals are missing to publish it by default."""


class MissingColumnError(WeglyError, KeyError):
    """A column that the table does not have; the message suggests the nearest name.

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
    """Ctrl-C during a fetch: the message says what was kept and how to resume."""


class StaleWarning(UserWarning):
    """Responses of an earlier day were taken from the archive instead of being requested."""


class IncompleteWarning(UserWarning):
    """Some deals are missing for a reason other than 404."""


class DamagedWarning(UserWarning):
    """A snapshot of a root is damaged and was skipped; the others are not affected."""


class DriftWarning(UserWarning):
    """The API sent fields that are not documented."""


class EmptyScopeWarning(UserWarning):
    """A filter matched no deal, probably because of a misspelled value."""
