"""How `pybabel extract` finds the messages: the method that `pyproject.toml` names for Python files.

A message is a literal first argument of ``say``, ``note`` or ``N_``; of a conditional expression, both branches; of a
dict, its keys, which are the reasons that ``excluding`` takes. Babel's own method joins the two branches of a
conditional into one text.
"""

from __future__ import annotations

import ast
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

KEYWORDS = frozenset({"say", "note", "N_", "excluding"})


def extract(
    file: IO[bytes], keywords: Iterable[str], comment_tags: Iterable[str], options: dict[str, Any]
) -> Iterator[tuple[int, str, str, list[str]]]:
    """Yield the messages of a Python file, in the form that Babel expects: line, function, text, comments."""
    del keywords, comment_tags, options
    for node in ast.walk(ast.parse(file.read())):
        if isinstance(node, ast.Call) and node.args and _name(node.func) in KEYWORDS:
            for text in _literals(node.args[0]):
                # Babel wants a function among its default keywords that takes one message
                yield node.lineno, "gettext", text, []


def _name(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _literals(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.IfExp):
        yield from _literals(node.body)
        yield from _literals(node.orelse)
    elif isinstance(node, ast.Dict):
        for key in node.keys:
            yield from _literals(key) if key else ()
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
