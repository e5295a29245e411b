"""Lines of responses become rows of nested JSON, in bulk, and what the bulk reader says of lines that it refuses.

`pyarrow.json` reads all lines at once with the schema derived from the declarations. It can also infer the types of
fields that no table keeps. It refuses all lines because of one; `suspects` finds that one by the error, mostly.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.json as pj

from wegly_analytics.model.tables import READ

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wegly_analytics.model.schema import Node
    from wegly_analytics.parsing.lines import Lines

DECLARED: Final = pa.schema(list(READ.json_type))
"""The fields that the tables keep."""

_NOT_UTF8: Final = "not every response is UTF-8"
_NOT_ONE: Final = "a response holds more or less than one object"

_ROW: Final = re.compile(r" in row (\d+)$")
_COLUMN: Final = re.compile(r"Column\((/.*)\) (?:changed|was specified)")
_VALUE: Final = re.compile(r"couldn't parse:(.*)", re.DOTALL)
_TWO_OBJECTS: Final = re.compile(rb"}\s*{")


def read_lines(lines: Lines, *, infer: bool = False) -> pa.Table:
    """Read responses at once.

    Parameters
    ----------
    lines
        The responses, each of which begins and ends with a brace.
    infer
        Whether fields that no table keeps are read, too.

    Raises
    ------
    pyarrow.ArrowInvalid
        If any response cannot be read.
    """
    text = pa.py_buffer(lines.text)
    whole = pa.array([0, len(text)], pa.int64()).buffers()[1]
    try:  # the reader does not check that text is UTF-8
        pa.LargeStringArray.from_buffers(1, whole, text).validate(full=True)
    except pa.ArrowInvalid as error:
        raise pa.ArrowInvalid(_NOT_UTF8) from error
    table = pj.read_json(
        pa.BufferReader(text),
        read_options=pj.ReadOptions(use_threads=False, block_size=len(text) + 1),
        parse_options=pj.ParseOptions(
            explicit_schema=DECLARED, unexpected_field_behavior="infer" if infer else "ignore"
        ),
    )
    if table.num_rows != len(lines):
        raise pa.ArrowInvalid(_NOT_ONE)
    return table


def declared(table: pa.Table) -> pa.Table:
    """Leave out the fields whose types were inferred."""
    return table if table.schema.equals(DECLARED) else table.select(DECLARED.names).cast(DECLARED)


def is_documented(error: str) -> bool:
    """Whether an error of the reader may concern a field that the tables keep."""
    column = _COLUMN.search(error)
    node: Node | None = READ
    for step in column[1].split("/")[1:] if column else ():
        node = node and (node.item if step == "[]" else node.fields.get(step))
    return node is not None


def row_of(error: str) -> int | None:
    """Return the row at which the reader stopped; None if it does not say."""
    row = _ROW.search(error)
    return int(row[1]) if row else None


def suspects(bodies: Sequence[bytes], error: str) -> list[int]:
    """Find the places of the responses that may have caused an error; none if too many may."""
    if error == _NOT_UTF8:
        found = [n for n, body in enumerate(bodies) if not _is_utf8(body)]
    elif error == _NOT_ONE:
        found = [n for n, body in enumerate(bodies) if _TWO_OBJECTS.search(body)]
    elif value := _VALUE.search(error):
        text = value[1].encode() or b'""'
        found = [n for n, body in enumerate(bodies) if text in body]
    else:
        return []
    return found if len(found) <= max(1, len(bodies) // 8) else []


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True
