"""One deal over HTTP: the body as received, not parsed.

The client requests the one documented endpoint. It keeps the token out of reprs, messages and redirects, holds all
threads together to one rate (`RateLimit`), and retries where a retry may succeed.

urllib3's `Retry` counts the attempts and computes the backoff. It is not mounted on the session: there its waits would
ignore the rate limit and Ctrl-C, and it would retry neither an incomplete body nor an error page with status 200.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final, NamedTuple

import requests
from urllib3.exceptions import HTTPError
from urllib3.util import Retry

from wegly_analytics import settings
from wegly_analytics.errors import ApiError, PayloadError, RateLimitError, SettingError, UnreachableError, WeglyError
from wegly_analytics.intake.address import checked_base_url, checked_origin
from wegly_analytics.intake.arguments import instance, number_above_zero, text_or_none, type_of, whole_number
from wegly_analytics.intake.connection import MAX_BYTES, Deadline
from wegly_analytics.intake.credentials import Credentials
from wegly_analytics.intake.rate_limit import RateLimit
from wegly_analytics.intake.retry_after import retry_after
from wegly_analytics.intake.status import status_error
from wegly_analytics.intake.transport import Transport, cause_of, is_unreachable, new_session
from wegly_analytics.model.ids import deal_key
from wegly_analytics.parsing.repair import unwrapped

BASE_URL: Final = "https://api.wegly.com.br"
MAX_WAIT: Final = 600.0
"""The longest Retry-After, in seconds, that is waited out."""

_RETRIED: Final = frozenset({429, 500, 502, 503, 504})
_CHUNK: Final = 1 << 16
_REFUSALS: Final = 5
"""How many 429s per attempt are tolerated while other requests succeed."""

_ALL_REFUSED: Final = 2
"""How many more are tolerated while other requests are refused as well: the pauses grow, and a window may be long."""

_IN_A_ROW: Final = 3
"""How many requests in a row must be told to wait longer than `MAX_WAIT`, until it concerns the run and not a deal."""

_SHORT: Final = 1 << 16
"""The largest body that is read of a response other than 200; reading it keeps the connection usable."""


class _Received(NamedTuple):
    """What one attempt returned; `failure` says why there was no response, and is None if there was one."""

    status: int | None
    body: bytes = b""
    wait: float | None = None
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
        Seconds for one attempt: for the connection, TLS, the request, and the last byte of the response, all together.
        Only the lookup of the server's name takes as long as the system lets it.
    attempts
        The maximum number of requests for one deal. A 429 does not count while other requests succeed; twice as
        many do not count while other requests are refused as well.
    per_second
        Requests per second, all threads together; None for no limit. The API documents no limit, so the default is low.
        After a 429 the rate is lower, and rises slowly.
    session
        A `requests.Session` whose headers, proxies, certificates and hooks are used; it is not changed. Its redirects,
        cookies and `send` are not used. Where it has an adapter of its own class for the address, that one sends the
        requests: then `timeout` limits connecting, each read of the headers, and the whole body.
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
        given = settings.Token(token, "Client(token=...)") if token else None
        is_text = token is None or isinstance(token, str)
        token_type = type_of(token)
        del token  # a traceback with local variables must not show it
        if not is_text:
            raise SettingError(f"token takes a text, not {token_type}: give for example token='...'")
        text_or_none("base_url", base_url, BASE_URL)
        text_or_none("origin", origin, "https://crm.example.com")
        if session is not None:
            instance("session", session, requests.Session, "leave it out for one of the client's own")
        self.timeout = number_above_zero("timeout", timeout)
        self.attempts = whole_number("attempts", attempts)
        self.per_second = None if per_second is None else number_above_zero("per_second", per_second)
        number_above_zero("backoff", backoff)
        found = given or settings.token() or settings.Token("", "nowhere")
        self.base_url = checked_base_url(
            base_url or settings.setting_for(settings.BASE_URL, found, harmless=BASE_URL) or BASE_URL
        )
        self.origin = checked_origin(origin or settings.setting_for(settings.ORIGIN, found))
        self.rate_limit = RateLimit(self.per_second)
        self._credentials = Credentials(found.value)
        self._transport = Transport(session or new_session(), self._credentials, self.origin)
        self._long_waits, self._succeeded_then = 0, 0
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
            If every attempt gets a 429, or one gets a Retry-After of more than ten minutes. Its `wait` is set if no
            other request succeeds either.
        PayloadError
            If the response is larger than 32 MiB.
        UnreachableError
            If no attempt could connect to the server.
        ApiError
            If every attempt gets another status than 200, or no response; also at any other error in requesting it.
        """
        url = f"{self.base_url}/integrations/external/deals/{deal_key(id)}"
        retry, refusals = self._retry, 0
        while True:
            sent = self.rate_limit.wait()
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
            if status == 429 and refusals < self._tolerated(succeeded):
                refusals += 1  # the server limits the rate and is not failing
            elif not retry.total:
                raise failure
            else:
                retry = retry.increment("GET", url, error=HTTPError(str(failure)))
            self._back_off(retry, failure, received.wait, url, sent)

    def _tolerated(self, succeeded: int) -> int:
        """Return how many 429s of a deal do not count as attempts, after so many requests had succeeded before."""
        if succeeded != self.rate_limit.succeeded:
            return _REFUSALS * self.attempts
        return _ALL_REFUSED * self.attempts if self.rate_limit.refuses_all else 0

    def _attempt(self, url: str) -> _Received:
        deadline = Deadline(self.timeout)
        try:
            with self._transport.get(url, deadline) as response:
                read = self._body if response.status_code == 200 else self._short_body
                body = read(response, deadline)
                wait, date = response.headers.get("Retry-After"), response.headers.get("Date")
                return _Received(response.status_code, body, retry_after(wait, datetime.now(UTC), date))
        except (WeglyError, MemoryError):
            raise
        except Exception as error:  # noqa: BLE001 - whatever a response makes fail, it is this deal's failure
            cause = self._credentials.redaction.message(cause_of(error))
            cannot_connect, is_late = is_unreachable(error), deadline.left <= 0
        if cannot_connect:
            remedy = "check the address (base_url, WEGLY_BASE_URL) and the network"
            return _Received(None, failure=UnreachableError(f"cannot connect to {self.base_url}: {cause}; {remedy}"))
        if is_late:
            cause = f"it was not complete after {self.timeout:g} s (timeout)"
        return _Received(None, failure=ApiError(f"no response from {_short(url)}: {cause}"))

    def _body(self, response: requests.Response, deadline: Deadline) -> bytes:
        body = bytearray()
        for chunk in response.iter_content(_CHUNK):
            body += chunk
            if len(body) > MAX_BYTES:
                raise PayloadError("", f"at most {MAX_BYTES >> 20} MiB", "more")
        if deadline.left < 0:  # what was shut at the deadline only looks complete
            raise requests.Timeout
        return self._credentials.redaction.body(bytes(body))

    def _short_body(self, response: requests.Response, deadline: Deadline) -> bytes:
        """Read the body of a response other than 200 if it is short; the status has said what matters."""
        length = response.headers.get("Content-Length", "")
        is_short = length.isascii() and length.isdigit() and len(length) < 10 and int(length) <= _SHORT
        try:
            return self._body(response, deadline) if is_short else b""
        except MemoryError:
            raise
        except Exception:  # noqa: BLE001 - nothing that fails here changes what the status says
            return b""

    def _status_error(self, received: _Received, url: str) -> ApiError:
        place = f"{received.status} for {_short(url)}"
        return status_error(received.status or 0, place, received.body, self.origin, self._credentials.refusal)

    def _back_off(self, retry: Retry, failure: ApiError, requested: float | None, url: str, sent: float) -> None:
        """Wait before the next attempt: as long as Retry-After says, or else as `Retry` computes."""
        if requested and requested > MAX_WAIT:
            raise self._long_wait(failure.status, requested, url)
        seconds = requested or retry.get_backoff_time() or retry.backoff_factor
        if failure.status == 429:
            seconds = self.rate_limit.refuse(seconds, sent, url)
        self.rate_limit.sleep(seconds)

    def _long_wait(self, status: int | None, seconds: float, url: str) -> ApiError:
        """Make the error for a Retry-After that is too long: of this deal, or of the run if nothing else succeeds."""
        message = f"{status} for {_short(url)}: the server requests a wait of {seconds:.0f} s; run again after that"
        if status != 429:
            return ApiError(message, status)
        succeeded = self.rate_limit.succeeded
        self._long_waits = self._long_waits + 1 if succeeded == self._succeeded_then else 1
        self._succeeded_then = succeeded
        is_of_the_run = not succeeded or self._long_waits >= _IN_A_ROW
        return RateLimitError(message, status, seconds if is_of_the_run else None)


def _short(url: str) -> str:
    """Shorten a URL for messages."""
    return f"…/deals/{url.rpartition('/')[2]}"
