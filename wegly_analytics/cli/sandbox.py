"""The command that runs a local server instead of Wegly."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path  # noqa: TC003 - typer reads annotations when it runs
from typing import Annotated

import typer

from wegly_analytics.cli import checks
from wegly_analytics.errors import SettingError


def sandbox(
    source: Annotated[
        Path | None,
        typer.Option("--from", help="Serve the deals in this file (NDJSON, also .gz or .zst) instead of a simulation."),
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port; 0 for a free one.")] = 8765,
    token: Annotated[str, typer.Option(callback=checks.not_empty, help="The token that it accepts.")] = "sandbox",  # noqa: S107 - opens nothing
    origin: Annotated[
        str | None, typer.Option(callback=checks.not_empty, help="Refuse requests from any other origin.")
    ] = None,
    latency: Annotated[float, typer.Option(callback=checks.at_least_zero, help="Seconds before each response.")] = 0.0,
    per_second: Annotated[
        float | None,
        typer.Option(callback=checks.above_zero, help="Respond with 429 beyond so many requests per second."),
    ] = None,
    fault: Annotated[
        str | None, typer.Option(help="Respond with a fault: its name, or name:share such as reset:0.01.")
    ] = None,
    seed: Annotated[int, typer.Option(help="The seed of the simulated company.")] = 7,
) -> None:
    """Run a local server that responds like Wegly.

    It serves a simulated company, for tests.
    """
    from wegly_analytics.sandbox import Company, Saved, Server, faults

    if source is not None and not source.is_file():
        raise SettingError(f"--from: {source} is not a file")
    try:
        deals = Company(seed) if source is None else Saved(source)
        server = Server(
            deals,
            token=token,
            origin=origin,
            clock=_now,
            port=port,
            latency=latency,
            per_second=per_second,
            faults=faults.parse(fault) if fault else None,
        )
    except OSError as error:
        raise SettingError(
            f"--port {port}: {error.strerror or error}; choose another one, or 0 for a free one"
        ) from None
    except ValueError as error:
        raise SettingError(str(error)) from None
    codes = deals.codes(_now())
    with suppress(KeyboardInterrupt), server:
        typer.echo(f"codes {codes.start} to {codes.stop - 1} at {server.url}; Ctrl-C stops it. Try:")
        typer.echo(f"  curl -H 'Authorization: Bearer {token}' {server.url}/integrations/external/deals/1")
        typer.echo(f"  WEGLY_TOKEN={token} WEGLY_BASE_URL={server.url} wegly fetch 1-{codes.stop - 1} --per-second 0")
        server.serve_forever()


def _now() -> datetime:
    return datetime.now(UTC)
