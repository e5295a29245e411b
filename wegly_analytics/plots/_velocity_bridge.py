"""The levers that changed the pipeline velocity."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
from matplotlib.patches import Patch

from wegly_analytics.errors import SettingError
from wegly_analytics.i18n import texts
from wegly_analytics.plots.axis import reach, rows
from wegly_analytics.plots.chart import SMALL, begin
from wegly_analytics.plots.labels import one_line
from wegly_analytics.plots.layout import finish, nothing
from wegly_analytics.plots.order import scale
from wegly_analytics.plots.style import GROUPS, LOST, QUIET, WON

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from wegly_analytics.plots.chart import Chart

_LEVERS: Final = {
    "deals": "number of deals",
    "win_rate": "share won",
    "value": "value of a won deal",
    "days": "days to win",
}
_SHORT: Final = {"deals": "deals", "win_rate": "win rate", "value": "value", "days": "days"}
_COLORS: Final = dict(zip(_LEVERS, GROUPS, strict=False))


def velocity_bridge(
    table: pd.DataFrame,
    *,
    ax: Axes | None = None,
    lang: str = "en",
    currency: str = "BRL",
    footnote: bool = True,
    **kwargs: Any,
) -> Axes:
    """Draw what each lever contributes to the change of the velocity between two periods.

    Parameters
    ----------
    table
        The table that `metrics.velocity_bridge` returns; it may be merged, concatenated or read back from a file.
    ax
        The axes to draw in; if None, the plot creates a figure.
    lang
        ``"en"`` or ``"pt"``.
    currency
        The currency, as an ISO 4217 code.
    footnote
        Whether rule, date, completeness, filters and exclusions are written below the chart.
    **kwargs
        Keywords of matplotlib for the bars, such as ``color="black"``.

    Returns
    -------
    matplotlib.axes.Axes
        A waterfall, read from the top: the earlier velocity, the gain or loss by each lever, the later velocity; each
        labelled with the lever's own change; hollow where fewer than ten deals were closed in both periods.
        A table with groups has one row for each group: the losses of its levers to the left, the gains
        to the right, a diamond at the total; groups whose change cannot be split keep their row.

    Raises
    ------
    MissingColumnError
        If the table lacks a column.
    SettingError
        If the table is that of another metric, its rows cannot be distinguished, or an argument is not valid.
    """
    chart = begin("velocity_bridge", table, ax, lang, currency, marks="barh", footnote=footnote, look=kwargs)
    title = chart.title("What changed the pipeline velocity", "What changed the pipeline velocity, by {groups}")
    _check_levers(chart)
    if chart.table["part"].isna().all():
        why = chart.say("Nothing to draw: there are not two periods in which all levers are known.")
        return nothing(chart, title, why)
    chart.money_axis(bins=5)
    return _by_group(chart, title) if chart.groups else _waterfall(chart, title)


def _check_levers(chart: Chart) -> None:
    parts = chart.table.groupby(list(chart.groups), dropna=False) if chart.groups else [((), chart.table)]
    for _, part in parts:
        if len(part) and set(part["lever"]) != set(_LEVERS):
            raise SettingError(f"the velocity_bridge table needs the levers {', '.join(_LEVERS)} in each group")


def _waterfall(chart: Chart, title: str) -> Axes:
    ax = chart.ax
    levers = chart.table.set_index("lever").loc[list(_LEVERS)]
    ends = [row["deals"] * row["win_rate"] * row["value"] / row["days"] for row in (levers["from"], levers["to"])]
    labels = [_period(chart, "start"), *(chart.say(name) for name in _LEVERS.values()), _period(chart, "end")]
    size = rows(chart, labels)
    reached = np.cumsum([ends[0], *levers["part"]])
    ax.barh([0, len(labels) - 1], ends, color=QUIET, height=0.6)
    for y, end in ((0, ends[0]), (len(labels) - 1, ends[1])):
        chart.note(max(end, 0), y, chart.money(end), size, fontweight="bold")
    n = chart.setting("n")
    sure = n is None or n >= SMALL
    readings = []
    for y, (lever, row) in enumerate(levers.iterrows(), start=1):
        color = WON if row["part"] >= 0 else LOST
        look = chart.marks(height=0.6, edgecolor=color, facecolor=color if sure else "none")
        ax.barh(y, row["part"], left=reached[y - 1], **look)
        text = f"{_signed(chart, row['part'])}   ({_change(chart, str(lever), row)})"
        chart.note(max(reached[y - 1], reached[y]), y, text, size)
        readings.append(f"{labels[y]}: {text}")
    for y, at in enumerate(reached):
        ax.vlines(at, y - 0.3, y + 1.3, color=QUIET, linewidth=0.8, alpha=0.7)
    ax.set_xlim(min(0.0, *reached) * 1.05, reach(max(*reached, *ends), 1.05))
    label = chart.say("money per day")
    if n is not None:
        label += f" ({chart.say('{n} deals closed in both periods', n=chart.number(n))})"
    ax.set_xlabel(label if sure else f"{label}\n({chart.say('hollow: fewer than {n}', n=SMALL)})", fontsize="small")
    first, last = (chart.money(end) for end in ends)
    return finish(chart, title, f"{labels[0]}: {first}; {'; '.join(readings)}; {labels[-1]}: {last}.")


def _by_group(chart: Chart, title: str) -> Axes:
    ax, groups = chart.ax, list(chart.groups)
    wide = chart.table.assign(row=chart.table.groupby(groups, sort=False, dropna=False, observed=True).ngroup())
    parts = wide.pivot_table(index="row", columns="lever", values="part", dropna=False, sort=False)[list(_LEVERS)]
    change = parts.sum(axis=1, skipna=False)
    order = change.abs().sort_values(ascending=False, kind="stable").index
    if any(scale(wide[name]) is not None for name in groups):
        order = change.sort_index().index
    labels = chart.names(wide.drop_duplicates("row").set_index("row").loc[order], groups)
    size = rows(chart, labels)
    readings = []
    for y, (label, row) in enumerate(zip(labels, order, strict=True)):
        if np.isnan(change[row]):
            chart.note(0, y, "—", size, color=QUIET)
            continue
        gains = losses = 0.0
        for lever, part in parts.loc[row].items():
            left = gains if part >= 0 else losses
            look = {"color": _COLORS[str(lever)], "height": 0.6, **chart.look}
            ax.barh(y, part, left=left, **look)
            gains, losses = gains + max(part, 0), losses + min(part, 0)
        ax.plot(change[row], y, "D", color=chart.ink, markersize=4)
        text = _signed(chart, change[row])
        chart.note(gains, y, text, size)
        readings.append(f"{one_line(label)}: {text}")
    ax.axvline(0, color=chart.ink, linewidth=0.8)
    low = float(parts.clip(upper=0).sum(axis=1).min())
    high = float(parts.clip(lower=0).sum(axis=1).max())
    ax.set_xlim(low * 1.05, high * 1.05 if high > 0 else abs(low) * 0.05 or 1.0)
    span = chart.say("{start} to {end}, ◆ total", start=_period(chart, "start"), end=_period(chart, "end"))
    ax.set_xlabel(f"{chart.say('change of money per day')}\n{span}", fontsize="small")
    _legend(chart)
    return finish(chart, title, "; ".join(readings[:5]) + ".", subtitle=" ")


def _legend(chart: Chart) -> None:
    """Explain the colours of the levers in one line above the rows."""
    narrow: dict[str, Any] = {"handlelength": 0.8, "handletextpad": 0.4, "columnspacing": 0.9, "borderpad": 0}
    legend = chart.ax.legend(
        handles=[Patch(color=_COLORS[name], label=chart.say(text)) for name, text in _SHORT.items()],
        loc="lower left",
        bbox_to_anchor=(0, 1),
        ncols=len(_SHORT),
        fontsize="x-small",
        borderaxespad=0.2,
        **narrow,
    )
    legend.set_in_layout(False)  # the empty subtitle keeps room for it


def _period(chart: Chart, end: str) -> str:
    day = chart.setting(end)
    if not day:
        return chart.say("earlier" if end == "start" else "later")
    return texts.period(pd.Timestamp(day), chart.setting("every"), chart.lang)


def _change(chart: Chart, lever: str, row: pd.Series[Any]) -> str:
    def write(value: float) -> str:
        match lever:
            case "win_rate":
                return chart.percent(value)
            case "value":
                return chart.money(value)
            case "days":
                return chart.say("{days} d", days=chart.number(value))
        return chart.number(value)

    return f"{write(row['from'])} → {write(row['to'])}"


def _signed(chart: Chart, value: float) -> str:
    return ("+" if value >= 0 else "−") + chart.money(abs(value))
