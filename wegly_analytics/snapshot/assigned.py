"""Columns that the user adds to deals: expressions on every source; columns, functions and custom fields in memory."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any, Final

import narwhals as nw
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from wegly_analytics.errors import MissingColumnError, SettingError
from wegly_analytics.model.tables import DEAL_ID, DEALS
from wegly_analytics.snapshot.custom_fields import Dimension
from wegly_analytics.snapshot.expressions import columns_of, text_of
from wegly_analytics.snapshot.files import Queries
from wegly_analytics.snapshot.frames import pandas_frame
from wegly_analytics.snapshot.sources import WithDeals, with_column

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from wegly_analytics.snapshot.sources import Source

_UNKNOWN: Final = "column {!r} has type {}, which not every reader of Parquet knows; convert it to text or a number"

_DECLARED: Final = {c.name: c.kind.arrow_type for c in DEALS.columns}


def assigned(source: Source, columns: Mapping[str, Any]) -> Source:
    """Add or replace columns of deals.

    Raises
    ------
    SettingError
        If a column cannot be computed or stored.
    MissingColumnError
        If an expression names a column that deals do not have.
    """
    if DEAL_ID.name in columns:
        raise SettingError("deal_id joins the tables and cannot be assigned; use another name")
    if isinstance(source, Queries):
        return _on_engine(source, columns)
    deals = source.table(DEALS.name)
    tables = {name: source.table(name) for name in ("custom_fields",) if _has_custom_field(columns)}
    for name, column in columns.items():
        if isinstance(column, nw.Expr):
            frame = _with(nw.from_native(deals).lazy(), name, column)
            array = _as_arrow(name, frame.select(name).collect("pyarrow").to_native().column(name))
        else:
            values = column.column({**tables, DEALS.name: deals}) if isinstance(column, Dimension) else column
            try:
                array = _as_arrow(name, pandas_frame(deals).assign(**{name: values})[name])
            except SettingError:
                raise
            except KeyError as error:
                raise MissingColumnError(DEALS.name, str(error.args[0]), deals.column_names) from error
            except (ValueError, TypeError) as error:
                raise SettingError(f"cannot assign {name}: {error}") from error
        deals = with_column(deals, pa.field(name, array.type), array)
    return WithDeals(source, deals)


def _has_custom_field(columns: Mapping[str, Any]) -> bool:
    return any(isinstance(column, Dimension) for column in columns.values())


def _on_engine(source: Queries, columns: Mapping[str, Any]) -> Source:
    deals, fields = source.frame(DEALS.name), {}
    for name, given in columns.items():
        expression = nw.lit(given) if isinstance(given, str | int | float | bool | date) else given
        if not isinstance(expression, nw.Expr):
            raise SettingError(
                f"assign({name}=...) of a {type(given).__name__} needs the deals in memory, but this snapshot is "
                f'scanned: write an expression such as assign({name}=wa.col("value") / 1000), or open it with wa.load'
            )
        extended = _with(deals, name, expression)
        dtype = extended.collect_schema()[name]
        cast, kind = _stored_type(name, dtype)
        declared = _DECLARED.get(name, kind)
        if declared != kind and not (pa.types.is_floating(declared) and pa.types.is_integer(kind)):
            raise SettingError(f"column {name!r} has type {declared}, not {kind}; use another name")
        column = nw.col(name).cast(nw.Float64() if pa.types.is_floating(declared) else cast)
        if pa.types.is_floating(declared):
            column = nw.when(~column.is_nan()).then(column)  # 0 / 0 is missing, as it is on pandas
        deals = extended.with_columns(column.alias(name))
        fields[name] = pa.field(name, declared)
    return source.assigning(deals, fields)


def _with(deals: nw.LazyFrame[Any], name: str, expression: nw.Expr) -> nw.LazyFrame[Any]:
    try:
        extended = deals.with_columns(expression.alias(name))
        extended.select(name).head(1).collect("pyarrow")
    except Exception as error:  # each engine raises errors of its own
        present = deals.collect_schema().names()
        for column in columns_of(expression):
            if column not in present:
                raise MissingColumnError(DEALS.name, column, present) from error
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise SettingError(f"cannot assign {name} = {text_of(expression)}: {reason:.200}") from error
    return extended


def _stored_type(name: str, dtype: Any) -> tuple[Any, pa.DataType]:
    """Choose one of the few types that every reader of Parquet knows for a column of an engine."""
    if dtype.is_integer():
        return nw.Int64(), pa.int64()
    if dtype.is_numeric():
        return nw.Float64(), pa.float64()
    if isinstance(dtype, nw.Datetime):
        return nw.Datetime("us", dtype.time_zone), pa.timestamp("us", dtype.time_zone)
    for kinds, cast, kind in (
        ((nw.String, nw.Categorical, nw.Enum), nw.String(), pa.string()),
        ((nw.Boolean,), nw.Boolean(), pa.bool_()),
        ((nw.Date,), nw.Date(), pa.date32()),
    ):
        if isinstance(dtype, kinds):
            return cast, kind
    raise SettingError(_UNKNOWN.format(name, dtype))


def _as_arrow(name: str, column: pd.Series[Any] | pa.ChunkedArray) -> pa.Array:
    """Convert an assigned column to one of the few types that every reader of Parquet knows."""
    try:
        array = column if isinstance(column, pa.ChunkedArray) else pa.Array.from_pandas(_written(column))
    except pa.ArrowException as error:
        raise SettingError(f"column {name!r} cannot be stored: {error}") from error
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    if pa.types.is_floating(array.type):
        array = pc.if_else(pc.is_nan(array), None, array)  # 0 / 0 is missing, as it is on pandas
    declared = _DECLARED.get(name)
    for test, target in _STORED_AS.items():
        if test(array.type):
            try:
                return array.cast(declared or (pa.timestamp("us", array.type.tz) if target is None else target))
            except pa.ArrowException as error:
                raise SettingError(
                    f"column {name!r} has type {declared}, not {array.type}: {error}; use another name"
                ) from error
    raise SettingError(_UNKNOWN.format(name, array.type))


def _written(column: pd.Series[Any]) -> pd.Series[Any]:
    """Write intervals, as `pandas.cut` makes them, as text: Arrow does not know them."""
    categories = getattr(column.dtype, "categories", None)
    if isinstance(getattr(categories, "dtype", None), pd.IntervalDtype):
        return column.cat.rename_categories(str)
    return column.map(str, na_action="ignore") if isinstance(column.dtype, pd.IntervalDtype) else column


_STORED_AS: Final[dict[Callable[[pa.DataType], bool], pa.DataType | None]] = {
    pa.types.is_null: pa.string(),
    pa.types.is_string: pa.string(),
    pa.types.is_large_string: pa.string(),
    pa.types.is_dictionary: pa.string(),
    pa.types.is_boolean: pa.bool_(),
    pa.types.is_integer: pa.int64(),
    pa.types.is_floating: pa.float64(),
    pa.types.is_date: pa.date32(),
    pa.types.is_timestamp: None,
}
