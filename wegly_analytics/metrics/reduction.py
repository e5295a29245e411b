"""What all metrics share: which deals count, the groups, the periods, and how a result explains itself.

A metric first reduces a lazy frame to a small table, on whatever engine the snapshot is (`Deals.count`); narwhals
expressions there stay elementary: flags and masked values first, then sums, counts and means by group. Then it does
its arithmetic on the small pandas result.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, get_args

import narwhals as nw
import pandas as pd
import pyarrow as pa

from wegly_analytics.errors import MissingColumnError, SettingError
from wegly_analytics.model.enums import NOT_INFORMED, STATUS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from wegly_analytics.snapshot.snapshot import Snapshot

By: TypeAlias = "str | Sequence[str] | None"
Every: TypeAlias = Literal["week", "month", "quarter", "year"]

TZ: Final = "America/Sao_Paulo"
"""Where months begin unless said otherwise."""

TAG: Final = "tag"
"""The group that is no column of deals: each tag has a row of its own in `tags`."""

FREQUENCY: Final[dict[Every, str]] = {"week": "W-SUN", "month": "M", "quarter": "Q", "year": "Y"}
"""The periods as pandas calls them."""

_MOST_PERIODS: Final = 1_200

TAKEN: Final = frozenset(
    {
        "above", "approval_rate", "approved", "at_risk", "booked", "closed", "closed_at", "counts_once", "coverage",
        "cumulative", "days", "days_to_approval", "deals", "discount", "discounted", "expected", "expired",
        "figure", "from", "gap", "high", "left", "lever", "lost", "lost_value", "low", "mean_left", "n", "needed",
        "no_value", "of_first", "of_previous", "open", "p25", "p50", "p75", "p_lost", "p_lost_high", "p_lost_low",
        "p_open", "p_open_high", "p_open_low", "p_won", "p_won_high", "p_won_low", "part", "pending", "period",
        "position", "rate", "reached", "rejected", "rule", "sent", "share", "stale", "still_in", "target", "to",
        "typical_days", "up_to", "used_by", "valid_share", "value", "value_share", "velocity", "versions",
        "weighted", "win_rate", "with_proposal", "withdrawn", "won", "won_value",
    }
)  # fmt: skip
"""Names of figures: a group that is called so would stand in the way of one."""

CLOSED_AT: Final = (
    nw.when(nw.col("status") == "won")
    .then(nw.col("won_at"))
    .otherwise(nw.when(nw.col("status") == "lost").then(nw.col("lost_at")))
)
"""When a deal was closed: its status decides which of the two dates counts."""


def flag(condition: nw.Expr) -> nw.Expr:
    """1 where a condition holds, 0 where it does not or cannot be told: a thing to sum on every engine."""
    return nw.when(condition).then(nw.lit(1)).otherwise(nw.lit(0))


@dataclass
class Deals:
    """The deals a metric is computed on, and the account of those it is not.

    Parameters
    ----------
    snap
        The snapshot.
    by
        One column of deals, several, or None; ``"tag"`` is one too, and puts a deal into the group of each of its tags.
    archived
        Whether archived deals count.

    Attributes
    ----------
    frame
        The deals in scope with flags `won`, `lost`, `open` (0 or 1) and `closed_at`. Grouped by tag a deal has one row
        for each of its tags; `counts_once` is 1 on exactly one of them.
    overlapping
        Whether a deal may stand in several groups.
    groups
        The grouping columns.
    excluded
        Why deals do not count, and how many.
    caveats
        What a reader must know before believing the figures, in sentences of the catalogue in `words`.
    """

    snap: Snapshot
    by: By = None
    archived: bool = False
    groups: list[str] = field(init=False)
    overlapping: bool = field(init=False)
    frame: nw.LazyFrame[Any] = field(init=False)
    excluded: dict[str, int] = field(init=False, default_factory=dict)
    caveats: list[str] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self.groups = [self.by] if isinstance(self.by, str) else list(self.by or ())
        deals = self.snap.frame("deals")
        present = deals.collect_schema().names()
        for name in self.groups:
            if name not in (*present, TAG):
                raise MissingColumnError("deals", name, [*present, TAG])
            if name in TAKEN:
                raise SettingError(f"by={name!r}: results have a column of that name; assign yours under another one")
        self.overlapping = TAG in self.groups and TAG not in present
        deals = self._tagged(deals) if self.overlapping else deals.with_columns(counts_once=nw.lit(1))
        words = STATUS.values()
        self.frame = deals.with_columns(
            *(flag(nw.col("status") == word).alias(word) for word in words),
            status_unknown=flag(~nw.col("status").is_in(list(words)) | nw.col("status").is_null()),
            is_archived=flag(~nw.col("archived_at").is_null()),
            closed_at=CLOSED_AT,
        )
        if self.archived:
            self.exclude_flagged("status unknown", "status_unknown")
        else:
            self.exclude_flagged("archived", "is_archived")
            self.exclude_flagged("status unknown", "status_unknown")

    def microseconds(self, start: str, end: str) -> nw.Expr:
        """Time from one moment to another, in whole microseconds; negative where they are the wrong way round.

        Narwhals gives no length to Spark's intervals. There, and only there, an instant is turned into a number first:
        seconds since 1970, whatever the time zone of the session is.
        """
        if self.frame.implementation.is_spark_like():
            seconds = nw.col(end).cast(nw.Float64) - nw.col(start).cast(nw.Float64)
            return (seconds * 1e6).round(0).cast(nw.Int64)
        return (nw.col(end) - nw.col(start)).dt.total_microseconds()

    def days(self, start: str, end: str) -> nw.Expr:
        """Days from one moment to another; negative where they are the wrong way round."""
        return self.microseconds(start, end) / 86_400_000_000

    def _tagged(self, deals: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
        tags = self.snap.frame("tags").group_by("deal_id", TAG).agg(tagged=nw.len()).drop("tagged")
        firsts = tags.group_by("deal_id").agg(first_tag=nw.col(TAG).min())
        # a deal whose only tag has no name, or that has none at all, has one row
        once = (nw.col(TAG) == nw.col("first_tag")) | nw.col("first_tag").is_null()
        deals = deals.join(tags, on="deal_id", how="left").join(firsts, on="deal_id", how="left")
        return deals.with_columns(counts_once=flag(once)).drop("first_tag")

    def exclude_flagged(self, reason: str, marked: str) -> None:
        """Exclude the deals whose flag is set, and record how many."""
        self.note(reason, self.total(marked)[marked])
        self.frame = self.frame.filter(nw.col(marked) == 0)

    def note(self, reason: str, n: float) -> None:
        """Say that so many deals do not count, and why."""
        if n:
            self.excluded[reason] = int(n)

    def warn_of_one_sided(self, won: float, lost: float) -> None:
        """Say so where deals were won but none was lost: then losses are most likely not recorded."""
        if won and not lost:
            self.caveats.append("no deal was lost: a rate of closed deals says little here")

    def total(self, *columns: str) -> dict[str, Any]:
        """Sum columns over all deals in scope, each deal once."""
        return self.once(self.frame, *columns)

    def once(self, frame: nw.LazyFrame[Any], *columns: str) -> dict[str, Any]:
        """Sum columns over some of the deals in scope, each deal once although it may stand in several groups.

        Parameters
        ----------
        frame
            Made of `frame`, with the columns and `counts_once`.
        *columns
            Columns of numbers; missing ones are not counted.
        """
        row = collect(frame.filter(nw.col("counts_once") == 1).select(nw.col(*columns).sum())).iloc[0]
        return {name: 0 if pd.isna(row[name]) else row[name] for name in columns}

    def count(self, frame: nw.LazyFrame[Any], *columns: str, keys: Iterable[str] = ()) -> pd.DataFrame:
        """Sum columns by group.

        Parameters
        ----------
        frame
            Deals in scope, or some of them, with the columns.
        *columns
            Columns of numbers; missing ones are not counted.
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

    def finish(self, table: pd.DataFrame, metric: str, rule: Iterable[str], n: float, **more: Any) -> pd.DataFrame:
        """Let a result explain itself: the plain index, and ``attrs``.

        Parameters
        ----------
        table
            The result.
        metric
            The function's name.
        rule
            What was computed, in sentences of the catalogue in `words`.
        n
            On how many deals.
        **more
            What else the plot of the same name needs to know.
        """
        archived = "archived deals counted" if self.archived else "archived deals left out"
        table = table.reset_index(drop=True)
        several = ["a deal with several tags counts in each"] if self.overlapping else []
        attrs: dict[str, Any] = {
            "metric": metric,
            "rule": " · ".join((*rule, *several, archived)),
            "n": int(n),
            "excluded": dict(self.excluded),
            "caveats": list(self.caveats),
            "completeness": {**self.snap.completeness.as_dict(), "received": self.snap.completeness.received},
            "taken_at": self.snap.taken_at.isoformat(),
            "filters": list(self.snap.filters),
            "by": list(self.groups),
        }
        table.attrs.update(attrs | more)
        return table


def collect(frame: nw.LazyFrame[Any]) -> pd.DataFrame:
    """Bring a small result home, in the types that it has on every engine."""
    table = frame.collect("pyarrow").to_native()
    # some engines sum to 32 bits or to decimals, and give instants in the time zone of their session
    schema = pa.schema([field.with_type(_at_home(field.type)) for field in table.schema])
    small: pd.DataFrame = table.cast(schema).to_pandas(date_as_object=False)
    return small


def _at_home(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_integer(kind) or pa.types.is_decimal(kind):
        return pa.int64()
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        return pa.timestamp("us", "UTC")
    return kind


def ratio(part: pd.Series[Any], whole: pd.Series[Any]) -> pd.Series[float]:
    """Divide; missing where there is nothing to divide by."""
    return part.astype(float) / whole.astype(float).where(whole != 0)


def informed(table: pd.DataFrame, groups: Iterable[str]) -> pd.DataFrame:
    """Give the group without a value its name."""
    for name in groups:
        missing = table[name].isna()
        if missing.any():
            table[name] = table[name].astype(object).where(~missing, NOT_INFORMED)
    return table


@dataclass(frozen=True)
class Periods:
    """Weeks, months, quarters or years, one after the other without gaps.

    Parameters
    ----------
    every
        The length of a period; weeks begin on Monday.
    first, last
        Moments that the first and the last period contain.
    tz
        Where the periods begin at midnight.
    """

    every: Every
    first: pd.Timestamp
    last: pd.Timestamp
    tz: str = TZ

    def __post_init__(self) -> None:
        if self.every not in FREQUENCY:
            raise SettingError(f"every={self.every!r} is none of {', '.join(map(repr, get_args(Every)))}")
        if len(self.starts) > _MOST_PERIODS:
            raise SettingError(
                f"every={self.every!r} would make {len(self.starts):,} periods, from {self.starts[0]:%Y-%m-%d} on; "
                "leave deals with odd dates out with where(), or take longer periods"
            )

    @property
    def starts(self) -> pd.DatetimeIndex:
        """The first day of each period, without time zone."""
        first, last = (m.tz_convert(self.tz).tz_localize(None) for m in (self.first, self.last))
        return pd.period_range(first, last, freq=FREQUENCY[self.every]).start_time.as_unit("us")

    def number(self, moment: nw.Expr) -> nw.Expr:
        """In which period a moment lies, counted from 0; by comparison, so that every engine agrees on time zones."""
        # a day may begin at 1 o'clock where the clocks go forward at midnight
        begins = self.starts.tz_localize(self.tz, nonexistent="shift_forward", ambiguous=True).tz_convert("UTC")
        after = [(moment >= nw.lit(begin.to_pydatetime())).cast(nw.Int64) for begin in begins[1:]]
        return nw.sum_horizontal(flag(moment.is_null()) * 0, *after)

    def spread(self, table: pd.DataFrame, groups: list[str]) -> pd.DataFrame:
        """Give every group every period, with zeros where nothing was counted; `period` becomes its first day."""
        everything = pd.DataFrame({"period": range(len(self.starts))})
        if groups:
            everything = everything.merge(table[groups].drop_duplicates(), how="cross")
        full = everything.merge(table, how="left", on=["period", *groups]).fillna(
            {name: 0 for name in table.columns if name not in ("period", *groups)}
        )
        full["period"] = self.starts[full["period"]]
        return full


def span(frame: nw.LazyFrame[Any], *moments: str) -> tuple[pd.Timestamp, pd.Timestamp] | None:
    """Find the first and the last of some moments; None if there is none."""
    found = collect(
        frame.select(
            *(nw.col(m).min().alias(f"{m}_min") for m in moments), *(nw.col(m).max().alias(f"{m}_max") for m in moments)
        )
    )
    values = found.iloc[0].dropna()
    return (min(values), max(values)) if len(values) else None
