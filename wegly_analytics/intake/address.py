"""Addresses: the API's base URL and the token's allowed domain, checked before anything is sent."""

from __future__ import annotations

import ipaddress
from urllib.parse import SplitResult, urlsplit

from wegly_analytics.errors import SettingError


def checked_base_url(base_url: str) -> str:
    """Return a base URL without a slash at its end.

    Raises
    ------
    SettingError
        If it is not an address with scheme and host, or plain http to another machine.

    Examples
    --------
    >>> checked_base_url("https://api.wegly.com.br/")
    'https://api.wegly.com.br'
    """
    parts = _split(base_url, "base_url")
    if parts.scheme == "http" and not _is_loopback(parts.hostname or ""):
        raise SettingError(f"base_url {base_url!r}: anyone on the way could read the token; use https")
    return base_url.strip().rstrip("/")


def checked_origin(origin: str | None) -> str | None:
    """Return the scheme and host of an origin.

    Raises
    ------
    SettingError
        If it is not an address with scheme and host.

    Examples
    --------
    >>> checked_origin("https://crm.example.com/app")
    'https://crm.example.com'
    """
    if origin is None:
        return None
    parts = _split(origin, "origin")
    return f"{parts.scheme}://{parts.netloc}"


def _split(url: str, name: str) -> SplitResult:
    try:
        parts = urlsplit(url.strip())
        is_whole = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        is_whole = False
    if not is_whole or parts.username or parts.query or parts.fragment:
        raise SettingError(f"{name} {url!r}: give scheme and host, such as https://api.wegly.com.br")
    return parts


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
