"""How a notebook shows a snapshot: time, number of deals, completeness."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from datetime import datetime

    from wegly_analytics.snapshot.completeness import Completeness


class Described(Protocol):
    """What the card shows of a snapshot."""

    @property
    def taken_at(self) -> datetime:
        """When the last response was received."""

    @property
    def filters(self) -> tuple[str, ...]:
        """What `where` kept, as short texts."""

    @property
    def completeness(self) -> Completeness:
        """The ledger, counted."""

    @property
    def rows(self) -> dict[str, int]:
        """The number of rows of each table."""


def card(snap: Described) -> str:
    """Render a snapshot as a small HTML card, readable in light and dark notebooks.

    Parameters
    ----------
    snap
        The snapshot.

    Returns
    -------
    str
        One ``<div>``; every text in it is escaped.
    """
    from jinja2 import Environment  # only notebooks need it, and importing it takes time

    template = files(__package__).joinpath("card.html").read_text(encoding="utf-8")
    return Environment(autoescape=True).from_string(template).render(snap=snap, counts=snap.completeness)
