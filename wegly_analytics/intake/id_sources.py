"""Ids from what people have at hand: columns of CSV, Parquet and Excel files, and captured webhooks."""

from __future__ import annotations

import base64
import binascii
import codecs
import hashlib
import hmac
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pandas as pd
import pyarrow.parquet as pq

from wegly_analytics.errors import IdError, MissingColumnError, SettingError
from wegly_analytics.model.ids import deal_key, read_ids

if TYPE_CHECKING:
    from collections.abc import Iterator

COLUMNS: Final = ("deal_id", "code", "id", "uuid", "codigo", "código")
"""Under these names ids are looked for, in this order."""

TABLES: Final = (".csv", ".tsv", ".parquet", ".xlsx")
"""The files that have columns."""

SIGNATURE: Final = "x-wegly-signature"


def ids_of(ids: object) -> object:
    """Read ids that are given as text: an id, a range such as ``"1-500"``, or the name of a file of ids.

    Parameters
    ----------
    ids
        A text or a path; anything else is returned as it is.

    Returns
    -------
    object
        A list of ids for a text or a path.

    Raises
    ------
    IdError
        If a text is none of these.
    SettingError
        If the file cannot be read.

    Examples
    --------
    >>> ids_of("7, 9-11")
    ['7', '9', '10', '11']
    """
    if not isinstance(ids, str | Path):
        return ids
    if isinstance(ids, str):
        try:
            return list(read_ids([ids], "ids"))
        except IdError:
            if not Path(ids).is_file():
                raise IdError(f"{ids!r} is not a deal id, a range such as '1-500', or a file") from None
    return ids_in(Path(ids))


def ids_in(file: Path, column: str | None = None) -> list[str]:
    """Read the ids in a file: in a column of a table, or listed in a text file.

    Raises
    ------
    SettingError
        If the file cannot be read, or no column is an obvious choice.
    MissingColumnError
        If there is no such column.
    IdError
        If a cell or a word is not an id.
    """
    if column is not None or file.suffix.lower() in TABLES:
        return ids_from(file, column)
    try:
        return list(read_ids(_text(file).splitlines(), str(file)))
    except OSError as error:
        raise SettingError(f"{file} cannot be read: {error.strerror or error}") from error


def ids_from(path: str | Path, column: str | None = None, *, sheet: str | int = 0) -> list[str]:
    """Read the ids in a column of a table.

    Parameters
    ----------
    path
        A CSV file, a Parquet file, or an Excel workbook (needs the extra ``excel``). A CSV file may have commas,
        semicolons or tabs, and be encoded in UTF-8, UTF-16 or, as Excel writes it, Windows-1252. A CSV file or a sheet
        whose first row holds an id has no header; its columns are called "column 1", "column 2" and so on.
    column
        The column's name. If not given: the only one there is, one that is called deal_id, code, id or uuid, or,
        without a header, the only one whose first cell is an id.
    sheet
        The sheet of a workbook, by name or by position from 0.

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
        frame = _frame(file, sheet)
    except (OSError, ValueError, ImportError) as error:
        raise SettingError(f"{file} cannot be read: {error}") from error
    chosen = column or _choose(file, frame)
    if chosen not in frame.columns:
        raise MissingColumnError(file.name, chosen, map(str, frame.columns))
    ids: dict[str, None] = {}
    for row, value in zip(frame.index, frame[chosen], strict=True):
        if pd.isna(value) or not str(value).strip():
            continue
        try:
            ids[deal_key(str(value).strip().removesuffix(".0") if isinstance(value, str) else value)] = None
        except IdError as error:
            raise IdError(f"{file.name}, row {row}, column {chosen!r}: {error}") from None
    return list(ids)


def _frame(file: Path, sheet: str | int) -> pd.DataFrame:
    """Read a table; the index is the row as a spreadsheet numbers it."""
    match file.suffix.lower():
        case ".parquet":
            frame = pd.DataFrame(pq.read_table(file, partitioning=None).to_pandas()).reset_index(drop=True)
            frame.index += 2
            return frame
        case ".xlsx":
            return _headed(pd.read_excel(file, dtype=object, header=None, sheet_name=sheet))
        case ".csv" | ".tsv":
            text = _text(file)
            separator = max(",;\t", key=text.partition("\n")[0].count)
            # as text: a number read as a decimal would lose its last digits
            cells = pd.read_csv(io.StringIO(text), dtype=str, sep=separator, header=None, skip_blank_lines=False)
            return _headed(cells)
    raise ValueError(f"it is none of {', '.join(TABLES)}")


def _text(file: Path) -> str:
    """Decode a text file as the programs that people export with encode it."""
    content = file.read_bytes()
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252")


def _headed(cells: pd.DataFrame) -> pd.DataFrame:
    """Take the first row for the header, unless it holds an id."""
    if cells.empty:
        raise ValueError("it has no rows")
    first = cells.iloc[0]
    cells.index = pd.RangeIndex(1, len(cells) + 1)
    if any(map(_is_id, first)):
        cells.columns = pd.Index([f"column {n}" for n in range(1, cells.shape[1] + 1)])
        return cells
    cells.columns = pd.Index(["" if pd.isna(name) else str(name).strip() for name in first])
    return cells.iloc[1:]


def _is_id(cell: object) -> bool:
    try:
        deal_key(cell)
    except IdError:
        return False
    return True


def _choose(file: Path, frame: pd.DataFrame) -> str:
    columns = list(map(str, frame.columns))
    if len(columns) == 1:
        return columns[0]
    lower = {name.strip().lower(): name for name in reversed(columns)}
    for name in COLUMNS:
        if name in lower:
            return lower[name]
    if frame.index[:1].tolist() == [1]:  # no header
        with_ids = [name for name in columns if _is_id(frame[name].iloc[0])]
        if len(with_ids) == 1:
            return with_ids[0]
    raise SettingError(f"{file} has the columns {', '.join(columns)}: pass column= with the one that holds the ids")


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
