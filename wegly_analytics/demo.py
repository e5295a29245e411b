"""The whole job on a simulated company: HTTP, tables, snapshot, metrics, charts, and a short account of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wegly_analytics import metrics, plots
from wegly_analytics.intake.client import Client
from wegly_analytics.intake.fetch import fetch
from wegly_analytics.sandbox import TOKEN, Company, Server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from pathlib import Path

    import pandas as pd

    from wegly_analytics.snapshot.snapshot import Snapshot

CHARTS: Final[dict[str, Callable[[Snapshot], pd.DataFrame]]] = {
    "velocity": lambda snap: metrics.velocity(snap, every="month"),
    "win_loss": lambda snap: metrics.win_loss(snap),
    "win_rate": lambda snap: metrics.win_rate(snap, by="source"),
    "loss_reasons": lambda snap: metrics.loss_reasons(snap),
    "time_in_stage": lambda snap: metrics.time_in_stage(snap),
}
"""What the demo draws: the name of the plot, and the table for it."""


def run(root: Path, charts: Path, *, now: Callable[[], datetime], lang: str, progress: bool) -> Iterator[str]:
    """Fetch the simulated company's deals over HTTP, publish a snapshot and draw charts.

    Parameters
    ----------
    root
        The folder of snapshots.
    charts
        The folder of the charts.
    now
        The clock by which the company lives.
    lang
        Language of the charts, ``"en"`` or ``"pt"``.
    progress
        Whether to show a bar.

    Yields
    ------
    str
        Lines for a person, as the work goes on.
    """
    company = Company()
    with Server(company, clock=now) as server:
        yield f"A simulated company responds like Wegly at {server.url}; nothing leaves this machine."
        client = Client(TOKEN, base_url=server.url, per_second=None)
        snap = fetch(company.codes(now()), client=client, progress=progress)
    path = snap.save(root, personal="keep")  # nobody in it lives
    drawn = draw(snap, charts, lang=lang)
    rate = metrics.win_rate(snap).iloc[0]
    pace = metrics.velocity(snap).iloc[0]
    yield ""
    yield f"deals      {snap.completeness}"
    yield f"win rate   {rate['rate']:.1%} of {rate['n']:,.0f} closed deals ({rate['low']:.1%} to {rate['high']:.1%})"
    yield f"velocity   {pace['velocity']:,.0f} a day: {pace['deals']:,.0f} open deals × {pace['win_rate']:.1%} × "
    yield f"           {pace['value']:,.0f} ÷ {pace['days']:.0f} days"
    yield f"snapshot   {path}"
    for picture in drawn:
        yield f"chart      {picture}"


def draw(snap: Snapshot, folder: Path, *, lang: str = "en") -> list[Path]:
    """Draw the five charts of a snapshot as PNG files.

    Parameters
    ----------
    snap
        The snapshot.
    folder
        Where the files go; made if it is not there.
    lang
        Language of the charts.

    Returns
    -------
    list of pathlib.Path
        The files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    return [
        plots.save(getattr(plots, name), table(snap), folder / f"{name}.png", lang=lang)
        for name, table in CHARTS.items()
    ]
