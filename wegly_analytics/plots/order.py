"""The order of rows: periods by time, ordinal groups by their scale, everything else as the table has it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Sequence

UNINFORMED: Final = "(not informed)"

_SCALES: Final = (
    ("very low", "low", "mid", "medium", "high", "very high"),
    ("small", "mid", "medium", "large"),
    ("cold", "warm", "hot"),
    ("muito baixo", "baixo", "médio", "alto", "muito alto"),
    ("muito baixa", "baixa", "média", "alta", "muito alta"),
    ("pequeno", "médio", "grande"),
    ("frio", "morno", "quente"),
)
"""Words with an order."""

_NUMBER: Final = re.compile(r"[-+]?\d+([.,]\d+)?")
_PERIOD: Final = re.compile(r"(?P<year>\d{4})(-?[QTWS]?(?P<part>\d{1,2})(-(?P<day>\d{1,2}))?)?", re.IGNORECASE)
_QUARTER_FIRST: Final = re.compile(r"[QT](?P<part>[1-4])([ -/]*(?P<year>\d{2,4}))?", re.IGNORECASE)
_INTERVAL: Final = re.compile(r"[(\[]\s*(?P<start>-?inf|[-+\d.]+)\s*,.*[)\]]")


def in_order(table: pd.DataFrame, groups: Sequence[str], keys: Sequence[str]) -> pd.DataFrame:
    """Sort rows by ordinal groups and by time, and otherwise keep their order."""
    by: list[np.ndarray] = []
    ranks = {name: scale(table[name]) for name in groups}
    if any(rank is not None for rank in ranks.values()):
        for name, rank in ranks.items():
            by.append(pd.factorize(table[name].astype(object))[0] if rank is None else rank)
    elif "period" in keys and "period" in table.columns and groups:
        by.append(table.groupby(list(groups), sort=False, dropna=False, observed=True).ngroup().to_numpy())
    if "period" in keys and "period" in table.columns:
        by.append(table["period"].rank(method="dense").to_numpy())
    if not by or table.empty:
        return table
    place = np.lexsort(by[::-1])
    ordered = table.iloc[place].reset_index(drop=True)
    ordered.attrs = dict(table.attrs)
    return ordered


def scale(values: pd.Series[Any]) -> np.ndarray | None:
    """Return the position of each value on its scale, "(not informed)" last; None if there is no scale."""
    if isinstance(values.dtype, pd.CategoricalDtype) and values.cat.ordered:
        return values.cat.codes.to_numpy().astype(float)
    known = values.astype(object)
    informed = (known.astype(str) != UNINFORMED).to_numpy()
    distinct = list(dict.fromkeys(known[informed]))
    places = _places(distinct)
    if places is None:
        return None
    of = dict(zip(distinct, places, strict=True))
    return np.array([of.get(value, np.inf) for value in known], dtype=float)


def _places(distinct: list[Any]) -> list[float] | None:
    if not distinct or any(isinstance(each, bool | np.bool_) for each in distinct):
        return None
    if all(isinstance(each, pd.Interval) for each in distinct):
        return [float(each.left) for each in distinct]
    if all(isinstance(each, int | float | np.number) for each in distinct):
        return [float(each) for each in distinct]
    texts = [str(each).strip() for each in distinct]
    for find in (_as_number, _as_period, _as_quarter, _as_interval):
        found = [find(text) for text in texts]
        if all(place is not None for place in found):
            return [float(place) for place in found if place is not None]
    for words in _SCALES:
        if all(text.lower() in words for text in texts):
            return [float(words.index(text.lower())) for text in texts]
    return None


def _as_number(text: str) -> float | None:
    return float(text.replace(",", ".")) if _NUMBER.fullmatch(text) else None


def _as_period(text: str) -> float | None:
    found = _PERIOD.fullmatch(text)
    if not found:
        return None
    return int(found["year"]) * 10_000 + int(found["part"] or 0) * 100 + int(found["day"] or 0)


def _as_quarter(text: str) -> float | None:
    found = _QUARTER_FIRST.fullmatch(text)
    return int(found["year"] or 0) * 10 + int(found["part"]) if found else None


def _as_interval(text: str) -> float | None:
    found = _INTERVAL.fullmatch(text)
    return float(found["start"]) if found else None
