"""Filters applied to the tables of a snapshot, whatever their source."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

import narwhals as nw
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from wegly_analytics.errors import EmptyScopeWarning, MissingColumnError, SettingError
from wegly_analytics.model.tables import DEAL_ID, DEALS
from wegly_analytics.snapshot.expressions import columns_of, functions_of, is_plain, named, short
from wegly_analytics.snapshot.filters import Condition
from wegly_analytics.snapshot.frames import pandas_frame
from wegly_analytics.snapshot.quality_rules import COLUMNS, Clock, breaking, chosen
from wegly_analytics.snapshot.sources import count

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from wegly_analytics.errors import WeglyError
    from wegly_analytics.snapshot.sources import Source

_KEY: Final = DEAL_ID.name

_TAG: Final = "tag"
"""The one filter that is not a column of deals: a deal may have several."""

_HINTS: Final = 1000
"""Among how many names a misspelt one looks for its neighbour."""


def narrowed(
    source: Source, conditions: Sequence[object], columns: Mapping[str, object], stacklevel: int
) -> tuple[nw.LazyFrame[Any], list[str]]:
    """Keep the deals that meet every condition.

    Parameters
    ----------
    source
        The tables.
    conditions
        Expressions, or functions of the whole frame of deals.
    columns
        For each column what it should be.
    stacklevel
        Where warnings point, as for `warnings.warn`.

    Returns
    -------
    narwhals.LazyFrame
        The deals.
    list of str
        The conditions as short texts.

    Raises
    ------
    MissingColumnError
        If deals has no such column.
    SettingError
        If a condition cannot be applied.
    """
    _check(source, conditions, columns)
    schema = source.schema(DEALS.name)
    tags = {n: v for n, v in columns.items() if n == _TAG and _TAG not in schema.names}
    texts, exprs, masks = [], [], []
    for given in conditions:
        if callable(given):
            masks.append(_mask(given, pandas_frame(source.table(DEALS.name)), named(given)))
            texts.append(named(given))
        elif isinstance(given, nw.Expr):
            exprs.append(Condition.written(given))
            texts.append(exprs[-1].text)
    for column, wanted in columns.items():
        if column in tags:
            continue
        if callable(wanted):
            frame = pandas_frame(source.table(DEALS.name, [column]))
            masks.append(_mask(wanted, frame[column], f"{column}={named(wanted)}"))
            texts.append(f"{column}: {named(wanted)}")
        else:
            exprs.append(Condition.of(schema, column, wanted))
            texts.append(exprs[-1].text)
    deals = source.frame(DEALS.name, _needed(exprs, schema) if source.in_memory else None)
    _evaluate(deals, exprs, stacklevel + 1)
    if masks:
        table = deals.collect("pyarrow").to_native()
        for mask in masks[1:]:
            masks[0] = pc.and_(masks[0], mask)
        deals = nw.from_native(table.filter(masks[0])).lazy()
    for each in exprs:
        deals = deals.filter(each.expr)
    for wanted in tags.values():
        deals, text = _tagged(source, deals, wanted, stacklevel + 1)
        texts.append(text)
    return deals, [short(text) for text in texts]


def without(
    source: Source, deals: nw.LazyFrame[Any], quality: object, now: datetime, stacklevel: int
) -> tuple[nw.LazyFrame[Any], str]:
    """Exclude the deals that break rules; say how many, and warn where these are all."""
    names: Any = [quality] if isinstance(quality, str) else quality
    if not isinstance(names, Iterable) or not all(isinstance(name, str) for name in names):
        raise SettingError(f"quality={quality!r} is not the name of a rule; 'clean' stands for all contradictions")
    broken = breaking(
        lambda name: source.keyed(name, *COLUMNS[name]),
        chosen(quality if isinstance(quality, str) else names),
        Clock(now),
    ).select(_KEY)
    n = count(deals)
    deals = source.among(deals, broken, inside=False)
    left = count(deals)
    said = " and ".join(names)
    if n and not left:
        warnings.warn(f"all {n:,} deals break a rule: {said}", EmptyScopeWarning, stacklevel=stacklevel + 1)
    outcome = f": {n - left:,} of {n:,} deals excluded"
    return deals, short(f"quality = {said}{outcome}", outcome)


def _check(source: Source, conditions: Sequence[object], columns: Mapping[str, object]) -> None:
    schema = source.schema(DEALS.name)
    for given in conditions:
        if isinstance(given, nw.Expr) or callable(given):
            continue
        kind = type(given).__name__
        raise SettingError(
            f"where({given!r:.60}) is not a condition but a {kind}: write column=value, or an expression such as "
            'wa.col("value") > 50_000'
        )
    for column, wanted in columns.items():
        if column not in schema.names and column != _TAG:
            raise MissingColumnError(DEALS.name, column, [*schema.names, _TAG])
        if isinstance(wanted, nw.Expr):
            raise SettingError(
                f"where({column}=expression): an expression names its column itself; write it without {column}="
            )
    if callable(columns.get(_TAG)) and _TAG not in schema.names:
        raise SettingError("where(tag=function): a deal has several tags; give the tags, as in tag=['vip', 'old']")
    functions = list(functions_of(conditions, dict(columns)))
    if functions and not source.in_memory:
        raise SettingError(
            f"{functions[0]} is a function, and a scanned snapshot does not have its deals in memory: write an "
            'expression such as where(wa.col("value") > 50_000), or wa.load(...) the snapshot'
        )


def _needed(exprs: Iterable[Condition], schema: pa.Schema) -> list[str] | None:
    """Tell which columns conditions need; None for all."""
    names = [_KEY]
    for each in exprs:
        names += columns_of(each.expr)
        if not is_plain(each.expr):
            return None
    return list(dict.fromkeys(names)) if set(names) <= set(schema.names) else None


def _evaluate(deals: nw.LazyFrame[Any], exprs: Sequence[Condition], stacklevel: int) -> None:
    """Try every condition in one pass; warn of those that no deal meets, or that no deal meets together."""
    if not exprs:
        return
    try:
        row = _met(deals, exprs)
    except Exception as error:
        raise _refused(deals, exprs, error) from error
    for n, each in enumerate(exprs):
        if row[f"n_{n}"] == 0:  # missing where there are no deals at all
            there: list[Any] = []
            if each.column and each.values:
                groups = deals.group_by(each.column).agg(n=nw.len()).head(_HINTS)
                there = groups.collect("pyarrow").to_native().column(each.column).to_pylist()
            each.warn_of_nothing(there, stacklevel + 1)
    if row.get("n_all") == 0 and all(row[f"n_{n}"] for n in range(len(exprs))):
        text = "; ".join(each.text for each in exprs)
        warnings.warn(f"no deal meets all of: {text}", EmptyScopeWarning, stacklevel=stacklevel + 1)


def _met(deals: nw.LazyFrame[Any], exprs: Sequence[Condition]) -> dict[str, int | None]:
    """Tell for each condition, and for all together, whether any deal meets it: 1, 0, or None without deals."""
    met = {f"n_{n}": each.expr for n, each in enumerate(exprs)}
    for each in exprs:
        deals.filter(each.expr)  # refuses sums and other figures of all deals at once
    truths = deals.select(**met)
    for kind in truths.collect_schema().values():
        if kind != nw.Boolean:
            raise TypeError(f"it is {kind}, not true or false")
    if len(exprs) > 1:
        truths = truths.with_columns(n_all=nw.all_horizontal(*met, ignore_nulls=False))
    names = truths.collect_schema().names()
    flags = [nw.when(nw.col(name)).then(nw.lit(1)).otherwise(nw.lit(0)).alias(name) for name in names]
    most = truths.select(*flags).select(nw.all().max()).collect("pyarrow")
    return dict(most.to_native().to_pylist()[0])


def _refused(deals: nw.LazyFrame[Any], exprs: Sequence[Condition], error: Exception) -> WeglyError:
    """Say which condition an engine refused, in words."""
    there = deals.collect_schema().names()
    for each in exprs:
        for name in columns_of(each.expr):
            if name not in there:
                return MissingColumnError(DEALS.name, name, there)
    for each in exprs:
        try:
            deals.filter(each.expr).select(_KEY).collect("pyarrow")
        except Exception as own:  # noqa: BLE001 - each engine has errors of its own
            error = own
            break
    reason = (str(error).splitlines() or [type(error).__name__])[0]
    return SettingError(
        f"where({each.text}) cannot be applied to deals ({reason:.200}); a condition is true or false for each deal, "
        'as wa.col("value") > 50_000; for days write created_at=wa.between(...)'
    )


def _tagged(source: Source, deals: nw.LazyFrame[Any], wanted: object, stacklevel: int) -> tuple[nw.LazyFrame[Any], str]:
    """Keep the deals that have any of the tags; None stands for no tag at all."""
    condition = Condition.of(source.schema("tags"), _TAG, wanted)
    tags = source.frame("tags", [_KEY, _TAG])
    tags = tags.filter(~nw.col(_TAG).is_null())
    having = tags.filter(condition.expr).select(_KEY).unique()
    if condition.takes_missing:
        others = source.among(tags.select(_KEY).unique(), having, inside=False)
        return source.among(deals, others, inside=False), condition.text
    if not count(having) and count(deals):
        there = tags.group_by(_TAG).agg(n=nw.len()).head(_HINTS).collect("pyarrow").to_native()
        condition.warn_of_nothing(there.column(_TAG).to_pylist(), stacklevel + 1)
    return source.among(deals, having, inside=True), condition.text


def _mask(function: Any, frame: pd.DataFrame | pd.Series[Any], name: str) -> pa.Array:
    result, n = function(frame.copy()), len(frame)
    mask = pd.Series(result) if isinstance(result, pd.Series | list | np.ndarray) else None
    if mask is None or len(mask) != n or not (mask.dtype == bool or mask.dtype == "boolean"):
        raise SettingError(f"where({name}) must return one truth value for each of the {n} deals, not {result!r:.80}")
    return pa.array(mask.fillna(False).to_numpy(dtype=bool))
