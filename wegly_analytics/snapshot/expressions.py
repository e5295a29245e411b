"""Expressions of columns of deals, and the short texts of filters."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import narwhals as nw

from wegly_analytics.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MAX_LENGTH: Final = 80
"""The most characters of the text of a filter."""

_OPERATORS: Final = {
    "gt": ">", "ge": ">=", "lt": "<", "le": "<=", "eq": "==", "ne": "!=", "and": "and", "or": "or",
    "add": "+", "sub": "-", "mul": "*", "truediv": "/",
}  # fmt: skip
_COLUMN: Final = re.compile(r"\bcol\(([^()]*)\)")
_MEMBERS: Final = re.compile(r"\.is_in\(other=\[([^\]]*)\]\)")
_FUNCTION: Final = re.compile(r"(?<![.\w])(\w+)\(")
_NOT: Final = ".__invert__()"
_CALL: Final = re.compile(rf"\.__({'|'.join(_OPERATORS)})__\(([^()]*)\)")


class Filter(str):
    """The text of a filter, which may quote values, and the columns of deals that it is about.

    Attributes
    ----------
    columns
        All columns; empty if they are not known.
    """

    columns: frozenset[str] = frozenset()

    @classmethod
    def of(cls, text: str, columns: Iterable[str] = ()) -> Filter:
        """Name the columns of a text."""
        made = cls(text)
        made.columns = frozenset(columns)
        return made


def col(name: str) -> nw.Expr:
    """Name a column of deals in an expression, for `Snapshot.where` and `Snapshot.assign`.

    Parameters
    ----------
    name
        The column.

    Returns
    -------
    narwhals.Expr
        To be combined with ``>``, ``==``, ``&``, ``|``, ``~`` and the methods of narwhals. Expressions work on every
        source: in memory, in files and on an engine.

    Examples
    --------
    >>> import wegly_analytics as wa
    >>> snap = wa.sample().where(wa.col("value") > 50_000, status="won")
    >>> snap.filters
    ('value > 50000', 'status = won')
    """
    if not isinstance(name, str):
        raise SettingError(f"col takes the name of a column of deals, not a {type(name).__name__}")
    return nw.col(name)


def short(text: str, end: str = "") -> str:
    """Shorten the text of a filter to `MAX_LENGTH`; a text that is shortened ends with `end`."""
    text = " ".join(text.split())
    return text if len(text) <= MAX_LENGTH else f"{text[: MAX_LENGTH - 1 - len(end)].rstrip()}…{end}"


def text_of(expression: nw.Expr) -> str:
    """Write an expression as in Python, where that is unambiguous; otherwise as narwhals does."""
    raw = repr(expression)
    plain, n = _COLUMN.sub(r"\1", raw), 1
    text = _MEMBERS.sub(r" in [\1]", plain).replace(".is_null()", " is missing")
    while n:
        text, n = _CALL.subn(lambda found: f" {_OPERATORS[found[1]]} {found[2]}", text)
    if text.endswith(_NOT):
        text = f"not ({text.removesuffix(_NOT)})"
    return plain if "__" in text or (" and " in text and " or " in text) else text


def columns_of(expression: nw.Expr) -> list[str]:
    """List the columns that an expression names."""
    return _COLUMN.findall(repr(expression))


def is_plain(expression: nw.Expr) -> bool:
    """Check whether an expression has only named columns and values, so that `columns_of` is all it needs."""
    raw = repr(expression)
    is_known = raw.count("col(") == len(columns_of(expression))  # not if a name has parentheses
    return is_known and "selectors" not in raw and set(_FUNCTION.findall(raw)) <= {"col", "lit"}


def functions_of(conditions: Iterable[object], columns: dict[str, object]) -> Iterator[str]:
    """List the conditions that are functions, as the user wrote them."""
    for condition in conditions:
        if callable(condition):
            yield f"where({named(condition)})"
    for column, condition in columns.items():
        if callable(condition):
            yield f"where({column}={named(condition)})"


def named(function: object) -> str:
    """Return the name of a function, for the text of a filter."""
    return str(getattr(function, "__name__", "function")).replace("<lambda>", "a function")
