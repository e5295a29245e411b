"""What a refresh requests: deals that may have changed, and codes that may be new."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from wegly_analytics.errors import IdError, IncompleteWarning
from wegly_analytics.intake.frontier import Walk
from wegly_analytics.intake.ledger import column, is_received, whole
from wegly_analytics.intake.streams import emit
from wegly_analytics.model.ids import MAX_CODE, deal_key
from wegly_analytics.model.tables import DEAL_ID, DEALS, LEDGER
from wegly_analytics.snapshot.sources import batches

if TYPE_CHECKING:
    from datetime import timedelta

    from wegly_analytics.snapshot.snapshot import Snapshot

_CHANGES = ("won_at", "lost_at", "updated_at", "last_activity_at", "archived_at")
"""Instants at which a deal was changed."""

_JUMP: Final = 100
"""How many times the next lower code a code is that is taken for a mistake."""

_BILLION: Final = 10**9
"""No company has so many deals."""


def due(snap: Snapshot, recent: timedelta) -> dict[str, str]:
    """List what must be requested again.

    Parameters
    ----------
    snap
        The snapshot.
    recent
        How long before the time of the snapshot a deal must have changed.

    Returns
    -------
    dict
        The id to request, and `requested` of its ledger row: open deals, deals that changed recently, kept deals whose
        last request failed, and ids that failed. A deal with several rows is requested once.
    """
    ledger = whole(pa.concat_tables(batches(snap.tables, LEDGER.name)))
    deal_ids, changing = column(ledger, DEAL_ID.name), _changing(snap, recent)
    has_changed = pc.is_in(deal_ids, value_set=changing)
    is_in_tables = is_received(ledger)
    may_differ = pc.and_(is_in_tables, pc.or_(has_changed, column(ledger, "missed_at").is_valid()))
    has_failed = pc.invert(pc.or_(is_in_tables, pc.equal(column(ledger, "outcome"), "not_found")))
    wanted: dict[str, str] = {}
    seen = set()
    rows = ledger.append_column("in_tables", is_in_tables).filter(pc.or_(may_differ, has_failed))
    for requested, deal_id, in_tables in zip(
        *(rows.column(name).to_pylist() for name in ("requested", DEAL_ID.name, "in_tables")), strict=True
    ):
        if in_tables:
            if deal_id in seen:
                continue
            seen.add(deal_id)
        if id_ := _id(requested) or _id(deal_id):
            wanted.setdefault(id_, requested)
    return wanted


def _changing(snap: Snapshot, recent: timedelta) -> pa.Array:
    """List the deals that are not closed, or changed recently."""
    since = pa.scalar(snap.taken_at - recent, DEALS.schema.field("updated_at").type)
    found = [pa.array([], pa.string())]
    for deals in batches(snap.tables, DEALS.name, [DEAL_ID.name, "status", *_CHANGES]):
        is_changing = pc.invert(pc.is_in(deals.column("status"), value_set=pa.array(["won", "lost"])))
        for name in _CHANGES:
            is_changing = pc.or_(is_changing, pc.greater_equal(deals.column(name), since).fill_null(False))
        found.append(column(deals.filter(is_changing), DEAL_ID.name))
    return pa.concat_arrays(found)


def highest_code(snap: Snapshot) -> tuple[int, list[int]]:
    """Find the highest code of a deal, 0 if there is none, and the codes above it that are ignored.

    No new code would be found after a code that is a mistake of the data. Ignored are a code more than a hundred times
    the next lower one and the codes above it, as long as they are a hundredth of all codes at most, or a single one.
    Above a billion they may be two, or as many as the others.
    """
    known = pa.concat_tables(batches(snap.tables, DEALS.name, ["code"])).column("code")
    codes: list[int] = sorted(known.unique().drop_null().to_pylist())
    for n in range(1, len(codes)):
        few = max(2, n) if codes[n] > _BILLION else max(1, len(codes) // 100)
        if codes[n] > _JUMP * codes[n - 1] and len(codes) - n <= few:
            return codes[n - 1], codes[n:]
    return (codes[-1], []) if codes else (0, [])


def new_codes(snap: Snapshot, misses: int) -> Walk | None:
    """Return the codes to search for new deals, and warn if they do not begin after the highest one."""
    if not misses:
        return None
    highest, ignored = highest_code(snap)
    why = f"the next lower one is {highest:,}"
    if highest + misses > MAX_CODE:
        ignored, why = [highest], "there are none above it"
    if ignored:
        emit(
            f"new deals are not searched for after code {ignored[0]:,}, probably a mistake of the data ({why}); "
            "wa.fetch(wa.walk(start)) searches from another code",
            IncompleteWarning,
            stacklevel=3,
        )
    return Walk(highest + 1, misses) if highest + misses <= MAX_CODE else None


def _id(value: str | None) -> str | None:
    """Return what can be requested, or None: a line of a file cannot, nor can a deal that was never received."""
    try:
        return deal_key(value)
    except IdError:
        return None
