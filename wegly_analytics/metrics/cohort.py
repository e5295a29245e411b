"""What all metrics share: which deals count, their groups, and how a result explains itself.

A metric first reduces a lazy frame to a small table, on whatever engine the snapshot is (`Cohort.count`); narwhals
expressions there stay elementary: flags and masked values first, then sums by group. Then it does its arithmetic on the
small pandas result.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import narwhals as nw
import pandas as pd
import pyarrow as pa

from wegly_analytics.errors import MissingColumnError, SettingError
from wegly_analytics.model.enums import NOT_INFORMED, STATUS
from wegly_analytics.snapshot.snapshot import Snapshot

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

By: TypeAlias = "str | Sequence[str] | None"

TAG: Final = "tag"
"""The group that is no column of deals: each tag has a row of its own in `tags`."""

COLUMNS: Final = (
    "deal_id", "title", "status", "value", "pipeline", "stage_id", "stage", "responsible", "loss_reason",
    "created_at", "won_at", "lost_at", "expected_close", "last_activity_at", "archived_at",
)  # fmt: skip
"""The columns of deals that metrics compute with; the others are not read."""

CLOSED_AT: Final = (
    nw.when(nw.col("status") == "won")
    .then(nw.col("won_at"))
    .otherwise(nw.when(nw.col("status") == "lost").then(nw.col("lost_at")))
)
"""When a deal was closed: its status decides which of the two dates counts."""


def flag(condition: nw.Expr) -> nw.Expr:
    """1 where a condition holds, 0 where it does not or is unknown: a value that every engine can sum."""
    return nw.when(condition).then(nw.lit(1)).otherwise(nw.lit(0))


@dataclass(frozen=True)
class Cohort:
    """The deals that a metric is computed on, and the account of those that it excludes. Made by `Cohort.of`.

    Parameters
    ----------
    metric
        The function's name, for errors and attrs.
    snap
        The snapshot.
    frame
        The deals with `COLUMNS`, the groups under their aliases, flags `won`, `lost`, `open` (0 or 1) and `closed_at`.
        Grouped by tag a deal has one row for each of its tags; `counts_once` is 1 on exactly one of them.
    names
        The aliases of the grouping columns, and their own names. No column of a frame or a result is called like an
        alias, so a group can have any name while the metric computes.
    archived
        Whether archived deals count.
    overlapping
        Whether a deal may be in several groups.
    excluded
        Why deals do not count, and how many.
    caveats
        What a reader must know before trusting the figures, as messages of the catalog.
    """

    metric: str
    snap: Snapshot
    frame: nw.LazyFrame[Any]
    names: Mapping[str, str]
    archived: bool = False
    overlapping: bool = False
    excluded: dict[str, int] = field(default_factory=dict)
    caveats: list[str] = field(default_factory=list)

    @classmethod
    def of(
        cls,
        metric: str,
        snap: Snapshot,
        by: By = None,
        archived: bool = False,
        *,
        without: Sequence[str] = (),
        columns: Iterable[str] = COLUMNS,
    ) -> Cohort:
        """Select the deals of a metric.

        Parameters
        ----------
        metric
            The function's name.
        snap
            The snapshot.
        by
            One column of deals, several, or None; ``"tag"`` is one too, and puts a deal into the group of each tag.
        archived
            Whether archived deals count.
        without
            Groups that each row of the result has anyway.
        columns
            The columns of deals to read.

        Raises
        ------
        SettingError
            If `snap` is not a snapshot.
        MissingColumnError
            If deals has no column `by`.
        """
        if not isinstance(snap, Snapshot):
            raise SettingError(
                f"metrics.{metric} takes a Snapshot, not a {type(snap).__name__}: pass the snapshot itself, or "
                "wa.read(...) or wa.load(...)"
            )
        wanted = _names(by)
        present = snap.frame("deals").collect_schema().names()
        for name in wanted:
            if name not in (*present, TAG):
                raise MissingColumnError("deals", name, [*present, TAG])
        names = {f"group_{n}": name for n, name in enumerate(name for name in wanted if name not in without)}
        overlapping = TAG in names.values() and TAG not in present
        read = [name for name in dict.fromkeys(columns) if name in present]
        needed = list(dict.fromkeys([*read, *(name for name in names.values() if name in present)]))
        deals = snap.frame("deals", needed)
        deals = _tagged(snap, deals) if overlapping else deals.with_columns(counts_once=nw.lit(1))
        deals = deals.select(*read, "counts_once", **{alias: nw.col(name) for alias, name in names.items()})
        cohort = cls(metric, snap, _flagged(deals), names, archived, overlapping)
        return cohort.excluding(
            {} if archived else {"archived": nw.col("is_archived") == 1},
            {"status unknown": nw.col("status_unknown") == 1},
        )

    @property
    def groups(self) -> list[str]:
        """The grouping columns, under their aliases."""
        return list(self.names)

    def excluding(self, *reasons: Mapping[str, nw.Expr]) -> Cohort:
        """Exclude the deals for which a condition holds, and count them, each for the first reason; in one pass."""
        frame, before = self.frame, nw.lit(value=False)
        marks: dict[str, str] = {}
        for n, (reason, condition) in enumerate(pair for each in reasons for pair in each.items()):
            marks[f"excluded_{n}"] = reason
            holds = flag(condition) == 1  # what is unknown does not exclude, nor hide a later reason
            frame = frame.with_columns(**{f"excluded_{n}": flag(holds & ~before)})
            before = before | holds
        for mark, n in self.once(frame, *marks).items():
            self.note(marks[mark], n)
        for mark in marks:
            frame = frame.filter(nw.col(mark) == 0)
        return replace(self, frame=frame.drop(*marks))

    def microseconds(self, start: str, end: str) -> nw.Expr:
        """Time from one instant to another, in whole microseconds; negative where they are in the wrong order.

        Narwhals has no length for Spark's intervals. On Spark, and only there, an instant is turned into a number
        first: seconds since 1970, whatever the time zone of the session is.
        """
        if self.frame.implementation.is_spark_like():
            seconds = nw.col(end).cast(nw.Float64) - nw.col(start).cast(nw.Float64)
            return (seconds * 1e6).round(0).cast(nw.Int64)
        return (nw.col(end) - nw.col(start)).dt.total_microseconds()

    def days(self, start: str, end: str) -> nw.Expr:
        """Days from one instant to another; negative where they are in the wrong order."""
        return self.microseconds(start, end) / 86_400_000_000

    def note(self, reason: str, n: float) -> None:
        """Record that so many deals are excluded, and why."""
        if n:
            self.excluded[reason] = int(n)

    def warn_of_one_sided(self, won: float, lost: float) -> None:
        """Add a caveat where deals were won but none was lost: then losses are most likely not recorded."""
        if won and not lost:
            self.caveats.append("no deal was lost: a rate of closed deals says little here")

    def total(self, *columns: str) -> dict[str, Any]:
        """Sum columns over all deals of the cohort, each deal once."""
        return self.once(self.frame, *columns)

    def once(self, frame: nw.LazyFrame[Any], *columns: str) -> dict[str, Any]:
        """Sum columns over some of the deals, each deal once although it may be in several groups.

        Parameters
        ----------
        frame
            Derived from `frame`, with the columns and `counts_once`.
        *columns
            Columns of numbers; missing values are not counted.
        """
        row = collect(frame.filter(nw.col("counts_once") == 1).select(nw.col(*columns).sum())).iloc[0]
        return {name: 0 if pd.isna(row[name]) else row[name] for name in columns}

    def count(self, frame: nw.LazyFrame[Any], *columns: str, keys: Iterable[str] = ()) -> pd.DataFrame:
        """Sum columns by group.

        Parameters
        ----------
        frame
            Deals of the cohort, or some of them, with the columns.
        *columns
            Columns of numbers; missing values are not counted.
        keys
            Further columns to group by, before the groups of the metric.

        Returns
        -------
        pandas.DataFrame
            One row per group, sorted by it: keys and groups, then the sums. The missing group is "(not informed)". One
            row of sums where there is nothing to group by.
        """
        by = [*keys, *self.groups]
        sums = nw.col(*columns).sum()
        if not by:
            return collect(frame.select(sums)).fillna(0)
        counted = collect(frame.group_by(*by).agg(sums)).sort_values(by, ignore_index=True)[[*by, *columns]]
        return informed(counted, self.groups)

    def finish(self, table: pd.DataFrame, rule: Iterable[str], n: float, **more: Any) -> pd.DataFrame:
        """Let a result explain itself: own names of the groups, a plain index, and ``attrs``.

        Parameters
        ----------
        table
            The result, its groups under their aliases.
        rule
            What was computed, as messages of the catalog.
        n
            The number of deals it was computed on.
        **more
            What else the attrs are to say.

        Raises
        ------
        SettingError
            If a group has the name of one of the table's figures.
        """
        figures = [name for name in table.columns if name not in self.names]
        for name in self.names.values():
            if name in figures:
                raise SettingError(
                    f"by={name!r}: the result of metrics.{self.metric} has a column {name!r} of its own; assign yours "
                    "to another name"
                )
        table = table.reset_index(drop=True)
        present = [alias for alias in self.groups if alias in table]
        table[present] = table[present].infer_objects()
        table = table.rename(columns=dict(self.names))
        several = ["a deal with several tags counts in each"] if self.overlapping else []
        archived = "archived deals counted" if self.archived else "archived deals left out"
        attrs: dict[str, Any] = {
            "metric": self.metric,
            "rule": " · ".join((*rule, *several, archived)),
            "n": int(n),
            "excluded": dict(self.excluded),
            "caveats": list(self.caveats),
            "completeness": {**self.snap.completeness.as_dict(), "received": self.snap.completeness.received},
            "taken_at": self.snap.taken_at.isoformat(),
            "filters": list(self.snap.filters),
            "by": list(self.names.values()),
        }
        table.attrs.update(attrs | more)
        return table


def _names(by: By) -> list[str]:
    """Name each group once."""
    names = [by] if isinstance(by, str) else [] if by is None else list(by)
    for name in names:
        if not isinstance(name, str):
            raise SettingError(
                f"by takes names of columns of deals, such as by='source', not a {type(name).__name__}: assign a "
                "column of your own with snap.assign(name=...) first"
            )
    return list(dict.fromkeys(names))


def _tagged(snap: Snapshot, deals: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    tags = snap.frame("tags").group_by("deal_id", TAG).agg(tagged=nw.len()).drop("tagged")
    firsts = tags.group_by("deal_id").agg(first_tag=nw.col(TAG).min())
    # a deal whose only tag has no name, or that has none at all, has one row
    once = (nw.col(TAG) == nw.col("first_tag")) | nw.col("first_tag").is_null()
    deals = deals.join(tags, on="deal_id", how="left").join(firsts, on="deal_id", how="left")
    return deals.with_columns(counts_once=flag(once)).drop("first_tag")


def _flagged(deals: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    words = list(STATUS.values())
    return deals.with_columns(
        *(flag(nw.col("status") == word).alias(word) for word in words),
        status_unknown=flag(~nw.col("status").is_in(words) | nw.col("status").is_null()),
        is_archived=flag(~nw.col("archived_at").is_null()),
        closed_at=CLOSED_AT,
    )


def collect(frame: nw.LazyFrame[Any]) -> pd.DataFrame:
    """Bring a small result into pandas, in the same types from every engine."""
    table = frame.collect("pyarrow").to_native()
    # some engines sum to 32 bits or to decimals, and give instants in the time zone of their session
    schema = pa.schema([field.with_type(_common_type(field.type)) for field in table.schema])
    small: pd.DataFrame = table.cast(schema).to_pandas(date_as_object=False)
    return small


def _common_type(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_integer(kind) or pa.types.is_decimal(kind):
        return pa.int64()
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        return pa.timestamp("us", "UTC")
    return kind


def ratio(part: pd.Series[Any], whole: pd.Series[Any]) -> pd.Series[float]:
    """Divide; missing where the denominator is 0."""
    return part.astype(float) / whole.astype(float).where(whole != 0)


def informed(table: pd.DataFrame, groups: Iterable[str]) -> pd.DataFrame:
    """Name the group without a value; groups become objects, so that tables with and without such a group merge."""
    for name in groups:
        values = table[name].astype(object)
        table[name] = values.where(table[name].notna(), NOT_INFORMED)
    return table


def comparable(values: pd.Series[Any]) -> pd.Series[Any]:
    """Give the sort key of a column whose values may mix numbers with "(not informed)": numbers first."""
    if values.dtype != object:
        return values
    ranks = {v: n for n, v in enumerate(sorted(values.unique(), key=lambda v: (isinstance(v, str), v)))}
    return values.map(ranks)
