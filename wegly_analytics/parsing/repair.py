"""Repair of a single response, or an error with the exact path.

The bulk reader is fast, but reports no paths. `repair` compares one response with the declared tree. It repairs what
can be repaired without loss (``"12"`` in place of 12, ``12.0``, an empty text in place of a date), reads as missing
what no reader of a snapshot can read (a number beyond double precision, the year 0), and otherwise raises an error with
path, expected and found.

Messages quote values of numbers, flags and dates only; of any other text, which may be about a person, they name the
type, whatever the column is.
"""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Any, Final

from wegly_analytics.errors import PayloadError
from wegly_analytics.model.schema import Kind, Node
from wegly_analytics.model.tables import READ
from wegly_analytics.parsing.dates import readable
from wegly_analytics.parsing.decode import NestingError, decode

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_NOTES: Final = 20
"""The most repairs of one response that are listed."""

_MAX_QUOTED: Final = 60
_NUMBER: Final = re.compile(r"\s*-?\d+(\.\d+)?([eE][+-]?\d+)?\s*", re.ASCII)
_QUOTABLE: Final = re.compile(
    rf"{_NUMBER.pattern}|true|false|nan|\s*"
    r"|\s*\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([T ][\d:.,]*)?(Z|[+-][\d:]{2,8})?\s*",
    re.ASCII | re.IGNORECASE,
)
"""A text that looks like a number, a flag or a date."""

_SPACE: Final = b" \t\r\n"
_BOM: Final = b"\xef\xbb\xbf"
_INT64: Final = range(-(2**63), 2**63)

JSON_TYPES: Final = {
    "NoneType": "null",
    "str": "text",
    "int": "number",
    "float": "number",
    "bool": "true or false",
    "list": "list",
    "dict": "object",
    "_Decimal": "number",
    "_Object": "object",
}
"""Names of JSON types, by the names of the Python types that hold them."""


class _Object(dict[str, Any]):
    """A JSON object and its repeated keys: True if all their values are equal, False otherwise."""

    repeated: dict[str, bool]


class _Decimal(float):
    """A number with a fraction or an exponent, and the text it was written as."""

    text: str


def repair(body: bytes) -> tuple[bytes, list[str]]:
    """Repair one response, or report why it cannot be read.

    Parameters
    ----------
    body
        The response as received.

    Returns
    -------
    bytes
        The documented fields of the response, as the bulk reader accepts them.
    list of str
        What was repaired, one sentence each.

    Raises
    ------
    PayloadError
        If the response is not a JSON object, or cannot be repaired without loss.

    Examples
    --------
    >>> repair(b'{"id": "a", "code": "12"}')
    (b'{"id": "a", "code": 12}', ["code: expected a whole number, found '12'; read as 12"])
    """
    notes: list[str] = []
    repaired = _walk(READ, parse(body), "", notes)
    return json.dumps(repaired).encode(), notes


def add_note(notes: list[str], note: str) -> None:
    """Add what was repaired, or state once that there is more than is listed."""
    if len(notes) <= MAX_NOTES:
        notes.append(note if len(notes) < MAX_NOTES else "more of this kind, not listed")


def unwrapped(body: bytes) -> bytes:
    """Strip a byte order mark and white space around a JSON object; return nothing if there are no braces.

    Examples
    --------
    >>> unwrapped(b' {"id": "a"}'), unwrapped(b"<html>")
    (b'{"id": "a"}', b'')
    """
    text = body.removeprefix(_BOM).strip(_SPACE)
    return text if text[:1] + text[-1:] == b"{}" else b""


def parse(body: bytes) -> dict[str, Any]:
    """Parse one response as a JSON object, or report where it is not one.

    Raises
    ------
    PayloadError
        If it is not UTF-8, not JSON, not an object, or nested too deeply.
    """
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        byte = f"byte 0x{body[error.start]:02x} at {error.start}"
        raise PayloadError("", "UTF-8 text", byte) from None
    try:
        value = decode(text, object_pairs_hook=_object, parse_float=_decimal)
    except NestingError as error:
        raise PayloadError("", "a JSON object", str(error)) from None
    except json.JSONDecodeError as error:
        raise PayloadError("", "a JSON object", _problem(text, error)) from None
    if not isinstance(value, _Object):
        raise PayloadError("", "a JSON object", JSON_TYPES[type(value).__name__])
    return value


def _problem(text: str, error: json.JSONDecodeError) -> str:
    where = f"{error.msg} at {error.pos}"
    if not text.strip():
        return f"'', {where}"
    if text.lstrip().startswith("<"):
        return f"'<…', probably an HTML page, {where}"
    if text[error.pos :].startswith("{") and text.startswith("{"):
        return f"a second object at {error.pos}: a file with one object per line needs the suffix .ndjson or .jsonl"
    if text.startswith("{") and "\n" not in text.rstrip("\r\n") and error.pos >= len(text.rstrip()):
        return f"{where}: the object is cut off, or a file of indented JSON has the suffix .ndjson or .jsonl"
    return where


def _object(pairs: list[tuple[str, Any]]) -> _Object:
    found = _Object(pairs)
    found.repeated = {}
    if len(found) < len(pairs):
        first: dict[str, Any] = {}
        for key, value in pairs:
            if key in first:
                found.repeated[key] = found.repeated.get(key, True) and value == first[key]
            else:
                first[key] = value
    return found


def _decimal(text: str) -> _Decimal:
    number = _Decimal(text)
    number.text = text
    return number


def _walk(node: Node, value: Any, path: str, notes: list[str]) -> Any:
    if value is None:
        return None
    if not isinstance(value, _types(node)) and value in ("", [], {}):
        add_note(notes, f"{path}: expected {node.description}, found {value!r}; read as missing")
        return None
    if node.kind:
        try:
            read = _READERS[node.kind](value)
        except (ValueError, OverflowError):
            raise PayloadError(path, node.description, _show(value, node)) from None
        if type(read) is not type(value) or read != value:
            as_read = "missing" if read is None else _show(read, node)
            add_note(notes, f"{path}: expected {node.description}, found {_show(value, node)}; read as {as_read}")
        return read
    if not isinstance(value, _types(node)):
        raise PayloadError(path, node.description, _show(value, node))
    if node.item:
        return [_walk(node.item, v, f"{path}[{n}]", notes) for n, v in enumerate(value)]
    for key, same in value.repeated.items():
        if key in node.fields:
            if not same:
                raise PayloadError(below(path, key), "one value", "two different ones")
            add_note(notes, f"{below(path, key)}: given twice, with the same value")
    fields = node.fields.items()
    return {k: _walk(child, value[k], below(path, k), notes) for k, child in fields if k in value}


def _types(node: Node) -> Any:
    if node.kind:
        return str if node.kind is Kind.TEXT else (int, float)
    return list if node.item else dict


def below(path: str, key: str) -> str:
    """Return the path of a key of an object."""
    return f"{path}.{key}" if path else key


def _show(value: object, node: Node) -> str:
    """Quote a number, a flag or a date in a message; of anything else, and in a text column, name only the type."""
    is_text = isinstance(value, str) and not _QUOTABLE.fullmatch(value)
    if node.kind in (None, Kind.TEXT) or is_text or isinstance(value, dict | list):
        return JSON_TYPES[type(value).__name__]
    text = value if isinstance(value, str) else _written(value)
    cut = text[:_MAX_QUOTED]
    return (repr(cut) if isinstance(value, str) else cut) + ("…" if len(text) > _MAX_QUOTED else "")


def _written(value: object) -> str:
    return value.text if isinstance(value, _Decimal) else json.dumps(value)


def _text(value: Any) -> str | None:
    if isinstance(value, str):  # half of a surrogate pair is not a character
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict | list):
        raise ValueError
    if isinstance(value, float) and not isinstance(value, _Decimal):
        return None  # NaN or infinity, which JSON does not have
    return _written(value)


def _whole(value: Any) -> int:
    if isinstance(value, str):
        if not _NUMBER.fullmatch(value):
            raise ValueError
        value = json.loads(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
        raise ValueError
    if int(value) not in _INT64 or (isinstance(value, float) and abs(value) > 2**53):
        raise ValueError
    return int(value)


def _number(value: Any) -> float | None:
    if isinstance(value, str):
        if not _NUMBER.fullmatch(value):
            raise ValueError
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError
    try:
        return value if math.isfinite(float(value)) else None
    except OverflowError:
        return None


def _flag(value: Any) -> bool:
    for truth in (True, False):
        if value in (truth, str(truth).lower()):  # also 1 and 0, which are equal to them in Python
            return truth
    raise ValueError


def _instant(value: Any) -> str | None:
    if not isinstance(value, str):
        raise ValueError
    return readable(value)


_READERS: Final[dict[Kind, Callable[[Any], Any]]] = {
    Kind.TEXT: _text,
    Kind.INTEGER: _whole,
    Kind.ENUM: _whole,
    Kind.NUMBER: _number,
    Kind.FLAG: _flag,
    Kind.INSTANT: _instant,
    Kind.DAY: _instant,
}
