"""Answers, as they come, become one snapshot.

The answers wait in the order in which they were asked for, not in the order in which they came, so that the same
answers make the same snapshot however many threads brought them. A block of them is flattened as soon as it is
complete, so that bodies do not pile up.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from wegly_analytics.diagnosis import Drift
from wegly_analytics.errors import DriftWarning, IncompleteWarning
from wegly_analytics.flatten import flatten
from wegly_analytics.snapshot import Snapshot
from wegly_analytics.tables import LEDGER, TABLES

if TYPE_CHECKING:
    from datetime import datetime

    from wegly_analytics.flatten import Flat

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
    asked
        The id as asked for.
    outcome
        One of `vocabulary.OUTCOMES`.
    fetched_at
        When the answer came.
    http_status
        The last HTTP status; None if no answer came, or it came from a file.
    error
        What went wrong, or None.
    body
        The answer itself, for outcome ``"fetched"``.
    check_id
        Whether the answer must be about the deal that was asked for.
    """

    asked: str
    outcome: str
    fetched_at: datetime
    http_status: int | None = None
    error: Exception | None = None
    body: bytes | None = None
    check_id: bool = True

    @property
    def message(self) -> str | None:
        """What went wrong, in words."""
        return str(self.error) if self.error else None


@dataclass
class Assembly:
    """Gathers answers and makes the snapshot of them."""

    _waiting: dict[int, Answer] = field(default_factory=dict)
    _ready: list[Answer] = field(default_factory=list)
    _ledger: list[dict[str, object]] = field(default_factory=list)
    _blocks: list[dict[str, pa.Table]] = field(default_factory=list)
    _drift: Drift = field(default_factory=Drift)
    _moments: list[datetime] = field(default_factory=list)
    _n_read: int = 0

    def add(self, place: int, answer: Answer) -> None:
        """Add the answer for the id that was asked for in this place, counted from 0."""
        self._waiting[place] = answer
        while (next_place := len(self._ledger) + len(self._ready)) in self._waiting:
            self._ready.append(self._waiting.pop(next_place))
            if len(self._ready) == _BLOCK:
                self._flatten()

    def snapshot(self, now: datetime) -> Snapshot:
        """Make the snapshot of all that was added, and warn once of what is missing and of drift.

        Parameters
        ----------
        now
            The moment of a snapshot for which no answer came at all.
        """
        self._flatten()
        _drop_older_versions(self._blocks)
        moments = self._moments or [now]
        tables = {name: pa.concat_tables([block[name] for block in self._blocks]) for name in TABLES}
        snap = Snapshot(
            tables=tables | {LEDGER.name: pa.Table.from_pylist(self._ledger, schema=LEDGER.schema)},
            taken_from=min(moments),
            taken_at=max(moments),
            drift_seen=self._drift,
        )
        _warn(snap)
        return snap.check()

    def _flatten(self) -> None:
        answers, self._ready = self._ready, []
        read = [a for a in answers if a.body is not None]
        bodies = [a.body or b"" for a in read]
        flat = flatten(bodies, [a.asked if a.check_id else None for a in read])
        self._blocks.append(flat.tables)
        found = {id(a): n for n, a in enumerate(read)}
        for answer in answers:
            self._ledger.append(_row(answer, flat, found.get(id(answer))))
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


def _drop_older_versions(blocks: list[dict[str, pa.Table]]) -> None:
    """Where two blocks hold one deal, keep its newest version; within a block `flatten` has done so."""
    columns = ["deal_id", "updated_at"]
    versions = pa.concat_tables([block["deals"].select(columns) for block in blocks]).to_pandas()
    versions["block"] = np.repeat(np.arange(len(blocks)), [block["deals"].num_rows for block in blocks])
    twice = versions[versions.duplicated("deal_id", keep=False)]
    newest = twice.sort_values(["updated_at", "block"], na_position="first").drop_duplicates("deal_id", keep="last")
    for n, older in twice.drop(newest.index).groupby("block")["deal_id"]:
        ids = pa.array(older, pa.string())
        for name, table in blocks[n].items():
            blocks[n][name] = table.filter(pc.invert(pc.is_in(table.column("deal_id"), value_set=ids)))


def _warn(snap: Snapshot) -> None:
    if snap.completeness.missing:
        warnings.warn(f"{snap.completeness}: see snap.ledger for each", IncompleteWarning, stacklevel=4)
    if unknown := snap.drift_seen.unknown:
        named = ", ".join(sorted(unknown)[:5]) + (", …" if len(unknown) > 5 else "")
        warnings.warn(f"fields that are not documented came: {named}; see snap.drift", DriftWarning, stacklevel=4)
