"""What a table is: columns that know where in an answer they come from.

A `Column` is declared with its absolute path in the API's answer, such as ``participants[].person.contacts[].value``.
Everything else follows from those declarations: the schema the JSON reader is given (`reader_schema`), the tree that
answers are compared with (`tree`), the Arrow and Parquet schema (`Table.schema`), and the data dictionary
(`dictionary`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MOMENT = pa.timestamp("us", "UTC")
"""How moments are kept: microseconds, because Spark refuses nanoseconds."""

Personal = Literal["identity", "text", "reason"]
"""Why a column is personal data: it names or reaches a person, it is free text about one, or free text that may be but
that the analysis of losses lives on."""

PERSONAL: dict[Personal, str] = {
    "identity": "**Personal data.**",
    "text": "**Free text about a person.**",
    "reason": "**Free text that may name a person.**",
}


class Kind(Enum):
    """What a value is: how the JSON says it, how the reader takes it, how the table keeps it."""

    TEXT = ("text", pa.string(), pa.string())
    INTEGER = ("a whole number", pa.int64(), pa.int64())
    NUMBER = ("a number", pa.float64(), pa.float64())
    FLAG = ("true or false", pa.bool_(), pa.bool_())
    INSTANT = ("a date and time", MOMENT, MOMENT)
    DAY = ("a date", MOMENT, pa.date32())
    WORD = ("a documented number", pa.int64(), pa.string())

    def __init__(self, says: str, read: pa.DataType, keep: pa.DataType) -> None:
        self.says = says
        self.read = read
        self.keep = keep


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column: its name, where it comes from, what it means.

    Parameters
    ----------
    name
        The name in the table.
    path
        The absolute path in the answer; ``[]`` stands for "each of".
    kind
        What the value is.
    meaning
        One line for the data dictionary.
    words
        For `Kind.WORD`: the documented number to its word.
    personal
        Set where the column is personal data under the LGPD.
    unit
        The unit, where the value has one.
    required
        An answer without it is not a deal.
    """

    name: str
    path: str
    kind: Kind
    meaning: str
    words: Mapping[int, str] | None = None
    personal: Personal | None = None
    unit: str | None = None
    required: bool = False

    def __post_init__(self) -> None:
        if (self.kind is Kind.WORD) != (self.words is not None):
            raise ValueError(f"{self.name}: a WORD column has words, and only a WORD column has")

    @property
    def field(self) -> pa.Field:
        """The Arrow field, with meaning and path as metadata."""
        notes = {"meaning": self.meaning, "path": self.path}
        if self.unit:
            notes["unit"] = self.unit
        if self.personal:
            notes["personal"] = self.personal
        return pa.field(self.name, self.kind.keep, nullable=not self.required, metadata=notes)


@dataclass(frozen=True)
class Table:
    """One table: its name, what one row is, and its columns.

    Parameters
    ----------
    name
        The name in the snapshot.
    rows
        The path whose elements become rows; ``""`` is the answer itself.
    grain
        A sentence that says what one row is.
    columns
        The columns, in order.
    keep_empty
        Whether an element of an outer list keeps one row when its inner list is empty or missing.
    """

    name: str
    rows: str
    grain: str
    columns: tuple[Column, ...]
    keep_empty: bool = False

    @cached_property
    def schema(self) -> pa.Schema:
        """The Arrow schema, the same in memory and in Parquet."""
        return pa.schema([c.field for c in self.columns], metadata={"grain": self.grain})

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The column names, in order."""
        return tuple(c.name for c in self.columns)


@dataclass
class Node:
    """One place of the answer: a value (`kind`), an object (`fields`), or a list (`item`).

    `personal` marks values that are personal data, and what holds them.
    """

    path: str
    kind: Kind | None = None
    personal: bool = False
    fields: dict[str, Node] = field(default_factory=dict)
    item: Node | None = None

    @property
    def says(self) -> str:
        """What the documentation promises at this place."""
        if self.kind:
            return self.kind.says
        return "a list" if self.item else "an object"

    @property
    def read(self) -> pa.DataType:
        """The type with which the JSON reader takes this place."""
        if self.kind:
            return self.kind.read
        if self.item:
            return pa.list_(self.item.read)
        return pa.struct([(name, node.read) for name, node in self.fields.items()])

    def leaves(self) -> Iterable[Node]:
        """Every value below this place."""
        if self.kind:
            yield self
        if self.item:
            yield from self.item.leaves()
        for node in self.fields.values():
            yield from node.leaves()


def steps(path: str) -> list[str]:
    """Split a path into keys and ``"[]"``.

    Examples
    --------
    >>> steps("participants[].person.contacts[].value")
    ['participants', '[]', 'person', 'contacts', '[]', 'value']
    """
    return [step for step in path.replace("[]", ".[]").split(".") if step]


def tree(tables: Iterable[Table], ignored: Iterable[str] = ()) -> Node:
    """Draw the answer that the declarations describe.

    Parameters
    ----------
    tables
        The declared tables.
    ignored
        Paths that are documented but kept by no table; they count as text.

    Returns
    -------
    Node
        The root object.
    """
    root = Node("")
    places = {c.path: (c.kind, bool(c.personal)) for table in tables for c in table.columns}
    for path, (kind, personal) in (places | dict.fromkeys(ignored, (Kind.TEXT, False))).items():
        node = root
        for step in steps(path):
            if step == "[]":
                node.item = node.item or Node(f"{node.path}[]")
                node = node.item
            else:
                below = f"{node.path}.{step}" if node.path else step
                node = node.fields.setdefault(step, Node(below))
            node.personal |= personal  # also what stands around it: a name may come in its place
        node.kind = kind
    return root


def dictionary(tables: Iterable[Table], ignored: Mapping[str, str]) -> str:
    """Write the data dictionary as Markdown.

    Parameters
    ----------
    tables
        The declared tables.
    ignored
        The documented paths that no table keeps, with the reason.
    """
    lines: list[str] = []
    for table in tables:
        lines += ["", f"## {table.name}", "", table.grain, ""]
        lines += ["| column | type | meaning | path in the answer |", "| --- | --- | --- | --- |"]
        for c in table.columns:
            notes = [c.meaning]
            if c.unit:
                notes.append(f"Unit: {c.unit}.")
            if c.words:
                notes.append("Words: " + ", ".join(f"`{w}` ({n})" for n, w in c.words.items()) + ".")
            if c.personal:
                notes.append(PERSONAL[c.personal])
            origin = f"`{c.path}`" if c.path else "—"
            lines.append(f"| `{c.name}` | {c.kind.keep} | {' '.join(notes)} | {origin} |")
    lines += ["", "## Left out", "", "| path in the answer | why |", "| --- | --- |"]
    lines += [f"| `{path}` | {reason} |" for path, reason in ignored.items()]
    return "\n".join(lines).lstrip() + "\n"
