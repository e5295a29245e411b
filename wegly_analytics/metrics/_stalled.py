"""Open deals that have been in their stage for too long."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import narwhals as nw
import numpy as np
import pandas as pd

from wegly_analytics.errors import SettingError
from wegly_analytics.metrics.cohort import Cohort
from wegly_analytics.metrics.durations import durations
from wegly_analytics.metrics.results import collect, comparable, informed
from wegly_analytics.metrics.stages import stage_times
from wegly_analytics.snapshot.keys import joined, summed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wegly_analytics.metrics.durations import Durations
    from wegly_analytics.metrics.selection import By
    from wegly_analytics.snapshot.snapshot import Snapshot

LEAST: Final = 5
"""The fewest deals that must have left a stage for the others in it to be compared with them."""

_DAY: Final = 86_400.0
"""Seconds."""

_SHOWN: Final = ["title", "responsible", "stage", "value", "last_activity_at"]
"""The columns of a deal in the table, if the snapshot has them."""


def stalled(snap: Snapshot, *, by: By = None, q: float = 0.9, archived: bool = False) -> pd.DataFrame:
    """Open deals that have been in their stage for longer than most deals that left it.

    Parameters
    ----------
    snap
        The snapshot.
    by
        One column of deals, or several; each group is then compared with its own deals.
    q
        What "most" means: the share of the deals that left a stage, between 0 and 1.
    archived
        Whether archived deals count.

    Returns
    -------
    pandas.DataFrame
        One row per deal, the most valuable first, those without a value last: the groups; `deal_id`, `title`,
        `responsible`, `stage`; `days` in this stage so far; `typical_days`, by which the share `q` of those that left
        the stage had left it; `value` (money); `last_activity_at`. Columns dropped from the snapshot are missing.

    Raises
    ------
    MissingColumnError
        If deals has no column `by`.
    SettingError
        If `q` is not between 0 and 1.

    Notes
    -----
    A deal has left a stage if it is won, lost, or open in another one; visits to a stage are added up by the API.
    `typical_days` is the shortest time within which at least the share `q` had left (the inverse of the empirical
    distribution, which does not include the open deals). A deal in a stage that fewer than five deals
    have left is excluded, and so is one without a time in its stage; `attrs["excluded"]` counts both, and `attrs["n"]`
    the deals that were compared.

    Examples
    --------
    >>> import wegly_analytics as wa
    >>> table = stalled(wa.sample())
    >>> bool((table["days"] > table["typical_days"]).all())
    True
    """
    if not 0 < q < 1:
        raise SettingError(f"q={q!r} is not between 0 and 1")
    cohort = Cohort.of("stalled", snap, by, archived, columns=("deal_id", "stage_id", *_SHOWN))
    groups = cohort.groups
    keys = ["stage_id", *groups]
    shown = [name for name in ("deal_id", *_SHOWN) if name in snap.columns("deals")]
    times = stage_times(snap).filter(~nw.col("stage_id").is_null())
    rows = cohort.beside(times, "open", *groups, current="stage_id")
    waits = (nw.col("open") == 1) & (nw.col("stage_id") == nw.col("current"))
    once = _keyed(_limits(durations(cohort, rows, waits), keys, q), keys)
    limits = once.loc[once["limit"].notna(), [*keys, "limit"]]
    # only those above the smallest of all limits are collected
    least = float(limits["limit"].min()) if len(limits) else np.inf
    overdue = _waiting(snap, cohort).filter(nw.col("seconds") > least)
    found = _keyed(collect(cohort.beside(overdue, *shown, *groups, "stage_id")), keys)
    judged = once.loc[once["limit"].notna(), "n"].sum()
    cohort.note("without stage times", cohort.once(cohort.frame, "open")["open"].iloc[0] - once["n"].sum())
    cohort.note("in a stage that few deals have left", once["n"].sum() - judged)

    table = found.merge(limits, how="inner", on=keys)
    table = table[table["seconds"] > table["limit"]]
    table = table.assign(days=table["seconds"] / _DAY, typical_days=table["limit"] / _DAY)
    for name in _SHOWN:
        if name not in table:
            table[name] = pd.Series(index=table.index, dtype=float if name == "value" else object)
    table = table.astype({"value": float, "days": float, "typical_days": float})
    for ranks, ascending in ((groups, True), (["deal_id"], True), (["value", "days"], False)):
        for name in ranks[::-1]:  # the last one ranks first; groups may be of several types
            table = table.sort_values(name, ascending=ascending, kind="stable", key=comparable)
    columns = ["deal_id", "title", "responsible", "stage", "days", "typical_days", "value", "last_activity_at"]
    grouped = {*cohort.names.values()} & {"deal_id", *_SHOWN}  # in the list once, as a group
    columns = [*groups, *(name for name in columns if name not in grouped)]
    rule = ["open deals that are longer in their stage than the share q of those that left it"]
    return cohort.finish(table[columns], rule, judged, q=q)


def _waiting(snap: Snapshot, cohort: Cohort) -> nw.LazyFrame[Any]:
    """Return the seconds of each open deal in its current stage."""
    is_open = (nw.col("open") == 1) & (nw.col("counts_once") == 1)
    current = cohort.kept.filter(is_open).select("deal", current=nw.col("stage_id"))
    times = joined(snap.keyed("stage_durations", "stage_id", "seconds").filter(nw.col("seconds") > 0), current)
    return summed(times.filter(nw.col("stage_id") == nw.col("current")), ["deal"], "seconds")


def _keyed(table: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Give keys types that merge with those of another small result."""
    return informed(table.astype(dict.fromkeys(keys, object)), keys[1:])


def _limits(times: Iterable[Durations], keys: list[str], q: float) -> pd.DataFrame:
    """Find the time within which at least the share `q` had left each stage, if enough deals have left it.

    With `n`, the deals that are still in the stage.
    """
    rows = []
    for each in times:
        left, n = each.seconds[~each.goes_on], each.n[~each.goes_on]
        enough = n.sum() >= LEAST
        limit = np.quantile(left, q, weights=n, method="inverted_cdf") if enough else np.nan
        rows.append((*each.key, limit, each.waiting))
    return pd.DataFrame(rows, columns=[*keys, "limit", "n"]).astype({"limit": float, "n": "int64"})
