"""All steps on a simulated company: fetch over HTTP, snapshot, metrics, charts, and a short report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wegly_analytics import metrics, plots
from wegly_analytics.errors import SettingError
from wegly_analytics.i18n.catalogs import locale_of
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
"""The charts of the demo: the name of each plot, and the table that it draws."""


def run(root: Path, charts: Path, *, now: Callable[[], datetime], lang: str, progress: bool) -> Iterator[str]:
    """Fetch the simulated company's deals over HTTP, publish a snapshot and draw charts.

    Parameters
    ----------
    root
        The folder of snapshots.
    charts
        The folder of the charts.
    now
        Returns the current time; the simulated company responds with its deals at that time.
    lang
        Language of the charts, ``"en"`` or ``"pt"``.
    progress
        Whether to show a progress bar.

    Yields
    ------
    str
        Lines to print, as the work goes on.

    Raises
    ------
    SettingError
        If there is no such language; nothing is fetched then.
    """
    _check_language(lang)
    company = Company()
    with Server(company, clock=now) as server:
        yield f"A simulated company responds like Wegly at {server.url}; nothing leaves this machine."
        client = Client(TOKEN, base_url=server.url, per_second=None)
        snap = fetch(company.codes(now()), client=client, progress=progress)
    path = snap.save(root, personal="keep")  # its people do not exist
    drawn = draw(snap, charts, lang=lang)
    rate = metrics.win_rate(snap).iloc[0]
    velocity = metrics.velocity(snap).iloc[0]
    yield ""
    yield f"deals      {snap.completeness}"
    yield f"win rate   {rate['rate']:.1%} of {rate['n']:,.0f} closed deals ({rate['low']:.1%} to {rate['high']:.1%})"
    yield f"velocity   {velocity['velocity']:,.0f} a day = {velocity['deals']:,.0f} open deals × win rate "
    yield f"           {velocity['win_rate']:.1%} × value {velocity['value']:,.0f} ÷ {velocity['days']:.0f} days"
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
        The folder of the files; created if it does not exist.
    lang
        Language of the charts.

    Returns
    -------
    list of pathlib.Path
        The files.

    Raises
    ------
    SettingError
        If there is no such language, or the folder cannot be created.
    """
    _check_language(lang)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingError(f"the folder of charts {folder} cannot be created: {error.strerror or error}") from None
    return [
        plots.save(getattr(plots, name), table(snap), folder / f"{name}.png", lang=lang)
        for name, table in CHARTS.items()
    ]


def _check_language(lang: str) -> None:
    try:
        locale_of(lang)
    except ValueError as error:
        raise SettingError(str(error)) from None
