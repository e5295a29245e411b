"""Request again what may have changed since a snapshot was taken, and carry the rest."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from wegly_analytics import settings
from wegly_analytics.errors import IdError, IncompleteWarning, SettingError
from wegly_analytics.intake.arguments import instance, whole_number
from wegly_analytics.intake.build import SnapshotBuilder, warn
from wegly_analytics.intake.crawl import MAX_FAILURES
from wegly_analytics.intake.durations import duration
from wegly_analytics.intake.frontier import Frontier, Walk
from wegly_analytics.intake.ledger import column, is_received, received, renewed_ledger, whole
from wegly_analytics.intake.renewal import RANKS_PER_FILE, Spool, renew_into
from wegly_analytics.intake.run import Run
from wegly_analytics.intake.streams import emit
from wegly_analytics.model.ids import MAX_CODE, deal_key
from wegly_analytics.model.tables import DEAL_ID, DEALS, LEDGER, TABLES
from wegly_analytics.snapshot.secret import read_secret
from wegly_analytics.snapshot.snapshot import Snapshot
from wegly_analytics.snapshot.sources import batches

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta
    from pathlib import Path

    from wegly_analytics.intake.build import Sink
    from wegly_analytics.intake.client import Client
    from wegly_analytics.intake.renewal import Renewal
    from wegly_analytics.intake.row import Found
    from wegly_analytics.snapshot.save import Publisher

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
    snap, since, misses = _prepared(snap, recent, misses)
    run = Run.of(client=client, archive=archive, workers=workers, progress=progress, max_failures=max_failures)
    snap = _unlocked(snap)
    snap = replace(snap, tables=dict(snap.tables))  # all are needed: what cannot be read is reported before any request
    wanted = due(snap, since)
    fresh = run.snapshot(Frontier(wanted, _new_codes(snap, misses)), _is_later(snap))
    snap = renewed(snap, fresh, wanted)
    warn(snap.summary)
    return snap


def refresh_into(
    publisher: Publisher,
    snap: Snapshot,
    *,
    root: str | Path,
    client: Client | None,
    archive: str | Path | None,
    recent: str | timedelta,
    misses: int,
    workers: int,
    progress: bool,
    max_failures: float,
    builder: Callable[[Sink], SnapshotBuilder] = SnapshotBuilder,
    per_file: int = RANKS_PER_FILE,
) -> Renewal:
    """Refresh a snapshot in batches, and hand the result to a publisher; no table is in memory as a whole.

    Parameters
    ----------
    publisher
        What takes the tables.
    root
        The folder of snapshots; what was received waits beside it, and is removed.
    snap, client, archive, recent, misses, workers, progress, max_failures
        As for `refresh`, with what that raises and warns of.
    builder
        Makes what takes the responses, given its sink.
    per_file
        As for `sorted_rows`.
    """
    snap, since, misses = _prepared(snap, recent, misses)
    run = Run.of(client=client, archive=archive, workers=workers, progress=progress, max_failures=max_failures)
    snap = _unlocked(snap)
    for name in snap.tables:  # all are needed: what cannot be read is reported before any request
        next(batches(snap.tables, name), None)
    wanted = due(snap, since)
    with Spool(root, snap.personal) as spool:
        building = builder(spool)
        run.collect(Frontier(wanted, _new_codes(snap, misses)), _is_later(snap), building)
        done = renew_into(publisher, snap, spool, building.summary(datetime.now(UTC)), wanted, per_file)
    warn(done.summary)
    return done


def _prepared(snap: Snapshot, recent: str | timedelta, misses: int) -> tuple[Snapshot, timedelta, int]:
    """Check what is to be refreshed, and how much of it is requested."""
    instance("refresh", snap, Snapshot, "pass the snapshot itself, or wa.load(root)")
    if snap.filters:
        raise SettingError("refresh takes the whole snapshot; apply where() to what it returns")
    return snap, duration("recent", recent), whole_number("misses", misses, least=0)


def _unlocked(snap: Snapshot) -> Snapshot:
    """Add the secret before the first request: new deals need the pseudonyms of the old ones."""
    if not snap.personal.key:
        return snap
    return replace(snap, personal=snap.personal.unlocked(read_secret(settings.salt_file())))


def _is_later(snap: Snapshot) -> Callable[[Found], bool]:
    """Return whether an archived record comes from a refresh of this snapshot that was stopped."""
    return lambda found: found.is_final and found.at > snap.taken_at


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
    ledger = renewed_ledger(snap.tables[LEDGER.name], fresh.tables[LEDGER.name], wanted)
    deal_ids = received(ledger)
    is_replaced = pc.is_in(deal_ids, value_set=received(fresh.tables[LEDGER.name]))
    tables = {}
    for name, declared in TABLES.items():
        old, new = (
            table.select(declared.names).cast(declared.schema) for table in (snap.tables[name], fresh.tables[name])
        )
        tables[name] = _merged(old, new, deal_ids, is_replaced)
    return Snapshot(
        tables=tables | {LEDGER.name: ledger},
        taken_from=min(snap.taken_from, fresh.taken_from),
        taken_at=max(snap.taken_at, fresh.taken_at),
        drift_seen=snap.drift_seen + fresh.drift_seen,
        personal=snap.personal,
    ).check()


def _merged(old: pa.Table, new: pa.Table, deal_ids: pa.Array, is_replaced: pa.BooleanArray) -> pa.Table:
    """Put together the rows of deals, in the order of these; the old rows of a deal that was replaced are left out."""
    was_replaced = np.append(is_replaced.to_numpy(zero_copy_only=False), True)  # the last is of deals that are not kept
    then, now = _positions(old, deal_ids), _positions(new, deal_ids)
    positions = np.concatenate([np.where(was_replaced[then], -1, then), now])
    rows = np.flatnonzero(positions >= 0)
    order = rows[np.argsort(positions[rows], kind="stable")]
    return pa.concat_tables([old, new]).take(order)


def _positions(table: pa.Table, deal_ids: pa.Array) -> np.ndarray:
    """Find the deal of each row; -1 where there is none."""
    found = pc.index_in(column(table, DEAL_ID.name), value_set=deal_ids)
    positions: np.ndarray = found.fill_null(-1).to_numpy(zero_copy_only=False)
    return positions


def _id(value: str | None) -> str | None:
    """Return what can be requested, or None: a line of a file cannot, nor can a deal that was never received."""
    try:
        return deal_key(value)
    except IdError:
        return None
