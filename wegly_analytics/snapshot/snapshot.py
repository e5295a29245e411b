"""Deals at one point in time: nine tables, the ledger, and how complete they are. Immutable."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from wegly_analytics import settings
from wegly_analytics.errors import IncompleteError, SettingError, SnapshotError
from wegly_analytics.model.tables import DEAL_ID
from wegly_analytics.parsing.repair import Drift
from wegly_analytics.snapshot.assigned import assigned
from wegly_analytics.snapshot.consistency import disagreements
from wegly_analytics.snapshot.display import card
from wegly_analytics.snapshot.frames import TableAsPandas, pandas_frame
from wegly_analytics.snapshot.keys import keyed
from wegly_analytics.snapshot.privacy import Mode, Protection, read_secret
from wegly_analytics.snapshot.scope import narrowed, without
from wegly_analytics.snapshot.sources import Memory, Source
from wegly_analytics.store import parquet
from wegly_analytics.store.manifest import Manifest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    import narwhals as nw
    import pyarrow as pa

    from wegly_analytics.snapshot.completeness import Completeness

MOST_MISSING: Final = 0.05
"""The share of deals missing for a reason other than 404 beyond which nothing is published unless allowed."""


@dataclass(frozen=True, eq=False, repr=False)
class Snapshot:
    """Deals at one point in time: nine tables, the ledger, and how complete they are.

    Made by `fetch`, `read`, `load`, `scan` or `sample`, never by hand. Its tables are plain pandas frames under their
    names: ``snap.deals``, ``snap.proposals`` and so on. A table is read when it is first needed. Each access gives a
    copy: changing it changes no snapshot, and ``snap.deals["size"] = 1`` is lost (pandas 3 warns). A column that
    metrics and filters should see is added with `assign`, which returns a new snapshot:
    ``snap = snap.assign(size=1)``.

    Parameters
    ----------
    tables
        The nine tables and the ledger: Arrow tables by name, or a source that reads them when they are needed.
    taken_from, taken_at
        When the first and the last response was received. `taken_at` is what every metric takes for "now".
    drift_seen
        Where responses and documentation differ.
    filters
        What `where` was given, as short texts: ``"source = Site"``.
    personal
        What was done to personal columns, for a snapshot that was loaded.

    Examples
    --------
    >>> import wegly_analytics as wa
    >>> snap = wa.sample()
    >>> snap.where(pipeline="Parcerias", status="won").deals["status"].unique().tolist()
    ['won']
    """

    tables: Mapping[str, pa.Table]
    taken_from: datetime
    taken_at: datetime
    drift_seen: Drift = field(default_factory=Drift)
    filters: tuple[str, ...] = ()
    personal: Protection = field(default_factory=Protection)

    deals = TableAsPandas()
    pipeline_stages = TableAsPandas()
    stage_durations = TableAsPandas()
    proposals = TableAsPandas()
    participants = TableAsPandas()
    contacts = TableAsPandas()
    custom_fields = TableAsPandas()
    tags = TableAsPandas()
    followers = TableAsPandas()
    ledger = TableAsPandas()

    @cached_property
    def _source(self) -> Source:
        return self.tables if isinstance(self.tables, Source) else Memory(self.tables)

    @cached_property
    def completeness(self) -> Completeness:
        """How many deals were requested, and what became of them."""
        return self._source.completeness()

    @property
    def rows(self) -> dict[str, int]:
        """How many rows each table has."""
        return {name: self._source.n_rows(name) for name in self._source}

    @property
    def drift(self) -> pd.DataFrame:
        """Where responses and documentation differ.

        Returns
        -------
        pandas.DataFrame
            One row per path: `path`; `drift`, ``"unknown"`` (not documented) or ``"never seen"``; `deals`, the count of
            responses that had it; `example`, the type of its first value. ``.attrs["looked_at"]`` is the count of
            responses examined.
        """
        frame = pd.DataFrame(self.drift_seen.rows(), columns=["path", "drift", "deals", "example"])
        frame.attrs["looked_at"] = self.drift_seen.looked_at
        return frame

    def frame(self, name: str, columns: Sequence[str] | None = None) -> nw.LazyFrame[Any]:
        """Give a table as a narwhals lazy frame, the form that metrics work on.

        Hold on to the snapshot while you use it: older versions of DuckDB close their connection with it.

        Parameters
        ----------
        name
            A table's name, or ``"ledger"``.
        columns
            Read only these columns; None for all.

        Raises
        ------
        SettingError
            If there is no such table.
        MissingColumnError
            If the table has no such column.
        """
        self._known(name)
        if isinstance(columns, str):
            raise SettingError(
                f"frame takes a list of columns, not the text {columns!r}: frame({name!r}, [{columns!r}])"
            )
        return self._source.frame(name, columns)

    def columns(self, name: str) -> list[str]:
        """List the columns of a table without reading it."""
        self._known(name)
        return list(self._source.schema(name).names)

    def keyed(self, name: str, *columns: str, **named: str) -> nw.LazyFrame[Any]:
        """Give columns of a table, some under new names, and `deal`, the key that joins it to the others."""
        frame = self.frame(name, list(dict.fromkeys([DEAL_ID.name, *columns, *named.values()])))
        return keyed(frame, lambda: self._source.numbers(name), columns, named)

    def where(
        self,
        *conditions: nw.Expr | Callable[[pd.DataFrame], Any],
        quality: str | Sequence[str] | None = None,
        **columns: object,
    ) -> Snapshot:
        """Keep some deals; every table follows. It works alike in memory, in files and on an engine.

        Parameters
        ----------
        *conditions
            Expressions, ``wa.col("value") > 50_000``; in memory also functions that are given the deals and return one
            truth value for each.
        quality
            Exclude the deals that break these rules of `metrics.quality`: a rule's name, several, or ``"clean"`` for
            all contradictions. Rules that only won or only lost deals can break bias a win rate when used alone.
        **columns
            What a column of deals must be: a value; a list, set or range of values; None or ``"(not informed)"`` for
            missing; an interval, ``wa.between(low, high)``; for days and instants also a day, month, quarter or year
            (``"2026-03-31"``, ``"2026-03"``, ``"2026-Q1"``, ``"2026"``), in São Paulo; in memory also a function of the
            column. ``tag="vip"`` keeps the deals that have this tag, perhaps among others.

        Returns
        -------
        Snapshot
            The deals for which all of it holds. The ledger keeps every row, so that completeness is not forgotten; its
            `in_scope` turns false for the deals that were excluded. `filters` says what was filtered by.

        Raises
        ------
        MissingColumnError
            If deals has no such column.
        SettingError
            If a value cannot be compared with its column, a function returns something else or has no deals in memory,
            or there is no such rule.

        Warns
        -----
        EmptyScopeWarning
            If no deal is left.

        Examples
        --------
        >>> import wegly_analytics as wa
        >>> snap = wa.sample().where(wa.col("value") > 50_000, created_at="2026-Q1", status=["won", "lost"])
        >>> snap.filters
        ('value > 50000', 'created_at = 2026-Q1', 'status = won or lost')
        """
        deals, texts = narrowed(self._source, conditions, columns, stacklevel=2)
        if quality is not None:
            deals, text = without(self._source, deals, quality, self.taken_at, stacklevel=2)
            texts.append(text)
        return replace(self, tables=self._source.keeping(deals), filters=(*self.filters, *texts))

    def assign(self, **columns: Any) -> Snapshot:
        """Add or replace columns of deals.

        Parameters
        ----------
        **columns
            An expression, ``assign(thousands=wa.col("value") / 1000)``, or a single value, whatever the source; in
            memory also a column, a list, a function that is given the deals and returns one of these, or a custom
            field: ``assign(segment=wa.custom_field("Segmento"))``.

        Returns
        -------
        Snapshot
            A new snapshot; this one stays as it is.

        Raises
        ------
        SettingError
            If a column holds what a snapshot cannot keep, if its length is not that of deals, if a declared column
            changes its type, if `deal_id` is to change, or if there is no such custom field.
        MissingColumnError
            If an expression names a column that deals do not have.
        """
        return replace(self, tables=assigned(self._source, columns))

    def check(self) -> Snapshot:
        """Make sure that the tables agree with each other and with the ledger.

        Returns
        -------
        Snapshot
            The snapshot itself.

        Raises
        ------
        SnapshotError
            If they do not; the message lists every disagreement.
        """
        wrong = list(disagreements(self.tables))
        if wrong:
            raise SnapshotError("the snapshot does not agree with itself: " + "; ".join(wrong))
        return self

    def save(
        self,
        root: str | Path,
        *,
        personal: Mode = "hash",
        columns: Mapping[str, Mode] | None = None,
        allow_incomplete: bool = False,
    ) -> Path:
        """Publish the snapshot as a new folder of Parquet files under `root`.

        Parameters
        ----------
        root
            The folder of snapshots, such as ``"data/snapshots"``; made if it is not there.
        personal
            What becomes of personal data. ``"hash"``: names and contacts become pseudonyms, equal for equal people, by
            a secret that lies outside the data; notes are left out. ``"drop"``: all of it is left out, with it what was
            written about the reasons of a loss. ``"keep"``: it stays. What was done stands in the manifest and in the
            files, and cannot be undone.
        columns
            Columns that are to be treated otherwise, such as ``{"deals.title": "drop"}``.
        allow_incomplete
            Publish although more than 5 % of the deals requested are missing for a reason other than 404.

        Returns
        -------
        pathlib.Path
            The new folder. `load` takes it, or the root.

        Raises
        ------
        IncompleteError
            If too many deals are missing.
        SnapshotError
            If it cannot be written whole; nothing is left behind then.
        SettingError
            If a mode is unknown, or the secret cannot be read or made.
        MissingColumnError
            If one of `columns` is no text column.
        """
        self.check()
        counts = self.completeness
        if counts.missing > MOST_MISSING * counts.requested and not allow_incomplete:
            raise IncompleteError(
                f"{counts}: more than {MOST_MISSING:.0%} are missing, so nothing was published. Fetch again, or pass "
                "allow_incomplete=True if every figure may rest on what was received"
            )
        protection = self.personal.further(personal, columns or {}, lambda: read_secret(settings.salt_file()))
        tables = protection.rest(self.personal).apply(self.tables)
        marked = {name: protection.marked(name, table) for name, table in tables.items()}
        return parquet.write(
            root,
            marked,
            lambda published_at: Manifest(
                taken_from=self.taken_from,
                taken_at=self.taken_at,
                published_at=published_at,
                completeness=counts.as_dict(),
                filters=self.filters,
                personal=protection.as_dict(),
                drift=self.drift_seen.as_dict(),
            ),
        )

    def _known(self, name: str) -> None:
        if name not in self._source:
            raise SettingError(f"there is no table {name!r}; there are {', '.join(self._source)}")

    @cached_property
    def _frames(self) -> dict[str, pd.DataFrame]:
        return {}

    def as_pandas(self, name: str) -> pd.DataFrame:
        """Give one table as the pandas frame that all copies are made of; not to be changed."""
        self._known(name)
        if name not in self._frames:
            self._frames[name] = pandas_frame(self._source.table(name))
        return self._frames[name]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Snapshot):
            return NotImplemented
        mine, theirs = (
            (s.taken_from, s.taken_at, s.filters, s.drift_seen, s.personal, set(s.tables)) for s in (self, other)
        )
        return mine == theirs and all(self.tables[name].equals(other.tables[name]) for name in self.tables)

    __hash__ = None  # type: ignore[assignment]

    def __len__(self) -> int:
        return self._source.n_rows("deals")

    def __repr__(self) -> str:
        return f"<Snapshot {self.taken_at:%Y-%m-%d %H:%M} UTC: {self.completeness}>"

    def _repr_html_(self) -> str:
        return card(self)
