"""Save a chart as a file; open figures do not change."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from wegly_analytics.errors import SettingError
from wegly_analytics.plots.chart import own_axes
from wegly_analytics.plots.style import Theme, style

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd
    from matplotlib.axes import Axes

_SIZE: Final = (10.0, 5.6)
_DPI: Final = 160


def save(
    plot: Callable[..., Axes],
    table: pd.DataFrame,
    path: str | Path,
    *,
    lang: str = "en",
    theme: Theme = "light",
    size: tuple[float, float] | None = None,
    **options: Any,
) -> Path:
    """Draw a table and save the chart as an image.

    Parameters
    ----------
    plot
        The plot, such as ``plots.win_rate``.
    table
        The table that the metric of the same name returns.
    path
        The file; its suffix is the format, such as ``.png``, ``.svg`` or ``.pdf``.
    lang
        ``"en"`` or ``"pt"``.
    theme
        ``"light"`` or ``"dark"``.
    size
        Width and height in inches; 10 inches wide and as tall as the rows need, if not given.
    **options
        Further arguments of the plot, such as ``kind="heat"``, ``currency="USD"`` or ``footnote=False``.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    SettingError
        If the plot, the file or the size cannot be used, or the table is not valid for the plot.
    """
    if not callable(plot):
        raise SettingError(f"plots.save takes the plot itself, not {plot!r}: plots.save(plots.win_rate, table, path)")
    if not isinstance(path, str | Path):
        raise SettingError(f"path={path!r}: pass a file name, such as 'win_rate.png'")
    path = Path(path)
    formats = FigureCanvasAgg.get_supported_filetypes()
    if path.suffix[1:].lower() not in formats:
        raise SettingError(f"{path}: the suffix is the format; choose one of {', '.join(sorted(formats))}")
    if not path.parent.is_dir():
        raise SettingError(f"{path}: there is no folder {path.parent.absolute()}; create it first")
    given: Any = size
    pair = isinstance(given, tuple | list) and len(given) == 2 and all(isinstance(n, int | float) for n in given)
    if size is not None and not (pair and all(0 < n < 100 for n in size)):
        raise SettingError(f"size={size!r}: pass width and height in inches, such as (10, 5.6)")
    if "ax" in options:
        raise SettingError("plots.save creates its own figure and takes no ax=; save yours with ax.figure.savefig")
    with style(theme):
        figure = Figure(figsize=size or _SIZE, dpi=_DPI)
        FigureCanvasAgg(figure)
        plot(table, ax=own_axes(size, figure), lang=lang, **options)
        figure.savefig(path, bbox_inches="tight", pad_inches=0.25)
    return path
