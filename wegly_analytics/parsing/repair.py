"""One answer under the glass: mend it, or say what is wrong with it; and look for what the documentation lacks.

The bulk reader is fast but only says yes or no. `mend` compares a single answer with the declared tree. It repairs what
loses nothing (``"12"`` where 12 belongs, ``12.0``, an empty text where a date belongs) and raises with path, expected
and found otherwise. `Drift` counts fields that are not documented, and documented ones that never came.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from wegly_analytics.errors import PayloadError
from wegly_analytics.model.schema import Kind, Node
from wegly_analytics.model.tables import DOCUMENTED, READ

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_READER_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)?)?", re.ASCII)
_NUMBER: Final = re.compile(r"\s*-?\d+(\.\d+)?([eE][+-]?\d+)?\s*", re.ASCII)
_SPACE: Final = b" \t\r\n"
_BOM: Final = b"\xef\xbb\xbf"
_INT64: Final = range(-(2**63), 2**63)


class _Object(dict[str, Any]):
    """A JSON object that remembers the keys it was given twice: whether with one value (True) or several (False)."""

    twice: Mapping[str, bool]


class _Decimal(float):
    """A number with a fraction or an exponent that remembers how it was written."""

    text: str


def mend(body: bytes) -> tuple[bytes, list[str]]:
    """Repair one answer, or say why it cannot be read.

    Parameters
    ----------
    body
        The answer as it came.

    Returns
    -------
    bytes
        The answer as the reader takes it: the same bytes if nothing was wrong, otherwise its documented fields only.
    list of str
        What was repaired, one sentence each.

    Raises
    ------
    PayloadError
        If the answer is no JSON object, or holds something that cannot be repaired without loss.

    Examples
    --------
    >>> mend(b'{"id": "a", "code": "12"}')
    (b'{"id": "a", "code": 12}', ["code: expected a whole number, found '12'; read as 12"])
    """
    notes: list[str] = []
    mended = _walk(READ, parse(body), "", notes)
    return (json.dumps(mended).encode() if notes else body), notes


def unwrapped(body: bytes) -> bytes:
    """Strip what may stand around a JSON object, and check its braces: empty where it cannot be one.

    Examples
    --------
    >>> unwrapped(b' {"id": "a"}'), unwrapped(b"<html>")
    (b'{"id": "a"}', b'')
    """
    text = body.removeprefix(_BOM).strip(_SPACE)
    return text if text[:1] + text[-1:] == b"{}" else b""


def parse(body: bytes) -> dict[str, Any]:
    """Read one answer as a JSON object, or say where it stops being one.

    Raises
    ------
    PayloadError
        If it is not UTF-8, not JSON, not an object, or nested too deep to look into.
    """
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        byte = f"byte 0x{body[error.start]:02x} at {error.start}"
        raise PayloadError("", "UTF-8 text", byte) from None
    try:
        value = json.loads(text, object_pairs_hook=_object, parse_float=_decimal)
    except RecursionError:
        raise PayloadError("", "a JSON object", "lists or objects nested too deep") from None
    except ValueError as error:  # a JSONDecodeError, or a whole number with thousands of digits
        where = f"{error.msg} at {error.pos}" if isinstance(error, json.JSONDecodeError) else str(error)
        # only a page, or nothing, may be quoted: anything else may hold somebody's name
        start = f"{_show(text)}, " if text.lstrip()[:1] in ("", "<") else ""
        raise PayloadError("", "a JSON object", f"{start}{where}") from None
    if not isinstance(value, _Object):
        raise PayloadError("", "a JSON object", _JSON_TYPES[type(value).__name__])
    return value


def _object(pairs: list[tuple[str, Any]]) -> _Object:
    found = _Object(pairs)
    found.twice = {}
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = {key for key in keys if keys.count(key) > 1}
        found.twice = {key: all(v == found[key] for k, v in pairs if k == key) for key in twice}
    return found


def _decimal(text: str) -> _Decimal:
    number = _Decimal(text)
    number.text = text
    return number


def _walk(node: Node, value: Any, path: str, notes: list[str]) -> Any:
    if value is None:
        return None
    if not isinstance(value, _types(node)) and value in ("", [], {}):
        notes.append(f"{path}: expected {node.says}, found {_show(value)}; read as missing")
        return None
    if node.kind:
        try:
            read = _READ[node.kind](value)
        except (ValueError, OverflowError):
            raise PayloadError(path, node.says, _show(value, node.personal)) from None
        if type(read) is not type(value) or read != value:
            notes.append(
                f"{path}: expected {node.says}, found {_show(value, node.personal)}; "
                f"read as {_show(read, node.personal)}"
            )
        return read
    if not isinstance(value, _types(node)):
        raise PayloadError(path, node.says, _show(value, node.personal))
    if node.item:
        return [_walk(node.item, v, f"{path}[{n}]", notes) for n, v in enumerate(value)]
    for key, same in value.twice.items():
        if key in node.fields:
            if not same:
                raise PayloadError(_below(path, key), "one value", "two different ones")
            notes.append(f"{_below(path, key)}: given twice, with the same value")
    fields = node.fields.items()
    return {k: _walk(below, value[k], _below(path, k), notes) for k, below in fields if k in value}


def _types(node: Node) -> Any:
    if node.kind:
        return str if node.kind is Kind.TEXT else (int, float)
    return list if node.item else dict


def _below(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _show(value: object, personal: bool = False) -> str:
    """Quote a value in a message; of personal data only its type, for messages outlive the data."""
    if personal:
        return _JSON_TYPES[type(value).__name__]
    if isinstance(value, str):
        return repr(value) if len(value) <= 60 else f"{value[:60]!r}…"
    if isinstance(value, dict | list):
        return ("{…}" if isinstance(value, dict) else "[…]") if value else str(value)
    return value.text if isinstance(value, _Decimal) else json.dumps(value)


def _text(value: Any) -> str:
    if isinstance(value, str):  # half a surrogate pair is half a character: there is nothing to keep
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict | list):
        raise ValueError
    return _show(value)


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


def _number(value: Any) -> float:
    if isinstance(value, str):
        if not _NUMBER.fullmatch(value):
            raise ValueError
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isinf(float(value)):
        raise ValueError
    return value


def _flag(value: Any) -> bool:
    for truth in (True, False):
        if value in (truth, str(truth).lower()):  # also 1 and 0, which Python takes for them
            return truth
    raise ValueError


def _moment(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError
    moment = datetime.fromisoformat(value.strip().upper())
    if _READER_DATE.fullmatch(value):
        return value
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).isoformat()


_READ: Final[dict[Kind, Callable[[Any], Any]]] = {
    Kind.TEXT: _text,
    Kind.INTEGER: _whole,
    Kind.WORD: _whole,
    Kind.NUMBER: _number,
    Kind.FLAG: _flag,
    Kind.INSTANT: _moment,
    Kind.DAY: _moment,
}


@dataclass
class Drift:
    """Where answers and documentation part.

    Attributes
    ----------
    looked_at
        How many answers were looked into.
    unknown
        Path of each field that is not documented: in how many answers, and the type of its first value.
    seen
        Documented paths that came with some value or none, in at least one answer.
    """

    looked_at: int = 0
    unknown: dict[str, list[Any]] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.seen = set(self.seen)

    def look(self, body: bytes) -> None:
        """Look into one answer.

        An answer that cannot be read at all is passed over: it is in the ledger.
        """
        try:
            value = json.loads(body)
        except (ValueError, RecursionError):
            return
        self.looked_at += 1
        found: dict[str, str] = {}
        self._compare(DOCUMENTED, value, found)
        for path, kind in found.items():
            count, first = self.unknown.get(path, (0, kind))
            self.unknown[path] = [count + 1, first]

    def _compare(self, node: Node, value: Any, found: dict[str, str]) -> None:
        if node.item and isinstance(value, list):
            for v in value:
                self._compare(node.item, v, found)
        elif node.fields and isinstance(value, dict):
            self.seen.update(node.fields[key].path for key in value.keys() & node.fields.keys())
            for key, below in value.items():
                if key not in node.fields:
                    found.setdefault(_below(node.path, key), type(below).__name__)
                elif below:
                    self._compare(node.fields[key], below, found)

    def __add__(self, other: Drift) -> Drift:
        """Put together what was seen in two sets of answers."""
        unknown = {path: list(found) for path, found in self.unknown.items()}
        for path, (count, kind) in other.unknown.items():
            before, first = unknown.get(path, (0, kind))
            unknown[path] = [before + count, first]
        return Drift(self.looked_at + other.looked_at, unknown, self.seen | other.seen)

    def as_dict(self) -> dict[str, Any]:
        """All that is known, for a manifest; `Drift(**...)` reads it."""
        return {"looked_at": self.looked_at, "unknown": self.unknown, "seen": sorted(self.seen)}

    def rows(self) -> Iterable[dict[str, object]]:
        """One row for each unknown path, then one for each documented path that never came.

        A path below one that never came is not listed again.
        """
        for path, (count, kind) in sorted(self.unknown.items()):
            yield {"path": path, "drift": "unknown", "deals": count, "example": _JSON_TYPES[kind]}
        if self.looked_at:
            yield from self._never(DOCUMENTED)

    def _never(self, node: Node) -> Iterable[dict[str, object]]:
        for below in node.fields.values():
            if below.path not in self.seen:
                yield {"path": below.path, "drift": "never seen", "deals": 0, "example": None}
            else:
                yield from self._never(below.item or below)


_JSON_TYPES: Final = {
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
