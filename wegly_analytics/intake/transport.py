"""One request over a session, within one deadline.

The session prepares the request, and an adapter sends it; `Session.send` is not used. So no redirect is read or
followed, no cookie is kept, and no proxy sees a request without TLS.
"""

from __future__ import annotations

import contextlib
from threading import Timer
from typing import TYPE_CHECKING, Any

import requests
from requests.adapters import HTTPAdapter
from requests.hooks import dispatch_hook
from requests.utils import select_proxy
from urllib3.exceptions import NewConnectionError

from wegly_analytics.intake.connection import use_timed_connections

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wegly_analytics.intake.connection import Deadline
    from wegly_analytics.intake.credentials import Credentials


class Transport:
    """Sends requests.

    Parameters
    ----------
    session
        Whose headers, proxies, certificates and hooks are used; it is not changed.
    credentials
        The token.
    origin
        What is sent as Origin and Referer, if anything.
    """

    def __init__(self, session: requests.Session, credentials: Credentials, origin: str | None) -> None:
        self._session = session
        self._credentials = credentials
        self._adapter = _TimedAdapter(pool_maxsize=64)
        self._headers = {"Accept": "application/json"}
        if origin:
            self._headers |= {"Origin": origin, "Referer": f"{origin}/"}

    @contextlib.contextmanager
    def get(self, url: str, deadline: Deadline) -> Iterator[requests.Response]:
        """Send a request; the body of the response is still to be read."""
        request = self._session.prepare_request(requests.Request("GET", url, self._headers, auth=self._credentials))
        # streamed, so that an endless response can be cut off
        options: dict[str, Any] = dict(self._session.merge_environment_settings(url, {}, True, None, None))
        if url.startswith("http:"):
            options["proxies"] = {}  # a proxy would read the token, and this machine needs none to reach itself
        adapter = self._session.get_adapter(url)
        is_timed = type(adapter) is HTTPAdapter and not _is_socks(url, options["proxies"])
        if is_timed:
            adapter = self._adapter
        else:
            self._credentials.written_out(request)
        with adapter.send(request, timeout=deadline, **options) as response:  # type: ignore[arg-type]
            timer = Timer(max(deadline.left, 0), _shut, (response,))
            if not is_timed:
                timer.daemon = True
                timer.start()
            try:
                yield dispatch_hook(  # type: ignore[no-untyped-call]
                    "response", request.hooks, response, timeout=deadline, **options
                )
            finally:
                timer.cancel()


class _TimedAdapter(HTTPAdapter):
    """Sends over connections with one deadline, in which nothing shows the token."""

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        use_timed_connections(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **options)
        use_timed_connections(manager)
        return manager


def new_session() -> requests.Session:
    """Make the session of a client that was not given one."""
    session = requests.Session()
    session.headers["User-Agent"] = "wegly-analytics"
    return session


def _is_socks(url: str, proxies: Any) -> bool:
    return (select_proxy(url, proxies) or "").lower().startswith("socks")


def _shut(response: requests.Response) -> None:
    """End a response from another thread; what reads it finds its end."""
    with contextlib.suppress(Exception):  # it is complete already, or has no connection
        response.raw.shutdown()


def is_unreachable(error: Exception) -> bool:
    """Whether no connection was made: unknown name, closed port, refused certificate, or too slow."""
    kinds = (requests.ConnectTimeout, requests.exceptions.ProxyError, requests.exceptions.SSLError)
    wrapped = error.args[0] if error.args else None
    return isinstance(error, kinds) or isinstance(getattr(wrapped, "reason", None), NewConnectionError)


def cause_of(error: Exception) -> str:
    """Name the innermost cause in a line, without the exceptions that wrap it."""
    reason: BaseException = error
    while reason.__context__ is not None:
        reason = reason.__context__
    text = str(reason).rpartition(": ")[2] or type(reason).__name__
    return f"{type(error).__name__}, {text}"
