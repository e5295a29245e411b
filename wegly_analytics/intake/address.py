"""Addresses: the API's base URL and the token's allowed domain, checked before anything is sent."""

from __future__ import annotations

import ipaddress
import re
from typing import Final
from urllib.parse import SplitResult, urlsplit

from wegly_analytics.errors import SettingError

_HOST: Final = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?\.?")
_PATH: Final = re.compile(r"[A-Za-z0-9/._~-]*")


def checked_base_url(base_url: str) -> str:
    """Return a base URL as it is used: scheme and host in lower case, without a slash at its end.

    Raises
    ------
    SettingError
        If it is not an address with scheme and host, or plain http to another machine. Names are those of DNS, in
        ASCII: a name with other letters may only look like the one that is meant.

    Examples
    --------
    >>> checked_base_url("https://api.wegly.com.br/")
    'https://api.wegly.com.br'
    """
    parts = _split(base_url, "base_url")
    if parts.scheme == "http" and not _is_loopback(parts.hostname or ""):
        raise SettingError(f"base_url {base_url!r}: anyone on the way could read the token; use https")
    return f"{parts.scheme}://{parts.netloc.lower()}{parts.path.rstrip('/')}"


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
    return f"{parts.scheme}://{parts.netloc.lower()}"


def _split(url: str, name: str) -> SplitResult:
    """Split an address. What it returns was checked; what it leaves out is not used."""
    try:
        parts = urlsplit(url.strip())
        is_whole = parts.scheme in ("http", "https") and parts.port != 0
        is_host = _HOST.fullmatch(parts.hostname or "") or _is_ipv6(parts)
    except ValueError:
        is_whole = is_host = False
    if "@" in url:
        raise SettingError(f"{name}: give scheme and host, without user name or password: the token is all it takes")
    if not is_whole or not is_host or parts.query or parts.fragment or not _PATH.fullmatch(parts.path):
        hint = "; write its name in ASCII (xn--…)" if is_whole and not url.isascii() else ""
        raise SettingError(f"{name} {url!r}: give scheme and host, such as https://api.wegly.com.br{hint}")
    return parts


def _is_ipv6(parts: SplitResult) -> bool:
    host = parts.hostname or ""
    return bool(
        re.fullmatch(rf"\[{re.escape(host)}\](:[0-9]*)?", parts.netloc.lower())
        and "%" not in host
        and ipaddress.ip_address(host).version == 6
    )


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
