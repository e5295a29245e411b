"""Deals at one point in time: nine tables, the ledger, and how complete they are. Immutable."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from wegly_analytics.errors import SettingError
from wegly_analytics.parsing.drift import Drift
from wegly_analytics.snapshot.assigned import assigned
from wegly_analytics.snapshot.consistency import require_agreement
from wegly_analytics.snapshot.display import card
from wegly_analytics.snapshot.frames import TableAsPandas, drift_frame, pandas_frame
from wegly_analytics.snapshot.privacy import Protection
from wegly_analytics.snapshot.save import Publisher, Summary
from wegly_analytics.snapshot.scope import narrowed, without
from wegly_analytics.snapshot.sources import Memory, Source

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    import narwhals as nw
    import pandas as pd
    import pyarrow as pa

    from wegly_analytics.model.personal import Mode, Treatment
    from wegly_analytics.snapshot.completeness import Completeness


@dataclass(frozen=True, eq=False, repr=False)
class Snapshot:
    """Deals at one point in time: nine tables, the ledger, and how complete they are.

    Returned by `fetch`, `read`, `load`, `scan` and `sample`. Its tables are pandas frames under their names:
    ``snap.deals``, ``snap.proposals`` and so on. A table is read when it is first needed. Each access gives a copy, so
    ``snap.deals["size"] = 1`` is lost (pandas 3 warns). Add a column that metrics and filters should see with `assign`,
    which returns a new snapshot: ``snap = snap.assign(size=1)``.

    Parameters
    ----------
    tables
        The nine tables and the ledger: Arrow tables by name, or a source that reads them when needed.
    taken_from, taken_at
        When the first and the last response was received. `taken_at` is "now" for every metric.
    drift_seen
        How responses and documentation differ.
    filters
        What `where` kept, as short texts: ``"source = Site"``.
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
    _frames: dict[str, pd.DataFrame] = field(default_factory=dict, init=False)

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
        """How many deals were requested, and with which outcome."""
        return self._source.completeness()

    @property
    def rows(self) -> dict[str, int]:
        """The number of rows of each table."""
        return {name: self._source.n_rows(name) for name in self._source}

    @property
    def drift(self) -> pd.DataFrame:
        """How responses and documentation differ.

        Returns
        -------
        pandas.DataFrame
            One row per `path`; `drift`, ``"unknown"`` (not documented) or ``"never seen"``; `deals`, the count of
            responses with it; `example`, the type of its first value. ``.attrs["looked_at"]`` counts all responses. In
            the first 200 responses null counts as a value; later a field that is null counts as not sent.
        """
        return drift_frame(self.drift_seen)

    def frame(self, name: str, columns: Sequence[str] | None = None) -> nw.LazyFrame[Any]:
        """Return a table as a narwhals lazy frame, the form that metrics use.

        Keep a reference to the snapshot while you use the frame: older versions of DuckDB close their connection
        without one.

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
        self._source.require(name)
        if isinstance(columns, str):
            raise SettingError(f"frame takes a list of columns: frame({name!r}, [{columns!r}])")
        return self._source.frame(name, columns)

    def columns(self, name: str) -> list[str]:
        """List the columns of a table without reading it."""
        self._source.require(name)
        return list(self._source.schema(name).names)

    def keyed(self, name: str, *columns: str, **named: str) -> nw.LazyFrame[Any]:
        """Return columns of a table, some renamed, and `deal`, the key that joins it to the other tables."""
        self._source.require(name)
        return self._source.keyed(name, *columns, **named)

    def where(
        self,
        *conditions: nw.Expr | Callable[[pd.DataFrame], Any],
        quality: str | Sequence[str] | None = None,
        **columns: object,
    ) -> Snapshot:
        """Keep some deals, and the rows of all tables that belong to them.

        Parameters
        ----------
        *conditions
            Expressions, ``wa.col("value") > 50_000``; in memory also functions that take the deals and return true or
            false for each.
        quality
            Exclude the deals that break these rules of `metrics.quality`: a rule's name, several, or ``"clean"`` for
            all contradictions. Rules that only won or only lost deals can break bias a win rate when used alone.
        **columns
            What a column of deals must equal: a value; one of a list, set or range of values; None or
            ``"(not informed)"`` for missing; an interval, ``wa.between(low, high)``; for days and instants also a day,
            month, quarter or year in São Paulo (``"2026-03-31"``, ``"2026-03"``, ``"2026-Q1"``, ``"2026"``); in memory
            also a function of the column. ``tag="vip"`` keeps the deals with this tag.

        Returns
        -------
        Snapshot
            The deals that meet all conditions. The ledger keeps every row, so that completeness does not change;
            `in_scope` is false for the deals that were excluded. `filters` lists the conditions.

        Raises
        ------
        MissingColumnError
            If deals has no such column.
        SettingError
            If a condition cannot be applied to its column or source, or there is no such rule.

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
            An expression, ``assign(thousands=wa.col("value") / 1000)``, or a single value, on every source; in memory
            also a column, a list, a function that takes the deals and returns one of these, or a custom field:
            ``assign(segment=wa.custom_field("Segmento"))``.

        Returns
        -------
        Snapshot
            A new snapshot; this one does not change.

        Raises
        ------
        SettingError
            If a column cannot be computed or stored, or `deal_id` or the type of a declared column would change.
        MissingColumnError
            If an expression names a column that deals do not have.
        """
        return replace(self, tables=assigned(self._source, columns), personal=self.personal.without(columns))

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
        require_agreement(self.tables)
        return self

    def save(
        self,
        root: str | Path,
        *,
        personal: Mode = "hash",
        columns: Mapping[str, Treatment] | None = None,
        allow_incomplete: bool = False,
    ) -> Path:
        """Publish the snapshot as a new folder of Parquet files under `root`.

        Parameters
        ----------
        root
            The folder of snapshots, such as ``"data/snapshots"``; created if it does not exist.
        personal
            How personal data is treated; this cannot be undone. ``"hash"``: customers' names, contacts and ids become
            pseudonyms, created with a secret that is stored outside the data; free text such as titles and notes is
            emptied. ``"hash-all"``: staff become pseudonyms, too. ``"drop"``: all personal columns are emptied.
        columns
            Treatments of single text columns, such as ``{"deals.title": "keep"}``.
        allow_incomplete
            Publish even if more than 5 % of the deals requested are missing for a reason other than 404.

        Returns
        -------
        pathlib.Path
            The new folder. `load` takes it, or the root.

        Raises
        ------
        IncompleteError
            If too many deals are missing.
        SnapshotError
            If it cannot be written completely; nothing is left behind then.
        SettingError
            If `root` cannot be a folder of snapshots, a mode is unknown, or the secret cannot be read or created.
        MissingColumnError
            If one of `columns` is not a text column.
        """
        publisher = Publisher(
            root,
            personal,
            columns,
            allow_incomplete=allow_incomplete,
            done=self.personal,
            deals=self._source.schema("deals"),
        )
        self.check()
        publisher.require_complete(self.completeness)
        with publisher:
            publisher.add(self.tables)
            return publisher.publish(self.summary)

    @property
    def summary(self) -> Summary:
        """What a manifest says of the snapshot as a whole."""
        return Summary(
            taken_from=self.taken_from,
            taken_at=self.taken_at,
            deals=len(self),
            completeness=self.completeness,
            drift_seen=self.drift_seen,
            filters=self.filters,
        )

    def as_pandas(self, name: str) -> pd.DataFrame:
        """Return the shared pandas frame of a table, without a copy; do not change it."""
        self._source.require(name)
        if name not in self._frames:
            self._frames[name] = pandas_frame(self._source.table(name))
        return self._frames[name]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Snapshot):
            return NotImplemented
        both = [(s.taken_from, s.taken_at, s.filters, s.drift_seen, s.personal, set(s.tables)) for s in (self, other)]
        return both[0] == both[1] and all(self.tables[name].equals(other.tables[name]) for name in self.tables)

    __hash__ = None  # type: ignore[assignment]

    def __len__(self) -> int:
        return self._source.n_rows("deals")

    def __repr__(self) -> str:
        return f"<Snapshot {self.taken_at:%Y-%m-%d %H:%M} UTC: {self.completeness}>"

    def _repr_html_(self) -> str:
        return card(self)
