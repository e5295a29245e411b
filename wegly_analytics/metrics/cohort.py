"""What all metrics share: which deals count, their groups, and the attrs of a result.

A metric first reduces a lazy frame to a small table, on the engine of the snapshot (`Cohort.count`); narwhals
expressions there stay elementary: flags and masked values first, then sums by group. Then it does its arithmetic on the
small pandas result. On an engine each reduction is a query over all deals, so one counts everything that a metric can
know from it: the groups, the totals, and the deals that are excluded.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import narwhals as nw
import pandas as pd

from wegly_analytics.errors import SettingError
from wegly_analytics.metrics.results import Counted, collect, informed
from wegly_analytics.metrics.selection import (
    EXCLUDED,
    ONCE,
    STATUSES,
    By,
    first_reason,
    group_names,
    is_overlapping,
    selected,
)
from wegly_analytics.snapshot.keys import DEAL, joined
from wegly_analytics.snapshot.snapshot import Snapshot

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from wegly_analytics.model.personal import Treatment

_ROWS: Final = "n_rows"

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
        exactly one of them. Those that do not count are there, too, with the reason in `excluded_for`, so that `count`
        can count them; `kept` is without them.
    names
        The aliases of the grouping columns, and their own names. No column of a frame or a result is called like an
        alias, so a group can have any name while the metric computes.
    archived
        Whether archived deals count.
    overlapping
        Whether a deal may be in several groups.
    reasons
        Why deals do not count, in the order of their numbers in `excluded_for`, from 1.
    excluded
        Why deals do not count, and how many; known once they were counted.
    caveats
        What a reader must know before trusting the figures, as messages of the catalog.
    """

    metric: str
    snap: Snapshot
    frame: nw.LazyFrame[Any]
    names: Mapping[str, str]
    archived: bool = False
    overlapping: bool = False
    reasons: tuple[str, ...] = ()
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
        reasons = {} if archived else {"archived": ~nw.col("archived_at").is_null()}
        reasons["status unknown"] = ~nw.col("status").is_in(STATUSES) | nw.col("status").is_null()
        frame = selected(snap, names, columns, overlapping=overlapping, **{EXCLUDED: first_reason(reasons.values())})
        done = snap.personal.treatments(list(names.values()))
        caveats = [caveat for treatment, caveat in _TREATED.items() if treatment in done]
        return cls(metric, snap, frame, names, archived, overlapping, tuple(reasons), caveats=caveats)

    @property
    def groups(self) -> list[str]:
        """The grouping columns, under their aliases."""
        return list(self.names)

    @cached_property
    def kept(self) -> nw.LazyFrame[Any]:
        """The deals that count."""
        return self.frame.filter(nw.col(EXCLUDED) == 0).drop(EXCLUDED)

    def on(self, frame: nw.LazyFrame[Any]) -> Cohort:
        """Return the same cohort with another frame, derived from its own; both share one account of excluded deals."""
        return replace(self, frame=frame)

    def excluding(self, reasons: Mapping[str, nw.Expr], **columns: nw.Expr) -> Cohort:
        """Exclude the deals for which a condition holds, each for the first reason.

        Parameters
        ----------
        reasons
            Conditions by reason. What is unknown does not exclude, nor hide a later reason.
        **columns
            Further columns, computed in the same step; the conditions cannot use them.
        """
        counts = nw.col(EXCLUDED) == 0
        conditions = (counts & condition for condition in reasons.values())
        number = first_reason(conditions, len(self.reasons) + 1, nw.col(EXCLUDED))
        frame = self.frame.with_columns(**columns, **{EXCLUDED: number})
        return replace(self, frame=frame, reasons=(*self.reasons, *reasons))

    def microseconds(self, start: str | nw.Expr, end: str | nw.Expr) -> nw.Expr:
        """Time from one instant to another, in whole microseconds; negative where they are in the wrong order.

        Narwhals has no length for Spark's intervals. On Spark, and only there, an instant is turned into a number
        first: seconds since 1970, whatever the time zone of the session is.
        """
        begun, ended = (nw.col(each) if isinstance(each, str) else each for each in (start, end))
        if self.frame.implementation.is_spark_like():
            seconds = ended.cast(nw.Float64) - begun.cast(nw.Float64)
            return (seconds * 1e6).round(0).cast(nw.Int64)
        return (ended - begun).dt.total_microseconds()

    def days(self, start: str | nw.Expr, end: str | nw.Expr) -> nw.Expr:
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

    def count(self, frame: nw.LazyFrame[Any], *columns: str, keys: Iterable[str] = ()) -> Counted:
        """Sum columns by group and over all deals; note which deals are excluded. All of that in one pass.

        Parameters
        ----------
        frame
            Derived from `frame`, with the columns; from `kept` if nothing is to be noted.
        *columns
            Columns of numbers; missing values are not counted, and the sum of nothing is 0.
        keys
            Further columns to group by, before the groups of the metric.
        """
        by = [*keys, *self.groups]
        found = self._reduced(frame, [*self.apart, *by], columns)
        if not by:
            row = pd.DataFrame({name: [found[name].sum()] for name in columns})
            return Counted(row, row)
        table = found
        if self.overlapping:
            table = found.groupby(by, as_index=False, dropna=False, sort=False)[list(columns)].sum()
        table = informed(table.sort_values(by, ignore_index=True)[[*by, *columns]], self.groups)
        return Counted(table, self.firsts(found) if self.overlapping else table)

    def once(self, frame: nw.LazyFrame[Any], *columns: str, keys: Sequence[str] = ()) -> pd.DataFrame:
        """Do the same as `count`, but without the groups of the metric, and with each deal once."""
        firsts = frame.filter(nw.col(ONCE) == 1) if self.overlapping else frame
        found = self._reduced(firsts, list(keys), columns)
        if not keys:
            return pd.DataFrame({name: [found[name].sum()] for name in columns})
        return found.sort_values(list(keys), ignore_index=True)[[*keys, *columns]]

    def span(self, *instants: str) -> tuple[pd.Timestamp, pd.Timestamp] | None:
        """Find the first and the last of some instants of the deals that count; None if there is none."""
        firsts = (nw.col(name).min().alias(f"{name}_min") for name in instants)
        lasts = (nw.col(name).max().alias(f"{name}_max") for name in instants)
        values = collect(self.kept.select(*firsts, *lasts)).iloc[0].dropna()
        return (min(values), max(values)) if len(values) else None

    def beside(self, rows: nw.LazyFrame[Any], *columns: str, **named: str) -> nw.LazyFrame[Any]:
        """Join columns of the deals that count, some renamed, to rows with the key `deal`.

        A row is there once for each group of its deal; `apart` tells them apart.
        """
        own = self.kept.select(DEAL, *columns, *self.apart, **{new: nw.col(old) for new, old in named.items()})
        return rows.join(own, on=DEAL, how="inner") if self.overlapping else joined(rows, own)

    @property
    def apart(self) -> list[str]:
        """The column that keeps a deal's rows apart, if it may be in several groups."""
        return [ONCE] if self.overlapping else []

    def firsts(self, counted: pd.DataFrame) -> pd.DataFrame:
        """Keep what was counted of each deal in one of its groups only; the column is in `apart`."""
        return counted[counted[ONCE] == 1] if self.overlapping else counted

    def _reduced(self, frame: nw.LazyFrame[Any], by: Sequence[str], columns: Sequence[str]) -> pd.DataFrame:
        """Sum columns by group; excluded deals are groups of their own, which are noted and removed."""
        sums = nw.col(*columns).sum()
        is_whole = EXCLUDED in frame.collect_schema().names()
        if not is_whole:
            return collect(frame.group_by(*by).agg(sums) if by else frame.select(sums))
        found = collect(frame.group_by(EXCLUDED, *by).agg(sums, nw.len().alias(_ROWS)))
        self.account(found, _ROWS)
        return found[found[EXCLUDED] == 0]

    def account(self, found: pd.DataFrame, column: str) -> int:
        """Note the excluded deals of a count by reason, and return how many are left; each deal counts once."""
        firsts = found[found[ONCE] == 1] if ONCE in found else found
        counts = firsts.groupby(EXCLUDED)[column].sum()
        for n, reason in enumerate(self.reasons, start=1):
            self.note(reason, counts.get(n, 0))
        return int(counts.get(0, 0))

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
