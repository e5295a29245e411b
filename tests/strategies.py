"""Hypothesis strategies for responses, derived from the declared tables."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from wegly_analytics.model.schema import Kind, Node
from wegly_analytics.model.tables import DOCUMENTED, TABLES

LABELS = {column.path: column.labels for table in TABLES.values() for column in table.columns if column.labels}

texts = st.text(st.characters(codec="utf-8"), max_size=12)
instants = st.datetimes(datetime(1990, 1, 1), datetime(2099, 1, 1)).map(
    lambda instant: instant.isoformat(timespec="milliseconds") + "Z"
)
VALUES: dict[Kind, st.SearchStrategy[Any]] = {
    Kind.TEXT: texts,
    Kind.INTEGER: st.integers(-(2**63), 2**63 - 1),
    Kind.NUMBER: st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53), 2**53),
    Kind.FLAG: st.booleans(),
    Kind.INSTANT: instants,
    Kind.DAY: instants,
}


def present(node: Node) -> st.SearchStrategy[Any]:
    """Anything the documentation allows at one place."""
    if node.kind is Kind.ENUM:
        return st.sampled_from(list(LABELS[node.path]))
    if node.kind:
        return VALUES[node.kind]
    if node.item:
        return st.lists(present(node.item), max_size=3)
    return st.fixed_dictionaries({}, optional={name: values(below) for name, below in node.fields.items()})


def values(node: Node) -> st.SearchStrategy[Any]:
    """The same, or null."""
    return st.none() | present(node)


def deals(**fixed: Any) -> st.SearchStrategy[dict[str, Any]]:
    """A whole response; every part of it but its id may be missing or null."""
    fields = {name: values(below) for name, below in DOCUMENTED.fields.items() if name != "id"}
    optional = {name: strategy for name, strategy in fields.items() if name not in fixed}
    always = {"id": st.uuids().map(str), **{name: st.just(value) for name, value in fixed.items()}}
    return st.fixed_dictionaries(always, optional=optional)


def companies(max_size: int = 6) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Several deals with different ids."""
    return st.lists(deals(), max_size=max_size, unique_by=lambda deal: deal["id"])


def body(deal: Any) -> bytes:
    """A deal as the server sends it."""
    return json.dumps(deal, ensure_ascii=False).encode()


TAKEN_AT = datetime(2026, 7, 1, 12, tzinfo=UTC)


def days_ago(days: float) -> str:
    """An instant before `TAKEN_AT`, as the API writes it."""
    return (TAKEN_AT - timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
