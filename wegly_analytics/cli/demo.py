"""The command that runs all steps on a simulated company."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path  # noqa: TC003 - typer reads annotations when it runs
from typing import Annotated

import typer

from wegly_analytics.cli import checks, options


def demo(
    *,
    root: options.Root,
    charts: Annotated[
        Path,
        typer.Option(help="The folder of charts.", default_factory=options.charts_folder, show_default=options.CHARTS),
    ],
    lang: options.Lang = "en",
    quiet: options.Quiet = False,
) -> None:
    """Run all steps on a simulated company.

    It fetches deals from a local server, publishes a snapshot and draws charts, without a token; nothing leaves this
    machine.
    """
    checks.publishable(root, "--root")
    checks.writable(charts, "--charts")
    from wegly_analytics.demo import run

    for line in run(root, charts, now=lambda: datetime.now(UTC), lang=lang, progress=not quiet):
        typer.echo(line)
