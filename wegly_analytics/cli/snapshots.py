"""Commands about published snapshots: list and verify them."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads annotations when it runs
from typing import Annotated

import typer

import wegly_analytics as wa
from wegly_analytics.cli import checks, options
from wegly_analytics.cli.exit_codes import FAILED


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
    """List the snapshots in the order of publication."""
    table = wa.snapshots(root)  # what is damaged is named by a warning
    table = table[table["problem"] == ""]
    if table.empty:
        typer.echo(f"{root} holds no snapshot yet")
        return
    shown = table.assign(taken_at=table["taken_at"].dt.strftime("%Y-%m-%d %H:%M"))
    typer.echo(shown.drop(columns=["published_at", "problem", "path"]).to_string(index=False))


def verify(
    *,
    root: options.Root,
    at: Annotated[
        str | None,
        typer.Option(
            callback=checks.not_empty,
            help="Only this snapshot: its name in `wegly snapshots`, or a time such as 2026-11-23.",
        ),
    ] = None,
) -> None:
    """Find missing or changed files in snapshots.

    Every file is compared with the SHA-256 it was published with. The exit code is 1 if one differs.
    """
    problems = wa.verify(root if at is None else _published(root, at))
    for path, problem, detail in zip(problems["path"], problems["problem"], problems["detail"], strict=True):
        typer.echo(f"damaged: {path}: {problem}" + (f" ({detail})" if detail else ""), err=True)
    if len(problems):
        raise typer.Exit(FAILED)
    n = problems.attrs["snapshots"]
    typer.echo(f"{n} snapshot{'s' * (n != 1)} verified in {root}: no file is missing or changed")


def _published(root: Path, at: str) -> Path:
    """Find the folder of one snapshot, also if its manifest is damaged."""
    from wegly_analytics.snapshot.root import checked_root, chosen, folders, name_of

    present = folders(checked_root(root, "verify"), with_manifest=False)
    named = [folder for folder in present if at in (folder.name, name_of(folder))]
    return named[0] if named else chosen(root, at, stacklevel=2).folder
