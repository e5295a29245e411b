"""Charts of what open deals will bring in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.ticker import FuncFormatter

from wegly_analytics.i18n.texts import number, percent, say
from wegly_analytics.plots.canvas import (
    SMALL,
    canvas,
    cash,
    finish,
    group_names,
    names,
    note,
    nothing,
    plain,
    priced,
    reach,
    rows,
)
from wegly_analytics.plots.style import WON

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


def forecast(table: pd.DataFrame, *, ax: Axes | None = None, lang: str = "en", currency: str = "BRL") -> Axes:
    """Draw what open deals are expected to bring in, and how sure that is.

    Parameters
    ----------
    table
        What `metrics.forecast` returns.
    ax
        Where to draw; the current axes if not given.
    lang
        ``"en"`` or ``"pt"``.
    currency
        The currency that money is labelled with, such as ``"USD"``.

    Returns
    -------
    matplotlib.axes.Axes
        One row per group: a dot at what is expected, a line from `low` to `high`, and in words both, with the number of
        open deals. Fewer than ten deals are hollow.

    Raises
    ------
    MissingColumnError
        If the table lacks a column.
    ValueError
        If the language is unknown.
    """
    table = priced(table, currency)
    ax, groups = canvas(table, ("open", "value", "expected", "low", "high"), ax)
    days = table.attrs.get("days")
    title = say("Forecast", lang) if days is None else say("Forecast for {days} days", lang, days=number(days, lang))
    if groups:
        title += " " + say("by {groups}", lang, groups=group_names(groups, lang))
    if not table["open"].sum():
        return nothing(ax, table, title, "Nothing to draw: there are no open deals with a value.", lang)
    labels = names(table, groups, lang)
    size = rows(ax, labels)
    said = []
    for y, row in enumerate(table.to_dict("records")):
        fill = "none" if row["open"] < SMALL else WON
        ax.hlines(y, row["low"], row["high"], color=WON, linewidth=3, alpha=0.5)
        ax.plot(row["expected"], y, "o", color=WON, markerfacecolor=fill, markersize=7)
        text = say(
            "{expected} [{low} to {high}] of {value} ({n})",
            lang,
            **{name: cash(row[name], table, lang) for name in ("expected", "low", "high", "value")},
            n=say("n={n}", lang, n=number(row["open"], lang)),
        )
        note(ax, max(row["high"], row["expected"]), y, text, size * 0.9)
        said.append(f"{labels[y].replace(chr(10), ' ')}: {text}")
    # a few unlikely deals are expected to bring more than they bring in most worlds
    ax.set_xlim(0, reach(table[["high", "expected"]].max(), 1.02))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: plain(cash(x, table, lang))))
    ax.locator_params(axis="x", nbins=4)
    level = percent(table.attrs.get("level", 0.8), lang)
    label = say("money won of what is open now; line: {level} of worlds", lang, level=level)
    if (table["open"] < SMALL).any():
        label += f"\n({say('hollow: fewer than {n}', lang, n=SMALL)})"
    ax.set_xlabel(label, fontsize="small")
    return finish(ax, table, title, lang, "; ".join(said[:8]) + ".")
