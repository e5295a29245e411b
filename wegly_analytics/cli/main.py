"""The `wegly` command: thin, every piece of work is done elsewhere.

Exit codes: 0 complete; 1 the run failed; 2 wrong usage; 3 done, but some deals are missing for a reason other than 404;
130 stopped by Ctrl-C.
"""

from __future__ import annotations

import contextlib
import json
import sys
import warnings
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, cast

import typer

from wegly_analytics.errors import IdError, IncompleteError, SettingError, StoppedError, WeglyError
from wegly_analytics.model.ids import read_ids

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wegly_analytics.intake.client import Client
    from wegly_analytics.snapshot.privacy import Mode
    from wegly_analytics.snapshot.snapshot import Snapshot

FAILED: Final = 1
USAGE: Final = 2
INCOMPLETE: Final = 3
INTERRUPTED: Final = 130
"""What a shell reports of a command that Ctrl-C has ended."""

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
    """Do the whole job on a simulated company: no token, no network beyond this machine."""
    from wegly_analytics.demo import run

    for line in run(root, charts, now=_now, lang=lang, progress=not quiet):
        typer.echo(line)


BaseUrl = Annotated[str | None, typer.Option(help="Where the API is. Else WEGLY_BASE_URL.")]
Origin = Annotated[str | None, typer.Option(help="The key's allowed domain. Else WEGLY_ORIGIN.")]
Workers = Annotated[int, typer.Option(min=1, help="Requests under way at once.")]
PerSecond = Annotated[float, typer.Option(min=0, help="Requests per second; 0 for no limit.")]
Timeout = Annotated[float, typer.Option(help="Seconds to wait for an answer.")]
Attempts = Annotated[int, typer.Option(help="How often one deal is requested at most.")]
Keep = Annotated[
    Path | None,
    typer.Option("--archive", help="Keep every answer in this folder; a run that stopped goes on where it was."),
]
MaxFailures = Annotated[float, typer.Option(help="Stop when more than this share of requests fails.")]
Personal = Annotated[str, typer.Option(help="Names and contacts: hash, drop or keep.")]
AllowIncomplete = Annotated[bool, typer.Option("--allow-incomplete", help="Publish though more than 5 % are missing.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")]


@app.command()
def fetch(
    ids: Annotated[
        list[str] | None,
        typer.Argument(help="Codes, UUIDs, ranges such as 1-500, files of these, tables, or - for standard input."),
    ] = None,
    walk: Annotated[
        int | None, typer.Option(min=1, help="Walk over codes from this one on, in place of ids.", show_default=False)
    ] = None,
    misses: Annotated[int, typer.Option(min=1, help="So many codes in a row without a deal end a walk.")] = 100,
    column: Annotated[str | None, typer.Option(help="The column of ids in a CSV, Parquet or Excel file.")] = None,
    webhooks: Annotated[Path | None, typer.Option(help="Captured webhooks (NDJSON), in place of ids.")] = None,
    root: Root = SNAPSHOTS,
    archive: Keep = None,
    max_age: Annotated[str | None, typer.Option(help="How old a kept answer may be, such as 12h or 7d.")] = None,
    max_failures: MaxFailures = 0.05,
    personal: Personal = "hash",
    allow_incomplete: AllowIncomplete = False,
    workers: Workers = 8,
    per_second: PerSecond = 5.0,
    base_url: BaseUrl = None,
    origin: Origin = None,
    timeout: Timeout = 30.0,
    attempts: Attempts = 5,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Fetch deals and publish a snapshot of them. The key comes from WEGLY_TOKEN, a .env file or the keyring.

    Webhooks are checked with the secret in WEGLY_WEBHOOK_SECRET, if there is one.
    """
    from wegly_analytics.intake import fetch as intake
    from wegly_analytics.intake import frontier
    from wegly_analytics.intake.webhooks import webhook_ids
    from wegly_analytics.settings import WEBHOOK_SECRET, setting

    if sum(given is not None for given in (ids, walk, webhooks)) != 1:
        raise SettingError("say what to fetch: ids, --walk or --webhooks, and only one of them")
    wanted: Any = list(_ids(ids or [], column))
    if walk is not None:
        wanted = frontier.walk(walk, misses=misses)
    elif webhooks is not None:
        wanted = webhook_ids(webhooks, setting(WEBHOOK_SECRET))
    with _stoppable():
        snap = intake.fetch(
            wanted,
            client=_client(base_url, origin, timeout, attempts, per_second),
            archive=archive,
            workers=workers,
            progress=not quiet,
            max_age=max_age,
            max_failures=max_failures,
        )
    _publish(snap, root, personal, allow_incomplete, as_json)


@app.command()
def refresh(
    root: Root = SNAPSHOTS,
    recent: Annotated[str, typer.Option(help="Ask again for deals that changed so long before the snapshot.")] = "30d",
    misses: Annotated[int, typer.Option(min=0, help="So many codes without a deal end the search for new ones.")] = 100,
    archive: Keep = None,
    max_failures: MaxFailures = 0.05,
    personal: Personal = "hash",
    allow_incomplete: AllowIncomplete = False,
    workers: Workers = 8,
    per_second: PerSecond = 5.0,
    base_url: BaseUrl = None,
    origin: Origin = None,
    timeout: Timeout = 30.0,
    attempts: Attempts = 5,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Bring the newest snapshot up to date with few requests, and publish the result as a new one."""
    from wegly_analytics.intake import refresh as intake
    from wegly_analytics.snapshot.load import load

    with _stoppable():
        snap = intake.refresh(
            load(root),
            client=_client(base_url, origin, timeout, attempts, per_second),
            archive=archive,
            recent=recent,
            misses=misses,
            workers=workers,
            progress=not quiet,
            max_failures=max_failures,
        )
    _publish(snap, root, personal, allow_incomplete, as_json)


@app.command()
def read(
    paths: Annotated[list[Path], typer.Argument(help="Archives, or files of saved deals.")],
    root: Root = SNAPSHOTS,
    personal: Personal = "hash",
    allow_incomplete: AllowIncomplete = False,
    as_json: AsJson = False,
) -> None:
    """Publish a snapshot of saved answers; no key, no network."""
    from wegly_analytics.intake import read as intake

    _publish(intake.read(paths), root, personal, allow_incomplete, as_json)


@app.command()
def archive(
    folder: Annotated[Path, typer.Argument(help="The archive.")],
    erase_older_than: Annotated[str | None, typer.Option(help="Erase answers older than this, such as 90d.")] = None,
) -> None:
    """Say what an archive holds; erase what is too old to be kept."""
    from wegly_analytics.intake.archive import Archive
    from wegly_analytics.intake.durations import duration

    kept = Archive(folder)
    if not kept.segments():
        raise SettingError(f"{folder} holds no archive")
    if erase_older_than is not None:
        before = _now() - duration("--erase-older-than", erase_older_than)
        typer.echo(f"erased   {kept.erase(before):,} answers from before {before:%Y-%m-%d %H:%M} UTC")
    held = kept.count()
    typer.echo(f"answers  {held['records']:,} about {held['ids']:,} ids in {held['segments']:,} files")
    typer.echo(f"size     {held['bytes'] / 1e6:,.1f} MB")
    if held["records"]:
        typer.echo(f"from     {held['oldest']:%Y-%m-%d %H:%M} to {held['newest']:%Y-%m-%d %H:%M} UTC")
    for path, why in kept.damaged.items():
        typer.echo(f"damaged  {path}: {why}")


@app.command()
def snapshots(root: Annotated[Path, typer.Argument(help="The folder of snapshots.")] = SNAPSHOTS) -> None:
    """List the snapshots in a folder, oldest first."""
    from wegly_analytics.snapshot.load import snapshots as list_snapshots

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
    seed: Annotated[int, typer.Option(help="Which simulated company.")] = 7,
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


def _client(base_url: str | None, origin: str | None, timeout: float, attempts: int, per_second: float) -> Client:
    from wegly_analytics.intake.client import Client

    return Client(base_url=base_url, origin=origin, timeout=timeout, attempts=attempts, per_second=per_second or None)


@contextlib.contextmanager
def _stoppable() -> Iterator[None]:
    """Say what was kept when Ctrl-C is pressed; the command line's own handling would swallow that."""
    try:
        yield
    except StoppedError as error:
        typer.echo(f"\n{error}", err=True)
        raise typer.Exit(INTERRUPTED) from None


def _publish(snap: Snapshot, root: Path, personal: str, allow_incomplete: bool, as_json: bool) -> None:
    """Publish a snapshot and say so; leave with 3 if deals are missing for a reason other than 404."""
    counts = snap.completeness
    path, refusal = None, None
    try:
        path = snap.save(root, personal=cast("Mode", personal), allow_incomplete=allow_incomplete)
    except IncompleteError as error:
        refusal = error
    if as_json:
        moments = {"taken_from": snap.taken_from.isoformat(), "taken_at": snap.taken_at.isoformat()}
        summary = (
            counts.as_dict() | {"received": counts.received, "missing": counts.missing, "deals": len(snap)} | moments
        )
        typer.echo(json.dumps(summary | {"snapshot": str(path) if path else None}))
    else:
        typer.echo(str(counts))
        if path:
            typer.echo(f"snapshot  {path}")
    if refusal:
        typer.echo(f"error: {refusal}; on the command line that is --allow-incomplete", err=True)
    if counts.missing:
        raise typer.Exit(INCOMPLETE)


def _ids(words: list[str], column: str | None) -> Iterator[str]:
    """Take ids out of words, files, tables and standard input."""
    from wegly_analytics.intake.id_sources import ids_in

    for word in words:
        if word == "-":
            yield from read_ids(sys.stdin, "standard input")
            continue
        try:
            yield from list(read_ids([word], "arguments"))
        except IdError:
            file = Path(word)
            if not file.is_file():
                raise IdError(f"{word!r} is no deal id, no range such as 1-500, and no file") from None
            yield from ids_in(file, column)


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
        for note in getattr(error, "__notes__", ()):
            typer.echo(note, err=True)
        sys.exit(FAILED)
