"""What may have changed since a snapshot was taken, and the snapshot that has both the new and the carried."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from wegly_analytics.errors import IdError
from wegly_analytics.intake.build import in_order
from wegly_analytics.model.enums import RECEIVED
from wegly_analytics.model.ids import deal_key
from wegly_analytics.model.tables import LEDGER, TABLES
from wegly_analytics.snapshot.snapshot import Snapshot

if TYPE_CHECKING:
    from datetime import datetime, timedelta

_CHANGES = ("won_at", "lost_at", "updated_at", "last_activity_at", "archived_at")
"""Moments at which a deal shows that it is alive."""


def due(snap: Snapshot, recent: timedelta) -> dict[str, str]:
    """List what must be requested again.

    Parameters
    ----------
    snap
        The snapshot.
    recent
        How long before its moment a deal must have changed.

    Returns
    -------
    dict
        The id to request, and the `requested` of the ledger row that it settles: open deals, deals that changed
        recently, kept deals that were missed last time, and ids that failed. A deal with several rows is requested
        once.
    """
    deals = snap.deals
    since = pd.Timestamp(snap.taken_at) - recent
    moved = (deals[list(_CHANGES)] >= since).any(axis=1)
    is_over = deals["status"].isin(["won", "lost"])
    lively = set(deals.loc[moved | ~is_over, "deal_id"])
    wanted: dict[str, str] = {}
    seen = set()
    for row in _rows(snap):
        deal_id, outcome = row["deal_id"], row["outcome"]
        if outcome in RECEIVED:
            if deal_id in seen or not (deal_id in lively or row["missed_at"]):
                continue
            seen.add(deal_id)
        elif outcome == "not_found":
            continue
        if key := _key(row["requested"]) or _key(deal_id):
            wanted.setdefault(key, row["requested"])
    return wanted


def highest_code(snap: Snapshot) -> int:
    """Find the highest code that a deal has; 0 if there is none."""
    highest = snap.deals["code"].max()
    return 0 if pd.isna(highest) else int(highest)


def renewed(snap: Snapshot, fresh: Snapshot, wanted: dict[str, str]) -> Snapshot:
    """Put what came anew in the place of what was there, and carry the rest.

    Parameters
    ----------
    snap
        The snapshot as it was.
    fresh
        What came of the ids in `wanted`, and of codes that the snapshot did not know.
    wanted
        What `due` returned.

    Returns
    -------
    Snapshot
        Rows of the ledger in the old order, then the new ones. Every deal stands in it once, from its newest answer.
    """
    news = {wanted.get(row["requested"], row["requested"]): row for row in _rows(fresh)}
    fresh = replace(fresh, tables=snap.personal.apply(fresh.tables))
    verdicts = {
        row["deal_id"]: _verdict(row, news[row["requested"]]) for row in _rows(snap) if row["requested"] in news
    }
    ledger = []
    for row in _rows(snap):
        requested = row["requested"]
        verdict = news.get(requested) if row["deal_id"] is None else verdicts.get(row["deal_id"])
        if verdict is not None:
            row |= {name: verdict[name] for name in LEDGER.names if name != "requested"}
        elif row["outcome"] in RECEIVED:
            row["outcome"] = "carried"
        ledger.append(row)
    known = {row["requested"] for row in ledger}
    ledger += [row for requested, row in news.items() if requested not in known]
    received = dict.fromkeys(row["deal_id"] for row in ledger if row["outcome"] in RECEIVED)
    anew = pa.array([row["deal_id"] for row in _rows(fresh) if row["outcome"] in RECEIVED], pa.string())
    everything = pa.array(received, pa.string())
    tables = {}
    for name, declared in TABLES.items():
        old = snap.tables[name].select(declared.names)
        is_kept = pc.and_(pc.is_in(old.column("deal_id"), everything), pc.invert(pc.is_in(old.column("deal_id"), anew)))
        new = fresh.tables[name].filter(pc.is_in(fresh.tables[name].column("deal_id"), everything))
        tables[name] = pa.concat_tables([old.filter(is_kept).cast(declared.schema), new.cast(declared.schema)])
    return Snapshot(
        tables=in_order(tables, list(received)) | {LEDGER.name: pa.Table.from_pylist(ledger, schema=LEDGER.schema)},
        taken_from=min(snap.taken_from, fresh.taken_from),
        taken_at=max(snap.taken_at, fresh.taken_at),
        drift_seen=snap.drift_seen + fresh.drift_seen,
        personal=snap.personal,
    ).check()


def _verdict(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Judge a deal that was requested again: it came, is gone for good, or is kept and marked."""
    if old["outcome"] not in RECEIVED or new["outcome"] in RECEIVED:
        return new
    if new["outcome"] == "not_found" and old["missed_at"] and old["http_status"] == 404:
        return new
    message = f"{new['message']}; kept as it was"
    missed: datetime = new["fetched_at"]
    return old | {"outcome": "carried", "http_status": new["http_status"], "message": message, "missed_at": missed}


def _rows(snap: Snapshot) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = snap.tables[LEDGER.name].to_pylist()
    return rows


def _key(value: str | None) -> str | None:
    """Write what may be an id as one; a line of a file is none, and neither is what never came."""
    try:
        return deal_key(value)
    except IdError:
        return None
