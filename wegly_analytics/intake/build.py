"""Answers, as they come, become one snapshot.

A block of answers is flattened as soon as it is full, so that bodies do not pile up. At the end everything is put in
the order in which it was requested, so that the same answers make the same snapshot however many threads brought them,
and whether they came over the network or from the archive.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from operator import itemgetter
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from wegly_analytics.errors import DriftWarning, IncompleteWarning
from wegly_analytics.model.tables import LEDGER, TABLES
from wegly_analytics.parsing.drift import Drift
from wegly_analytics.parsing.flatten import flatten
from wegly_analytics.snapshot.snapshot import Snapshot

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from wegly_analytics.parsing.flatten import Flat

_BLOCK: Final = 1_000
"""Answers that are flattened together."""

LOOK_AT_ALL: Final = 2_000
LOOK_AT_EVERY: Final = 20
"""Drift is looked for in each of the first answers, then in every so-manieth."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one id.

    Parameters
    ----------
    requested
        The id as requested.
    outcome
        One of `vocabulary.OUTCOMES`.
    fetched_at
        When the answer came.
    http_status
        The last HTTP status; None if no answer came, or it came from a file.
    message
        What went wrong, or None.
    body
        The answer itself, for outcome ``"fetched"``.
    check_id
        Whether the answer must be about the deal that was requested.
    """

    requested: str
    outcome: str
    fetched_at: datetime
    http_status: int | None = None
    message: str | None = None
    body: bytes | None = None
    check_id: bool = True


@dataclass
class Assembly:
    """Gathers answers and makes the snapshot of them."""

    _ready: list[tuple[int, Answer]] = field(default_factory=list)
    _ledger: dict[int, dict[str, object]] = field(default_factory=dict)
    _blocks: list[dict[str, pa.Table]] = field(default_factory=list)
    _places: list[dict[str, int]] = field(default_factory=list)
    _drift: Drift = field(default_factory=Drift)
    _moments: list[datetime] = field(default_factory=list)
    _n_read: int = 0

    def add(self, place: int, answer: Answer) -> None:
        """Add the answer for the id that was requested in this place, counted from 0; in any order."""
        self._ready.append((place, answer))
        if len(self._ready) == _BLOCK:
            self._flatten()

    def snapshot(self, now: datetime) -> Snapshot:
        """Make the snapshot of all that was added.

        Parameters
        ----------
        now
            The moment of a snapshot for which no answer came at all.
        """
        self._flatten()
        order = _newest_versions(self._blocks, self._places)
        moments = self._moments or [now]
        tables = {name: pa.concat_tables([block[name] for block in self._blocks]) for name in TABLES}
        ledger = [row for _, row in sorted(self._ledger.items())]
        return Snapshot(
            tables=in_order(tables, order) | {LEDGER.name: pa.Table.from_pylist(ledger, schema=LEDGER.schema)},
            taken_from=min(moments),
            taken_at=max(moments),
            drift_seen=self._drift,
        ).check()

    def _flatten(self) -> None:
        # in the order requested, which decides between two equal versions of a deal
        answers, self._ready = sorted(self._ready, key=itemgetter(0)), []
        read = [(place, a) for place, a in answers if a.body is not None]
        bodies = [a.body or b"" for _, a in read]
        flat = flatten(bodies, [a.requested if a.check_id else None for _, a in read])
        self._blocks.append(flat.tables)
        self._places.append({deal_id: read[n][0] for n, deal_id in reversed(flat.deal_ids.items())})
        found = {place: n for n, (place, _) in enumerate(read)}
        for place, answer in answers:
            self._ledger[place] = _row(answer, flat, found.get(place))
            self._moments.append(answer.fetched_at)
        for n, body in enumerate(bodies, start=self._n_read):
            if n < LOOK_AT_ALL or n % LOOK_AT_EVERY == 0:
                self._drift.look(body)
        self._n_read += len(bodies)


def _row(answer: Answer, flat: Flat, n: int | None) -> dict[str, object]:
    row: dict[str, object] = {name: getattr(answer, name, None) for name in LEDGER.names} | {"in_scope": True}
    if n in flat.refused:
        row |= {"outcome": "unreadable", "message": str(flat.refused[n])}
    elif n is not None:
        row |= {"deal_id": flat.deal_ids[n], "message": "; ".join(flat.notes.get(n, ())) or None}
    return row


def _newest_versions(blocks: list[dict[str, pa.Table]], places: list[dict[str, int]]) -> list[str]:
    """Where two blocks hold one deal, keep its newest version; within a block `flatten` has done so.

    Returns
    -------
    list of str
        The deals that are left, in the order in which they were first requested.
    """
    versions = pa.concat_tables([block["deals"].select(["deal_id", "updated_at"]) for block in blocks]).to_pandas()
    versions["block"] = np.repeat(np.arange(len(blocks)), [block["deals"].num_rows for block in blocks])
    versions["place"] = [places[n][deal_id] for n, deal_id in zip(versions["block"], versions["deal_id"], strict=True)]
    twice = versions[versions.duplicated("deal_id", keep=False)]
    newest = twice.sort_values(["updated_at", "place"], na_position="first").drop_duplicates("deal_id", keep="last")
    for n, older in twice.drop(newest.index).groupby("block")["deal_id"]:
        ids = pa.array(older, pa.string())
        for name, table in blocks[n].items():
            blocks[n][name] = table.filter(pc.invert(pc.is_in(table.column("deal_id"), value_set=ids)))
    order: list[str] = versions.sort_values("place")["deal_id"].drop_duplicates().tolist()
    return order


def in_order(tables: Mapping[str, pa.Table], deal_ids: Sequence[str]) -> dict[str, pa.Table]:
    """Put the rows of every table in the order of deals, without touching the order within a deal."""
    wanted = pa.array(deal_ids, pa.string())
    ordered = {}
    for name, table in tables.items():
        places = pc.index_in(table.column("deal_id"), value_set=wanted).to_numpy()
        is_sorted = bool((places[1:] >= places[:-1]).all())
        ordered[name] = table if is_sorted else table.take(np.argsort(places, kind="stable"))
    return ordered


def warn(snap: Snapshot, *, stacklevel: int = 3) -> Snapshot:
    """Warn once of deals that are missing and of fields that are not documented, in the name of the caller's caller."""
    if snap.completeness.missing:
        warnings.warn(f"{snap.completeness}: see snap.ledger for each", IncompleteWarning, stacklevel=stacklevel)
    if unknown := snap.drift_seen.unknown:
        named = ", ".join(sorted(unknown)[:5]) + (", …" if len(unknown) > 5 else "")
        message = f"fields that are not documented came: {named}; see snap.drift"
        warnings.warn(message, DriftWarning, stacklevel=stacklevel)
    return snap
