"""The token: checked when it is given, sent as a header, shown nowhere."""

from __future__ import annotations

import base64
import json
import time
from datetime import UTC, datetime
from typing import Any, Final, Self

from wegly_analytics.errors import AuthError
from wegly_analytics.intake.redaction import Redaction


class Authorization(str):
    """The header that authorizes a request, as everything but the connection sees it: a mark in place of the token.

    Parameters
    ----------
    credentials
        What holds the token.
    """

    credentials: Credentials
    MARK: Final = "<a token>"

    def __new__(cls, credentials: Credentials) -> Self:
        """Make the header."""
        header = super().__new__(cls, f"Bearer {cls.MARK}")
        header.credentials = credentials
        return header

    def filled(self, request: bytes) -> bytes:
        """Put the token into a request that is sent at once."""
        return request.replace(self.encode(), b"Bearer " + self.credentials.reveal().encode(), 1)


class _Unshown(str):
    """A header whose repr is a mark."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'Bearer <a token>'"


class Credentials:
    """A token that authorizes requests.

    An instance is the `auth` of a request. That also keeps a ``.netrc`` file from replacing the token. The token is in
    no repr, and in no local variable of a function that can fail.

    Parameters
    ----------
    token
        The token created in Wegly's settings.

    Attributes
    ----------
    redaction
        Removes the token from what a server sends.

    Raises
    ------
    AuthError
        If it is empty, or holds characters that no token has.

    Examples
    --------
    >>> Credentials("a-token")
    <a token>
    """

    __slots__ = ("_token", "redaction")

    def __init__(self, token: str) -> None:
        self._token = str(token).strip()
        del token  # a traceback with local variables must not show it
        if not self._token:
            raise AuthError("no token: set WEGLY_TOKEN, or pass Client(token=...); create one in Wegly's settings")
        if not (self._token.isascii() and self._token.isprintable()) or " " in self._token:
            raise AuthError("the token holds spaces, line breaks or accents: copy it again from Wegly's settings")
        self.redaction = Redaction(self._token)

    def __call__(self, request: Any) -> Any:
        """Add the header to a request; the connection puts the token into it."""
        request.headers["Authorization"] = Authorization(self)
        return request

    def written_out(self, request: Any) -> Any:
        """Add the header with the token to a request, for connections that do not know `Authorization`."""
        request.headers["Authorization"] = _Unshown(f"Bearer {self._token}")
        return request

    def reveal(self) -> str:
        """Return the token."""
        return self._token

    def __repr__(self) -> str:
        return Authorization.MARK

    def refusal(self) -> str:
        """Say why the token was refused, as far as its text tells: a token is a JWT and may carry an expiry date."""
        end = _expiry(self)
        if end is None:
            return "was refused as unknown or expired"
        expiry = datetime.fromtimestamp(end, UTC)
        if end > time.time():
            return f"was refused, although it does not expire before {expiry:%Y-%m-%d %H:%M} UTC"
        return f"expired on {expiry:%Y-%m-%d at %H:%M} UTC"


def _expiry(credentials: Credentials) -> float | None:
    try:
        claims = base64.urlsafe_b64decode("".join(credentials.reveal().split(".")[1:2]) + "===")
        end = json.loads(claims)["exp"]
        datetime.fromtimestamp(end, UTC)
    except (ValueError, LookupError, TypeError, OverflowError, OSError, RecursionError):
        return None
    return float(end)
