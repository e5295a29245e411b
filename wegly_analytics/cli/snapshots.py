"""Commands about published snapshots: list and verify them."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads annotations when it runs
from typing import Annotated

import typer

import wegly_analytics as wa
from wegly_analytics.cli import options
from wegly_analytics.cli.exit_codes import FAILED
from wegly_analytics.errors import SettingError, SnapshotError


def snapshots(
    root: Annotated[
        Path,
        typer.Argument(
            help="The folder of snapshots.",
            default_factory=options.snapshots_folder,
            show_default=options.SNAPSHOTS,
        ),
    ],
) -> None:
    """List the snapshots, oldest first."""
    table = wa.snapshots(root)
    if table.empty:
        typer.echo(f"{root} holds no snapshot yet")
        return
    table["taken_at"] = table["taken_at"].dt.strftime("%Y-%m-%d %H:%M")
    typer.echo(table.drop(columns="path").to_string(index=False))


def verify(
    *,
    root: options.Root,
    at: Annotated[
        str | None, typer.Option(help="Only this snapshot, by its name in `wegly snapshots`.", show_default=False)
    ] = None,
) -> None:
    """Find missing or changed files in snapshots.

    Every file is compared with the SHA-256 it was published with. The exit code is 1 if one differs.
    """
    from wegly_analytics.store.manifest import NAME
    from wegly_analytics.store.parquet import PREFIX

    folders = [root] if (root / NAME).is_file() else sorted(root.glob(f"{PREFIX}*"))
    if at is not None:
        folders = [folder for folder in folders if folder.name in (at, f"{PREFIX}{at}")]
        if not folders:
            raise SettingError(f"--at: there is no snapshot {at!r} in {root}; `wegly snapshots {root}` lists them")
    elif root.is_dir() and not folders:
        raise SnapshotError(f"{root} holds no snapshot to verify")
    found = wa.verify(root if at is None else folders[0])
    without = [folder for folder in folders if not (folder / NAME).is_file()]
    problems = found + [f"{folder} has no {NAME}" for folder in without if folder.name not in " ".join(found)]
    for problem in problems:
        typer.echo(f"damaged: {problem}", err=True)
    if problems:
        raise typer.Exit(FAILED)
    typer.echo(f"{len(folders)} snapshot{'s' * (len(folders) != 1)} verified in {root}: no file is missing or changed")
