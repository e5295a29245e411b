"""Decoding of JSON whose nesting and numbers are limited, because the text may come from anywhere."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_DEPTH: Final = 200
"""The deepest nesting of lists and objects that is decoded; a documented response has 7 levels.

Python's own limit is no protection: near it, whatever runs next may fail as well, such as the finalizers of the garbage
collector.
"""

MAX_DIGITS: Final = 400
"""The most digits of a whole number that is decoded exactly; no number of 64 bits has as many.

Python converts long ones in quadratic time, and refuses those of more than 4,300 digits.
"""

_TOKEN: Final = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)


class NestingError(ValueError):
    """Lists or objects are nested deeper than `MAX_DEPTH`."""


def decode(
    text: str | bytes,
    *,
    object_pairs_hook: Callable[[list[tuple[str, Any]]], Any] | None = None,
    parse_float: Callable[[str], Any] = float,
) -> Any:
    """Decode JSON as `json.loads` does, unless it is nested too deeply.

    A whole number of more than `MAX_DIGITS` digits is given to `parse_float`.

    Raises
    ------
    NestingError
        If lists or objects are nested deeper than `MAX_DEPTH`.
    ValueError
        If the text is not JSON.

    Examples
    --------
    >>> decode(b'{"id": "a"}')
    {'id': 'a'}
    >>> decode("[" * 1_000)
    Traceback (most recent call last):
    wegly_analytics.parsing.decode.NestingError: lists or objects nested deeper than 200
    """
    if isinstance(text, bytes):
        text = text.decode(json.detect_encoding(text), "surrogatepass")
    if text.count("[") + text.count("{") > MAX_DEPTH and _is_deep(text):
        raise NestingError(f"lists or objects nested deeper than {MAX_DEPTH}")

    def parse_int(digits: str) -> Any:
        return int(digits) if len(digits) <= MAX_DIGITS else parse_float(digits)

    return json.loads(text, object_pairs_hook=object_pairs_hook, parse_float=parse_float, parse_int=parse_int)


def _is_deep(text: str) -> bool:
    depth = 0
    for match in _TOKEN.finditer(text):
        part = match[0]
        if part in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                return True
        elif part in "]}":
            depth -= 1
    return False
