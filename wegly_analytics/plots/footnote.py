"""The footnote of a chart: caveats, rule, time, completeness, filters and exclusions."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from wegly_analytics.i18n.texts import day, listed, number, say

if TYPE_CHECKING:
    import pandas as pd

_GAPS: Final = ("not_found", "forbidden", "failed", "unreadable")


def sentences(table: pd.DataFrame, lang: str) -> list[str]:
    """Write the lines of the footnote; a table that was merged or read back has fewer."""
    attrs = table.attrs
    lines = [say(caveat, lang) for caveat in attrs.get("caveats", ())]
    if rule := attrs.get("rule"):
        lines.append(" · ".join(say(sentence, lang) for sentence in rule.split(" · ")))
    if facts := _facts(table, lang):
        lines.append(" · ".join(facts))
    if filters := attrs.get("filters"):
        lines.append(say("filters: {filters}", lang, filters=" · ".join(map(str, filters))))
    if excluded := attrs.get("excluded"):
        reasons = [
            say("{n} {reason}", lang, n=number(n, lang), reason=say(reason, lang)) for reason, n in excluded.items()
        ]
        lines.append(say("excluded: {reasons}", lang, reasons=listed(reasons)))
    return lines


def _facts(table: pd.DataFrame, lang: str) -> list[str]:
    attrs, facts = table.attrs, []
    if taken_at := attrs.get("taken_at"):
        local = datetime.fromisoformat(taken_at).astimezone(ZoneInfo(attrs.get("tz", "America/Sao_Paulo")))
        facts.append(say("as of {day}", lang, day=day(local, lang)))
    if counts := attrs.get("completeness"):
        received, requested = (number(counts[name], lang) for name in ("received", "requested"))
        facts.append(
            say("{received} of {requested} requested deals received", lang, received=received, requested=requested)
        )
        gaps = ((name, counts.get(name)) for name in _GAPS)
        facts += [say(f"{{n}} {name.replace('_', ' ')}", lang, n=number(n, lang)) for name, n in gaps if n]
        if counts.get("in_scope", counts["received"]) != counts["received"] and not attrs.get("filters"):
            facts.append(say("{in_scope} in scope", lang, in_scope=number(counts["in_scope"], lang)))
    return facts
