"""Ids of deals: a UUID or a positive whole number, and the texts people write them in."""

from __future__ import annotations

import re
from numbers import Integral, Real
from typing import TYPE_CHECKING, Final
from uuid import UUID

from wegly_analytics.errors import IdError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_RANGE: Final = re.compile(r"(\d+)\s*(?:-|\.\.|:)\s*(\d+)", re.ASCII)
_LONGEST: Final = 18
"""Digits of the longest code: one that still fits 64 bits."""


def deal_key(value: object) -> str:
    """Write an id the one way in which it is requested and compared.

    Parameters
    ----------
    value
        A code (``17``, ``"17"``, also ``17.0``, as pandas makes it beside missing values), or a UUID (text or
        `uuid.UUID`).

    Returns
    -------
    str
        The code without leading zeros, or the UUID in lower case with hyphens.

    Raises
    ------
    IdError
        If it is neither.

    Examples
    --------
    >>> deal_key(17.0), deal_key(" 017 "), deal_key("2BCE2AF3FD3F572FA95BAAABDBDB7CF3")
    ('17', '17', '2bce2af3-fd3f-572f-a95b-aaabdbdb7cf3')
    """
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, Real) and not isinstance(value, Integral) and float(value).is_integer():
        value = int(float(value))
    if isinstance(value, Integral | str) and not isinstance(value, bool):
        text = str(value).strip()
        if text.isascii() and text.isdigit() and len(text) <= _LONGEST and int(text) > 0:
            return str(int(text))
        if len(text) in (32, 36):
            try:
                return str(UUID(text))
            except ValueError:
                pass  # the sentence below says what it is instead
    raise IdError(f"{value!r} is no deal id: give a UUID or a positive whole number")


def deal_keys(ids: object) -> list[str]:
    """Write ids the one way, each once, in the order given.

    Parameters
    ----------
    ids
        One id, or any iterable of ids: a list, a range, a pandas column, a generator.

    Raises
    ------
    IdError
        If any of them is no id; none is requested then.

    Examples
    --------
    >>> deal_keys([3, "3", "0003", 1])
    ['3', '1']
    >>> deal_keys("17")
    ['17']
    """
    if isinstance(ids, str | UUID | Integral):
        return [deal_key(ids)]
    if not hasattr(ids, "__iter__"):
        raise IdError(f"{ids!r} is no list of deal ids: give an id, or a list, a range or a column of them")
    return list(dict.fromkeys(map(deal_key, ids)))


def read_ids(lines: Iterable[str], place: str) -> Iterator[str]:
    """Read ids as people write them: one or several a line, ranges such as ``1-500``, ``#`` comments.

    Parameters
    ----------
    lines
        The lines of a file, or words from the command line.
    place
        What to call the lines in an error, such as the file's name.

    Raises
    ------
    IdError
        If a word is neither an id nor a range; it says in which line.

    Examples
    --------
    >>> list(read_ids(["# won in May", "7, 9-11"], "ids.txt"))
    ['7', '9', '10', '11']
    """
    for number, line in enumerate(lines, start=1):
        for word in re.split(r"[\s,;]+", line.partition("#")[0].strip()):
            if not word:
                continue
            if span := _RANGE.fullmatch(word):
                first, last = int(span[1]), int(span[2])
                if not 0 < first <= last:
                    raise IdError(f"{place}, line {number}: the range {word!r} runs backwards or starts at 0")
                yield from map(str, range(first, last + 1))
                continue
            try:
                yield deal_key(word)
            except IdError as error:
                raise IdError(f"{place}, line {number}: {error}, or a range such as 1-500") from None
