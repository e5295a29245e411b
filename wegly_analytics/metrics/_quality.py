"""Contradictions and gaps in the records of deals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

import narwhals as nw
import numpy as np
import pandas as pd

from wegly_analytics.errors import SettingError
from wegly_analytics.metrics.cohort import Cohort
from wegly_analytics.metrics.results import collect
from wegly_analytics.snapshot.quality_rules import COLUMNS as RULE_COLUMNS
from wegly_analytics.snapshot.quality_rules import SILENT_DAYS, Clock, breaking, chosen

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from wegly_analytics.snapshot.quality_rules import Rule, Tables
    from wegly_analytics.snapshot.snapshot import Snapshot

LARGE: Final = 1_000_000
"""Of more deals than these on an engine the rules are checked one after the other."""

_AT_ONCE: Final = 100_000
"""So many details are written together, to keep memory small."""


def quality(
    snap: Snapshot,
    *,
    rules: str | Iterable[str] | None = None,
    silent_days: int = SILENT_DAYS,
    archived: bool = False,
) -> pd.DataFrame:
    """Which deals break which data quality rule.

    Parameters
    ----------
    snap
        The snapshot.
    rules
        One rule, several, ``"clean"`` for all contradictions, or None for all; see Notes.
    silent_days
        The number of days without activity after which an open deal counts as silent.
    archived
        Whether archived deals are checked.

    Returns
    -------
    pandas.DataFrame
        One row per broken rule and deal, rule by rule: `rule`; `deal_id`; `title`; `detail`, the columns that show
        it, instants in UTC. ``attrs["counts"]`` has the number of deals that break each rule, 0 included; `n` is the
        number of deals checked, and ``attrs["broken"]`` of those that break any rule.

    Raises
    ------
    SettingError
        If there is no such rule, or `silent_days` is negative.

    Notes
    -----
    Contradictions: ``won and lost dates both set``; ``won without a date``; ``lost without a date``; ``open with a
    closing date``; ``closed before created``; ``stage not in its pipeline``, as the deal itself lists it;
    ``proposals miscounted``, `n_proposals` against the rows of proposals, each version being one; ``value not
    positive``, below zero, or zero on a won deal. Gaps: ``won without value``; ``lost without reason``. Neglect: ``open
    past its expected close``, by the calendar of São Paulo; ``silent for too long``, by the last activity, or the
    creation if there was none. A rule that cannot be checked because a value is missing is not broken. Deals whose
    status is unknown are excluded.

    Examples
    --------
    >>> import wegly_analytics as wa
    >>> table = quality(wa.sample(), rules="won without value")
    >>> table.columns.tolist()
    ['rule', 'deal_id', 'title', 'detail']
    >>> table.attrs["counts"]["won without value"] == len(table)
    True
    """
    if silent_days < 0:
        raise SettingError(f"silent_days={silent_days!r} must not be negative")
    picked = chosen(rules)
    cohort = Cohort.of(
        "quality", snap, None, archived, columns=[*RULE_COLUMNS["deals"], "title", "lost_at", "archived_at"]
    )
    checked = cohort.once(cohort.frame.with_columns(one=nw.lit(1)), "one")["one"].iloc[0]

    def tables(name: str) -> nw.LazyFrame[Any]:
        return cohort.kept if name == "deals" else snap.keyed(name, *RULE_COLUMNS[name])

    parts, counts = [], {}
    broken, found = _broken(cohort, tables, picked, Clock(snap.taken_at, silent_days))
    for rule, mine in found:
        counts[rule.name] = len(mine)
        parts.append(_listed(rule, mine))
    columns = ["rule", "deal_id", "title", "detail"]
    table = pd.DataFrame({name: np.concatenate([part.pop(name) for part in parts]) for name in columns}, dtype=object)
    about = {"counts": counts, "broken": broken, "silent_days": silent_days}
    return cohort.finish(table, ["rules that a deal's record breaks"], checked, **about)


def _broken(
    cohort: Cohort, tables: Tables, rules: Sequence[Rule], clock: Clock, large: int = LARGE
) -> tuple[int, Iterable[tuple[Rule, pd.DataFrame]]]:
    """Count the deals that break any of the rules, and return those of each rule with what it shows.

    Of very many deals on an engine each rule is a query of its own: only what it shows is then in memory.
    """
    if not cohort.frame.implementation.is_pyarrow() and len(cohort.snap) > large:
        n = collect(breaking(tables, rules, clock).select(nw.len().alias("n")))["n"].iloc[0]
        queries = ((rule, breaking(tables, [rule], clock).select("deal_id", "title", *rule.shows)) for rule in rules)
        return n, ((rule, collect(query).sort_values("deal_id", ignore_index=True)) for rule, query in queries)
    shown = list(dict.fromkeys(column for rule in rules for column in rule.shows))
    marks = [f"breaks_{n}" for n in range(len(rules))]
    found = collect(breaking(tables, rules, clock).select("deal_id", "title", *shown, *marks))
    found = found.sort_values("deal_id", ignore_index=True)
    is_broken = (found[mark].to_numpy() == 1 for mark in marks)
    each = zip(rules, is_broken, strict=True)
    return len(found), ((rule, found[["deal_id", "title", *rule.shows]][mine]) for rule, mine in each)


def _listed(rule: Rule, deals: pd.DataFrame) -> dict[str, NDArray[Any]]:
    """List the deals that break a rule."""
    title = deals["title"].to_numpy(dtype=object, copy=True)
    title[deals["title"].isna()] = None  # engines write a missing title in three ways
    detail = np.empty(len(deals), dtype=object)
    for start in range(0, len(deals), _AT_ONCE):
        some = deals.iloc[start : start + _AT_ONCE]
        texts = [[f"{name} {text}" for text in _written(some[name])] for name in rule.shows]
        detail[start : start + _AT_ONCE] = [", ".join(each) for each in zip(*texts, strict=True)]
    names = np.full(len(deals), rule.name, dtype=object)
    return {"rule": names, "deal_id": deals["deal_id"].to_numpy(dtype=object), "title": title, "detail": detail}


def _written(values: pd.Series[Any]) -> list[str]:
    """Write values as a person reads them: instants in UTC to the minute, days as days."""
    if values.dtype.kind == "M":
        is_day = getattr(values.dtype, "tz", None) is None
        instants = values if is_day else values.dt.tz_convert("UTC").dt.tz_localize(None)
        unit: Literal["D", "m"] = "D" if is_day else "m"
        texts = np.datetime_as_string(instants.to_numpy(), unit=unit, casting="unsafe").tolist()
        ending = "" if is_day else "Z"
        return ["missing" if text == "NaT" else text.replace("T", " ") + ending for text in texts]
    pairs = zip(values.tolist(), values.isna().tolist(), strict=True)
    return ["missing" if gone else f"{value:.15g}" if isinstance(value, float) else str(value) for value, gone in pairs]
