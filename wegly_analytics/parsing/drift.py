"""Drift: fields that the API sends without documenting them, and documented fields that it never sends."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from wegly_analytics.model.tables import DOCUMENTED
from wegly_analytics.parsing.decode import decode
from wegly_analytics.parsing.repair import JSON_TYPES, below

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wegly_analytics.model.schema import Node

MAX_PATHS: Final = 1_000
"""The most undocumented paths that are kept; more are counted together."""

OTHER_NAME: Final = "*"
"""Stands in paths for every key that is not a name, such as an id, an address, or half of a character."""

_TYPES: Final = {
    "string": "str",
    "timestamp": "str",  # a text that looks like one
    "int64": "int",
    "double": "float",
    "bool": "bool",
    "null": "NoneType",
    "list": "list",
    "struct": "dict",
}
"""The Python types of inferred types, by the beginning of their names."""

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}", re.ASCII)


@dataclass
class Drift:
    """Differences between the responses and the documentation.

    Attributes
    ----------
    looked_at
        The number of responses compared.
    unknown
        For the path of each undocumented field: the number of responses with it, and the type of its first value. A key
        that is not a name of up to 64 ASCII letters, digits and underscores is written as ``*``: it may hold data.
    seen
        Documented paths that were in at least one response, with null only if responses were compared one by one.
    unlisted
        How often responses had a further undocumented field, when `unknown` already held `MAX_PATHS`.
    """

    looked_at: int = 0
    unknown: dict[str, list[Any]] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)
    unlisted: int = 0

    def __post_init__(self) -> None:
        self.seen = set(self.seen)

    def look(self, body: bytes) -> None:
        """Compare one response; one that is not JSON is skipped, because the ledger has it."""
        try:
            value = decode(body)
        except ValueError:
            return
        self.looked_at += 1
        found: dict[str, str] = {}
        self._compare(DOCUMENTED, value, found)
        for path, kind in found.items():
            self._count(path, 1, kind)

    def look_at(self, table: pa.Table) -> int:
        """Compare responses that the bulk reader has read with types inferred, and return how many fields are unknown.

        A value of null cannot be told from a missing field here, so only responses with a value count.
        """
        self.looked_at += table.num_rows
        n_unknown = 0
        for part in table.to_struct_array().chunks:
            found: dict[str, list[tuple[str, np.ndarray]]] = {}
            self._compare_array(DOCUMENTED, part, np.arange(len(part)), found)
            for path, fields in found.items():
                responses = np.unique(np.concatenate([numbers for _, numbers in fields]))
                self._count(path, len(responses), next((kind for kind, each in fields if len(each)), fields[0][0]))
                n_unknown += len(fields)
        return n_unknown

    def _compare_array(
        self, node: Node, array: pa.Array, responses: np.ndarray, found: dict[str, list[tuple[str, np.ndarray]]]
    ) -> None:
        """Compare values at one place; `responses` has the number of each one's response.

        `found` gets the undocumented fields by path: the type of each, and the responses in which it has a value.
        """
        if node.item and pa.types.is_list(array.type):
            self._compare_array(node.item, array.flatten(), responses[pc.list_parent_indices(array)], found)
        if not node.fields or not pa.types.is_struct(array.type):
            return
        for n, each in enumerate(array.type):
            values, child = array.field(n), node.fields.get(each.name)
            if child is None:
                path = below(node.path, each.name if _NAME.fullmatch(each.name) else OTHER_NAME)
                numbers = responses[values.is_valid()]
                found.setdefault(path, []).append((_python_type(each.type), numbers))
            elif values.null_count < len(values):
                self.seen.add(child.path)
                self._compare_array(child, values, responses, found)

    def _count(self, path: str, responses: int, kind: str) -> None:
        kind = "int" if kind == "float" else kind  # which of them is inferred depends on the other responses
        if path in self.unknown or len(self.unknown) < MAX_PATHS:
            count, first = self.unknown.get(path, (0, kind))
            self.unknown[path] = [count + responses, kind if first == "NoneType" else first]
        else:
            self.unlisted += responses

    def _compare(self, node: Node, value: Any, found: dict[str, str]) -> None:
        if node.item and isinstance(value, list):
            for v in value:
                self._compare(node.item, v, found)
        elif node.fields and isinstance(value, dict):
            self.seen.update(node.fields[key].path for key in value.keys() & node.fields.keys())
            for key, child in value.items():
                if key not in node.fields:
                    name = key if _NAME.fullmatch(key) else OTHER_NAME
                    found.setdefault(below(node.path, name), type(child).__name__)
                elif child:
                    self._compare(node.fields[key], child, found)

    def __add__(self, other: Drift) -> Drift:
        """Combine the differences found in two sets of responses."""
        both = Drift(
            self.looked_at + other.looked_at,
            {path: list(found) for path, found in self.unknown.items()},
            self.seen | other.seen,
            self.unlisted + other.unlisted,
        )
        for path, (count, kind) in other.unknown.items():
            both._count(path, count, kind)
        return both

    def as_dict(self) -> dict[str, Any]:
        """Return all attributes, for a manifest; `Drift(**...)` reads them."""
        return {
            "looked_at": self.looked_at,
            "unknown": self.unknown,
            "seen": sorted(self.seen),
            "unlisted": self.unlisted,
        }

    def rows(self) -> Iterable[dict[str, object]]:
        """Yield a row for each unknown path, then one for each documented path that was never seen.

        Undocumented paths that are not listed have one row together, with the path ``…``. Paths below one that was
        never seen are not listed.
        """
        for path, (count, kind) in sorted(self.unknown.items()):
            yield {"path": path, "drift": "unknown", "deals": count, "example": JSON_TYPES[kind]}
        if self.unlisted:
            yield {"path": "…", "drift": "unknown", "deals": self.unlisted, "example": None}
        if self.looked_at:
            yield from self._never_seen(DOCUMENTED)

    def _never_seen(self, node: Node) -> Iterable[dict[str, object]]:
        for child in node.fields.values():
            if child.path not in self.seen:
                yield {"path": child.path, "drift": "never seen", "deals": 0, "example": None}
            else:
                yield from self._never_seen(child.item or child)


def _python_type(inferred: pa.DataType) -> str:
    name = re.match("[a-z0-9]+", str(inferred))
    return _TYPES.get(name[0] if name else "", "str")
