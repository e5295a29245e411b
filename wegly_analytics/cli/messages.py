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


def with_options(message: str) -> str:
    """Name the options of the command where a message names the arguments of Python functions.

    Examples
    --------
    >>> with_options("more than max_failures=0.05 allows; with archive='data/raw' it can be resumed")
    'more than --max-failures 0.05 allows; with --archive data/raw it can be resumed'
    >>> with_options('pass Client(origin="https://…"), or column= with its name')
    'pass --origin https://…, or --column with its name'
    """
    return _ARGUMENT.sub(_option, message)


def _option(argument: re.Match[str]) -> str:
    value = argument[3] or argument[4] or argument[5]
    return f"--{argument[2].replace('_', '-')}" + (f" {value}" if value else "")
