"""Custom fields as columns of deals, for `Snapshot.assign`."""

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

_SEPARATOR: Final = " + "


@runtime_checkable
class Dimension(Protocol):
    """Anything that computes a column of deals from the tables of a snapshot."""

    def column(self, tables: Mapping[str, pa.Table]) -> pd.Series[str]:
        """Return one value for each deal, in the order of deals."""


@dataclass(frozen=True)
class CustomField:
    """The answers to one custom field; see `custom_field`."""

    field: str
    several: Several = "join"

    def column(self, tables: Mapping[str, pa.Table]) -> pd.Series[str]:
        """Return the answer of each deal."""
        rows = tables["custom_fields"]
        matches = pc.or_kleene(
            pc.equal(rows.column("field"), self.field), pc.equal(rows.column("field_id"), self.field)
        )
        matching = rows.filter(matches)
        ids = tables["deals"].column("deal_id").to_pandas()
        if not matching.num_rows and len(ids):
            raise SettingError(f"no deal has a custom field {self.field!r}; {self._hint(rows)}")
        answer = pc.coalesce(matching.column("option"), matching.column("value"))
        answers = pd.DataFrame({"deal_id": matching.column("deal_id").to_pandas(), "answer": answer.to_pandas()})
        answers = answers.dropna().drop_duplicates()
        if self.several == "join":
            answers = answers.sort_values("answer", kind="stable")
        groups = answers.groupby("deal_id")["answer"]
        by_deal = groups.agg(_SEPARATOR.join) if self.several == "join" else groups.first()
        column: pd.Series[str] = ids.map(by_deal).astype(object)
        return column.where(column.notna(), None)

    def _hint(self, rows: pa.Table) -> str:
        present = sorted(name for name in rows.column("field").unique().to_pylist() if name is not None)
        by_casefold = {name.casefold(): name for name in present}
        near = difflib.get_close_matches(self.field.casefold(), by_casefold, n=3)
        if near:
            return f"did you mean {' or '.join(repr(by_casefold[name]) for name in near)}?"
        return f"the custom fields are: {', '.join(present)}" if present else "there are no custom fields"


def custom_field(field: str, *, several: Several = "join") -> CustomField:
    """Use a custom field as a column of deals, to filter and group by.

    Parameters
    ----------
    field
        The field's name, or its id.
    several
        What to do with several answers of one deal: ``"join"`` joins them with " + ", each once and in alphabetical
        order, so that equal choices are one group; ``"first"`` takes the first that the API returned.

    Returns
    -------
    CustomField
        For `Snapshot.assign`. The column is text: the chosen option, or the written answer; missing without an answer.

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
