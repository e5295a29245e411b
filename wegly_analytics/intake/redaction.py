"""The token removed from whatever a server sends back, before it is kept or shown."""

from __future__ import annotations

import base64
import re
from typing import Final

MARK: Final = "[token removed]"
SHORTEST: Final = 8
"""Characters of the shortest token that is searched for; a shorter one could be a word of the deal."""

LONGEST_MESSAGE: Final = 300
"""Characters of a message that a server or a library worded."""

_ESCAPES: Final = (b"\\", b"%", b"&")
_NOTHING: Final = re.compile(rb"(?!)")


class Redaction:
    r"""Removes a token from bodies and messages, also where it is encoded.

    It finds the token as it is, escaped as in JSON, URLs and HTML (any of its characters, also twice), in base64
    with whatever is before it, in hexadecimal, and in UTF-16. This protects from servers that echo the request's
    headers; it cannot protect from a server that hides the token on purpose.

    Parameters
    ----------
    token
        The token. Nothing is removed if it is shorter than `SHORTEST`.

    Examples
    --------
    >>> redaction = Redaction("a-secret/token")
    >>> redaction.body(b'{"echo": "Bearer a-secret\\/token"}')
    b'{"echo": "Bearer [token removed]"}'
    """

    __slots__ = ("_encoded", "_escaped")

    def __init__(self, token: str) -> None:
        is_searched = len(token) >= SHORTEST
        self._encoded = (token.encode(), *_encoded(token.encode())) if is_searched else ()
        self._escaped = re.compile(b"".join(map(_forms, token.encode()))) if is_searched else _NOTHING
        del token  # a traceback with local variables must not show it

    def __repr__(self) -> str:
        return "Redaction(...)"

    def body(self, body: bytes) -> bytes:
        """Return a body without the token; the same object if it holds none."""
        for form in self._encoded:
            if form in body:
                body = body.replace(form, MARK.encode())
        if any(escape in body for escape in _ESCAPES):
            body = self._escaped.sub(MARK.encode(), body)
        return body

    def finds(self, text: str) -> bool:
        """Whether a text holds the token."""
        raw = text.encode("utf-8", "backslashreplace")
        return self.body(raw) != raw

    def message(self, text: str) -> str:
        """Return a text without the token, in one line of printable characters, and not longer than a line or two."""
        clean = self.body(text.encode("utf-8", "backslashreplace")).decode()[: LONGEST_MESSAGE + 1]
        shown = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in clean)
        return shown if len(shown) <= LONGEST_MESSAGE else f"{shown[:LONGEST_MESSAGE]}…"


def _forms(byte: int) -> bytes:
    """Make a pattern of the forms in which a character may be written."""
    char, either_case = re.escape(bytes([byte])), b"(?i:%02x)" % byte
    forms = [char, rb"%%(?:25){0,2}%s" % either_case, rb"\\{1,4}(?:%s|u00%s|x%s)" % (char, either_case, either_case)]
    forms.append(rb"&(?:amp;){0,2}#(?:0{0,6}%d|[xX]0{0,6}%s);" % (byte, either_case))
    if named := {"&": b"amp", "<": b"lt", ">": b"gt", '"': b"quot", "'": b"apos"}.get(chr(byte)):
        forms.append(b"&(?:amp;){0,2}%s;" % named)
    return b"(?:%s)" % b"|".join(forms)


def _encoded(token: bytes) -> tuple[bytes, ...]:
    """Encode the token as a whole."""
    found = [token.hex().encode(), token.hex().upper().encode(), token.decode().encode("utf-16-le")[:-1]]
    for before in range(3):  # what is before the token shifts it among the groups of three bytes
        text = base64.b64encode(b"x" * before + token)
        inner = text[(0, 2, 3)[before] : len(text) // 4 * 4 - (4 if (before + len(token)) % 3 else 0)]
        found += [inner, inner.translate(bytes.maketrans(b"+/", b"-_"))]
    return tuple(dict.fromkeys(found))
