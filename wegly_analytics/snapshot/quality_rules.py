"""The rules for the quality of a deal's record, and the query that finds the deals that break them."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal

import narwhals as nw

from wegly_analytics.errors import SettingError
from wegly_analytics.snapshot.keys import DEAL, joined
from wegly_analytics.snapshot.spans import COMPANY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    Tables = Callable[[str], nw.LazyFrame[Any]]

SILENT_DAYS: Final = 30
"""Days without activity after which an open deal is silent, by default."""

CLEAN: Final = "clean"
"""Stands for all rules whose kind is ``"contradiction"``."""

Kind = Literal["contradiction", "gap", "neglect"]


@dataclass(frozen=True)
class Clock:
    """What "now", "today" and "too long" mean for a rule.

    Parameters
    ----------
    now
        When the snapshot was taken.
    silent_days
        Days without activity after which an open deal is silent.
    """

    now: datetime
    silent_days: int = SILENT_DAYS

    @property
    def today(self) -> date:
        """The calendar day in São Paulo."""
        return self.now.astimezone(COMPANY).date()

    @property
    def long_ago(self) -> datetime:
        """A deal whose last activity was before this instant is silent."""
        return self.now - timedelta(days=self.silent_days)


@dataclass(frozen=True)
class Rule:
    """One rule for a deal's record.

    Parameters
    ----------
    name
        Its name.
    kind
        ``"contradiction"``: the record contradicts itself. ``"gap"``: a necessary value is missing. ``"neglect"``: the
        record may be correct, but the deal was not worked on.
    broken
        Where it is broken. A rule that cannot be checked because a value is missing is not broken.
    shows
        The columns that show why.
    """

    name: str
    kind: Kind
    broken: Callable[[Clock], nw.Expr]
    shows: tuple[str, ...]


def _is(status: str) -> nw.Expr:
    return nw.col("status") == status


def _known(column: str) -> nw.Expr:
    return ~nw.col(column).is_null()


def _last_seen() -> nw.Expr:
    """When something last happened: where there was no activity, the deal's creation."""
    return nw.when(_known("last_activity_at")).then(nw.col("last_activity_at")).otherwise(nw.col("created_at"))


RULES: Final = (
    Rule("won without value", "gap", lambda _: _is("won") & nw.col("value").is_null(), ("value", "won_at")),
    Rule(
        "lost without reason",
        "gap",
        lambda _: _is("lost") & nw.col("loss_reason").is_null(),
        ("lost_reason_description", "lost_at"),
    ),
    Rule(
        "open past its expected close",
        "neglect",
        lambda clock: _is("open") & (nw.col("expected_close") < nw.lit(clock.today)),
        ("expected_close",),
    ),
    Rule(
        "silent for too long",
        "neglect",
        lambda clock: _is("open") & (_last_seen() < nw.lit(clock.long_ago)),
        ("last_activity_at", "created_at"),
    ),
    Rule(
        "won and lost dates both set",
        "contradiction",
        lambda _: _known("won_at") & _known("lost_at"),
        ("status", "won_at", "lost_at"),
    ),
    Rule("won without a date", "contradiction", lambda _: _is("won") & ~_known("won_at"), ("won_at", "lost_at")),
    Rule("lost without a date", "contradiction", lambda _: _is("lost") & ~_known("lost_at"), ("won_at", "lost_at")),
    Rule(
        "open with a closing date",
        "contradiction",
        lambda _: _is("open") & (_known("won_at") | _known("lost_at")),
        ("won_at", "lost_at"),
    ),
    Rule(
        "closed before created",
        "contradiction",
        lambda _: (
            (_is("won") & (nw.col("won_at") < nw.col("created_at")))
            | (_is("lost") & (nw.col("lost_at") < nw.col("created_at")))
        ),
        ("created_at", "won_at", "lost_at"),
    ),
    Rule(
        "stage not in its pipeline",
        "contradiction",
        lambda _: _known("stage_id") & (nw.col("stages_listed") > 0) & (nw.col("stage_found") == 0),
        ("stage", "pipeline"),
    ),
    Rule(
        "proposals miscounted",
        "contradiction",
        lambda _: nw.col("n_proposals") != nw.col("proposals_there"),
        ("n_proposals", "proposals_there"),
    ),
    Rule(
        "value not positive",
        "contradiction",
        lambda _: (nw.col("value") < 0) | (_is("won") & (nw.col("value") <= 0)),
        ("status", "value"),
    ),
)
"""All rules, in the order in which they are reported."""

COLUMNS: Final = {
    "deals": [
        "deal_id", "status", "value", "pipeline", "stage_id", "stage", "created_at", "won_at", "lost_at", "loss_reason",
        "lost_reason_description", "expected_close", "last_activity_at", "n_proposals",
    ],
    "pipeline_stages": ["stage_id"],
    "proposals": [],
}  # fmt: skip
"""The columns that the rules need of each table."""


def chosen(names: str | Iterable[str] | None) -> tuple[Rule, ...]:
    """Pick rules by name.

    Parameters
    ----------
    names
        One name, several, ``"clean"`` for all contradictions, or None for all rules.

    Raises
    ------
    SettingError
        If there is no such rule, or none is named.

    Examples
    --------
    >>> [rule.kind for rule in chosen(["lost without reason", "silent for too long"])]
    ['gap', 'neglect']
    """
    if names is None:
        return RULES
    if names == CLEAN:
        return tuple(rule for rule in RULES if rule.kind == "contradiction")
    there = {rule.name: rule for rule in RULES}
    picked = [names] if isinstance(names, str) else list(names)
    if not picked:
        raise SettingError("no rule is named; leave rules out for all of them")
    for name in picked:
        if name not in there:
            near = difflib.get_close_matches(str(name), there, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(there)}"
            raise SettingError(f"there is no rule {name!r}; {hint}")
    return tuple(rule for rule in RULES if rule.name in picked)


def judged(tables: Tables, rules: Sequence[Rule], clock: Clock) -> nw.LazyFrame[Any]:
    """Mark the rules that each deal breaks.

    Parameters
    ----------
    tables
        Gives the columns `COLUMNS` of a table, and the key `deal`, by the table's name.
    rules
        The rules.
    clock
        When they are checked.

    Returns
    -------
    narwhals.LazyFrame
        The deals, each once, with what the rules show and a column `breaks_0`, `breaks_1`, ... (0 or 1) per rule.
    """
    deals, shown = tables("deals"), {column for rule in rules for column in rule.shows}
    if "stage" in shown:
        current = deals.select(DEAL, current=nw.col("stage_id"))
        listed = joined(tables("pipeline_stages"), current)
        listed = listed.with_columns(_flag(nw.col("stage_id") == nw.col("current")).alias("found"))
        stages = listed.group_by(DEAL).agg(stages_listed=nw.len(), stage_found=nw.col("found").sum())
        deals = joined(deals, stages, how="left")
    if "proposals_there" in shown:
        proposals = tables("proposals").group_by(DEAL).agg(proposals_there=nw.len())
        deals = joined(deals, proposals, how="left")
        there = nw.when(_known("proposals_there")).then(nw.col("proposals_there")).otherwise(nw.lit(0))
        deals = deals.with_columns(there.alias("proposals_there"))
    return deals.with_columns(*(_flag(rule.broken(clock)).alias(f"breaks_{n}") for n, rule in enumerate(rules)))


def breaking(tables: Tables, rules: Sequence[Rule], clock: Clock) -> nw.LazyFrame[Any]:
    """Keep the deals that break any of the rules; see `judged`."""
    marks = [f"breaks_{n}" for n in range(len(rules))]
    return judged(tables, rules, clock).filter(nw.sum_horizontal(*marks) > 0)


def _flag(condition: nw.Expr) -> nw.Expr:
    return nw.when(condition).then(nw.lit(1)).otherwise(nw.lit(0))
