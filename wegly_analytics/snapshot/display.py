"""How a notebook shows a snapshot: when it was taken, how many deals, how complete."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wegly_analytics.snapshot.snapshot import Snapshot


def card(snap: Snapshot) -> str:
    """Draw a snapshot as a small HTML card that reads well in light and dark notebooks.

    Parameters
    ----------
    snap
        The snapshot.

    Returns
    -------
    str
        One ``<div>``; every text in it is escaped.
    """
    from jinja2 import Environment  # only notebooks need it

    template = files(__package__).joinpath("card.html").read_text(encoding="utf-8")
    return Environment(autoescape=True).from_string(template).render(snap=snap, counts=snap.completeness)
