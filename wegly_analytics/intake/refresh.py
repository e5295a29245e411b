"""Request again what may have changed since a snapshot was taken, and carry the rest."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from wegly_analytics import settings
from wegly_analytics.errors import IdError, IncompleteWarning, SettingError
from wegly_analytics.intake.arguments import instance, whole_number
from wegly_analytics.intake.build import in_order, warn
from wegly_analytics.intake.crawl import MAX_FAILURES
from wegly_analytics.intake.durations import duration
from wegly_analytics.intake.frontier import Frontier, Walk
from wegly_analytics.intake.run import Run
from wegly_analytics.intake.streams import emit
from wegly_analytics.model.enums import RECEIVED
from wegly_analytics.model.ids import MAX_CODE, deal_key
from wegly_analytics.model.tables import LEDGER, TABLES
from wegly_analytics.snapshot.secret import read_secret
from wegly_analytics.snapshot.snapshot import Snapshot

if TYPE_CHECKING:
    from datetime import datetime, timedelta
    from pathlib import Path

    from wegly_analytics.intake.client import Client

_CHANGES = ("won_at", "lost_at", "updated_at", "last_activity_at", "archived_at")
"""Instants at which a deal was changed."""

_JUMP: Final = 100
"""How many times the next lower code a code is that is taken for a mistake."""

_BILLION: Final = 10**9
"""No company has so many deals."""


def refresh(
    snap: Snapshot,
    *,
    client: Client | None = None,
    archive: str | Path | None = None,
    recent: str | timedelta = "30d",
    misses: int = 100,
    workers: int = 8,
    progress: bool = True,
    max_failures: float = MAX_FAILURES,
) -> Snapshot:
    """Bring a snapshot up to date with few requests: request what may have changed, and carry the rest.

    Requested again are open deals, deals that were closed or updated recently, ids that failed, and codes above the
    highest known one. A deal that gets a 404 for the first time is kept and marked; it is removed only if the next
    request gets a 404, too. A deal whose request fails is kept as it was, and so is one whose code now belongs to
    another deal; its row in the ledger is then under its own id, which the next refresh requests.

    Parameters
    ----------
    snap
        The whole snapshot, not one filtered by `where`.
    client, workers, progress, max_failures
        As for `fetch`.
    archive
        As for `fetch`; responses newer than the snapshot, and not from the future, come from a refresh that was
        stopped, and are used.
    recent
        How long before the time of the snapshot a deal must have been closed or updated to be requested again, such as
        ``"30d"``.
    misses
        How many codes in a row without a deal end the search for new ones; 0 does not search. The search begins after
        the highest code. A code that is more than a hundred times the next lower one is taken for a mistake, with a
        warning, and so are those above it: if it is the only one, if they are at most a hundredth of all codes, or,
        above a billion, if they are two or not more than the others.

    Returns
    -------
    Snapshot
        The ledger has the rows of `snap`, and one for each further code requested. What was not requested has outcome
        ``"carried"`` and keeps the time at which it was received. `missed_at` says when the request of a kept deal last
        failed.

    Raises
    ------
    SettingError
        If the snapshot was filtered by `where`, if its pseudonyms were created with a secret that this computer does
        not have, or if an argument cannot be used.
    AuthError, OriginError, UnreachableError, ApiError, ArchiveError, StoppedError
        As for `fetch`.

    Warns
    -----
    IncompleteWarning, DriftWarning
        As for `fetch`; an `IncompleteWarning` also if a code was ignored in the search for new deals.
    """
    instance("refresh", snap, Snapshot, "pass the snapshot itself, or wa.load(root)")
    if snap.filters:
        raise SettingError("refresh takes the whole snapshot; apply where() to what it returns")
    since = duration("recent", recent)
    misses = whole_number("misses", misses, least=0)
    run = Run.of(client=client, archive=archive, workers=workers, progress=progress, max_failures=max_failures)
    if snap.personal.key:  # before the first request: new deals need the pseudonyms of the old ones
        snap = replace(snap, personal=snap.personal.unlocked(read_secret(settings.salt_file())))
    snap = replace(snap, tables=dict(snap.tables))  # all are needed: what cannot be read is reported before any request
    wanted = due(snap, since)
    fresh = run.snapshot(
        Frontier(wanted, _new_codes(snap, misses)), lambda found: found.is_final and found.at > snap.taken_at
    )
    return warn(renewed(snap, fresh, wanted))


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
    deals = snap.deals
    since = pd.Timestamp(snap.taken_at) - recent
    has_changed = (deals[list(_CHANGES)] >= since).any(axis=1)
    is_closed = deals["status"].isin(["won", "lost"])
    changing = set(deals.loc[has_changed | ~is_closed, "deal_id"])
    wanted: dict[str, str] = {}
    seen = set()
    for row in _rows(snap):
        deal_id, outcome = row["deal_id"], row["outcome"]
        if outcome in RECEIVED:
            if deal_id in seen or not (deal_id in changing or row["missed_at"]):
                continue
            seen.add(deal_id)
        elif outcome == "not_found":
            continue
        if id_ := _id(row["requested"]) or _id(deal_id):
            wanted.setdefault(id_, row["requested"])
    return wanted


def highest_code(snap: Snapshot) -> tuple[int, list[int]]:
    """Find the highest code of a deal, 0 if there is none, and the codes above it that are ignored.

    No new code would be found after a code that is a mistake of the data. Ignored are a code more than a hundred times
    the next lower one and the codes above it, as long as they are a hundredth of all codes at most, or a single one.
    Above a billion they may be two, or as many as the others.
    """
    codes: list[int] = sorted(set(snap.deals["code"].dropna().astype(int)))
    for n in range(1, len(codes)):
        few = max(2, n) if codes[n] > _BILLION else max(1, len(codes) // 100)
        if codes[n] > _JUMP * codes[n - 1] and len(codes) - n <= few:
            return codes[n - 1], codes[n:]
    return (codes[-1], []) if codes else (0, [])


def _new_codes(snap: Snapshot, misses: int) -> Walk | None:
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


def renewed(snap: Snapshot, fresh: Snapshot, wanted: dict[str, str]) -> Snapshot:
    """Replace what was received again, and carry the rest.

    Parameters
    ----------
    snap
        The earlier snapshot.
    fresh
        What was received for the ids in `wanted`, and for codes that the snapshot does not have.
    wanted
        What `due` returned.

    Returns
    -------
    Snapshot
        Rows of the ledger in the earlier order, then the new ones. Every deal is in it once, as last received.
    """
    fresh = replace(fresh, tables=snap.personal.apply(fresh.tables))
    ledger = _ledger(_rows(snap), {wanted.get(row["requested"], row["requested"]): row for row in _rows(fresh)})
    replaced = pa.array([row["deal_id"] for row in _rows(fresh) if row["outcome"] in RECEIVED], pa.string())
    kept = pa.array(dict.fromkeys(row["deal_id"] for row in ledger if row["outcome"] in RECEIVED), pa.string())
    tables = {}
    for name, declared in TABLES.items():
        old, new = snap.tables[name].select(declared.names), fresh.tables[name]
        is_carried = pc.and_not(_is_in(old, kept), _is_in(old, replaced))
        parts = [old.filter(is_carried), new.filter(_is_in(new, kept))]
        tables[name] = in_order(pa.concat_tables([part.cast(declared.schema) for part in parts]), kept)
    return Snapshot(
        tables=tables | {LEDGER.name: pa.Table.from_pylist(ledger, schema=LEDGER.schema)},
        taken_from=min(snap.taken_from, fresh.taken_from),
        taken_at=max(snap.taken_at, fresh.taken_at),
        drift_seen=snap.drift_seen + fresh.drift_seen,
        personal=snap.personal,
    ).check()


def _is_in(table: pa.Table, deal_ids: pa.Array) -> pa.BooleanArray:
    # in one piece: the kernel hashes all of `deal_ids` once for each chunk
    return pc.is_in(table.column("deal_id").combine_chunks(), value_set=deal_ids)


def _ledger(rows: list[dict[str, Any]], news: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Update the rows of a ledger by those that were requested again, and append the new ones."""
    by_deal = {row["deal_id"]: _updated(row, news[row["requested"]]) for row in rows if row["requested"] in news}
    received = {row["deal_id"] for row in news.values() if row["outcome"] in RECEIVED}
    names = {row["requested"] for row in rows}
    ledger = []
    for row in rows:
        requested, deal_id = row["requested"], row["deal_id"]
        update = news.get(requested) if deal_id is None else by_deal.get(deal_id)
        if update is None:
            ledger.append(row | {"outcome": "carried"} if row["outcome"] in RECEIVED else row)
            continue
        is_another = deal_id is not None and update["deal_id"] not in (None, deal_id)
        if is_another and deal_id not in received:  # kept under its own id, and requested by it next time
            if deal_id not in names or requested == deal_id:
                ledger.append(_displaced(row, update))
            if requested == deal_id:
                continue
        ledger.append(row | {name: update[name] for name in LEDGER.names if name != "requested"})
    return ledger + [row for requested, row in news.items() if requested not in names]


def _displaced(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Keep a deal whose code now belongs to another one."""
    message = f"{new['requested']} is now the code of deal {new['deal_id']}; kept as it was"
    update = {"requested": old["deal_id"], "outcome": "carried", "message": message, "missed_at": new["fetched_at"]}
    return old | update


def _updated(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Decide on a deal that was requested again: received, removed, or kept and marked."""
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


def _id(value: str | None) -> str | None:
    """Return what can be requested, or None: a line of a file cannot, nor can a deal that was never received."""
    try:
        return deal_key(value)
    except IdError:
        return None
