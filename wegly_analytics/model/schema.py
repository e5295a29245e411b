"""Tables and columns: each column is declared with its path in a response.

A `Column` is declared with its absolute path in the API's response, such as
``participants[].person.contacts[].value``. Everything else is derived from these declarations: the schema for the JSON
reader and the tree that responses are compared with (`tree`), the Arrow and Parquet schema (`Table.schema`), what each
privacy mode does with a column (`personal.Personal`), and the data dictionary (`dictionary`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING

import pyarrow as pa

from wegly_analytics.model.personal import PROTECTED_MODES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from wegly_analytics.model.personal import Personal

TIMESTAMP = pa.timestamp("us", "UTC")
"""The type of instants: microseconds, because Spark refuses nanoseconds."""


class Kind(Enum):
    """What a value is: how messages call it, its type for the JSON reader, and its type in the table."""

    TEXT = ("text", pa.string(), pa.string())
    INTEGER = ("a whole number", pa.int64(), pa.int64())
    NUMBER = ("a number", pa.float64(), pa.float64())
    FLAG = ("true or false", pa.bool_(), pa.bool_())
    INSTANT = ("a date and time", TIMESTAMP, TIMESTAMP)
    DAY = ("a date", TIMESTAMP, pa.date32())
    ENUM = ("a documented number", pa.int64(), pa.string())

    def __init__(self, description: str, json_type: pa.DataType, arrow_type: pa.DataType) -> None:
        self.description = description
        self.json_type = json_type
        self.arrow_type = arrow_type


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column: its name, where it comes from, what it means.

    Parameters
    ----------
    name
        The name in the table.
    path
        The absolute path in the response; ``[]`` stands for "each of".
    kind
        What the value is.
    meaning
        One line for the data dictionary.
    labels
        For `Kind.ENUM`: the documented numbers and their labels.
    personal
        What a text column may hold. Every text column declares it.
    unit
        The unit, if the value has one.
    required
        Whether a response without it is not a deal.
    """

    name: str
    path: str
    kind: Kind
    meaning: str
    labels: Mapping[int, str] | None = None
    personal: Personal | None = None
    unit: str | None = None
    required: bool = False

    def __post_init__(self) -> None:
        if (self.kind is Kind.ENUM) != (self.labels is not None):
            raise ValueError(f"{self.name}: an ENUM column needs labels, and no other column may have them")
        if self.personal and self.kind is not Kind.TEXT:
            raise ValueError(f"{self.name}: only a TEXT column can be marked as personal")
        if self.kind is Kind.TEXT and self.personal is None:
            raise ValueError(f"{self.name}: a TEXT column must declare what it may hold, by a member of Personal")

    @property
    def field(self) -> pa.Field:
        """The Arrow field, with meaning and path as metadata."""
        metadata = {"meaning": self.meaning, "path": self.path}
        if self.unit:
            metadata["unit"] = self.unit
        if self.personal:
            metadata["personal"] = self.personal.whose
        return pa.field(self.name, self.kind.arrow_type, nullable=not self.required, metadata=metadata)


@dataclass(frozen=True)
class Table:
    """One table: its name, its grain and its columns.

    Parameters
    ----------
    name
        The name in the snapshot.
    rows
        The path whose elements become rows; ``""`` is the response itself.
    grain
        One sentence: what one row is.
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
    """One place in the response: a value (`kind`), an object (`fields`), or a list (`item`).

    `personal` marks personal values and everything that contains them.
    """

    path: str
    kind: Kind | None = None
    personal: bool = False
    fields: dict[str, Node] = field(default_factory=dict)
    item: Node | None = None

    @property
    def description(self) -> str:
        """What the documentation specifies at this place."""
        if self.kind:
            return self.kind.description
        return "a list" if self.item else "an object"

    @property
    def json_type(self) -> pa.DataType:
        """The type of this place for the JSON reader."""
        if self.kind:
            return self.kind.json_type
        if self.item:
            return pa.list_(self.item.json_type)
        return pa.struct([(name, node.json_type) for name, node in self.fields.items()])

    def leaves(self) -> Iterable[Node]:
        """Yield every value below this place."""
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
    """Build the tree of the response that the declarations describe.

    Parameters
    ----------
    tables
        The declared tables.
    ignored
        Documented paths that no table keeps; they count as text.

    Returns
    -------
    Node
        The root object.
    """
    root = Node("")
    places = {
        c.path: (c.kind, c.personal is not None and c.personal.may_name_someone)
        for table in tables
        for c in table.columns
    }
    for path, (kind, personal) in (places | dict.fromkeys(ignored, (Kind.TEXT, False))).items():
        node = root
        for step in steps(path):
            if step == "[]":
                node.item = node.item or Node(f"{node.path}[]")
                node = node.item
            else:
                below = f"{node.path}.{step}" if node.path else step
                node = node.fields.setdefault(step, Node(below))
            node.personal |= personal  # also its parents: a name may be sent in their place
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
        lines += ["| column | type | meaning | personal | path in the response |", "| --- | --- | --- | --- | --- |"]
        for c in table.columns:
            origin = f"`{c.path}`" if c.path else "—"
            mark = _mark(c.personal) if c.personal else ""
            lines.append(f"| `{c.name}` | {c.kind.arrow_type} | {_meaning(c)} | {mark} | {origin} |")
    lines += ["", "## Not kept", "", "| path in the response | reason |", "| --- | --- |"]
    lines += [f"| `{path}` | {reason} |" for path, reason in ignored.items()]
    return "\n".join(lines).lstrip() + "\n"


def _meaning(column: Column) -> str:
    notes = [column.meaning]
    if column.unit:
        notes.append(f"Unit: {column.unit}.")
    if column.labels:
        notes.append("Values: " + ", ".join(f"`{label}` ({n})" for n, label in column.labels.items()) + ".")
    return " ".join(notes)


def _mark(personal: Personal) -> str:
    """Write what it may hold and what the modes do with it."""
    return "; ".join([personal.whose, *(f"`{mode}`: {personal.treatment(mode)}" for mode in PROTECTED_MODES)])
