"""Charts of why the pipeline became faster or slower."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter

from wegly_analytics.i18n.texts import number, percent, period, say
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
from wegly_analytics.plots.style import GROUPS, LOST, QUIET, WON

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LEVERS: Final = {
    "deals": "number of deals",
    "win_rate": "share won",
    "value": "value of a won deal",
    "days": "days to win",
}
_SHORT: Final = {"deals": "deals", "win_rate": "win rate", "value": "value", "days": "days"}
_COLORS: Final = dict(zip(_LEVERS, GROUPS, strict=False))


def velocity_bridge(table: pd.DataFrame, *, ax: Axes | None = None, lang: str = "en", currency: str = "BRL") -> Axes:
    """Draw what each lever did to the velocity, from the earlier period to the later one.

    Parameters
    ----------
    table
        What `metrics.velocity_bridge` returns.
    ax
        Where to draw; the current axes if not given.
    lang
        ``"en"`` or ``"pt"``.
    currency
        The currency that money is labelled with, such as ``"USD"``.

    Returns
    -------
    matplotlib.axes.Axes
        A waterfall, read from the top: the earlier velocity, the gain or loss by each lever, the later velocity; each
        labelled with the lever's own change; hollow where fewer than ten deals were closed in both periods.
        A table with groups has one row for each group: the losses of its levers to the left, the gains
        to the right, a diamond at what they come to; groups that cannot be split keep their row.

    Raises
    ------
    MissingColumnError
        If the table lacks a column.
    ValueError
        If the language is unknown.
    """
    table = priced(table, currency)
    ax, groups = canvas(table, ("lever", "from", "to", "part"), ax)
    title = say("What changed the pipeline velocity", lang)
    if groups:
        title = say("What changed the pipeline velocity, by {groups}", lang, groups=group_names(groups, lang))
    if table["part"].isna().all():
        why = "Nothing to draw: there are no two periods in which all levers are known."
        return nothing(ax, table, title, why, lang)
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: plain(cash(x, table, lang))))
    ax.locator_params(axis="x", nbins=5)
    if groups:
        return _by_group(table, groups, ax, title, lang)
    levers = table.set_index("lever").loc[list(_LEVERS)]
    ends = [row["deals"] * row["win_rate"] * row["value"] / row["days"] for row in (levers["from"], levers["to"])]
    labels = [_when(table, "start", lang), *(say(name, lang) for name in _LEVERS.values()), _when(table, "end", lang)]
    size = rows(ax, labels)
    reached = np.cumsum([ends[0], *levers["part"]])
    ax.barh([0, len(labels) - 1], ends, color=QUIET, height=0.6)
    for y, end in ((0, ends[0]), (len(labels) - 1, ends[1])):
        note(ax, max(end, 0), y, cash(end, table, lang), size, fontweight="bold")
    sure = table.attrs.get("n", SMALL) >= SMALL
    said = []
    for y, (lever, row) in enumerate(levers.iterrows(), start=1):
        gain = row["part"] >= 0
        color = WON if gain else LOST
        ax.barh(y, row["part"], left=reached[y - 1], height=0.6, edgecolor=color, facecolor=color if sure else "none")
        text = f"{_signed(row['part'], table, lang)}   ({_change(str(lever), row, table, lang)})"
        note(ax, max(reached[y - 1], reached[y]), y, text, size)
        said.append(f"{labels[y]}: {text}")
    for y, at in enumerate(reached):
        ax.vlines(at, y - 0.3, y + 1.3, color=QUIET, linewidth=0.8, alpha=0.7)
    ax.set_xlim(min(0.0, *reached) * 1.05, reach(max(*reached, *ends), 1.05))
    label = say("money per day", lang)
    if "n" in table.attrs:
        label += f" ({say('{n} deals closed in both periods', lang, n=number(table.attrs['n'], lang))})"
    ax.set_xlabel(label if sure else f"{label}\n({say('hollow: fewer than {n}', lang, n=SMALL)})", fontsize="small")
    reading = (
        f"{labels[0]}: {cash(ends[0], table, lang)}; {'; '.join(said)}; {labels[-1]}: {cash(ends[1], table, lang)}."
    )
    return finish(ax, table, title, lang, reading)


def _by_group(table: pd.DataFrame, groups: list[str], ax: Axes, title: str, lang: str) -> Axes:
    wide = table.assign(row=table.groupby(groups, sort=False, dropna=False).ngroup())
    parts = wide.pivot_table(index="row", columns="lever", values="part", dropna=False, sort=False)[list(_LEVERS)]
    change = parts.sum(axis=1, skipna=False)
    order = change.abs().sort_values(ascending=False, kind="stable").index
    labels = names(wide.drop_duplicates("row").set_index("row").loc[order], groups, lang)
    size = rows(ax, labels)
    said = []
    for y, (label, row) in enumerate(zip(labels, order, strict=True)):
        if np.isnan(change[row]):
            note(ax, 0, y, "—", size, color=QUIET)
            continue
        gains = losses = 0.0
        for lever, part in parts.loc[row].items():
            left = gains if part >= 0 else losses
            ax.barh(y, part, left=left, color=_COLORS[str(lever)], height=0.6)
            gains, losses = gains + max(part, 0), losses + min(part, 0)
        ax.plot(change[row], y, "D", color=ax.spines["left"].get_edgecolor(), markersize=4)
        text = _signed(change[row], table, lang)
        note(ax, gains, y, text, size)
        said.append(f"{label.replace(chr(10), ' ')}: {text}")
    ax.axvline(0, color=ax.spines["left"].get_edgecolor(), linewidth=0.8)
    low = float(parts.clip(upper=0).sum(axis=1).min())
    high = float(parts.clip(lower=0).sum(axis=1).max())
    ax.set_xlim(low * 1.05, high * 1.05 if high > 0 else abs(low) * 0.05 or 1.0)
    start, end = (_when(table, name, lang) for name in ("start", "end"))
    span = say("{start} to {end}, ◆ in all", lang, start=start, end=end)
    ax.set_xlabel(f"{say('change of money per day', lang)}\n{span}", fontsize="small")
    keys = [Patch(color=_COLORS[name], label=say(text, lang)) for name, text in _SHORT.items()]
    key = ax.legend(
        handles=keys,
        loc="lower left",
        bbox_to_anchor=(0, 1),
        ncols=len(keys),
        fontsize="x-small",
        handlelength=0.8,
        handletextpad=0.4,
        columnspacing=0.9,
        borderaxespad=0.2,
        borderpad=0,
    )
    key.set_in_layout(False)  # the title leaves it its room
    return finish(ax, table, title, lang, "; ".join(said[:5]) + ".", subtitle=" ")


def _when(table: pd.DataFrame, end: str, lang: str) -> str:
    day = table.attrs.get(end)
    if not day:
        return say("earlier" if end == "start" else "later", lang)
    return period(pd.Timestamp(day), table.attrs.get("every"), lang)


def _change(lever: str, row: pd.Series[float], table: pd.DataFrame, lang: str) -> str:
    def write(value: float) -> str:
        match lever:
            case "win_rate":
                return percent(value, lang)
            case "value":
                return cash(value, table, lang)
            case "days":
                return say("{days} d", lang, days=number(value, lang))
        return number(value, lang)

    return f"{write(row['from'])} → {write(row['to'])}"


def _signed(value: float, table: pd.DataFrame, lang: str) -> str:
    return ("+" if value >= 0 else "−") + cash(abs(value), table, lang)
