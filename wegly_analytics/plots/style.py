"""Colours with fixed meanings, and the style of this package, light and dark."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Literal

import matplotlib as mpl
import matplotlib.pyplot as plt
from cycler import cycler

from wegly_analytics.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Iterator

WON: Final = "#009e73"
LOST: Final = "#d55e00"
OPEN: Final = "#3d8fc9"
PLAIN: Final = "#3d8fc9"
QUIET: Final = "#8c8c8c"
"""Grey: values that are not informed, and secondary marks."""

GROUPS: Final = ("#3d8fc9", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#8a7ad1", "#56b4e9", "#b0a000")
"""After Okabe and Ito: distinguishable with colour blindness, on a light and on a dark background."""

Theme = Literal["light", "dark"]

_INK: Final = {"light": ("#1f2328", "#ffffff"), "dark": ("#e6e6e6", "#16191d")}


def set_style(theme: Theme = "light") -> None:
    """Set the style of this package for all following charts, as in the first cell of a notebook.

    ``matplotlib.rcdefaults()`` undoes it; `style` does the same within a context only.

    Parameters
    ----------
    theme
        ``"light"`` or ``"dark"``.

    Raises
    ------
    SettingError
        If the theme is unknown.

    Examples
    --------
    >>> set_style("dark")
    >>> mpl.rcParams["axes.facecolor"]
    '#16191d'
    >>> mpl.rcdefaults()
    """
    mpl.rcParams.update(_look(theme))


@contextmanager
def style(theme: Theme = "light") -> Iterator[None]:
    """Use the style of this package within a context.

    Parameters
    ----------
    theme
        ``"light"`` or ``"dark"``.

    Raises
    ------
    SettingError
        If the theme is unknown.

    Examples
    --------
    >>> with style("dark"):
    ...     mpl.rcParams["axes.facecolor"]
    '#16191d'
    """
    look = _look(theme)
    # loads the backend now: that of a notebook sets parameters, which leaving the context must not undo
    plt.draw_if_interactive()  # type: ignore[no-untyped-call]
    with mpl.rc_context(look):
        yield


def _look(theme: str) -> Any:
    if theme not in _INK:
        raise SettingError(f"theme={theme!r}: use one of {', '.join(map(repr, _INK))}")
    ink, paper = _INK[theme]
    return {
        "axes.edgecolor": ink,
        "axes.facecolor": paper,
        "axes.labelcolor": ink,
        "axes.prop_cycle": cycler(color=GROUPS),
        "axes.spines.right": False,
        "axes.spines.top": False,
        "axes.titlecolor": ink,
        "axes.titlelocation": "left",
        "axes.titleweight": "bold",
        "figure.constrained_layout.use": True,
        "figure.facecolor": paper,
        "font.size": 10.0,
        "grid.color": QUIET,
        "legend.frameon": False,
        "savefig.facecolor": paper,
        "text.color": ink,
        "xtick.color": ink,
        "ytick.color": ink,
        "ytick.major.size": 0.0,
    }
