"""Ids of deals: a UUID or a positive whole number, and the texts that are accepted for them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from numbers import Integral, Real
from typing import TYPE_CHECKING, Final
from uuid import UUID

from wegly_analytics.errors import IdError, SettingError

if TYPE_CHECKING:
    from collections.abc import Iterator

_RANGE: Final = re.compile(r"(\d+)\s*(?:-|\.\.|:)\s*(\d+)", re.ASCII)

_MAX_DIGITS: Final = 18
"""Digits of the longest code: it must fit 64 bits."""

MAX_RANGE: Final = 10_000_000
"""The most ids in one range: more would take weeks to request, and fill the memory first."""


def deal_key(value: object) -> str:
    """Normalize an id, so that equal ids compare equal.

    Parameters
    ----------
    value
        A code (``17``, ``"17"``, or ``17.0``, as pandas writes it in a column with missing values), or a UUID (text or
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
        if text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS and int(text) > 0:
            return str(int(text))
        if len(text) in (32, 36):
            try:
                return str(UUID(text))
            except ValueError:
                pass  # reported below, like every other text
    raise IdError(f"{value!r} is not a deal id: give a UUID or a positive whole number")


def is_key(value: str) -> bool:
    """Check whether a text is an id as `deal_key` writes it.

    Examples
    --------
    >>> is_key("17"), is_key("017"), is_key("deals.json:1")
    (True, False, False)
    """
    try:
        return deal_key(value) == value
    except IdError:
        return False


def deal_keys(ids: object) -> list[str]:
    """Normalize ids, in their order and without repetitions.

    Parameters
    ----------
    ids
        One id, or any iterable of ids: a list, a range, a pandas column, a generator.

    Raises
    ------
    IdError
        If any of them is not an id. Nothing is requested then.
    SettingError
        If a range is too long.

    Examples
    --------
    >>> deal_keys([3, "3", "0003", 1])
    ['3', '1']
    >>> deal_keys("17")
    ['17']
    """
    if isinstance(ids, str | UUID | Real):
        return [deal_key(ids)]
    if isinstance(ids, bytes | bytearray | memoryview):
        raise IdError(f"ids={ids!r} are bytes: decode them to text first")
    if hasattr(ids, "columns"):
        raise IdError(f"ids is a {type(ids).__name__}: pass one of its columns, such as frame['deal_id']")
    if isinstance(ids, dict):
        raise IdError(f"ids is a {type(ids).__name__}: pass a list of ids, such as list(ids.values())")
    if isinstance(ids, range):
        _check_size(abs(ids.stop - ids.start) // abs(ids.step), repr(ids))
    if not isinstance(ids, Iterable) or getattr(ids, "ndim", 1) == 0:
        raise IdError(f"{ids!r} is not a list of deal ids: give an id, or a list, a range or a column of ids")
    return list(dict.fromkeys(map(deal_key, ids)))


def read_ids(lines: Iterable[str], place: str) -> Iterator[str]:
    """Read ids from text: one or several per line, ranges such as ``1-500``, ``#`` comments.

    Parameters
    ----------
    lines
        The lines of a file, or words from the command line.
    place
        The name of the source in error messages, such as the file's name.

    Raises
    ------
    IdError
        If a word is neither an id nor a range; the message names the line.
    SettingError
        If a range is too long.

    Examples
    --------
    >>> list(read_ids(["# won in May", "7, 9-11"], "ids.txt"))
    ['7', '9', '10', '11']
    """
    for number, line in enumerate(lines, start=1):
        for word in re.split(r"[\s,;]+", line.partition("#")[0].strip()):
            if not word:
                continue
            try:
                yield from _ids_in(word)
            except IdError as error:
                raise IdError(f"{place}, line {number}: {error}") from None


def _ids_in(word: str) -> Iterable[str]:
    """Read an id or a range."""
    span = _RANGE.fullmatch(word)
    if span is None:
        try:
            return [deal_key(word)]
        except IdError as error:
            raise IdError(f"{error}, or a range such as 1-500") from None
    first, last = int(span[1]), int(span[2])
    if not 0 < first <= last:
        raise IdError(f"the range {word!r} is reversed or starts at 0")
    _check_size(last - first + 1, repr(word))
    return map(str, range(first, last + 1))


def _check_size(size: int, name: str) -> None:
    if size > MAX_RANGE:
        raise SettingError(
            f"the range {name} has {size:,} ids, more than {MAX_RANGE:,}: give a shorter range, or wa.walk(), which "
            "stops after the last code"
        )
