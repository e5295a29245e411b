"""A local HTTP server that responds like Wegly's one documented endpoint."""

from __future__ import annotations

import contextlib
import json
import math
import socket
import struct
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self
from urllib.parse import urlsplit

from wegly_analytics.sandbox.rate_limit import RETRY_AFTER, Limiter, TokenBucket

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from wegly_analytics.sandbox.protocols import Fault, Source

_DEALS: Final = "/integrations/external/deals/"
_NO_HEADERS: Final[dict[str, str]] = {}
_GRACE: Final = 5.0
"""Seconds for which a stopping server waits for the responses in progress."""


class Request(NamedTuple):
    """A request that got a response: its time (`time.monotonic`), its path, and the status."""

    time: float
    path: str
    status: int


class Server:
    """Responds like Wegly at a loopback address, in its own threads; a context manager.

    Parameters
    ----------
    source
        The source of the deals.
    token
        The token that is accepted; any other gets a 401.
    origin
        The token's allowed domain: a request whose Origin and Referer both differ from it gets a 403. None allows all.
    clock
        Gives the time for which the source is requested.
    port
        0 takes a free one.
    latency
        Seconds before each response.
    per_second
        Requests per second, beyond which the server sends 429; those of one second may come at once. None for no limit.
    limiter
        Another kind of limit, such as ``rate_limit.SlidingWindow(100)``; in place of `per_second`.
    retry_after
        What a 429 says in Retry-After: "none", "0", "1", "5", "date, down", "date, up" (of a date a second ahead), or
        "exact": the whole seconds until a request would pass.
    faults
        The fault that a code or UUID meets in place of its deal: a mapping by requested id, or a callable.

    Raises
    ------
    ValueError
        If an argument is not valid.
    OSError
        If the port is taken.

    Examples
    --------
    >>> from wegly_analytics.sandbox import TAKEN_AT, Company
    >>> with Server(Company(), clock=lambda: TAKEN_AT) as server:
    ...     server.url.startswith("http://127.0.0.1:")
    True
    """

    def __init__(
        self,
        source: Source,
        *,
        token: str = "sandbox",  # noqa: S107 - opens nothing but the sandbox
        origin: str | None = None,
        clock: Callable[[], datetime],
        port: int = 0,
        latency: float = 0.0,
        per_second: float | None = None,
        limiter: Limiter | None = None,
        retry_after: str = "exact",
        faults: Mapping[str, Fault] | Callable[[str], Fault | None] | None = None,
    ) -> None:
        _check(source, clock, port, latency, per_second, faults)
        _check_limit(per_second, limiter, retry_after)
        self.source = source
        self.token = token
        self.origin = _scheme_and_host(origin) if origin else None
        self.clock = clock
        self.latency = latency
        self.limiter = TokenBucket(per_second) if per_second else limiter
        self.retry_after = RETRY_AFTER[retry_after]
        self.limiting = threading.Lock()
        self.fault: Callable[[str], Fault | None] = faults if callable(faults) else (faults or dict[str, "Fault"]()).get
        self.requests: list[Request] = []
        self.stopping = threading.Event()
        self._listener = _Listener(self, port)
        self._thread = threading.Thread(target=self._listener.serve_forever, args=(0.02,), daemon=True)
        self.url = f"http://127.0.0.1:{self._listener.server_address[1]}"

    def __repr__(self) -> str:
        return f"Server({self.url!r})"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start to respond."""
        self._thread.start()

    def stop(self) -> None:
        """Stop responding, close all connections, and release the port."""
        if self.stopping.is_set():
            return
        self.stopping.set()
        if self._thread.ident is not None:
            self._listener.shutdown()
        self._listener.disconnect()

    def serve_forever(self) -> None:
        """Respond until the server is stopped or Ctrl-C is pressed."""
        if self._thread.ident is None:
            self.start()
        with contextlib.suppress(KeyboardInterrupt):
            self.stopping.wait()
        self.stop()


class _Listener(ThreadingHTTPServer):
    """Accepts connections, and keeps the open ones."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, server: Server, port: int) -> None:
        self.server = server
        self._open: dict[socket.socket, threading.Thread] = {}
        self._lock = threading.Lock()
        super().__init__(("127.0.0.1", port), _Handler)

    def server_bind(self) -> None:
        """Bind without looking up the name of this machine in the network."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve a connection until it ends."""
        with self._lock:
            self._open[request] = threading.current_thread()
        super().process_request_thread(request, client_address)
        with self._lock:
            del self._open[request]

    def disconnect(self) -> None:
        """Stop listening, and close the open connections."""
        self.server_close()
        with self._lock:
            connections = dict(self._open)
        for connection, thread in connections.items():
            with contextlib.suppress(OSError):  # the client closed it first
                connection.shutdown(socket.SHUT_RDWR)
            thread.join(_GRACE)


class _Handler(BaseHTTPRequestHandler):
    """Responds to the requests of one connection; also the `ResponseWriter` that faults use."""

    server: _Listener
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    requested_id = ""

    def handle(self) -> None:
        """Respond until the client is done; a client that disconnects is not an error."""
        with contextlib.suppress(OSError):
            super().handle()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Log nothing."""

    def do_GET(self) -> None:
        """Respond to one request."""
        server = self.server.server
        self.requested_id = urlsplit(self.path).path.removeprefix(_DEALS)
        refusal = self._refusal(server)
        if server.latency:
            self.wait(server.latency)
        if refusal is not None:
            status, headers = refusal
            self._send_error(status, headers)
            return
        body = server.source.response(self.requested_id, server.clock())
        if body is None:
            self._send_error(404)
        elif (fault := server.fault(self.requested_id)) is not None:
            fault(self, body)
        else:
            self.send(200, body)

    def _refusal(self, server: Server) -> tuple[int, dict[str, str]] | None:
        """Status and headers if the request is refused."""
        if self.headers.get("Authorization") != f"Bearer {server.token}":
            return 401, _NO_HEADERS
        if server.origin is not None:
            origins = (_scheme_and_host(self.headers.get(name, "")) for name in ("Origin", "Referer"))
            if server.origin not in origins:
                return 403, _NO_HEADERS
        if server.limiter is not None:
            with server.limiting:
                verdict = server.limiter.take(time.monotonic(), self.client_address)
            if not verdict.passes:
                text = server.retry_after(verdict.seconds, time.time())
                return 429, _NO_HEADERS if text is None else {"Retry-After": text}
            if verdict.seconds:
                self.wait(verdict.seconds)
        if not self.path.startswith(_DEALS):
            return 404, _NO_HEADERS
        return None

    def _send_error(self, status: int, headers: Mapping[str, str] = _NO_HEADERS) -> None:
        phrase = HTTPStatus(status).phrase
        self.send(status, json.dumps({"statusCode": status, "message": phrase}).encode(), headers)

    def send(self, status: int, body: bytes, headers: Mapping[str, str] = _NO_HEADERS) -> None:
        """Send a whole response, in one write."""
        self.wfile.write(self._head(status, len(body), headers) + body)

    def begin(self, status: int, length: int, headers: Mapping[str, str] = _NO_HEADERS) -> None:
        """Send the status and headers of a response."""
        self.wfile.write(self._head(status, length, headers))

    def write(self, part: bytes) -> None:
        """Send a part of the body."""
        self.wfile.write(part)

    def wait(self, seconds: float) -> None:
        """Wait; if the server stops meanwhile, drop the connection."""
        if self.server.server.stopping.wait(seconds):
            raise ConnectionAbortedError

    def close(self) -> None:
        """Close the connection after the response."""
        self.close_connection = True

    def reset(self) -> None:
        """Reset the connection at once."""
        self.close_connection = True
        linger = struct.pack("ii", 1, 0)  # closing drops what is unsent and resets
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.rfile.close()
        self.connection.close()

    def _head(self, status: int, length: int, headers: Mapping[str, str]) -> bytes:
        # Recorded before it is sent: a client that has the response finds it in the list.
        self.server.server.requests.append(Request(time.monotonic(), self.path, status))
        lines = {"Content-Type": "application/json; charset=utf-8", "Content-Length": str(length), **headers}
        if self.close_connection:
            lines["Connection"] = "close"
        text = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        return f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n{text}\r\n".encode("latin-1")


def _check(
    source: object, clock: object, port: object, latency: float, per_second: float | None, faults: object
) -> None:
    """Refuse what would otherwise fail in a thread, at the first request."""
    if isinstance(source, type) or not callable(getattr(source, "response", None)):
        raise ValueError(f"source={source!r} has no response(requested_id, at): pass Company(), or Saved(path)")
    if not callable(clock):
        raise ValueError(f"clock={clock!r} cannot be called: pass a function, such as lambda: TAKEN_AT")
    if isinstance(port, bool) or not isinstance(port, int) or not 0 <= port <= 65_535:
        raise ValueError(f"port={port!r}: give an integer from 0 to 65535; 0 takes a free one")
    if not 0 <= latency < math.inf:
        raise ValueError(f"latency={latency:g}: give seconds, 0 or more")
    if per_second is not None and not per_second > 0:
        raise ValueError(f"per_second={per_second:g}: give more than 0, or None for no limit")
    if isinstance(faults, str):
        raise ValueError(f"faults={faults!r} is text: pass faults.parse({faults!r})")


def _check_limit(per_second: float | None, limiter: object, retry_after: object) -> None:
    if per_second is not None and limiter is not None:
        raise ValueError("per_second and limiter both limit the requests: pass one of them")
    if limiter is not None and not isinstance(limiter, Limiter):
        raise ValueError(f"limiter={limiter!r} is not a Limiter: pass one, such as rate_limit.SlidingWindow(100)")
    if retry_after not in RETRY_AFTER:
        raise ValueError(f"retry_after={retry_after!r}: pass one of {', '.join(map(repr, RETRY_AFTER))}")


def _scheme_and_host(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.netloc}".lower()
