"""The names of rows, groups and columns, shortened to fit."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any, Final

from wegly_analytics.i18n.texts import column, listed, say
from wegly_analytics.plots.order import UNINFORMED

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pandas as pd

NAME_WIDTH: Final = 28
"""The length of a line of a name."""


def names(table: pd.DataFrame, columns: Sequence[str], lang: str) -> list[str]:
    """Name each row by its groups, long names on two lines."""
    if not columns:
        return [say("All deals", lang)] * len(table)
    rows = table[list(columns)].astype(object).to_numpy().tolist()
    return [_wrapped(" · ".join(group_name(value, lang) for value in row)) for row in rows]


def group_name(value: Any, lang: str) -> str:
    """Name one group."""
    if value == UNINFORMED:
        return say("(not informed)", lang)
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _wrapped(name: str) -> str:
    """Break a name into at most two lines."""
    lines = [name]
    for width in range(2 * NAME_WIDTH - 4, NAME_WIDTH - 1, -4):
        lines = textwrap.wrap(shortened(name, width), NAME_WIDTH)
        if len(lines) <= 2:
            break
    return "\n".join(lines) or " "


def shortened(name: str, width: int) -> str:
    """Remove the middle of a long name: names often differ at the end."""
    if len(name) <= width:
        return name
    tail = width // 3
    return f"{name[: width - tail - 1].rstrip()}…{name[-tail:].lstrip()}"


def one_line(name: str) -> str:
    """Remove the line break of a long name."""
    return name.replace("\n", " ")


def group_names(groups: Iterable[str], lang: str) -> str:
    """Name the columns by which a table is grouped, for a title."""
    return listed(column(name, lang) for name in groups)


def plain(text: str) -> str:
    """Escape dollar signs, between which matplotlib expects mathematics."""
    return text.replace("$", r"\$")
