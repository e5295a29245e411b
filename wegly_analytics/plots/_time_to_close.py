"""How long deals take to be won or lost."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from matplotlib.ticker import MaxNLocator

from wegly_analytics.i18n.texts import listed
from wegly_analytics.plots.axis import reach, series
from wegly_analytics.plots.chart import SMALL, begin
from wegly_analytics.plots.labels import shortened
from wegly_analytics.plots.layout import finish, lay_out, nothing
from wegly_analytics.plots.style import GROUPS, LOST, WON

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from wegly_analytics.plots.chart import Chart

_MOST: Final = 6
"""The groups that are drawn: more curves cannot be distinguished."""

_LABEL: Final = 22
"""The length of a name beside the deals at risk."""


def time_to_close(
    table: pd.DataFrame,
    *,
    ax: Axes | None = None,
    lang: str = "en",
    currency: str = "BRL",
    footnote: bool = True,
    **kwargs: Any,
) -> Axes:
    """Draw the shares of deals won and lost by each day after their creation.

    Parameters
    ----------
    table
        The table that `metrics.time_to_close` returns; it may be merged, concatenated or read back from a file.
    ax
        The axes to draw in; if None, the plot creates a figure.
    lang
        ``"en"`` or ``"pt"``.
    currency
        The currency, as an ISO 4217 code.
    footnote
        Whether rule, date, completeness, filters and exclusions are written below the chart.
    **kwargs
        Keywords of matplotlib for the curves, such as ``color="black"``.

    Returns
    -------
    matplotlib.axes.Axes
        Steps for won and lost with their intervals as bands, dotted where fewer than ten deals are at risk; below the
        days, the number at risk. For a table with groups, only the curves of won deals are drawn, of the six largest
        groups; `alt_text` names the others.

    Raises
    ------
    MissingColumnError
        If the table lacks a column.
    SettingError
        If the table is that of another metric, its rows cannot be distinguished, or an argument is not valid.
    """
    chart = begin("time_to_close", table, ax, lang, currency, marks="line", footnote=footnote, look=kwargs)
    title = chart.title("Won and lost by age of deals", "Won by age, by {groups}")
    ax, curve = chart.ax, chart.table
    if not curve[["won", "lost"]].to_numpy().sum():
        return nothing(chart, title, chart.say("Nothing to draw: no deal was closed."))
    parts = _parts(chart)
    drawn = parts[:_MOST]
    # name, rows, outcome and colour of each curve
    curves = [(name, part, "won", GROUPS[n]) for n, (name, part) in enumerate(drawn)]
    if not chart.groups:
        curves = [(chart.say(kind), curve, kind, color) for kind, color in (("won", WON), ("lost", LOST))]
    end = reach(max(part["days"].max() for _, part in drawn), 1.015)
    for _, part, kind, color in curves:
        _steps(chart, part, kind, color, end, 0.2 if len(curves) <= 2 else 0.1)
    ax.set_xlim(0, end)
    ax.set_ylim(0, min(1.02, reach(max(part[f"p_{kind}_high"].max() for _, part, kind, _ in curves), 1.05)))
    ticks = [x for x in MaxNLocator(6, integer=True).tick_values(0, end) if 0 <= x <= end]
    ax.set_xticks(ticks, [chart.number(x) for x in ticks])
    chart.share_axis("y")
    ax.grid(visible=True, axis="y", alpha=0.25)
    ax.set_axisbelow(True)
    label = chart.say("days since creation")
    if any((part["at_risk"] < SMALL).any() for _, part in drawn):
        label += f"\n({chart.say('dotted: fewer than {n} at risk', n=SMALL)})"
    _at_risk(chart, drawn, ticks, label)
    readings = _name_ends(chart, curves, end)
    subtitle = chart.say("share of deals won") if chart.groups else chart.say("share of deals")
    if len(parts) > len(drawn):
        subtitle += " · " + chart.say("the {drawn} largest of {all} groups", drawn=len(drawn), all=len(parts))
        readings.append(chart.say("not drawn: {names}", names=listed(name for name, _ in parts[_MOST:])))
    return finish(chart, title, "; ".join(readings) + ".", subtitle)


def _parts(chart: Chart) -> list[tuple[str, pd.DataFrame]]:
    """Split a table into its groups: ordinal ones in order, others by their number of deals."""
    if not chart.groups:
        return [(chart.say("at risk"), chart.table)]
    first = chart.table.groupby(list(chart.groups), sort=False, observed=True)["at_risk"].transform("max")
    once = first.where(~chart.table.duplicated(list(chart.groups)), 0)
    return [(name, part.sort_values("days")) for name, part in series(chart, chart.table.assign(first=once), "first")]


def _steps(chart: Chart, part: pd.DataFrame, kind: str, color: str, end: float, alpha: float) -> None:
    """Draw one curve and its band, to shortly after the last step."""
    share, low, high = (part[f"p_{kind}{name}"].to_numpy() for name in ("", "_low", "_high"))
    days = np.append(part["days"], min(part["days"].iloc[-1] + 0.015 * end, end))
    share, low, high = (np.append(each, each[-1]) for each in (share, low, high))
    few = int((part["at_risk"] >= SMALL).sum())  # from here on: those at risk only become fewer
    before = share[:1] if few == 0 else share[few - 1 : few]
    look = {"color": color, "linewidth": 1.8, **chart.look, "drawstyle": "steps-post"}
    if few:
        chart.ax.plot(days[: few + 1], np.append(share[:few], before), **look)
    if few < len(part):
        x, y = np.append(days[few], days[few:]), np.append(before, share[few:])
        chart.ax.plot(x, y, **look | {"linestyle": ":"})
    chart.ax.fill_between(days, low, high, step="post", color=look["color"], alpha=alpha, linewidth=0)


def _at_risk(chart: Chart, parts: list[tuple[str, pd.DataFrame]], ticks: list[float], label: str) -> None:
    """Write the number of deals at risk below the days, one line for each curve, and then the label of the axis."""
    base = chart.base
    size, several = base * 0.8, bool(chart.groups)
    line, top = size * 1.25, base * 1.2 + 8
    place = {"xycoords": ("axes fraction", "axes fraction"), "ha": "right", "va": "top"}
    if several:
        chart.note(0, 0, f"{chart.say('at risk')}:", size, **place, xytext=(-8, -top))
    for n, (name, part) in enumerate(parts):
        look = {"color": GROUPS[n]} if several else {}
        down = -top - line * (n + several)
        first = chart.number(part["at_risk"].iloc[0])  # centred on the axis, so half of it is beside the names
        chart.note(0, 0, shortened(name, _LABEL), size, **place, **look, xytext=(-8 - size * 0.3 * len(first), down))
        for tick in ticks:
            at: dict[str, Any] = {"xycoords": ("data", "axes fraction"), "xytext": (0, down)}
            chart.note(tick, 0, _number_at_risk(chart, part, tick), size, **at, **look, ha="center", va="top")
    chart.ax.set_xlabel(label, labelpad=line * (len(parts) + several) + 4)


def _number_at_risk(chart: Chart, part: pd.DataFrame, day: float) -> str:
    """Return the number of deals at risk on a day; the table has it for days on which a deal ended."""
    later = part.loc[part["days"] >= day, "at_risk"]
    if len(later):
        return chart.number(later.iloc[0])
    last = part.iloc[-1]
    left = int(last["at_risk"] - last["won"] - last["lost"])
    return f"≤{chart.number(left)}" if left else chart.number(0)


def _name_ends(chart: Chart, curves: list[tuple[str, pd.DataFrame, str, str]], end: float) -> list[str]:
    """Write the last share of each curve beside its end, without overlaps; return the figures in words."""
    ax, size = chart.ax, chart.base * 0.9
    lay_out(chart.figure)  # now the height of the axes is known
    height = ax.get_window_extent().height * 72 / chart.figure.dpi
    gap = size * 1.5 / height * ax.get_ylim()[1]
    ends = np.array([part[f"p_{kind}"].iloc[-1] for _, part, kind, _ in curves])
    places, order = np.maximum(ends, gap / 2), np.argsort(ends, kind="stable")
    for lower, upper in itertools.pairwise(order):  # upward where they are too close, then down from the top
        places[upper] = max(places[upper], places[lower] + gap)
    ceiling = ax.get_ylim()[1]
    for n in order[::-1]:
        places[n] = min(places[n], ceiling)
        ceiling = places[n] - gap
    readings = []
    for (name, part, _, color), share, place in zip(curves, ends, places, strict=True):
        reached, last = chart.percent(share), chart.number(part["days"].iloc[-1])
        chart.note(end, place, reached if chart.groups else f"{name} {reached}", size, color=color)
        readings.append(chart.say("{name}: {share} by day {days}", name=name, share=reached, days=last))
    return readings
