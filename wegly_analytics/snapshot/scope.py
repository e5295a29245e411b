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
from wegly_analytics.snapshot.expressions import Filter, columns_of, functions_of, is_plain, named, short
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

_MAX_CANDIDATES: Final = 1000
"""The most values that are compared with a misspelled one."""


def narrowed(
    source: Source, conditions: Sequence[object], columns: Mapping[str, object], stacklevel: int
) -> tuple[nw.LazyFrame[Any], list[Filter]]:
    """Keep the deals that meet every condition.

    Parameters
    ----------
    source
        The tables.
    conditions
        Expressions, or functions of the whole frame of deals.
    columns
        The requested values of each column.
    stacklevel
        Where warnings point, as for `warnings.warn`.

    Returns
    -------
    narwhals.LazyFrame
        The deals.
    list of Filter
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
    for condition in conditions:
        if callable(condition):
            masks.append(_mask(condition, pandas_frame(source.table(DEALS.name)), named(condition)))
            texts.append(Filter.of(short(named(condition))))
        elif isinstance(condition, nw.Expr):
            exprs.append(Condition.from_expression(condition))
            texts.append(exprs[-1].filter)
    for column, requested in columns.items():
        if column in tags:
            continue
        if callable(requested):
            frame = pandas_frame(source.table(DEALS.name, [column]))
            masks.append(_mask(requested, frame[column], f"{column}={named(requested)}"))
            texts.append(Filter.of(short(f"{column}: {named(requested)}"), [column]))
        else:
            exprs.append(Condition.of(schema, column, requested))
            texts.append(exprs[-1].filter)
    deals = source.frame(DEALS.name, _needed(exprs, schema) if source.in_memory else None)
    _warn_if_empty(deals, exprs, stacklevel + 1)
    if masks:
        table = deals.collect("pyarrow").to_native()
        for mask in masks[1:]:
            masks[0] = pc.and_(masks[0], mask)
        deals = nw.from_native(table.filter(masks[0])).lazy()
    for each in exprs:
        deals = deals.filter(each.expr)
    for requested in tags.values():
        deals, text = _tagged(source, deals, requested, stacklevel + 1)
        texts.append(text)
    return deals, texts


def without(
    source: Source, deals: nw.LazyFrame[Any], quality: object, now: datetime, stacklevel: int
) -> tuple[nw.LazyFrame[Any], Filter]:
    """Exclude the deals that break rules; count them in the text, and warn if these are all deals."""
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
    remaining = count(deals)
    rules = " and ".join(names)
    if n and not remaining:
        warnings.warn(f"all {n:,} deals break a rule: {rules}", EmptyScopeWarning, stacklevel=stacklevel + 1)
    outcome = f": {n - remaining:,} of {n:,} deals excluded"
    return deals, Filter.of(short(f"quality = {rules}{outcome}", outcome), [_KEY])  # quotes no value of a deal


def _check(source: Source, conditions: Sequence[object], columns: Mapping[str, object]) -> None:
    schema = source.schema(DEALS.name)
    for condition in conditions:
        if isinstance(condition, nw.Expr) or callable(condition):
            continue
        kind = type(condition).__name__
        raise SettingError(
            f"where({condition!r:.60}) is not a condition but a {kind}: write column=value, or an expression such as "
            'wa.col("value") > 50_000'
        )
    for column, requested in columns.items():
        if column not in schema.names and column != _TAG:
            raise MissingColumnError(DEALS.name, column, [*schema.names, _TAG])
        if isinstance(requested, nw.Expr):
            raise SettingError(
                f"where({column}=expression): an expression names its column itself; write it without {column}="
            )
    if callable(columns.get(_TAG)) and _TAG not in schema.names:
        raise SettingError("where(tag=function): a deal has several tags; give the tags, as in tag=['vip', 'old']")
    functions = list(functions_of(conditions, dict(columns)))
    if functions and not source.in_memory:
        raise SettingError(
            f"{functions[0]} is a function and needs the deals in memory, but this snapshot is scanned: write an "
            'expression such as where(wa.col("value") > 50_000), or open it with wa.load'
        )


def _needed(exprs: Iterable[Condition], schema: pa.Schema) -> list[str] | None:
    """List the columns that conditions need; None for all."""
    names = [_KEY]
    for each in exprs:
        names += columns_of(each.expr)
        if not is_plain(each.expr):
            return None
    return list(dict.fromkeys(names)) if set(names) <= set(schema.names) else None


def _warn_if_empty(deals: nw.LazyFrame[Any], exprs: Sequence[Condition], stacklevel: int) -> None:
    """Evaluate all conditions in one pass; warn if no deal meets one of them, or all of them."""
    if not exprs:
        return
    try:
        row = _met(deals, exprs)
    except Exception as error:
        raise _refused(deals, exprs, error) from error
    for n, each in enumerate(exprs):
        if row[f"n_{n}"] == 0:  # None without deals
            present: list[Any] = []
            if each.column and each.values:
                groups = deals.group_by(each.column).agg(n=nw.len()).head(_MAX_CANDIDATES)
                present = groups.collect("pyarrow").to_native().column(each.column).to_pylist()
            each.warn_of_no_match(present, stacklevel + 1)
    if row.get("n_all") == 0 and all(row[f"n_{n}"] for n in range(len(exprs))):
        text = "; ".join(each.text for each in exprs)
        warnings.warn(f"no deal meets all of: {text}", EmptyScopeWarning, stacklevel=stacklevel + 1)


def _met(deals: nw.LazyFrame[Any], exprs: Sequence[Condition]) -> dict[str, int | None]:
    """Return for each condition, and for all together, whether any deal meets it: 1, 0, or None without deals."""
    met = {f"n_{n}": each.expr for n, each in enumerate(exprs)}
    for each in exprs:
        deals.filter(each.expr)  # raises an error for sums and other aggregates
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
    """Return the error for the condition that an engine refused."""
    present = deals.collect_schema().names()
    for each in exprs:
        for name in columns_of(each.expr):
            if name not in present:
                return MissingColumnError(DEALS.name, name, present)
    for each in exprs:
        try:
            deals.filter(each.expr).select(_KEY).collect("pyarrow")
        except Exception as cause:  # noqa: BLE001 - each engine raises errors of its own
            error = cause
            break
    reason = (str(error).splitlines() or [type(error).__name__])[0]
    return SettingError(
        f"where({each.text}) cannot be applied to deals ({reason:.200}); a condition is true or false for each deal, "
        'as wa.col("value") > 50_000; for days write created_at=wa.between(...)'
    )


def _tagged(
    source: Source, deals: nw.LazyFrame[Any], requested: object, stacklevel: int
) -> tuple[nw.LazyFrame[Any], Filter]:
    """Keep the deals that have any of the tags; None stands for deals without a tag."""
    condition = Condition.of(source.schema("tags"), _TAG, requested)
    tags = source.frame("tags", [_KEY, _TAG])
    tags = tags.filter(~nw.col(_TAG).is_null())
    tagged = tags.filter(condition.expr).select(_KEY).unique()
    if condition.includes_missing:
        others = source.among(tags.select(_KEY).unique(), tagged, inside=False)
        return source.among(deals, others, inside=False), condition.filter
    if not count(tagged) and count(deals):
        present = tags.group_by(_TAG).agg(n=nw.len()).head(_MAX_CANDIDATES).collect("pyarrow").to_native()
        condition.warn_of_no_match(present.column(_TAG).to_pylist(), stacklevel + 1)
    return source.among(deals, tagged, inside=True), condition.filter


def _mask(function: Any, frame: pd.DataFrame | pd.Series[Any], name: str) -> pa.Array:
    result, n = function(frame.copy()), len(frame)
    mask = pd.Series(result) if isinstance(result, pd.Series | list | np.ndarray) else None
    if mask is None or len(mask) != n or not (mask.dtype == bool or mask.dtype == "boolean"):
        raise SettingError(f"where({name}) must return one truth value for each of the {n} deals, not {result!r:.80}")
    return pa.array(mask.fillna(False).to_numpy(dtype=bool))
