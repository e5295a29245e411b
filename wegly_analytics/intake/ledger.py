"""The ledger after a refresh: what was requested again, what is kept, and what is new. Columns, not loops."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from wegly_analytics.model.enums import RECEIVED
from wegly_analytics.model.tables import LEDGER

if TYPE_CHECKING:
    from collections.abc import Mapping

_KEPT = "; kept as it was"


def whole(ledger: pa.Table) -> pa.Table:
    """Return the declared columns of a ledger, each in one piece."""
    return ledger.select(LEDGER.names).cast(LEDGER.schema).combine_chunks()


def column(ledger: pa.Table, name: str) -> pa.Array:
    """Return a column in one piece: kernels hash the set to compare with once for each piece."""
    return ledger.column(name).combine_chunks()


def is_received(ledger: pa.Table) -> pa.BooleanArray:
    """Tell for each row whether its deal is in the tables."""
    return pc.is_in(column(ledger, "outcome"), value_set=pa.array(RECEIVED))


def received(ledger: pa.Table) -> pa.Array:
    """List the deals that are in the tables, each once, in the order of the ledger."""
    return column(ledger, "deal_id").filter(is_received(ledger)).unique()


def renewed_ledger(old: pa.Table, fresh: pa.Table, wanted: Mapping[str, str]) -> pa.Table:
    """Update the rows of a ledger by those that were requested again, and append the new ones.

    Parameters
    ----------
    old
        The earlier ledger.
    fresh
        The ledger of what was requested.
    wanted
        For each id that was requested again, `requested` of its row in the earlier ledger.

    Returns
    -------
    pyarrow.Table
        A row for each earlier one, in that order, then the new ones. A deal whose code now belongs to another one has a
        row under its own id.
    """
    old, fresh = whole(old), whole(fresh)
    keys = pa.array([wanted.get(id_, id_) for id_ in fresh.column("requested").to_pylist()], pa.string())
    source = _sources(column(old, "deal_id"), pc.index_in(column(old, "requested"), value_set=keys))
    theirs = old.take(source)  # the row whose response updates this one: another one, where a deal has several
    news = fresh.take(pc.index_in(column(theirs, "requested"), value_set=keys))
    has_news, has_deal = source.is_valid(), column(old, "deal_id").is_valid()
    is_final = _is_final(theirs, news)
    is_taken = pc.and_(has_news, pc.or_(pc.invert(has_deal), is_final))
    is_marked = pc.and_(has_news, pc.and_(has_deal, pc.invert(is_final)))
    updated = _chosen(is_taken, news, _chosen(is_marked, _marked(theirs, news), _carried(old)))
    is_added, is_moved = _displacement(old, news, is_taken, fresh)
    ledger = _with_displaced(updated, _displaced(old.filter(is_added), news.filter(is_added)), is_added, is_moved)
    is_new = pc.invert(pc.is_in(keys, value_set=column(old, "requested")))
    return pa.concat_tables([ledger, fresh.filter(is_new)]).combine_chunks()


def _sources(deal_ids: pa.Array, own: pa.Array) -> pa.Array:
    """Find the row whose response updates each row: the last one that was requested for its deal; null if none was.

    A row without a deal is updated by its own response.
    """
    has_own = own.is_valid().to_numpy(zero_copy_only=False)
    deals = deal_ids.dictionary_encode()
    codes = deals.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    rows = np.arange(len(codes))
    last = np.full(len(deals.dictionary) + 1, -1)  # the last element is of the code -1
    np.maximum.at(last, codes[has_own], rows[has_own])
    found = np.where(codes >= 0, last[codes], np.where(has_own, rows, -1))
    return pa.array(found, pa.int64(), mask=found < 0)


def _is_final(old: pa.Table, new: pa.Table) -> pa.BooleanArray:
    """Decide on deals that were requested again: received or removed; if not, they are kept and marked."""
    is_gone = pc.equal(column(new, "outcome"), "not_found")
    was_gone = pc.and_(column(old, "missed_at").is_valid(), pc.equal(column(old, "http_status"), 404).fill_null(False))
    is_second = pc.and_(is_gone, was_gone).fill_null(False)
    return pc.or_(pc.or_(pc.invert(is_received(old)), is_received(new)), is_second)


def _carried(old: pa.Table) -> pa.Table:
    outcomes = pc.if_else(is_received(old), "carried", column(old, "outcome"))
    return _replaced(old, outcome=outcomes)


def _marked(old: pa.Table, new: pa.Table) -> pa.Table:
    """Keep deals whose request failed, or that got their first 404."""
    message = pc.binary_join_element_wise(column(new, "message").fill_null("None"), _KEPT, "")
    return _replaced(
        old,
        outcome=_all(old, "carried"),
        http_status=column(new, "http_status"),
        message=message,
        missed_at=column(new, "fetched_at"),
    )


def _displacement(
    old: pa.Table, news: pa.Table, is_taken: pa.BooleanArray, fresh: pa.Table
) -> tuple[pa.BooleanArray, pa.BooleanArray]:
    """Find deals whose code now belongs to another one, and that were not received under another id.

    Returns
    -------
    tuple
        For each row, whether the deal gets one under its own id before it; and whether that takes the place of the row.
    """
    deal_ids, requested = column(old, "deal_id"), column(old, "requested")
    is_another = pc.and_(is_taken, pc.not_equal(column(news, "deal_id"), deal_ids).fill_null(False))
    is_lost = pc.and_(is_another, pc.invert(pc.is_in(deal_ids, value_set=received(fresh))))
    is_own = pc.equal(requested, deal_ids).fill_null(False)
    has_row = pc.is_in(deal_ids, value_set=requested)
    return pc.and_(is_lost, pc.or_(is_own, pc.invert(has_row))), pc.and_(is_lost, is_own)


def _displaced(old: pa.Table, new: pa.Table) -> pa.Table:
    """Keep deals whose code now belongs to another one: requested by their own id from now on."""
    message = pc.binary_join_element_wise(
        column(new, "requested"), " is now the code of deal ", column(new, "deal_id"), _KEPT, ""
    )
    return _replaced(
        old,
        requested=column(old, "deal_id"),
        outcome=_all(old, "carried"),
        message=message,
        missed_at=column(new, "fetched_at"),
    )


def _with_displaced(
    updated: pa.Table, displaced: pa.Table, is_added: pa.BooleanArray, is_moved: pa.BooleanArray
) -> pa.Table:
    """Put each row of a displaced deal before that of its code, or in its place."""
    if not displaced.num_rows:
        return updated
    added, left = (np.flatnonzero(mask.to_numpy(zero_copy_only=False)) for mask in (is_added, pc.invert(is_moved)))
    order = np.argsort(np.concatenate([2 * added, 2 * left + 1]), kind="stable")
    return pa.concat_tables([displaced, updated.take(left)]).take(order)


def _chosen(mask: pa.BooleanArray, one: pa.Table, other: pa.Table) -> pa.Table:
    """Take some rows from one table, all but the id requested, and the rest from another."""
    columns = {name: pc.if_else(mask, column(one, name), column(other, name)) for name in LEDGER.names}
    return pa.table(columns | {"requested": column(other, "requested")}, LEDGER.schema)


def _replaced(ledger: pa.Table, **columns: pa.Array) -> pa.Table:
    return pa.table({name: columns.get(name, column(ledger, name)) for name in LEDGER.names}, LEDGER.schema)


def _all(ledger: pa.Table, outcome: str) -> pa.Array:
    return pa.repeat(pa.scalar(outcome, pa.string()), ledger.num_rows)
