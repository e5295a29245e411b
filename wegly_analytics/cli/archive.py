"""The command about archives of responses."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path  # noqa: TC003 - typer reads annotations when it runs
from typing import Annotated

import typer

from wegly_analytics.cli import checks
from wegly_analytics.errors import SettingError


def archive(
    folder: Annotated[Path, typer.Argument(help="The archive.")],
    erase_older_than: Annotated[
        str | None,
        typer.Option(callback=checks.length_of_time, help="Erase responses older than this, such as 90d."),
    ] = None,
) -> None:
    """Describe an archive of responses, or erase the old ones."""
    from wegly_analytics.intake.archive import Archive
    from wegly_analytics.intake.durations import duration

    kept = Archive(folder)
    if not kept.segments():
        raise SettingError(f"{folder} is not an archive: `wegly fetch --archive {folder}` creates one")
    if erase_older_than is not None:
        before = datetime.now(UTC) - duration("erase_older_than", erase_older_than)
        typer.echo(f"erased     {kept.erase(before):,} responses from before {before:%Y-%m-%d %H:%M} UTC")
    held = kept.count()
    typer.echo(f"responses  {held['records']:,} for {held['ids']:,} ids in {held['segments']:,} files")
    typer.echo(f"size       {held['bytes'] / 1e6:,.1f} MB")
    if held["records"]:
        typer.echo(f"received   {held['oldest']:%Y-%m-%d %H:%M} to {held['newest']:%Y-%m-%d %H:%M} UTC")
    for path, why in kept.damaged.items():
        typer.echo(f"damaged    {path}: {why}")
