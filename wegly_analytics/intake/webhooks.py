"""Ids of deals from captured webhooks."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import TYPE_CHECKING, Any, Final

from wegly_analytics.errors import IdError, SettingError
from wegly_analytics.intake.arguments import path as path_of
from wegly_analytics.intake.arguments import text_or_none
from wegly_analytics.model.ids import deal_key
from wegly_analytics.parsing.decode import decode

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SIGNATURE: Final = "x-wegly-signature"


def webhook_ids(path: str | Path, secret: str | None = None) -> list[str]:
    """Read the ids of deals in captured webhooks, so that only deals that changed are fetched.

    Parameters
    ----------
    path
        Newline-delimited JSON. Each line is a webhook's body as sent by Wegly, or an object with that body as text
        under ``"body"`` and the headers, which the signature needs, under ``"headers"``.
    secret
        The webhook's secret. If given, every line must have a signature that matches its body: the HMAC-SHA256, in
        hexadecimal or base64.

    Returns
    -------
    list of str
        The ids, each once, in the order of their last event. Events that are not about deals are skipped.

    Raises
    ------
    SettingError
        If the file cannot be read, a line is not a webhook, or its signature does not match.
    IdError
        If an event does not name its deal.
    """
    file = path_of("path", path, "webhooks.ndjson")
    secret = text_or_none("secret", secret, "...")
    try:
        lines = file.read_bytes().splitlines()
    except OSError as error:
        raise SettingError(f"{file} cannot be read: {error.strerror or error}") from error
    found: dict[str, None] = {}
    for number, line in enumerate(lines, start=1):
        if line.strip():
            for deal_id in _event(line, f"{file.name}, line {number}", secret):
                found.pop(deal_id, None)
                found[deal_id] = None
    return list(found)


def _event(line: bytes, place: str, secret: str | None) -> Iterator[str]:
    event = _object(line, place)
    if isinstance(event.get("body"), str) and "event_key" not in event:
        body = event["body"].encode()
        if secret is not None:
            _check(body, event.get("headers"), secret, place)
        event = _object(body, place)
    elif secret is not None:
        raise SettingError(f"{place}: there is no signature to check; capture body and headers of each webhook")
    key, payload = event.get("event_key"), event.get("payload")
    if not isinstance(key, str) or not isinstance(payload, dict):
        raise SettingError(f"{place}: it is not a webhook: event_key or payload is missing")
    if not key.startswith("deal."):
        return
    below = payload.get("deal")
    # the payload is not documented; these are the places where the id may be
    places = (payload.get("id"), payload.get("deal_id"), below.get("id") if isinstance(below, dict) else below)
    value = next((value for value in places if value is not None), None)
    try:
        yield deal_key(value)
    except IdError:
        raise IdError(f"{place}: the event {key} does not name its deal") from None


def _object(text: bytes, place: str) -> dict[str, Any]:
    try:
        value = decode(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise SettingError(f"{place}: it is not a JSON object")
    return value


def _check(body: bytes, headers: object, secret: str, place: str) -> None:
    named = {str(name).lower(): str(value) for name, value in headers.items()} if isinstance(headers, dict) else {}
    given = named.get(SIGNATURE, "").removeprefix("sha256=").strip()
    right = hmac.digest(secret.encode(), body, hashlib.sha256)
    try:
        claimed = bytes.fromhex(given) if len(given) == 2 * len(right) else base64.b64decode(given, validate=True)
    except (ValueError, binascii.Error):
        claimed = b""
    if not hmac.compare_digest(right, claimed):
        raise SettingError(f"{place}: the signature does not match the body; the sender is unknown")
