"""One deal over HTTP: bytes in, nothing parsed.

The client asks the one documented endpoint and gives back the body as it came. It keeps the key to itself (out of
reprs, messages and redirects), keeps all threads together within one rate (`Budget`), and tries again where trying
again can help, by the rules of urllib3's `Retry`.
"""

from __future__ import annotations

import base64
import ipaddress
import json
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import SplitResult, urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3.exceptions import HTTPError, InvalidHeader
from urllib3.util import Retry

from wegly_analytics import settings
from wegly_analytics.errors import (
    ApiError,
    AuthError,
    NotFoundError,
    OriginError,
    PayloadError,
    RateLimitError,
    SettingError,
)
from wegly_analytics.intake.rate_limit import Budget
from wegly_analytics.model.ids import deal_key
from wegly_analytics.parsing.repair import unwrapped

if TYPE_CHECKING:
    from requests import PreparedRequest

BASE_URL: Final = "https://api.wegly.com.br"
MAX_BYTES: Final = 32 << 20
"""The largest answer that is taken; a deal is some kilobytes."""

MAX_WAIT: Final = 600.0
"""The longest Retry-After, in seconds, that is waited out."""

_TRY_AGAIN: Final = frozenset({429, 500, 502, 503, 504})
_CHUNK: Final = 1 << 16
_REFUSALS: Final = 5
"""So many times as often as other failures a 429 is borne while other requests are let pass."""

_REMARK: Final = 1 << 16
"""So much of an answer other than 200 is read, which also leaves the connection fit for use."""


class _Bearer(AuthBase):
    """The key as an Authorization header; as an auth object it also keeps a .netrc from taking its place."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request

    def __repr__(self) -> str:
        return "<the key>"

    def verdict(self) -> str:
        """Say why the key is refused, as far as it tells by itself: keys are JWTs, and may carry their end."""
        claims = self._token.split(".")[1:2]
        try:
            end = json.loads(base64.urlsafe_b64decode("".join(claims) + "==="))["exp"]
            expired = datetime.fromtimestamp(end, UTC)
        except (ValueError, LookupError, TypeError, OverflowError, OSError):
            return "was refused as unknown or expired"
        if end > time.time():
            return f"was refused, though it is not to expire before {expired:%Y-%m-%d %H:%M} UTC"
        return f"expired on {expired:%Y-%m-%d at %H:%M} UTC"


class Client:
    """Asks Wegly for deals.

    Parameters
    ----------
    token
        The key made in Wegly's settings. If not given, it is taken from WEGLY_TOKEN, in the environment or in a
        ``.env`` file, or from the system's keyring.
    base_url
        Where the API is; from WEGLY_BASE_URL, or Wegly's own address. Plain http is allowed on this machine only.
    origin
        The key's allowed domain, if it has one, such as ``"https://crm.example.com"``; from WEGLY_ORIGIN. It is sent
        as Origin and Referer.
    timeout
        Seconds to wait for a connection, for the first byte, and for the rest.
    attempts
        How often one deal is requested at most. A 429 does not count while other requests are let pass.
    per_second
        Requests per second, all threads together; None for no limit. The API documents none, so the default is polite.
        After a 429 the rate is lower, and comes back slowly.
    session
        A `requests.Session` to use instead of an own one, for proxies or certificates.
    backoff
        Seconds before a second attempt, where the API names none; twice as long before each further one.

    Raises
    ------
    AuthError
        If there is no token.
    SettingError
        If an argument, or the variable that stands in for it, cannot be used.

    Examples
    --------
    >>> Client("a-key", base_url="http://127.0.0.1:8080")
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
        if attempts < 1 or timeout <= 0 or (per_second is not None and per_second <= 0):
            raise SettingError("attempts, timeout and per_second must be more than 0; per_second=None lifts the limit")
        self.base_url = _checked_base(base_url or settings.setting(settings.BASE_URL) or BASE_URL)
        self.origin = _checked_origin(origin or settings.setting(settings.ORIGIN))
        self.timeout = timeout
        self.per_second = per_second
        self.attempts = attempts
        self.budget = Budget(per_second)
        self._auth = _Bearer(_checked_token(token or settings.token() or ""))
        self._session = session or _new_session(self.base_url)
        self._retry = Retry(
            total=attempts - 1,
            status_forcelist=_TRY_AGAIN,
            backoff_factor=backoff,
            backoff_max=30.0,
            backoff_jitter=backoff,
        )

    def __repr__(self) -> str:
        origin = f", origin={self.origin!r}" if self.origin else ""
        return f"Client({self.base_url!r}{origin}, per_second={self.per_second})"

    def deal(self, id: object) -> bytes:  # noqa: A002 - the word that users know
        """Ask for one deal.

        Parameters
        ----------
        id
            A UUID or a numeric code.

        Returns
        -------
        bytes
            The answer's body as it came, unparsed. One that is not in braces, such as an error page, is requested again
            like any other failure; if it comes at every attempt, it is handed over for others to judge.

        Raises
        ------
        IdError
            If it is neither; nothing is requested.
        NotFoundError
            404.
        AuthError, OriginError
            401 or 403.
        RateLimitError
            429 at every attempt, or a Retry-After of more than ten minutes.
        PayloadError
            If the answer is larger than 32 MiB.
        ApiError
            Any other answer than 200, or none, at every attempt.
        """
        url = f"{self.base_url}/integrations/external/deals/{deal_key(id)}"
        retry, refusals = self._retry, 0
        while True:
            self.budget.wait()
            passed, retry_after, body = self.budget.passed, None, None
            try:
                status, retry_after, body = self._ask(url)
            except (requests.RequestException, HTTPError) as error:
                status, failure = 0, ApiError(f"no answer from {_short(url)}: {_cause(error)}")
            else:
                if status != 429:
                    self.budget.succeed()
                if status == 200 and (unwrapped(body) or not retry.total):
                    return body
                failure = self._failure(status, url, body)
                if status != 200 and not retry.is_retry("GET", status):
                    raise failure
            if status == 429 and passed != self.budget.passed and refusals < _REFUSALS * self.attempts:
                refusals += 1  # others were let pass: this is the limit at work, not a failure
            elif not retry.total:
                raise failure
            else:
                retry = retry.increment("GET", url, error=HTTPError(str(failure)))
            self._back_off(retry, failure, retry_after, url)

    def _ask(self, url: str) -> tuple[int, str | None, bytes]:
        headers = {"Accept": "application/json"}
        if self.origin:
            headers |= {"Origin": self.origin, "Referer": f"{self.origin}/"}
        with self._session.get(
            url,
            auth=self._auth,
            headers=headers,
            timeout=self.timeout,
            allow_redirects=False,  # the key goes to no other address
            stream=True,  # so that an endless answer is cut off
        ) as response:
            body = self._body(response) if response.status_code == 200 else self._remark(response)
            return response.status_code, response.headers.get("Retry-After"), body

    def _body(self, response: requests.Response) -> bytes:
        body, deadline = bytearray(), time.monotonic() + self.timeout
        for chunk in response.iter_content(_CHUNK):
            body += chunk
            if len(body) > MAX_BYTES:
                raise PayloadError("", f"at most {MAX_BYTES >> 20} MiB", "more")
            if time.monotonic() > deadline:
                raise requests.Timeout(f"the answer was not complete after {self.timeout:g} s")
        return bytes(body)

    def _remark(self, response: requests.Response) -> bytes:
        """Read what an answer other than 200 says, as far as it is short and comes at once."""
        length = response.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()) or int(length) > _REMARK:
            return b""  # also where the header is not a number: the status has said what matters
        try:
            return self._body(response)
        except (requests.RequestException, HTTPError, PayloadError):
            return b""  # the status has said what matters

    def _failure(self, status: int, url: str, body: bytes) -> ApiError:
        where = f"{status} for {_short(url)}"
        match status:
            case 404:
                return NotFoundError(f"{where}: there is no such deal, or this key may not see it", status, body)
            case 401:
                remedy = "make a new one in Wegly's settings and set WEGLY_TOKEN"
                return AuthError(f"{where}: the key {self._auth.verdict()}; {remedy}", status)
            case 403 if self.origin:
                remedy = f"the key's allowed domain may not be {self.origin}, or its permissions lack this deal"
                return OriginError(f"{where}: the key was refused. Check Client(origin=...): {remedy}", status, body)
            case 403:
                remedy = 'If it has an allowed domain, pass Client(origin="https://…"); else check its permissions'
                return AuthError(f"{where}: the key was refused. {remedy}", status, body)
            case 200:
                return ApiError(f"{where}: the answer is not an object in braces", status)
            case 429:
                remedy = "lower Client(per_second=...) or try later"
                return RateLimitError(f"{where}: too many requests at every attempt; {remedy}", status)
            case _ if 300 <= status < 400:
                remedy = "check base_url; redirects are not followed, because the key would go along"
                return ApiError(f"{where}: sent to another address; {remedy}", status)
            case _ if status >= 500:
                return ApiError(f"{where}: the server failed at every attempt; run again later", status)
        return ApiError(f"{where}: not an answer that is documented", status)

    def _back_off(self, retry: Retry, failure: ApiError, retry_after: str | None, url: str) -> None:
        try:
            requested = retry.parse_retry_after(retry_after) if retry_after else 0.0
        except InvalidHeader:
            requested = 0.0
        if requested > MAX_WAIT:
            message = (
                f"{failure.status} for {_short(url)}: the server asks to wait {requested:.0f} s; run again after that"
            )
            raise RateLimitError(message, failure.status, requested)
        seconds = requested or retry.get_backoff_time() or retry.backoff_factor
        if failure.status == 429:
            self.budget.refuse(seconds)  # what one thread hears, all obey
        else:
            self.budget.sleep(seconds)


def _new_session(base_url: str) -> requests.Session:
    session = requests.Session()
    session.headers["User-Agent"] = "wegly-analytics"
    session.trust_env = not base_url.startswith("http:")  # no proxy stands between this machine and itself
    session.mount(base_url, HTTPAdapter(pool_maxsize=64))
    return session


def _checked_token(token: str) -> str:
    token = token.strip()
    if not token:
        raise AuthError("no key: set WEGLY_TOKEN, or pass Client(token=...); keys are made in Wegly's settings")
    if not (token.isascii() and token.isprintable()) or " " in token:
        raise AuthError("the key holds spaces, line breaks or accents: copy it again from Wegly's settings")
    return token


def _checked_base(base_url: str) -> str:
    parts = _split(base_url, "base_url")
    if parts.scheme == "http" and not _is_loopback(parts.hostname or ""):
        raise SettingError(f"base_url {base_url!r}: the key would travel readable; use https")
    return base_url.rstrip("/")


def _checked_origin(origin: str | None) -> str | None:
    if origin is None:
        return None
    parts = _split(origin, "origin")
    return f"{parts.scheme}://{parts.netloc}"


def _split(url: str, name: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        whole = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        whole = False
    if not whole or parts.username or parts.query or parts.fragment:
        raise SettingError(f"{name} {url!r}: give scheme and host, such as https://api.wegly.com.br")
    return parts


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _short(url: str) -> str:
    return f"…/deals/{url.rpartition('/')[2]}"


def _cause(error: Exception) -> str:
    """Name what went wrong in a line, without the nest of wrappers around it."""
    reason: BaseException = error
    while reason.__context__ is not None:
        reason = reason.__context__
    text = str(reason).rpartition(": ")[2] or type(reason).__name__
    return f"{type(error).__name__}, {text}"
