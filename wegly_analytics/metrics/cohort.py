"""What all metrics share: which deals count, their groups, and the attrs of a result.

A metric first reduces a lazy frame to a small table, on the engine of the snapshot (`Cohort.count`); narwhals
expressions there stay elementary: flags and masked values first, then sums by group. Then it does its arithmetic on the
small pandas result.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import narwhals as nw

from wegly_analytics.errors import SettingError
from wegly_analytics.metrics.results import collect, informed
from wegly_analytics.metrics.selection import By, group_names, is_overlapping, selected
from wegly_analytics.snapshot.snapshot import Snapshot

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pandas as pd

    from wegly_analytics.model.personal import Treatment

_TREATED: Final[dict[Treatment, str]] = {
    "drop": "grouped by a column that was emptied when the snapshot was saved: its values are all missing",
    "hash": "grouped by pseudonyms, which replaced the values when the snapshot was saved",
}
"""The caveats of groups by a column that is not as received."""


@dataclass(frozen=True)
class Cohort:
    """The deals that a metric is computed on, and the counts of those that it excludes. Created by `Cohort.of`.

    Parameters
    ----------
    metric
        The function's name, for errors and attrs.
    snap
        The snapshot.
    frame
        The deals with the requested columns, the groups under their aliases, the key `deal`, and flags `won`,
        `lost` and `open` (0 or 1). Grouped by tag a deal has one row for each of its tags; `counts_once` is 1 on
        exactly one of them.
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
        columns: Iterable[str] = (),
        without: Sequence[str] = (),
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
        columns
            The columns of deals that the metric computes with, `closed_at` among them; the others are not read.
        without
            Groups that each row of the result has anyway.

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
        names = group_names(snap, by, without)
        overlapping = is_overlapping(snap, names)
        frame = selected(snap, names, columns, overlapping=overlapping)
        done = snap.personal.treatments(list(names.values()))
        caveats = [caveat for treatment, caveat in _TREATED.items() if treatment in done]
        cohort = cls(metric, snap, frame, names, archived, overlapping, caveats=caveats)
        return cohort.excluding(
            {} if archived else {"archived": nw.col("is_archived") == 1},
            {"status unknown": nw.col("status_unknown") == 1},
        )

    @property
    def groups(self) -> list[str]:
        """The grouping columns, under their aliases."""
        return list(self.names)

    def on(self, frame: nw.LazyFrame[Any]) -> Cohort:
        """Return the same cohort with another frame, derived from its own; both share one account of excluded deals."""
        return replace(self, frame=frame)

    def excluding(self, *reasons: Mapping[str, nw.Expr]) -> Cohort:
        """Exclude the deals for which a condition holds, and count them, each for the first reason; in one pass."""
        conditions = {reason: condition for each in reasons for reason, condition in each.items()}
        number = nw.lit(0)
        for n, condition in reversed(list(enumerate(conditions.values(), start=1))):
            # what is unknown does not exclude, nor hide a later reason
            number = nw.when(condition).then(nw.lit(n)).otherwise(number)
        frame = self.frame.with_columns(excluded_for=number)
        counted = collect(frame.group_by("excluded_for").agg(n=nw.col("counts_once").sum()))
        counts = counted.set_index("excluded_for")["n"]
        for n, reason in enumerate(conditions, start=1):
            self.note(reason, counts.get(n, 0))
        if set(counts.index) <= {0}:
            return self
        return replace(self, frame=frame.filter(nw.col("excluded_for") == 0).drop("excluded_for"))

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
            self.caveats.append("no deal was lost: the win rate of closed deals is not reliable")

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
            Columns of numbers; missing values are not counted, and the sum of nothing is 0.
        """
        narrow = frame.select(*columns, "counts_once")
        if self.overlapping:
            narrow = narrow.filter(nw.col("counts_once") == 1)
        row = collect(narrow.select(nw.col(*columns).sum())).iloc[0]
        return {name: row[name] for name in columns}

    def count(self, frame: nw.LazyFrame[Any], *columns: str, keys: Iterable[str] = ()) -> pd.DataFrame:
        """Sum columns by group.

        Parameters
        ----------
        frame
            Deals of the cohort, or some of them, with the columns.
        *columns
            Columns of numbers; missing values are not counted, and the sum of nothing is 0.
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
        """Complete a result: original names of the groups, a default index, and ``attrs``.

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
        archived = "archived deals included" if self.archived else "archived deals excluded"
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
