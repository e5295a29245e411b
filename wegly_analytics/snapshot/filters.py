"""Which deals a filter keeps."""

from __future__ import annotations

import difflib
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from wegly_analytics.errors import EmptyScopeWarning, MissingColumnError, SettingError
from wegly_analytics.model.enums import NOT_INFORMED
from wegly_analytics.model.tables import DEALS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping


@dataclass(frozen=True)
class Among:
    """One column of deals and the values it may have.

    Parameters
    ----------
    column
        The column.
    values
        The values; None for missing.
    known
        Those that are not missing, in the column's type.
    """

    column: str
    values: list[Any]
    known: pa.Array

    @classmethod
    def of(cls, schema: pa.Schema, column: str, wanted: object) -> Among:
        """Read what a user wants a column of deals to be.

        Raises
        ------
        MissingColumnError
            If there is no such column.
        SettingError
            If a value cannot be compared with it.
        """
        if column not in schema.names:
            raise MissingColumnError("deals", column, schema.names)
        values, kind = _several(wanted), schema.field(column).type
        if odd := [v for v in values if v is not None and v not in _WORDS.get(column, [v])]:
            raise SettingError(f"{column} is one of {', '.join(_WORDS[column])}; {odd[0]!r} is none of them")
        try:
            known = pa.array([v for v in values if v is not None], type=kind)
        except (pa.ArrowException, TypeError) as error:
            raise SettingError(f"{column} holds {kind}; {values!r} cannot be compared with it ({error})") from None
        return cls(column, values, known)

    @property
    def takes_missing(self) -> bool:
        """Whether deals without a value are meant, too."""
        return None in self.values

    def __str__(self) -> str:
        return f"{self.column} = {' or '.join(NOT_INFORMED if v is None else str(v) for v in self.values)}"

    def warn_of_nothing(self, there: Iterable[Any], stacklevel: int) -> None:
        """Say that no deal has any of the values, and which of those that are there was perhaps meant."""
        names = [str(value) for value in there if value is not None]
        near = [m for v in self.values if isinstance(v, str) for m in difflib.get_close_matches(v, names, n=1)]
        hint = f"; did you mean {near[0]!r}?" if near else ""
        wanted = " or ".join(repr(v) if v is not None else NOT_INFORMED for v in self.values)
        warnings.warn(f"no deal has {self.column} {wanted}{hint}", EmptyScopeWarning, stacklevel=stacklevel + 1)


_WORDS = {c.name: tuple(c.words.values()) for c in DEALS.columns if c.words}


def matching(
    deals: pa.Table,
    frame: pd.DataFrame,
    conditions: Iterable[Callable[[pd.DataFrame], Any]],
    columns: Mapping[str, object],
) -> tuple[pa.Array, list[str]]:
    """Find the deals that meet every condition.

    Parameters
    ----------
    deals, frame
        The deals as an Arrow table, and the same as pandas for functions of the user's.
    conditions
        Functions of the whole frame.
    columns
        For each column a value, several values, None, or a function of the column.

    Returns
    -------
    pyarrow.Array
        One truth value per deal.
    list of str
        The conditions in words.

    Raises
    ------
    MissingColumnError
        If deals has no such column.
    SettingError
        If a condition cannot be applied.
    """
    masks, said = [pa.array(np.ones(len(frame), dtype=bool))], []
    for condition in conditions:
        if not callable(condition):
            raise SettingError(f"where({condition!r}) is no condition: give column=value, or a function of the deals")
        masks.append(_truth(condition(frame.copy()), len(frame), _name(condition)))
        said.append(_name(condition))
    for name, wanted in columns.items():
        if callable(wanted):
            if name not in frame:
                raise MissingColumnError("deals", name, deals.column_names)
            masks.append(_truth(wanted(frame[name].copy()), len(frame), f"{name}={_name(wanted)}"))
            said.append(f"{name}: {_name(wanted)}")
            continue
        among = Among.of(deals.schema, name, wanted)
        column = deals.column(name).combine_chunks()
        mask = pc.is_in(column, value_set=among.known)
        masks.append(pc.or_(mask, pc.is_null(column)) if among.takes_missing else mask)
        said.append(str(among))
        if len(deals) and not pc.any(masks[-1]).as_py():
            among.warn_of_nothing(column.unique().to_pylist(), stacklevel=3)
    mask = masks[0]
    for other in masks[1:]:
        mask = pc.and_(mask, other)
    return mask, said


def _several(wanted: object) -> list[Any]:
    if wanted is None or isinstance(wanted, str | bytes) or not hasattr(wanted, "__iter__"):
        wanted = [wanted]
    return [None if value is None or value is pd.NA or value == NOT_INFORMED else value for value in wanted]


def _truth(answer: Any, n: int, name: str) -> pa.Array:
    mask = pd.Series(answer) if isinstance(answer, pd.Series | list | np.ndarray) else None
    if mask is None or len(mask) != n or not (mask.dtype == bool or mask.dtype == "boolean"):
        raise SettingError(f"where({name}) must answer one truth value for each of the {n} deals, not {answer!r:.80}")
    return pa.array(mask.fillna(False).to_numpy(dtype=bool))


def _name(condition: Callable[..., Any]) -> str:
    return getattr(condition, "__name__", "function").replace("<lambda>", "a function")
