"""Deals at one moment: nine tables, the ledger, and how complete they are. Never changed after."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, overload

import narwhals as nw
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from wegly_analytics import settings
from wegly_analytics.errors import EmptyScopeWarning, IncompleteError, SettingError, SnapshotError
from wegly_analytics.model.enums import OUTCOMES, RECEIVED
from wegly_analytics.model.tables import DEAL_ID, DEALS, LEDGER, TABLES
from wegly_analytics.parsing.repair import Drift
from wegly_analytics.snapshot.completeness import Completeness
from wegly_analytics.snapshot.custom_fields import Dimension
from wegly_analytics.snapshot.display import card
from wegly_analytics.snapshot.filters import matching
from wegly_analytics.snapshot.privacy import Mode, Protection, read_secret
from wegly_analytics.snapshot.quality_rules import Moment, breaking, chosen
from wegly_analytics.store import parquet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

SCHEMA_VERSION: Final = 1
"""Raised when a published table changes its columns' names or types."""

ALL_TABLES: Final = {**TABLES, LEDGER.name: LEDGER}

MOST_MISSING: Final = 0.05
"""The share of deals missing for a reason other than 404 beyond which nothing is published unasked."""

_NULLABLE: Final = {pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}
"""Whole numbers stay whole and flags stay flags where some are missing."""


class _Frame:
    """One of the tables as plain pandas; every access gives a copy that may be changed freely."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name
        self.__doc__ = ALL_TABLES[name].grain

    @overload
    def __get__(self, snap: None, owner: type) -> _Frame: ...
    @overload
    def __get__(self, snap: Snapshot, owner: type) -> pd.DataFrame: ...
    def __get__(self, snap: Snapshot | None, owner: type) -> _Frame | pd.DataFrame:
        return self if snap is None else snap._pandas(self._name).copy()  # noqa: SLF001 - a part of Snapshot


@dataclass(frozen=True, eq=False, repr=False)
class Snapshot:
    """Deals at one moment.

    Made by `fetch`, `read`, `load` or `sample`, never by hand. Its tables are plain pandas frames under their names:
    ``snap.deals``, ``snap.proposals`` and so on, each a copy that may be changed without changing the snapshot.

    Parameters
    ----------
    tables
        The nine tables and the ledger as Arrow tables.
    taken_from, taken_at
        When the first and the last answer came. `taken_at` is what every metric takes for "now".
    drift_seen
        Where answers and documentation part.
    filters
        What `where` has left in, one sentence each.
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

    deals = _Frame()
    pipeline_stages = _Frame()
    stage_durations = _Frame()
    proposals = _Frame()
    participants = _Frame()
    contacts = _Frame()
    custom_fields = _Frame()
    tags = _Frame()
    followers = _Frame()
    ledger = _Frame()

    @cached_property
    def completeness(self) -> Completeness:
        """How many deals were requested, and what became of them."""
        return Completeness.of(self.tables["ledger"])

    @property
    def rows(self) -> dict[str, int]:
        """How many rows each table has."""
        return {name: table.num_rows for name, table in self.tables.items()}

    @property
    def drift(self) -> pd.DataFrame:
        """Where answers and documentation part.

        Returns
        -------
        pandas.DataFrame
            One row per path: `path`; `drift`, ``"unknown"`` (not documented) or ``"never seen"``; `deals`, the count of
            answers that had it; `example`, the type of its first value. ``.attrs["looked_at"]`` says in how many
            answers was looked.
        """
        frame = pd.DataFrame(self.drift_seen.rows(), columns=["path", "drift", "deals", "example"])
        frame.attrs["looked_at"] = self.drift_seen.looked_at
        return frame

    def frame(self, name: str) -> nw.LazyFrame[Any]:
        """Give a table as a narwhals lazy frame, the form that metrics work on.

        Parameters
        ----------
        name
            A table's name, or ``"ledger"``.
        """
        lazy: nw.LazyFrame[Any] = nw.from_native(self._table(name)).lazy()
        return lazy

    def where(
        self,
        *conditions: Callable[[pd.DataFrame], Any],
        quality: str | Sequence[str] | None = None,
        **columns: object,
    ) -> Snapshot:
        """Keep some deals; every table follows.

        Parameters
        ----------
        *conditions
            Functions that get the deals and answer one truth value for each.
        quality
            Leave out the deals that break these rules of `metrics.quality`: a rule's name, several, or ``"clean"`` for
            all contradictions. Rules that only won or only lost deals can break bend a win rate when requested alone.
        **columns
            What a column of deals must be: a value; a list, set or range of values; None or ``"(not informed)"`` for
            missing; or a function that gets the column and answers one truth value for each row.

        Returns
        -------
        Snapshot
            The deals for which all of it holds. The ledger keeps every row, so that completeness is not forgotten; its
            `in_scope` turns false for the deals left out.

        Raises
        ------
        MissingColumnError
            If deals has no such column.
        SettingError
            If a value cannot be compared with its column, a function answers something else, or there is no such rule.

        Warns
        -----
        EmptyScopeWarning
            If no deal is left.
        """
        mask, said = matching(self._table("deals"), self._pandas("deals"), conditions, columns)
        kept = self._table("deals").filter(mask).column(DEAL_ID.name)
        if quality is not None:
            n = len(kept)
            broken = self._breaking(quality).collect("pyarrow").to_native().column(DEAL_ID.name)
            kept = kept.filter(pc.invert(pc.is_in(kept, value_set=broken)))
            said = [*said, excluded_by(quality, n, len(kept), stacklevel=2)]
        tables = {name: cut(name, table, kept) for name, table in self.tables.items()}
        return replace(self, tables=tables, filters=(*self.filters, *said))

    def assign(self, **columns: Any) -> Snapshot:
        """Add or replace columns of deals, as pandas' own ``assign`` does.

        Parameters
        ----------
        **columns
            A column, a list, a single value, a function that gets the deals and answers one of these, or a custom
            field's answers: ``assign(segment=wa.custom_field("Segmento"))``.

        Raises
        ------
        SettingError
            If a column holds what a snapshot cannot keep, if its length is not that of deals, if a declared column
            changes its type, if `deal_id` is to change, or if there is no such custom field.
        """
        if DEAL_ID.name in columns:
            raise SettingError("deal_id joins the tables and cannot be assigned")
        columns = {
            name: column.column(self.tables) if isinstance(column, Dimension) else column
            for name, column in columns.items()
        }
        try:
            frame = self._pandas("deals").assign(**columns)
        except ValueError as error:
            raise SettingError(f"cannot assign {', '.join(columns)}: {error}") from error
        deals = self._table("deals")
        for name in columns:
            array = _as_arrow(name, frame[name])
            at = deals.schema.get_field_index(name)
            new = pa.field(name, array.type) if at < 0 else deals.schema.field(at)
            deals = deals.append_column(new, array) if at < 0 else deals.set_column(at, new, array)
        return replace(self, tables={**self.tables, "deals": deals})

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
        wrong = list(_disagreements(self.tables))
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
                "allow_incomplete=True if every figure may rest on what came"
            )
        protection = self.personal.further(personal, columns or {}, lambda: read_secret(settings.salt_file()))
        tables = protection.rest(self.personal).apply(self.tables)
        manifest = {
            "schema_version": SCHEMA_VERSION,
            "taken_from": self.taken_from.isoformat(),
            "taken_at": self.taken_at.isoformat(),
            "filters": list(self.filters),
            "completeness": counts.as_dict(),
            "personal": protection.as_dict(),
            "drift": self.drift_seen.as_dict(),
        }
        marked = {name: protection.marked(name, table) for name, table in tables.items()}
        return parquet.write(root, self.taken_at, marked, manifest)

    def _breaking(self, quality: str | Sequence[str]) -> nw.LazyFrame[Any]:
        return breaking(self.frame, chosen(quality), Moment(self.taken_at)).select(DEAL_ID.name)

    def _table(self, name: str) -> pa.Table:
        if name not in self.tables:
            raise SettingError(f"there is no table {name!r}; there are {', '.join(self.tables)}")
        return self.tables[name]

    @cached_property
    def _frames(self) -> dict[str, pd.DataFrame]:
        return {}

    def _pandas(self, name: str) -> pd.DataFrame:
        if name not in self._frames:
            table = self._table(name)
            self._frames[name] = table.to_pandas(date_as_object=False, types_mapper=_NULLABLE.get)
        return self._frames[name]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Snapshot):
            return NotImplemented
        mine, theirs = (
            (s.taken_from, s.taken_at, s.filters, s.drift_seen, s.personal, s.tables.keys()) for s in (self, other)
        )
        return mine == theirs and all(self.tables[name].equals(other.tables[name]) for name in self.tables)

    __hash__ = None  # type: ignore[assignment]

    def __len__(self) -> int:
        return self.rows["deals"]

    def __repr__(self) -> str:
        return f"<Snapshot {self.taken_at:%Y-%m-%d %H:%M} UTC: {self.completeness}>"

    def _repr_html_(self) -> str:
        return card(self)


def cut(name: str, table: pa.Table, kept: pa.Array) -> pa.Table:
    """Keep the rows of some deals; the ledger keeps all of its, and marks the others out of scope."""
    is_kept = pc.is_in(table.column(DEAL_ID.name), value_set=kept)
    if name != LEDGER.name:
        return table.filter(is_kept)
    still = pc.and_(table.column("in_scope"), is_kept)
    # an id that brought no deal cannot be said to lie outside
    in_scope = pc.if_else(pc.is_valid(table.column(DEAL_ID.name)), still, table.column("in_scope"))
    return table.set_column(table.schema.get_field_index("in_scope"), LEDGER.schema.field("in_scope"), in_scope)


def excluded_by(quality: str | Sequence[str], n: int, left: int, stacklevel: int) -> str:
    """Say how many deals rules have left out; warn where these are all."""
    names = [quality] if isinstance(quality, str) else list(quality)
    if n and not left:
        warnings.warn(f"all {n:,} deals break a rule: {', '.join(names)}", EmptyScopeWarning, stacklevel=stacklevel + 1)
    return f"quality = {' and '.join(names)}: {n - left:,} of {n:,} deals left out"


def _as_arrow(name: str, column: pd.Series) -> pa.Array:
    """Turn an assigned column into one of the few types that every reader of Parquet knows."""
    try:
        array = pa.Array.from_pandas(column)
    except pa.ArrowException as error:
        raise SettingError(f"column {name!r} cannot be kept: {error}") from error
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    declared = {c.name: c.kind.keep for c in DEALS.columns}.get(name)
    for test, target in _KEPT_AS.items():
        if test(array.type):
            try:
                return array.cast(declared or (pa.timestamp("us", array.type.tz) if target is None else target))
            except pa.ArrowException as error:
                raise SettingError(f"column {name!r} holds {declared}, not {array.type}: {error}") from error
    raise SettingError(
        f"column {name!r} holds {array.type}, which not every reader of Parquet knows; make it text or a number"
    )


_KEPT_AS: Final[dict[Callable[[pa.DataType], bool], pa.DataType | None]] = {
    pa.types.is_null: pa.string(),
    pa.types.is_string: pa.string(),
    pa.types.is_large_string: pa.string(),
    pa.types.is_dictionary: pa.string(),
    pa.types.is_boolean: pa.bool_(),
    pa.types.is_integer: pa.int64(),
    pa.types.is_floating: pa.float64(),
    pa.types.is_date: pa.date32(),
    pa.types.is_timestamp: None,
}


def _disagreements(tables: Mapping[str, pa.Table]) -> Iterator[str]:
    for name, declared in ALL_TABLES.items():
        if name not in tables:
            yield f"table {name} is missing"
            return
        for column in declared.columns:
            have = tables[name].schema
            at = have.get_field_index(column.name)
            if at < 0 or have.field(at).type != column.kind.keep:
                yield f"{name}.{column.name} is not {column.kind.keep}"
                return
    ids = tables["deals"].column("deal_id").combine_chunks()
    if len(ids.unique()) != len(ids):
        yield "a deal_id stands twice in deals"
    for name in TABLES:
        strangers = pc.invert(pc.is_in(tables[name].column("deal_id"), value_set=ids))
        if pc.any(strangers).as_py():
            yield f"{name} has rows of deals that are not in deals"
    ledger = tables["ledger"]
    outcomes = ledger.column("outcome")
    if pc.any(pc.invert(pc.is_in(outcomes, value_set=pa.array(OUTCOMES)))).as_py():
        yield "the ledger has an outcome that is none of " + ", ".join(OUTCOMES)
    if pc.count_distinct(ledger.column("requested")).as_py() != ledger.num_rows:
        yield "an id stands twice in the ledger"
    received = pc.and_(pc.is_in(outcomes, value_set=pa.array(RECEIVED)), ledger.column("in_scope"))
    promised = ledger.filter(received).column("deal_id").combine_chunks().unique()
    if set(promised.to_pylist()) != set(ids.to_pylist()):
        yield f"the ledger says that {len(promised)} deals are in scope, the tables hold {len(ids)}, or others"
