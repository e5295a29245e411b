"""Ids of deals: a UUID or a positive whole number, and the texts that are accepted for them."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from numbers import Integral, Real
from typing import TYPE_CHECKING, Final
from uuid import UUID

from wegly_analytics.errors import IdError, SettingError

if TYPE_CHECKING:
    from collections.abc import Iterator

_RANGE: Final = re.compile(r"(\d+)\s*(?:-|\.\.|:)\s*(\d+)", re.ASCII)

MAX_DIGITS: Final = 18
"""Digits of the longest code: it must fit 64 bits."""

MAX_CODE: Final = 10**MAX_DIGITS - 1

MAX_IDS: Final = 10_000_000
"""The most ids in one run: more would take weeks to request."""

_MAX_WRITTEN: Final = 100
"""Digits of the longest number that an error shows."""

_SHOWN: Final = 60
"""The most characters of a wrong id that an error shows."""

_SHORT: Final = 64
"""The longest range that is kept as single codes."""


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
    if isinstance(value, Integral) and abs(int(value)) >= 10**_MAX_WRITTEN:  # such a number has no text in Python
        raise IdError(f"a number of more than {MAX_DIGITS} digits is not a deal id: give a UUID or a shorter number")
    if isinstance(value, Integral | str) and not isinstance(value, bool):
        text = str(value).strip()
        if text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS and int(text) > 0:
            return str(int(text))
        if len(text) in (32, 36):
            try:
                return str(UUID(text))
            except ValueError:
                pass  # reported below, like every other text
    raise IdError(f"{shortened(value)} is not a deal id: give a UUID or a positive whole number")


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


def shortened(value: object) -> str:
    """Write a value that is not an id for an error, cut off after sixty characters."""
    shown = repr(value)
    return shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}…"


class Ids:
    """Ids, each once, in their order. A range takes the memory of its two ends, however long it is.

    Examples
    --------
    >>> ids = Ids()
    >>> ids.add("17")
    >>> ids.add(range(1, 1_000_001))
    >>> len(ids), "17" in list(ids)[1:]
    (1000000, False)
    """

    def __init__(self) -> None:
        self._parts: list[str | int | range] = []
        self._single: set[str | int] = set()
        self._starts: list[int] = []  # of the ranges, merged and sorted
        self._stops: list[int] = []
        self._n = 0

    def __len__(self) -> int:
        return self._n

    def __iter__(self) -> Iterator[str]:
        for part in self._parts:
            if isinstance(part, range):
                yield from map(str, part)
            else:
                yield str(part)

    def __repr__(self) -> str:
        return f"<{self._n:,} ids>"

    def add(self, ids: str | range) -> None:
        """Add an id as `deal_key` writes it, or a range of codes with step 1; what is there already is not added.

        Raises
        ------
        SettingError
            If there are too many.
        """
        if isinstance(ids, range):
            if len(ids) > _SHORT:
                self._add_range(ids)
            else:
                for code in ids:
                    self._add_one(code)
        else:
            self._add_one(int(ids) if ids.isdigit() else ids)

    def _add_one(self, id_: str | int) -> None:
        if id_ in self._single:
            return
        if isinstance(id_, int):
            n = bisect_right(self._starts, id_) - 1
            if n >= 0 and id_ < self._stops[n]:
                return
        self._count(1)
        self._single.add(id_)
        self._parts.append(id_)

    def _add_range(self, codes: range) -> None:
        first, end = bisect_left(self._stops, codes.start), bisect_right(self._starts, codes.stop)
        held = list(zip(self._starts[first:end], self._stops[first:end], strict=True))
        gaps, start = [], codes.start
        for one, other in [*held, (codes.stop, codes.stop)]:
            if start < one:
                gaps.append(range(start, one))
            start = max(start, other)
        _check_size(sum(map(len, gaps)), codes)
        new = [piece for gap in gaps for piece in self._without_single(gap)]
        self._count(sum(map(len, new)))
        self._parts += new
        self._starts[first:end] = [min([codes.start, *(one for one, _ in held)])]
        self._stops[first:end] = [max([codes.stop, *(other for _, other in held)])]

    def _without_single(self, codes: range) -> Iterator[range]:
        """Cut a range at the codes that were added before it."""
        one, other = sorted((self._single, codes), key=len)
        start = codes.start
        for code in sorted(code for code in one if isinstance(code, int) and code in other):
            if start < code:
                yield range(start, code)
            start = code + 1
        if start < codes.stop:
            yield range(start, codes.stop)

    def _count(self, n: int) -> None:
        if self._n + n > MAX_IDS:
            raise SettingError(f"there are more than {MAX_IDS:,} ids: give fewer, or wa.walk()")
        self._n += n


def deal_keys(ids: object) -> Ids:
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
        If there are too many.

    Examples
    --------
    >>> list(deal_keys([3, "3", "0003", 1]))
    ['3', '1']
    >>> list(deal_keys("17"))
    ['17']
    """
    if isinstance(ids, Ids):
        return ids
    if isinstance(ids, str | UUID | Real):
        ids = [ids]
    if isinstance(ids, bytes | bytearray | memoryview):
        raise IdError(f"ids={ids!r} are bytes: decode them to text first")
    if hasattr(ids, "columns"):
        raise IdError(f"ids is a {type(ids).__name__}: pass one of its columns, such as frame['deal_id']")
    if isinstance(ids, dict):
        raise IdError(f"ids is a {type(ids).__name__}: pass a list of ids, such as list(ids.values())")
    if isinstance(ids, range):
        _check_size(abs(ids.stop - ids.start) // abs(ids.step), ids)
        if ids.step == 1 and ids.start > 0:
            ids = [ids]
    if not isinstance(ids, Iterable) or getattr(ids, "ndim", 1) == 0:
        raise IdError(f"{ids!r} is not a list of deal ids: give an id, or a list, a range or a column of ids")
    found = Ids()
    for each in ids:
        found.add(each if isinstance(each, range) and each.step == 1 and each.start > 0 else deal_key(each))
    return found


def read_ids(lines: Iterable[str], place: str) -> Iterator[str | range]:
    """Read ids from text: one or several per line, ranges such as ``1-500``, ``#`` comments.

    A range of codes is returned as such, so that the longest one takes no memory.

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

    Examples
    --------
    >>> list(read_ids(["# won in May", "7, 9-11"], "ids.txt"))
    ['7', range(9, 12)]
    """
    for number, line in enumerate(lines, start=1):
        for word in re.split(r"[\s,;]+", line.partition("#")[0].strip()):
            if not word:
                continue
            try:
                yield _ids_in(word)
            except IdError as error:
                raise IdError(f"{place}, line {number}: {error}") from None


def _ids_in(word: str) -> str | range:
    """Read an id or a range."""
    span = _RANGE.fullmatch(word)
    if span is None:
        try:
            return deal_key(word)
        except IdError as error:
            raise IdError(f"{error}, or a range such as 1-500") from None
    if max(map(len, span.groups())) > MAX_DIGITS:
        raise IdError(f"the range {word[:_SHOWN]!r} has a code of more than {MAX_DIGITS} digits")
    first, last = int(span[1]), int(span[2])
    if not 0 < first <= last:
        raise IdError(f"the range {word!r} is reversed or starts at 0")
    return range(first, last + 1)


def _check_size(size: int, codes: range) -> None:
    """Refuse too many ids, before any of them is written out."""
    if size > MAX_IDS:
        name = f"{codes.start}-{codes.stop - 1}" if codes.step == 1 else repr(codes)
        raise SettingError(
            f"the range {name!r} has {size:,} ids, more than {MAX_IDS:,}: give a shorter range, or wa.walk(), which "
            "stops after the last code"
        )
