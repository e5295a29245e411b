"""Request again what may have changed since a snapshot was taken, and carry the rest."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from wegly_analytics import settings
from wegly_analytics.errors import SettingError
from wegly_analytics.intake.arguments import instance, whole_number
from wegly_analytics.intake.build import SnapshotBuilder, warn
from wegly_analytics.intake.crawl import MAX_FAILURES
from wegly_analytics.intake.due import due, new_codes
from wegly_analytics.intake.durations import duration
from wegly_analytics.intake.frontier import Frontier
from wegly_analytics.intake.ledger import column, received, renewed_ledger
from wegly_analytics.intake.renewal import RANKS_PER_FILE, Spool, renew_into
from wegly_analytics.intake.run import Run
from wegly_analytics.model.tables import DEAL_ID, LEDGER, TABLES
from wegly_analytics.snapshot.secret import read_secret
from wegly_analytics.snapshot.snapshot import Snapshot
from wegly_analytics.snapshot.sources import batches
from wegly_analytics.store.sort import by_rank

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta
    from pathlib import Path

    from wegly_analytics.intake.build import Sink
    from wegly_analytics.intake.client import Client
    from wegly_analytics.intake.renewal import Renewal
    from wegly_analytics.intake.row import Found
    from wegly_analytics.snapshot.save import Publisher


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
    fresh = run.snapshot(Frontier(wanted, new_codes(snap, misses)), _is_later(snap))
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
        run.collect(Frontier(wanted, new_codes(snap, misses)), _is_later(snap), building)
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
    return by_rank(pa.concat_tables([old, new]), np.concatenate([np.where(was_replaced[then], -1, then), now]))


def _positions(table: pa.Table, deal_ids: pa.Array) -> np.ndarray:
    """Find the deal of each row; -1 where there is none."""
    found = pc.index_in(column(table, DEAL_ID.name), value_set=deal_ids)
    positions: np.ndarray = found.fill_null(-1).to_numpy(zero_copy_only=False)
    return positions
