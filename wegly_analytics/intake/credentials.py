"""The token: checked when it is given, sent as a header, shown nowhere."""

from __future__ import annotations

import base64
import json
import time
from datetime import UTC, datetime
from typing import Any

from wegly_analytics.errors import AuthError


class Credentials:
    """A token that authorizes requests.

    An instance is the `auth` of a request. That also keeps a ``.netrc`` file from replacing the token.

    Parameters
    ----------
    token
        The token created in Wegly's settings.

    Raises
    ------
    AuthError
        If it is empty, or holds characters that no token has.

    Examples
    --------
    >>> Credentials("a-token")
    <a token>
    """

    def __init__(self, token: str) -> None:
        token = token.strip()
        if not token:
            raise AuthError("no token: set WEGLY_TOKEN, or pass Client(token=...); create one in Wegly's settings")
        if not (token.isascii() and token.isprintable()) or " " in token:
            raise AuthError("the token holds spaces, line breaks or accents: copy it again from Wegly's settings")
        self._token = token

    def __call__(self, request: Any) -> Any:
        """Add the header to a request."""
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request

    def __repr__(self) -> str:
        return "<a token>"

    def refusal(self) -> str:
        """Say why the token was refused, as far as its text tells: a token is a JWT and may carry an expiry date."""
        claims = self._token.split(".")[1:2]
        try:
            end = json.loads(base64.urlsafe_b64decode("".join(claims) + "==="))["exp"]
            expiry = datetime.fromtimestamp(end, UTC)
        except (ValueError, LookupError, TypeError, OverflowError, OSError):
            return "was refused as unknown or expired"
        if end > time.time():
            return f"was refused, although it does not expire before {expiry:%Y-%m-%d %H:%M} UTC"
        return f"expired on {expiry:%Y-%m-%d at %H:%M} UTC"
