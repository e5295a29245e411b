"""The `wegly` command: thin, every piece of work is done elsewhere.

Exit codes: 0 complete; 1 the run failed; 2 wrong usage; 3 done, but some deals are missing for a reason other than 404.
"""

from __future__ import annotations

import contextlib
import sys
import warnings
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from wegly_analytics.errors import IdError, SettingError, WeglyError
from wegly_analytics.ids import read_ids

if TYPE_CHECKING:
    from collections.abc import Iterator

FAILED: Final = 1
USAGE: Final = 2
INCOMPLETE: Final = 3

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # its tracebacks would show local variables
    help="Deals from the Wegly CRM as trustworthy tables, metrics and charts.",
)

Root = Annotated[Path, typer.Option("--root", help="The folder of snapshots.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")]
SNAPSHOTS: Final = Path("data/snapshots")
CHARTS: Final = Path("data/charts")


@app.command()
def demo(
    root: Root = SNAPSHOTS,
    charts: Annotated[Path, typer.Option(help="The folder of the charts.")] = CHARTS,
    lang: Annotated[str, typer.Option(help="Language of the charts: en or pt.")] = "en",
    quiet: Quiet = False,
) -> None:
    """Do the whole job on a pretend company: no key, no network beyond this machine."""
    from wegly_analytics.demo import run

    for line in run(root, charts, now=_now, lang=lang, progress=not quiet):
        typer.echo(line)


@app.command()
def fetch(
    ids: Annotated[
        list[str],
        typer.Argument(help="Codes, UUIDs, ranges such as 1-500, files of these, or - for standard input."),
    ],
    root: Root = SNAPSHOTS,
    workers: Annotated[int, typer.Option(min=1, help="Requests under way at once.")] = 8,
    per_second: Annotated[float, typer.Option(min=0, help="Requests per second; 0 for no limit.")] = 5.0,
    base_url: Annotated[str | None, typer.Option(help="Where the API is. Else WEGLY_BASE_URL.")] = None,
    origin: Annotated[str | None, typer.Option(help="The key's allowed domain. Else WEGLY_ORIGIN.")] = None,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for an answer.")] = 30.0,
    attempts: Annotated[int, typer.Option(help="How often one deal is asked for at most.")] = 5,
    quiet: Quiet = False,
) -> None:
    """Fetch deals and publish a snapshot of them. The key comes from WEGLY_TOKEN."""
    from wegly_analytics.client import Client
    from wegly_analytics.intake import fetch as fetch_deals

    keys = list(_ids(ids))
    client = Client(base_url=base_url, origin=origin, timeout=timeout, attempts=attempts, per_second=per_second or None)
    snap = fetch_deals(keys, client=client, workers=workers, progress=not quiet)
    path = snap.save(root)
    typer.echo(str(snap.completeness))
    typer.echo(f"snapshot  {path}")
    if snap.completeness.missing:
        raise typer.Exit(INCOMPLETE)


@app.command()
def snapshots(root: Annotated[Path, typer.Argument(help="The folder of snapshots.")] = SNAPSHOTS) -> None:
    """List the snapshots in a folder, oldest first."""
    from wegly_analytics.store import snapshots as list_snapshots

    table = list_snapshots(root)
    if table.empty:
        typer.echo(f"{root} holds no snapshot yet")
        return
    table["taken_at"] = table["taken_at"].dt.strftime("%Y-%m-%d %H:%M")
    typer.echo(table.drop(columns="path").to_string(index=False))


@app.command()
def sandbox(
    source: Annotated[
        Path | None, typer.Option("--from", help="Serve saved deals (NDJSON, also .gz or .zst) in the company's place.")
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8765,
    token: Annotated[str, typer.Option(help="The key that it accepts.")] = "sandbox",  # noqa: S107 - opens nothing
    origin: Annotated[str | None, typer.Option(help="Refuse other origins than this one.")] = None,
    latency: Annotated[float, typer.Option(min=0, help="Seconds before each answer.")] = 0.0,
    per_second: Annotated[float | None, typer.Option(help="Answer 429 beyond so many requests a second.")] = None,
    fault: Annotated[str | None, typer.Option(help="Misbehave: a name, or name:share, such as reset:0.01.")] = None,
    seed: Annotated[int, typer.Option(help="Which pretend company.")] = 7,
) -> None:
    """Run a local server that answers like Wegly, for trying things out."""
    from wegly_analytics.sandbox import Company, Saved, Server, faults

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
    except (ValueError, OSError) as error:
        raise SettingError(str(error)) from error
    codes = deals.codes(_now())
    with contextlib.suppress(KeyboardInterrupt), server:
        typer.echo(f"codes {codes.start} to {codes.stop - 1} at {server.url}; Ctrl-C stops it. Try:")
        typer.echo(f"  curl -H 'Authorization: Bearer {token}' {server.url}/integrations/external/deals/1")
        typer.echo(f"  WEGLY_TOKEN={token} WEGLY_BASE_URL={server.url} wegly fetch 1-{codes.stop - 1} --per-second 0")
        server.serve_forever()


def _ids(words: list[str]) -> Iterator[str]:
    """Take ids out of words, files and standard input."""
    for word in words:
        if word == "-":
            yield from read_ids(sys.stdin, "standard input")
            continue
        try:
            yield from list(read_ids([word], "arguments"))
        except IdError:
            if not Path(word).is_file():
                raise IdError(f"{word!r} is no deal id, no range such as 1-500, and no file") from None
            with Path(word).open(encoding="utf-8-sig") as lines:
                yield from read_ids(lines, word)


def _now() -> datetime:
    return datetime.now(UTC)


def _say(message: Warning | str, *_: object, **__: object) -> None:
    typer.echo(f"warning: {message}", err=True)


def main() -> None:
    """Run the command; what goes wrong becomes a sentence and an exit code, never a traceback."""
    warnings.showwarning = _say
    try:
        app()
    except SettingError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(USAGE)
    except WeglyError as error:
        typer.echo(f"error: {type(error).__name__}: {error}", err=True)
        sys.exit(FAILED)
