"""Messages of the package in the terms of the command."""

from __future__ import annotations

import re
from typing import Final

_ARGUMENTS: Final = (
    "allow_incomplete",
    "archive",
    "at",
    "attempts",
    "base_url",
    "column",
    "max_age",
    "max_failures",
    "misses",
    "origin",
    "per_second",
    "personal",
    "recent",
    "timeout",
    "workers",
)
"""Arguments of Python functions that are options of the command."""

_ARGUMENT: Final = re.compile(
    rf"(Client\()?\b({'|'.join(_ARGUMENTS)})"
    r"""=(?:'([^']*)'|"([^"]*)"|(\d+(?:\.\d+)?)|\.\.\.|True)?(?(1)\))"""
)

_FUNCTIONS: Final = {
    re.compile(r"""\bsave\((['"])(.*?)\1\)"""): r"\2",
    re.compile(r"\bwa\.walk\(\)"): "--walk 1",
    re.compile(r"\b(?:wa\.)?fetch\(([^()]*)\)"): r"wegly fetch \1",
    re.compile(r"\bwa\.(fetch|read|refresh|snapshots|verify)\b(?!\()"): r"wegly \1",
}
"""Calls that messages name, and what to type instead."""


def with_options(message: str) -> str:
    """Name commands and options where a message names Python functions and their arguments.

    Examples
    --------
    >>> with_options("more than max_failures=0.05 allows; with archive='data/responses.sqlite' it can be resumed")
    'more than --max-failures 0.05 allows; with --archive data/responses.sqlite it can be resumed'
    >>> with_options('pass Client(origin="https://…"), or column= with its name')
    'pass --origin https://…, or --column with its name'
    >>> with_options("wa.snapshots lists them; name a folder, such as save('data/snapshots')")
    'wegly snapshots lists them; name a folder, such as data/snapshots'
    >>> with_options("fetch(archive='raw') creates one")
    'wegly fetch --archive raw creates one'
    """
    for function, words in _FUNCTIONS.items():
        message = function.sub(words, message)
    return _ARGUMENT.sub(_option, message)


def _option(argument: re.Match[str]) -> str:
    value = argument[3] or argument[4] or argument[5]
    return f"--{argument[2].replace('_', '-')}" + (f" {value}" if value else "")
