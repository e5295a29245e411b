"""Columns of deals made from the other tables: what `Snapshot.assign` takes besides columns and functions."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, Protocol, get_args, runtime_checkable

import pandas as pd
import pyarrow.compute as pc

from wegly_analytics.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

Several = Literal["join", "first"]

_BETWEEN: Final = " + "


@runtime_checkable
class Dimension(Protocol):
    """Anything that makes a column of deals from the tables of a snapshot."""

    def column(self, tables: Mapping[str, pa.Table]) -> pd.Series[str]:
        """Give one value for each deal, in the order of deals."""


@dataclass(frozen=True)
class CustomField:
    """The answers to one custom field; see `custom_field`."""

    field: str
    several: Several = "join"

    def column(self, tables: Mapping[str, pa.Table]) -> pd.Series[str]:
        """Give each deal its answer."""
        rows = tables["custom_fields"]
        requested = pc.or_kleene(
            pc.equal(rows.column("field"), self.field), pc.equal(rows.column("field_id"), self.field)
        )
        mine = rows.filter(requested)
        ids = tables["deals"].column("deal_id").to_pandas()
        if not mine.num_rows and len(ids):
            raise SettingError(f"no deal has a custom field {self.field!r}; {self._hint(rows)}")
        answer = pc.coalesce(mine.column("option"), mine.column("value"))
        given = pd.DataFrame({"deal_id": mine.column("deal_id").to_pandas(), "answer": answer.to_pandas()})
        given = given.dropna().drop_duplicates()
        if self.several == "join":
            given = given.sort_values("answer", kind="stable")
        answers = given.groupby("deal_id")["answer"]
        one = answers.agg(_BETWEEN.join) if self.several == "join" else answers.first()
        found: pd.Series[str] = ids.map(one).astype(object)
        return found.where(found.notna(), None)

    def _hint(self, rows: pa.Table) -> str:
        there = sorted(name for name in rows.column("field").unique().to_pylist() if name is not None)
        by_small = {name.casefold(): name for name in there}
        near = difflib.get_close_matches(self.field.casefold(), by_small, n=3)
        if near:
            return f"did you mean {' or '.join(repr(by_small[name]) for name in near)}?"
        return f"there are: {', '.join(there)}" if there else "there are no custom fields at all"


def custom_field(field: str, *, several: Several = "join") -> CustomField:
    """Make a custom field a column of deals, to filter and group by.

    Parameters
    ----------
    field
        The field's name, or its id.
    several
        What to do with a deal that has several answers: ``"join"`` joins them with " + ", each once and in alphabetical
        order, so that equal choices make one group; ``"first"`` takes the first that the
        API gives.

    Returns
    -------
    CustomField
        For `Snapshot.assign`. The column is text: the chosen option, or what was written; missing where nothing was
        answered.

    Raises
    ------
    SettingError
        If `several` is unknown; in ``assign``, if no deal has such a field.

    Examples
    --------
    >>> import wegly_analytics as wa
    >>> snap = wa.sample().assign(segment=wa.custom_field("Segmento"))
    >>> rates = wa.metrics.win_rate(snap, by="segment")
    >>> "(not informed)" in set(rates["segment"])
    True
    """
    if several not in get_args(Several):
        raise SettingError(f"several={several!r} is neither 'join' nor 'first'")
    return CustomField(field, several)
