"""Which deals a metric reads: their columns, their groups, and flags for their status."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

import narwhals as nw

from wegly_analytics.errors import MissingColumnError, SettingError
from wegly_analytics.model.enums import STATUS
from wegly_analytics.snapshot.keys import DEAL, joined

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from wegly_analytics.snapshot.snapshot import Snapshot

By: TypeAlias = "str | Sequence[str] | None"

TAG: Final = "tag"
"""The group that is not a column of deals: each tag has a row of its own in `tags`."""

EXCLUDED: Final = "excluded_for"
"""The column that says for which reason a deal does not count, by its place among the reasons; 0 where it counts."""

ONCE: Final = "counts_once"
"""The column that is 1 on exactly one row of each deal."""

STATUSES: Final = tuple(STATUS.values())
"""What the status of a deal may be; a flag of that name says whether it is."""

CLOSED_AT: Final = "closed_at"
"""When a deal was closed: its status decides which of two dates counts."""

_CLOSED: Final = (
    nw.when(nw.col("status") == "won")
    .then(nw.col("won_at"))
    .otherwise(nw.when(nw.col("status") == "lost").then(nw.col("lost_at")))
)


def flag(condition: nw.Expr) -> nw.Expr:
    """1 where a condition holds, 0 where it does not or is unknown: a value that every engine can sum."""
    return nw.when(condition).then(nw.lit(1)).otherwise(nw.lit(0))


def first_reason(conditions: Iterable[nw.Expr], start: int = 1, otherwise: nw.Expr | None = None) -> nw.Expr:
    """Return the number of the first of some conditions that holds, from `start`; what is unknown does not hold."""
    number = nw.lit(0) if otherwise is None else otherwise
    for n, condition in reversed(list(enumerate(conditions, start))):
        number = nw.when(condition).then(nw.lit(n)).otherwise(number)
    return number


def group_names(snap: Snapshot, by: By, without: Sequence[str]) -> dict[str, str]:
    """Name each group once, under an alias that is not the name of a column.

    Raises
    ------
    SettingError
        If `by` holds something else than names.
    MissingColumnError
        If deals has no such column.
    """
    names = [by] if isinstance(by, str) else [] if by is None else list(by)
    for name in names:
        if not isinstance(name, str):
            raise SettingError(
                f"by takes names of columns of deals, such as by='source', not a {type(name).__name__}: assign a "
                "column of your own with snap.assign(name=...) first"
            )
    present = snap.columns("deals")
    for name in names:
        if name not in (*present, TAG):
            raise MissingColumnError("deals", name, [*present, TAG])
    distinct = [name for name in dict.fromkeys(names) if name not in without]
    return {f"group_{n}": name for n, name in enumerate(distinct)}


def is_overlapping(snap: Snapshot, names: Mapping[str, str]) -> bool:
    """Whether a deal may be in several groups: by tag, unless deals have a column of that name."""
    return TAG in names.values() and TAG not in snap.columns("deals")


def selected(
    snap: Snapshot, names: Mapping[str, str], columns: Iterable[str], *, overlapping: bool, **more: nw.Expr
) -> nw.LazyFrame[Any]:
    """Read the deals with the columns of a metric, its groups, the key `deal`, and flags.

    Parameters
    ----------
    snap
        The snapshot.
    names
        The groups: their aliases, and their names.
    columns
        The columns that the metric needs, among them perhaps `closed_at`.
    overlapping
        What `is_overlapping` returned.
    **more
        Further columns, computed from `status` and `archived_at`.

    Returns
    -------
    narwhals.LazyFrame
        Flags are `won`, `lost` and `open`; `counts_once` is 1 on exactly one row of each deal.
    """
    wanted = list(dict.fromkeys(columns))
    dates = ["won_at", "lost_at"] if CLOSED_AT in wanted else []
    present = snap.columns("deals")
    own = [name for name in wanted if name in present]
    read = list(dict.fromkeys(["status", "archived_at", *own, *dates]))
    own_groups = {alias: name for alias, name in names.items() if name != TAG or not overlapping}
    deals = snap.keyed("deals", *read, **own_groups).select(
        *own,
        *own_groups,
        DEAL,
        *(flag(nw.col("status") == word).alias(word) for word in STATUSES),
        **{ONCE: nw.lit(1)},
        **({CLOSED_AT: _CLOSED} if dates else {}),
        **more,
    )
    return _tagged(snap, deals, next(a for a, name in names.items() if name == TAG)) if overlapping else deals


def _tagged(snap: Snapshot, deals: nw.LazyFrame[Any], alias: str) -> nw.LazyFrame[Any]:
    """Return a row for each deal and tag; one without tags has one row."""
    tags = snap.keyed("tags", **{alias: TAG}).group_by(DEAL, alias).agg(tagged=nw.len()).drop("tagged")
    firsts = tags.group_by(DEAL).agg(first_tag=nw.col(alias).min())
    # a deal whose only tag has no name has one row, too
    once = (nw.col(alias) == nw.col("first_tag")) | nw.col("first_tag").is_null()
    tags = joined(tags, firsts).with_columns(is_first=flag(once)).drop("first_tag")
    rows = deals.join(tags, on=DEAL, how="left")
    first = nw.when(nw.col("is_first").is_null()).then(nw.lit(1)).otherwise(nw.col("is_first"))
    return rows.with_columns(**{ONCE: first}).drop("is_first")
