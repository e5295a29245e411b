"""The command about archives of responses."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path  # noqa: TC003 - typer reads annotations when it runs
from typing import Annotated

import typer

from wegly_analytics.cli import checks
from wegly_analytics.cli.exit_codes import FAILED
from wegly_analytics.errors import SettingError


def archive(
    file: Annotated[Path, typer.Argument(help="The archive.")],
    erase_older_than: Annotated[
        str | None,
        typer.Option(callback=checks.length_of_time, help="Erase responses older than this, such as 90d."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Erase also if nothing would be left.")] = False,
) -> None:
    """Describe an archive of responses and check every one, or erase the old ones.

    The exit code is 1 if the archive is damaged. Erasing removes also what is damaged, or dated in the future.
    """
    from wegly_analytics.intake.archive import Archive
    from wegly_analytics.intake.durations import duration

    kept = Archive(file)
    if not file.exists():
        raise SettingError(f"{file} is not an archive: `wegly fetch --archive {file}` creates one")
    held = kept.count()
    if erase_older_than is not None:
        now = datetime.now(UTC)
        before = now - duration("erase_older_than", erase_older_than)
        if held["records"] and held["newest"] < before and not yes:
            raise SettingError(f"all {held['records']:,} responses in {file} would be erased: add --yes to do so")
        n_damaged = sum(place.startswith("record ") for place in kept.damaged)
        erased = kept.erase(before, after=now + timedelta(days=1))
        typer.echo(
            f"erased     {erased:,} responses from before {before:%Y-%m-%d %H:%M} UTC, {n_damaged:,} damaged ones"
        )
        held = kept.count()
    typer.echo(f"responses  {held['records']:,} for {held['ids']:,} ids")
    typer.echo(f"size       {held['bytes'] / 1e6:,.1f} MB")
    if held["records"]:
        typer.echo(f"received   {held['oldest']:%Y-%m-%d %H:%M} to {held['newest']:%Y-%m-%d %H:%M} UTC")
    for place, why in kept.damaged.items():
        typer.echo(f"damaged: {file}: {place}: {why}", err=True)
    if kept.damaged:
        raise typer.Exit(FAILED)
