"""Whether the tables of a snapshot agree with each other and with the ledger."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from wegly_analytics.errors import SnapshotError
from wegly_analytics.model.enums import OUTCOMES, RECEIVED
from wegly_analytics.model.tables import TABLES
from wegly_analytics.snapshot.sources import ALL_TABLES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


def require_agreement(tables: Mapping[str, pa.Table]) -> None:
    """Make sure that the tables agree.

    Raises
    ------
    SnapshotError
        If they do not; the message lists every disagreement.
    """
    _require_none(disagreements(tables))


def require_ledger_agreement(deal_ids: pa.Array, ledger: pa.Table) -> None:
    """Make sure that deals, of which only the ids are at hand, agree with the ledger; see `require_agreement`."""
    _require_none(chain(_repeated(deal_ids), _of_ledger(deal_ids, ledger)))


def _require_none(sentences: Iterable[str]) -> None:
    if wrong := list(sentences):
        raise SnapshotError("the snapshot does not agree with itself: " + "; ".join(wrong))


def disagreements(tables: Mapping[str, pa.Table]) -> Iterator[str]:
    """List what is wrong, one sentence each; nothing if the tables agree.

    Parameters
    ----------
    tables
        The nine tables and the ledger.
    """
    undeclared = next(_undeclared(tables), None)
    if undeclared:
        yield undeclared
        return
    ids = tables["deals"].column("deal_id").combine_chunks()
    yield from _repeated(ids)
    distinct = ids.unique()
    for name in TABLES:
        # in one piece: the kernel hashes all of `distinct` once for each chunk
        without_deal = pc.invert(pc.is_in(tables[name].column("deal_id").combine_chunks(), value_set=distinct))
        if pc.any(without_deal).as_py():
            yield f"{name} has rows of deals that are not in deals"
    yield from _of_ledger(ids, tables["ledger"])


def _repeated(deal_ids: pa.Array) -> Iterator[str]:
    if pc.count_distinct(deal_ids).as_py() != len(deal_ids):
        yield "deals has a deal_id twice"


def _of_ledger(ids: pa.Array, ledger: pa.Table) -> Iterator[str]:
    distinct = ids.unique()
    outcomes = ledger.column("outcome")
    if pc.any(pc.invert(pc.is_in(outcomes, value_set=pa.array(OUTCOMES)))).as_py():
        yield "the ledger has an outcome other than " + ", ".join(OUTCOMES)
    if pc.count_distinct(ledger.column("requested")).as_py() != ledger.num_rows:
        yield "the ledger has a requested id twice"
    in_scope = pc.and_(pc.is_in(outcomes, value_set=pa.array(RECEIVED)), ledger.column("in_scope"))
    expected = ledger.filter(in_scope).column("deal_id").combine_chunks().unique()
    if len(expected) != len(distinct) or not pc.all(pc.is_in(expected, value_set=distinct), min_count=0).as_py():
        yield f"the ledger has {len(expected)} deals in scope, and they are not the {len(ids)} rows of deals"


def _undeclared(tables: Mapping[str, pa.Table]) -> Iterator[str]:
    for name, declared in ALL_TABLES.items():
        if name not in tables:
            yield f"table {name} is missing"
            return
        schema = tables[name].schema
        for column in declared.columns:
            position = schema.get_field_index(column.name)
            if position < 0 or schema.field(position).type != column.kind.arrow_type:
                yield f"{name}.{column.name} is not {column.kind.arrow_type}"
