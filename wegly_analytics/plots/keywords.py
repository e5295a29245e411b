"""Keywords that a plot passes to matplotlib."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any, Final, Literal

from matplotlib.artist import ArtistInspector
from matplotlib.cbook import normalize_kwargs
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from wegly_analytics.errors import SettingError

Marks = Literal["line", "bar", "barh"]

_ARTISTS: Final[dict[str, tuple[type, frozenset[str]]]] = {
    "line": (Line2D, frozenset({"data", "xdata", "ydata", "figure", "transform", "drawstyle"})),
    "bar": (Rectangle, frozenset({"x", "y", "xy", "height", "bounds", "figure", "transform"})),
    "barh": (Rectangle, frozenset({"x", "y", "xy", "width", "bounds", "figure", "transform"})),
}
"""The artist of each kind of mark, and the keywords that the chart itself sets."""


def checked_look(metric: str, look: dict[str, Any], marks: Marks) -> dict[str, Any]:
    """Check keywords against the properties of the artist, and replace aliases by full names."""
    artist, reserved = _ARTISTS[marks]
    inspector = ArtistInspector(artist)
    aliases = {alias for several in inspector.aliasd.values() for alias in several}
    known = {*inspector.get_setters(), *aliases, "color"} - reserved
    for name in look:
        if name in known:
            continue
        near = get_close_matches(name, [*sorted(known), "lang", "currency", "footnote", "ax"], n=1)
        hint = f"did you mean {near[0]}=?" if near else "set titles, limits and sizes on the Axes that it returns"
        raise SettingError(f"plots.{metric} has no {name}=, and neither has matplotlib's {artist.__name__}: {hint}")
    return dict(normalize_kwargs(look, artist))
