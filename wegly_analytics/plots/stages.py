"""Charts of how long deals stay in each stage."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.ticker import FuncFormatter, MaxNLocator

from wegly_analytics.i18n.texts import number, say
from wegly_analytics.plots.canvas import canvas, finish, group_names, names, note, nothing, reach, rows, shortened
from wegly_analytics.plots.style import PLAIN

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def time_in_stage(table: pd.DataFrame, *, ax: Axes | None = None, lang: str = "en") -> Axes:
    """Draw how many days deals stay in each stage, in pipeline order.

    Parameters
    ----------
    table
        What `metrics.time_in_stage` returns.
    ax
        Where to draw; the current axes if not given.
    lang
        ``"en"`` or ``"pt"``.

    Returns
    -------
    matplotlib.axes.Axes
        For each stage a bar from the first to the third quartile, open to the right where the third is not reached,
        the median marked and labelled, and the deals that left and that are still in it. Several pipelines stand one
        below the other under their names.

    Raises
    ------
    MissingColumnError
        If the table lacks a column.
    ValueError
        If the language is unknown.
    """
    ax, groups = canvas(table, ("stage", "left", "still_in", "p25", "p50", "p75"), ax)
    title = say("Time in stage", lang)
    if groups:
        title = say("Time in stage by {groups}", lang, groups=group_names(groups, lang))
    if table["p25"].isna().all():
        return nothing(ax, table, title, "Nothing to draw: no stage times are known.", lang)
    columns = [*groups, "pipeline"] if "pipeline" in table else groups
    gone = say("(no pipeline any more)", lang)
    rows_of = table[columns].astype(object).to_numpy().tolist()
    keys = pd.Series(
        [" · ".join(gone if pd.isna(each) else str(each) for each in row) for row in rows_of], dtype=object
    )
    several = keys.nunique() > 1
    labels: list[str] = []
    places: list[int] = []
    headings: dict[int, str] = {}
    for part, mine in table.groupby(keys.to_numpy(), sort=False):
        if several:
            headings[len(labels)] = str(part)
            labels.append("")
        places += range(len(labels), len(labels) + len(mine))
        labels += names(mine, ["stage"], lang)
    size = rows(ax, labels)
    end = reach(table[["p25", "p50", "p75"]].max(), 1.08)
    said = []
    for y, row in zip(places, table.to_dict("records"), strict=True):
        counts = say(
            "{left} left, {still_in} still in",
            lang,
            left=number(row["left"], lang),
            still_in=number(row["still_in"], lang),
        )
        reached = not np.isnan(row["p75"])
        right = row["p75"] if reached else end
        if np.isnan(row["p25"]):
            note(ax, 0, y, counts, size, alpha=0.7)
            continue
        ax.barh(y, right - row["p25"], left=row["p25"], height=0.55, color=PLAIN, alpha=0.45 if reached else 0.2)
        if not reached:
            ax.plot(end, y, ">", color=PLAIN, markersize=6)
        if np.isnan(row["p50"]):
            median = say("more than half still in", lang)
        else:
            ax.vlines(row["p50"], y - 0.3, y + 0.3, color=PLAIN, linewidth=3)
            median = say("{days} d", lang, days=number(row["p50"], lang, 0 if row["p50"] >= 3 else 1))
        note(ax, right, y, f"{median}   ({counts})", size, xytext=(8, 0))
        said.append(f"{labels[y].replace(chr(10), ' ')}: {median}")
    for y, heading in headings.items():
        place = {"xycoords": ("axes fraction", "data"), "xytext": (4, 0), "fontweight": "bold"}
        note(ax, 0, y, shortened(heading, 48), size, **place)
    ax.set_xlim(0, end)
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: number(x, lang)))
    ax.set_xlabel(say("days in stage", lang))
    return finish(ax, table, title, lang, "; ".join(said) + ".")
