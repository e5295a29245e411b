"""What an HTTP status means for the caller: an error that names the place and the remedy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wegly_analytics.errors import ApiError, AuthError, NotFoundError, OriginError, RateLimitError

if TYPE_CHECKING:
    from collections.abc import Callable


def status_error(
    status: int, place: str, body: bytes = b"", origin: str | None = None, refusal: Callable[[], str] | None = None
) -> ApiError:
    """Make the error for a response without a usable deal. It is returned, not raised.

    Parameters
    ----------
    status
        The HTTP status.
    place
        Status and address, as the message shows them.
    body
        The body, kept in the error and never shown.
    origin
        The origin that was sent.
    refusal
        Returns the reason why a token was refused with a 401.

    Examples
    --------
    >>> print(status_error(404, "404 for …/deals/7"))
    404 for …/deals/7: there is no such deal, or this token may not see it
    """
    match status:
        case 404:
            return NotFoundError(f"{place}: there is no such deal, or this token may not see it", status, body)
        case 401:
            why = refusal() if refusal else "was refused"
            return AuthError(
                f"{place}: the token {why}; make a new one in Wegly's settings and set WEGLY_TOKEN", status
            )
        case 403 if origin:
            remedy = f"the token's allowed domain may not be {origin}, or its permissions lack this deal"
            return OriginError(f"{place}: the token was refused. Check Client(origin=...): {remedy}", status, body)
        case 403:
            remedy = 'If it has an allowed domain, pass Client(origin="https://…"); else check its permissions'
            return AuthError(f"{place}: the token was refused. {remedy}", status, body)
        case 200:
            return ApiError(f"{place}: the response is not an object in braces", status)
        case 429:
            remedy = "lower Client(per_second=...) or try later"
            return RateLimitError(f"{place}: too many requests at every attempt; {remedy}", status)
        case _ if 300 <= status < 400:
            remedy = "check base_url; redirects are not followed, because the token would be sent along"
            return ApiError(f"{place}: redirected to another address; {remedy}", status)
        case _ if status >= 500:
            return ApiError(f"{place}: the server failed at every attempt; run again later", status)
    return ApiError(f"{place}: a status that is not documented", status)
