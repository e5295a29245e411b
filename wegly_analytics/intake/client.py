"""One deal over HTTP: the body as received, not parsed.

The client requests the one documented endpoint. It keeps the token out of reprs, messages and redirects, holds all
threads together to one rate (`RateLimit`), and retries where a retry may succeed.

urllib3's `Retry` counts the attempts, computes the backoff and reads Retry-After. It is not mounted on the session:
there its waits would ignore the rate limit and Ctrl-C, and it would retry neither an incomplete body nor an error page
with status 200.
"""

from __future__ import annotations

import time
from typing import Final, NamedTuple

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError, InvalidHeader, NewConnectionError
from urllib3.util import Retry

from wegly_analytics import settings
from wegly_analytics.errors import ApiError, PayloadError, RateLimitError, UnreachableError
from wegly_analytics.intake.address import checked_base_url, checked_origin
from wegly_analytics.intake.arguments import instance, number_above_zero, text_or_none, whole_number
from wegly_analytics.intake.credentials import Credentials
from wegly_analytics.intake.rate_limit import RateLimit
from wegly_analytics.intake.status import status_error
from wegly_analytics.model.ids import deal_key
from wegly_analytics.parsing.repair import unwrapped

BASE_URL: Final = "https://api.wegly.com.br"
MAX_BYTES: Final = 32 << 20
"""The largest response that is accepted; a deal is some kilobytes."""

MAX_WAIT: Final = 600.0
"""The longest Retry-After, in seconds, that is waited out."""

_RETRIED: Final = frozenset({429, 500, 502, 503, 504})
_CHUNK: Final = 1 << 16
_REFUSALS: Final = 5
"""How many 429s per attempt are tolerated while other requests succeed."""

_SHORT: Final = 1 << 16
"""The largest body that is read of a response other than 200; reading it keeps the connection usable."""


class _Received(NamedTuple):
    """What one attempt returned; `failure` says why there was no response, and is None if there was one."""

    status: int | None
    body: bytes = b""
    retry_after: str | None = None
    failure: ApiError | None = None


class Client:
    """Requests deals from Wegly.

    Parameters
    ----------
    token
        The token created in Wegly's settings. If not given, it is taken from WEGLY_TOKEN, in the environment or in a
        ``.env`` file, or from the system's keyring.
    base_url
        The address of the API; by default from WEGLY_BASE_URL, or Wegly's own address. Plain http is allowed on this
        machine only.
    origin
        The token's allowed domain, if it has one, such as ``"https://crm.example.com"``; by default from WEGLY_ORIGIN.
        It is sent as Origin and Referer.
    timeout
        Seconds to wait for the connection, for the first byte, and for the rest of the response, each.
    attempts
        The maximum number of requests for one deal. A 429 does not count while other requests succeed.
    per_second
        Requests per second, all threads together; None for no limit. The API documents no limit, so the default is low.
        After a 429 the rate is lower, and rises slowly.
    session
        A `requests.Session` to use, for proxies or certificates.
    backoff
        Seconds before the second attempt, if the response has no Retry-After; doubled for each further attempt.

    Raises
    ------
    AuthError
        If there is no token.
    SettingError
        If an argument, or the variable that replaces it, cannot be used.

    Examples
    --------
    >>> Client("a-token", base_url="http://127.0.0.1:8080")
    Client('http://127.0.0.1:8080', per_second=5.0)
    """

    def __init__(
        self,
        token: str | None = None,
        *,
        base_url: str | None = None,
        origin: str | None = None,
        timeout: float = 30.0,
        attempts: int = 5,
        per_second: float | None = 5.0,
        session: requests.Session | None = None,
        backoff: float = 0.5,
    ) -> None:
        text_or_none("token", token, "...")
        text_or_none("base_url", base_url, BASE_URL)
        text_or_none("origin", origin, "https://crm.example.com")
        if session is not None:
            instance("session", session, requests.Session, "leave it out for one of the client's own")
        self.timeout = number_above_zero("timeout", timeout)
        self.attempts = whole_number("attempts", attempts)
        self.per_second = None if per_second is None else number_above_zero("per_second", per_second)
        number_above_zero("backoff", backoff)
        self.base_url = checked_base_url(base_url or settings.setting(settings.BASE_URL) or BASE_URL)
        self.origin = checked_origin(origin or settings.setting(settings.ORIGIN))
        self.rate_limit = RateLimit(self.per_second)
        self._credentials = Credentials(token or settings.token() or "")
        self._session = session or _new_session(self.base_url)
        self._retry = Retry(
            total=self.attempts - 1,
            status_forcelist=_RETRIED,
            backoff_factor=backoff,
            backoff_max=30.0,
            backoff_jitter=backoff,
        )

    def __repr__(self) -> str:
        origin = f", origin={self.origin!r}" if self.origin else ""
        return f"Client({self.base_url!r}{origin}, per_second={self.per_second})"

    def deal(self, id: object) -> bytes:  # noqa: A002 - the word that users know
        """Request one deal.

        Parameters
        ----------
        id
            A UUID or a numeric code.

        Returns
        -------
        bytes
            The body of the response, not parsed. A body that is not in braces, such as an error page, is requested
            again like any other failure; if every attempt returns one, it is returned for the caller to judge.

        Raises
        ------
        IdError
            If the id is neither; nothing is requested.
        NotFoundError
            At a 404.
        AuthError, OriginError
            At a 401 or 403.
        RateLimitError
            If every attempt gets a 429, or Retry-After is longer than ten minutes.
        PayloadError
            If the response is larger than 32 MiB.
        UnreachableError
            If no attempt could connect to the server.
        ApiError
            If every attempt gets another status than 200, or no response.
        """
        url = f"{self.base_url}/integrations/external/deals/{deal_key(id)}"
        retry, refusals = self._retry, 0
        while True:
            self.rate_limit.wait()
            succeeded = self.rate_limit.succeeded
            received = self._attempt(url)
            status = received.status
            if status not in (None, 429):
                self.rate_limit.succeed()
            if status == 200 and (unwrapped(received.body) or not retry.total):
                return received.body
            failure = received.failure or self._status_error(received, url)
            if status not in (None, 200) and not retry.is_retry("GET", status):
                raise failure
            if status == 429 and succeeded != self.rate_limit.succeeded and refusals < _REFUSALS * self.attempts:
                refusals += 1  # other requests succeeded meanwhile: the server limits the rate and is not failing
            elif not retry.total:
                raise failure
            else:
                retry = retry.increment("GET", url, error=HTTPError(str(failure)))
            self._back_off(retry, failure, received.retry_after, url)

    def _attempt(self, url: str) -> _Received:
        headers = {"Accept": "application/json"}
        if self.origin:
            headers |= {"Origin": self.origin, "Referer": f"{self.origin}/"}
        try:
            with self._session.get(
                url,
                auth=self._credentials,
                headers=headers,
                timeout=self.timeout,
                allow_redirects=False,  # the token must not be sent to another address
                stream=True,  # so that an endless response can be cut off
            ) as response:
                body = self._body(response) if response.status_code == 200 else self._short_body(response)
                return _Received(response.status_code, body, response.headers.get("Retry-After"))
        except (requests.RequestException, HTTPError) as error:
            if not _is_unreachable(error):
                return _Received(None, failure=ApiError(f"no response from {_short(url)}: {_cause(error)}"))
            remedy = "check the address (base_url, WEGLY_BASE_URL) and the network"
            message = f"cannot connect to {self.base_url}: {_cause(error)}; {remedy}"
            return _Received(None, failure=UnreachableError(message))

    def _body(self, response: requests.Response) -> bytes:
        body, deadline = bytearray(), time.monotonic() + self.timeout
        for chunk in response.iter_content(_CHUNK):
            body += chunk
            if len(body) > MAX_BYTES:
                raise PayloadError("", f"at most {MAX_BYTES >> 20} MiB", "more")
            if time.monotonic() > deadline:
                raise requests.Timeout(f"the response was not complete after {self.timeout:g} s")
        return bytes(body)

    def _short_body(self, response: requests.Response) -> bytes:
        """Read the body of a response other than 200 if it is short; the status has said what matters."""
        length = response.headers.get("Content-Length", "")
        is_short = length.isascii() and length.isdigit() and int(length) <= _SHORT
        try:
            return self._body(response) if is_short else b""
        except (requests.RequestException, HTTPError, PayloadError):
            return b""

    def _status_error(self, received: _Received, url: str) -> ApiError:
        place = f"{received.status} for {_short(url)}"
        return status_error(received.status or 0, place, received.body, self.origin, self._credentials.refusal)

    def _back_off(self, retry: Retry, failure: ApiError, retry_after: str | None, url: str) -> None:
        """Wait before the next attempt: as long as Retry-After says, or else as `Retry` computes."""
        try:
            requested = retry.parse_retry_after(retry_after) if retry_after else 0.0
        except InvalidHeader:
            requested = 0.0
        if requested > MAX_WAIT:
            place = f"{failure.status} for {_short(url)}"
            message = f"{place}: the server requests a wait of {requested:.0f} s; run again after that"
            raise RateLimitError(message, failure.status, requested)
        seconds = requested or retry.get_backoff_time() or retry.backoff_factor
        if failure.status == 429:
            self.rate_limit.refuse(seconds)  # all threads wait
        else:
            self.rate_limit.sleep(seconds)


def _new_session(base_url: str) -> requests.Session:
    session = requests.Session()
    session.headers["User-Agent"] = "wegly-analytics"
    session.trust_env = not base_url.startswith("http:")  # no proxy between this machine and itself
    session.mount(base_url, HTTPAdapter(pool_maxsize=64))
    return session


def _is_unreachable(error: Exception) -> bool:
    """Whether no connection was made: unknown name, closed port, refused certificate, or too slow."""
    kinds = (requests.ConnectTimeout, requests.exceptions.ProxyError, requests.exceptions.SSLError)
    wrapped = error.args[0] if error.args else None
    return isinstance(error, kinds) or isinstance(getattr(wrapped, "reason", None), NewConnectionError)


def _short(url: str) -> str:
    """Shorten a URL for messages."""
    return f"…/deals/{url.rpartition('/')[2]}"


def _cause(error: Exception) -> str:
    """Name the innermost cause in a line, without the exceptions that wrap it."""
    reason: BaseException = error
    while reason.__context__ is not None:
        reason = reason.__context__
    text = str(reason).rpartition(": ")[2] or type(reason).__name__
    return f"{type(error).__name__}, {text}"
