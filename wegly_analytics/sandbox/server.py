"""A local HTTP server that answers like Wegly's one documented endpoint."""

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

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from wegly_analytics.sandbox.protocols import Fault, Source

_DEALS: Final = "/integrations/external/deals/"
_NONE: Final[dict[str, str]] = {}
_GRACE: Final = 5.0
"""Seconds that a stopping server waits for the answers under way."""


class Request(NamedTuple):
    """A request that was answered: when (`time.monotonic`), for which path, with which status."""

    moment: float
    path: str
    status: int


class Server:
    """Answers like Wegly at a loopback address, from threads of its own; a context manager.

    Parameters
    ----------
    source
        Whoever knows the deals.
    token
        The key that is accepted; any other gets 401.
    origin
        The key's allowed domain: a request whose Origin and Referer both differ from it gets 403. None allows all.
    clock
        The moment for which the source is requested.
    port
        0 takes a free one.
    latency
        Seconds before each answer.
    per_second
        Requests per second, beyond which 429 is answered; None for no limit.
    faults
        Which fault a code or UUID meets in place of its deal: by key, or a callable.

    Raises
    ------
    OSError
        If the port is taken.

    Examples
    --------
    >>> from wegly_analytics.sandbox import MOMENT, Company
    >>> with Server(Company(), clock=lambda: MOMENT) as server:
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
        faults: Mapping[str, Fault] | Callable[[str], Fault | None] | None = None,
    ) -> None:
        if per_second is not None and per_second <= 0:
            raise ValueError(f"per_second={per_second:g}: give more than 0, or None for no limit")
        self.source = source
        self.token = token
        self.origin = _host(origin) if origin else None
        self.clock = clock
        self.latency = latency
        self.limit = _Limit(per_second) if per_second else None
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
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Stop answering, hang up, and give the port back."""
        if self.stopping.is_set():
            return
        self.stopping.set()
        if self._thread.ident is not None:
            self._listener.shutdown()
        self._listener.hang_up()

    def serve_forever(self) -> None:
        """Answer until somebody stops the server or presses Ctrl-C."""
        if self._thread.ident is None:
            self.start()
        with contextlib.suppress(KeyboardInterrupt):
            self.stopping.wait()
        self.stop()


class _Limit:
    """So many requests a second; a second's worth may come at once."""

    def __init__(self, per_second: float) -> None:
        self._rate = per_second
        self._most = max(per_second, 1.0)
        self._left = self._most
        self._then = time.monotonic()
        self._lock = threading.Lock()

    def refused_for(self) -> int:
        """Take one request; 0 if it may pass, else the whole seconds to wait."""
        with self._lock:
            now = time.monotonic()
            self._left = min(self._left + (now - self._then) * self._rate, self._most)
            self._then = now
            if self._left >= 1:
                self._left -= 1
                return 0
            return max(math.ceil((1 - self._left) / self._rate), 1)


class _Listener(ThreadingHTTPServer):
    """Takes connections, and knows which are open."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, server: Server, port: int) -> None:
        self.server = server
        self._open: dict[socket.socket, threading.Thread] = {}
        self._lock = threading.Lock()
        super().__init__(("127.0.0.1", port), _Handler)

    def server_bind(self) -> None:
        """Bind without asking the network for this machine's name."""
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

    def hang_up(self) -> None:
        """Stop listening, and end the connections that are open."""
        self.server_close()
        with self._lock:
            connections = dict(self._open)
        for connection, thread in connections.items():
            with contextlib.suppress(OSError):  # the client was faster
                connection.shutdown(socket.SHUT_RDWR)
            thread.join(_GRACE)


class _Handler(BaseHTTPRequestHandler):
    """Answers the requests of one connection; also the `Reply` that faults write to."""

    server: _Listener
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    key = ""

    def handle(self) -> None:
        """Answer until the client is done; a client that goes away is no error."""
        with contextlib.suppress(OSError):
            super().handle()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing."""

    def do_GET(self) -> None:
        """Answer one request."""
        server = self.server.server
        self.key = urlsplit(self.path).path.removeprefix(_DEALS)
        refusal = self._refusal(server)
        if server.latency:
            self.pause(server.latency)
        if refusal is not None:
            status, headers = refusal
            self._say(status, headers)
            return
        body = server.source.answer(self.key, server.clock())
        if body is None:
            self._say(404)
        elif (fault := server.fault(self.key)) is not None:
            fault(self, body)
        else:
            self.send(200, body)

    def _refusal(self, server: Server) -> tuple[int, dict[str, str]] | None:
        """Why the request is not looked at: status and headers."""
        if self.headers.get("Authorization") != f"Bearer {server.token}":
            return 401, _NONE
        if server.origin is not None:
            hosts = (_host(self.headers.get(name, "")) for name in ("Origin", "Referer"))
            if server.origin not in hosts:
                return 403, _NONE
        if server.limit and (seconds := server.limit.refused_for()):
            return 429, {"Retry-After": str(seconds)}
        if not self.path.startswith(_DEALS):
            return 404, _NONE
        return None

    def _say(self, status: int, headers: Mapping[str, str] = _NONE) -> None:
        phrase = HTTPStatus(status).phrase
        self.send(status, json.dumps({"statusCode": status, "message": phrase}).encode(), headers)

    def send(self, status: int, body: bytes, headers: Mapping[str, str] = _NONE) -> None:
        """Send a whole answer, in one piece."""
        self.wfile.write(self._head(status, len(body), headers) + body)

    def begin(self, status: int, length: int, headers: Mapping[str, str] = _NONE) -> None:
        """Send the head of an answer."""
        self.wfile.write(self._head(status, length, headers))

    def write(self, part: bytes) -> None:
        """Send a part of the body."""
        self.wfile.write(part)

    def pause(self, seconds: float) -> None:
        """Wait; if the server stops meanwhile, drop the connection."""
        if self.server.server.stopping.wait(seconds):
            raise ConnectionAbortedError

    def hang_up(self) -> None:
        """Close the connection once the answer is sent."""
        self.close_connection = True

    def reset(self) -> None:
        """Break the connection off at once."""
        self.close_connection = True
        linger = struct.pack("ii", 1, 0)  # closing drops what is unsent and resets
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.rfile.close()
        self.connection.close()

    def _head(self, status: int, length: int, headers: Mapping[str, str]) -> bytes:
        # Noted before it is sent, so that whoever has the answer finds it in the list.
        self.server.server.requests.append(Request(time.monotonic(), self.path, status))
        lines = {"Content-Type": "application/json; charset=utf-8", "Content-Length": str(length), **headers}
        if self.close_connection:
            lines["Connection"] = "close"
        text = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        return f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n{text}\r\n".encode("latin-1")


def _host(url: str) -> str:
    """Keep scheme and host of an address."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.netloc}".lower()
