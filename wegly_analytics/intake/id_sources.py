"""Ids from what people have at hand: columns of CSV, Parquet and Excel files, and captured webhooks."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pandas as pd
import pyarrow.parquet as pq

from wegly_analytics.errors import IdError, MissingColumnError, SettingError
from wegly_analytics.model.ids import deal_key

if TYPE_CHECKING:
    from collections.abc import Iterator

COLUMNS: Final = ("deal_id", "code", "id", "uuid", "codigo", "código")
"""Under these names ids are looked for, in this order."""

TABLES: Final = (".csv", ".tsv", ".parquet", ".xlsx")
"""The files that have columns."""

SIGNATURE: Final = "x-wegly-signature"


def ids_from(path: str | Path, column: str | None = None) -> list[str]:
    """Read the ids in a column of a table.

    Parameters
    ----------
    path
        A CSV file (with commas, semicolons or tabs), a Parquet file, or an Excel workbook (its first sheet; needs the
        extra ``excel``).
    column
        The column's name. If not given: the only one there is, or one that is called deal_id, code, id or uuid.

    Returns
    -------
    list of str
        The ids as `ids.deal_key` writes them, each once, in their order. Empty cells are passed over.

    Raises
    ------
    SettingError
        If the file cannot be read, or no column is an obvious choice.
    MissingColumnError
        If there is no such column.
    IdError
        If a cell is no id; it says in which row.
    """
    file = Path(path)
    try:
        frame = _frame(file)
    except (OSError, ValueError, ImportError) as error:
        raise SettingError(f"{file} cannot be read: {error}") from error
    chosen = column or _choose(file, list(map(str, frame.columns)))
    if chosen not in frame.columns:
        raise MissingColumnError(file.name, chosen, map(str, frame.columns))
    ids: dict[str, None] = {}
    for row, value in enumerate(frame[chosen], start=2):  # the header is row 1
        if pd.isna(value) or not str(value).strip():
            continue
        try:
            ids[deal_key(str(value).strip().removesuffix(".0") if isinstance(value, str) else value)] = None
        except IdError as error:
            raise IdError(f"{file.name}, row {row}, column {chosen!r}: {error}") from None
    return list(ids)


def _frame(file: Path) -> pd.DataFrame:
    match file.suffix.lower():
        case ".parquet":
            return pd.DataFrame(pq.read_table(file, partitioning=None).to_pandas())
        case ".xlsx":
            return pd.read_excel(file, dtype=object)
        case ".csv" | ".tsv":
            with file.open(encoding="utf-8-sig") as lines:
                header = lines.readline()
            separator = max(",;\t", key=header.count)
            # as text: a number read as a decimal would lose its last digits
            return pd.read_csv(file, dtype=str, sep=separator, encoding="utf-8-sig", skip_blank_lines=False)
    raise ValueError(f"it is none of {', '.join(TABLES)}")


def _choose(file: Path, columns: list[str]) -> str:
    if len(columns) == 1:
        return columns[0]
    lower = {name.strip().lower(): name for name in reversed(columns)}
    for name in COLUMNS:
        if name in lower:
            return lower[name]
    raise SettingError(f"{file} has the columns {', '.join(columns)}: say which one holds the ids")


def webhook_ids(path: str | Path, secret: str | None = None) -> list[str]:
    """Read the ids of deals in captured webhooks, so that just those that changed are fetched.

    Parameters
    ----------
    path
        Newline-delimited JSON. A line is a webhook's body as Wegly sent it, or an object that has that body as text
        under ``"body"`` and its headers under ``"headers"``, which the signature needs.
    secret
        The webhook's secret. With it every line must carry a signature that fits its body: the HMAC-SHA256, in
        hexadecimal or base64.

    Returns
    -------
    list of str
        The ids, each once, in the order of their last event. Events of other things than deals are passed over.

    Raises
    ------
    SettingError
        If the file cannot be read, a line is no webhook, or its signature does not fit.
    IdError
        If an event of a deal does not say which.
    """
    file = Path(path)
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
        raise SettingError(f"{place}: it is no webhook: it has no event_key and payload")
    if not key.startswith("deal."):
        return
    below = payload.get("deal")
    # what the payload of an event looks like is not documented; these are the places an id may stand in
    places = (payload.get("id"), payload.get("deal_id"), below.get("id") if isinstance(below, dict) else below)
    value = next((value for value in places if value is not None), None)
    try:
        yield deal_key(value)
    except IdError:
        raise IdError(f"{place}: the event {key} does not say which deal it is about") from None


def _object(text: bytes, place: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise SettingError(f"{place}: it is no JSON object")
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
        raise SettingError(f"{place}: the signature does not fit the body; who sent it is not known")
