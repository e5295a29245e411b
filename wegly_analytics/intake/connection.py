"""Connections with one deadline for the whole attempt, strict framing, and a token that no frame or log shows.

A timeout of requests and urllib3 is one for each step: a server that sends a byte every second never exceeds it. Here
the time left is set on the socket before every single read, whoever reads: the status line, headers, body, chunk sizes
and trailers, of the server or of a proxy. Only the lookup of a name cannot be interrupted.
"""

from __future__ import annotations

import http.client
import io
import math
import socket
import time
from email.errors import FirstHeaderLineIsContinuationDefect, MissingHeaderBodySeparatorDefect
from typing import TYPE_CHECKING, Any, Final

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager, ProxyManager, Timeout
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.util.connection import allowed_gai_family, create_connection

from wegly_analytics.errors import PayloadError
from wegly_analytics.intake.credentials import Authorization

if TYPE_CHECKING:
    from wegly_analytics.intake.redaction import Redaction

MAX_BYTES: Final = 32 << 20
"""The largest response that is accepted; a deal is some kilobytes."""

_OVERHEAD: Final = 1 << 20
"""Bytes that status line, headers, chunk sizes and trailers may take beside the body."""

_INSTANT: Final = 0.001
"""The least time left that is set: 0 would mean not to wait at all, and other adapters take it for an error."""

_UNREADABLE: Final = (FirstHeaderLineIsContinuationDefect, MissingHeaderBodySeparatorDefect)


class Deadline(Timeout):
    """The end of an attempt, on the monotonic clock: a timeout whose every part is the time that is left."""

    def __init__(self, seconds: float) -> None:
        super().__init__(total=seconds)
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """The seconds that are left; negative after the end."""
        return self._end - time.monotonic()

    @property
    def connect_timeout(self) -> float:
        """The time left to connect."""
        return max(self.left, _INSTANT)

    @property
    def read_timeout(self) -> float:
        """The time left to read."""
        return max(self.left, _INSTANT)

    def clone(self) -> Deadline:
        """Return this deadline: it does not start again."""
        return self

    def start_connect(self) -> float:
        """Do nothing: the time runs already."""
        return time.monotonic()


class _Reader(io.RawIOBase):
    """Reads from a socket until a time, and not more than so many bytes."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, end: float) -> None:
        super().__init__()
        self._raw, self._sock, self._end = raw, sock, end
        self._allowed = MAX_BYTES + _OVERHEAD

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError("the response is not complete")
        self._sock.settimeout(None if math.isinf(left) else left)
        n: int | None = self._raw.readinto(buffer)
        self._allowed -= n or 0
        if self._allowed < 0:
            raise PayloadError("", f"at most {MAX_BYTES >> 20} MiB", "more")
        return n

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    """A response that is read until a deadline, and refused if it does not say clearly where it ends."""

    def __init__(
        self, end: float, redaction: Redaction | None, sock: socket.socket, *args: Any, **options: Any
    ) -> None:
        super().__init__(sock, *args, **options)
        self._redaction = redaction
        self.fp = io.BufferedReader(_Reader(self.fp.detach(), sock, end))

    def begin(self) -> None:
        """Read the status and the headers."""
        super().begin()
        self.reason = ""
        if self._redaction is not None:
            self._redact(self._redaction)
        lengths, codings = (self.headers.get_all(name, []) for name in ("Content-Length", "Transfer-Encoding"))
        if self.headers.get_payload() or any(isinstance(defect, _UNREADABLE) for defect in self.headers.defects):
            raise http.client.HTTPException("a header that is not one")
        if len(set(lengths)) > 1 or not all(text.isascii() and text.isdigit() for text in lengths):
            raise http.client.HTTPException(f"a Content-Length that is no number, or several: {', '.join(lengths)}")
        if codings and (lengths or [text.strip().lower() for text in codings] != ["chunked"]):
            raise http.client.HTTPException(f"a Transfer-Encoding that is not supported: {', '.join(codings)}")

    def _redact(self, redaction: Redaction) -> None:
        """Remove a token that the server repeats in its headers: urllib3 logs those it cannot read."""
        headers = self.headers.items()
        if redaction.finds("\n".join(f"{name}: {value}" for name, value in headers)):
            self.headers = self.msg = http.client.HTTPMessage()
            for name, value in headers:
                self.headers[redaction.message(name)] = redaction.message(value)


class _Timed:
    """What connections with and without TLS share; `timeout` is the time left, set by the pool for each attempt."""

    debuglevel = 0  # whatever http.client's is set to: it would print the token
    _end = math.inf
    _authorization: Authorization | None = None
    _redaction: Redaction | None = None
    sock: Any

    response_class: Any
    _dns_host: str

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        # also the response of a proxy is read by it
        self.response_class = lambda *args, **options: _Response(self._end, self._redaction, *args, **options)

    @property
    def timeout(self) -> float | None:
        return None if math.isinf(self._end) else max(self._end - time.monotonic(), _INSTANT)

    @timeout.setter
    def timeout(self, value: object) -> None:
        self._end = time.monotonic() + value if isinstance(value, int | float) else math.inf

    def _new_conn(self) -> socket.socket:
        """Connect: all addresses of a name together have the time left, each an equal share of what then remains."""
        connection: Any = self
        host, port = self._dns_host, connection.port
        try:
            found = socket.getaddrinfo(host, port, allowed_gai_family(), socket.SOCK_STREAM)
        except OSError as error:
            raise NameResolutionError(connection.host, connection, error) from error  # type: ignore[arg-type]
        failure: OSError | None = None
        for n, (*_, address) in enumerate(found):
            share = None if self.timeout is None else self.timeout / (len(found) - n)
            where, options = (str(address[0]), int(address[1])), connection.socket_options
            try:
                sock = create_connection(where, share, connection.source_address, options)
            except OSError as error:
                failure = error
            else:
                sock.settimeout(self.timeout)
                return sock
        if isinstance(failure, TimeoutError):
            raise ConnectTimeoutError(connection, f"no connection to {connection.host} in time") from failure
        raise NewConnectionError(connection, str(failure)) from failure

    def _tunnel(self) -> None:
        super()._tunnel()  # type: ignore[misc]
        self.sock.settimeout(self.timeout)  # for the TLS handshake, which takes no longer than this in all

    def putheader(self, header: Any, *values: Any) -> None:
        """Add a header to the request; of the token only its mark."""
        self._authorization = next((v for v in values if isinstance(v, Authorization)), self._authorization)
        super().putheader(header, *values)  # type: ignore[misc]

    def send(self, data: Any) -> None:
        """Send bytes; the mark is replaced by the token here, in no variable."""
        if self.sock is None:
            self.connect()  # type: ignore[attr-defined]
        self.sock.settimeout(self.timeout)
        if self._authorization is None:
            super().send(data)  # type: ignore[misc]
        else:
            self.sock.sendall(memoryview(self._authorization.filled(data)))
            self._redaction = self._authorization.credentials.redaction
            self._authorization = None


class _Connection(_Timed, HTTPConnection):
    """A connection without TLS."""


class _TlsConnection(_Timed, HTTPSConnection):
    """A connection with TLS."""


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


def use_timed_connections(manager: PoolManager) -> None:
    """Make a new pool manager use these connections; one for SOCKS proxies keeps its own."""
    if type(manager) in (PoolManager, ProxyManager):
        manager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
