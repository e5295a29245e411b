"""Commands that make snapshots: fetch, refresh, read."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

import wegly_analytics as wa
from wegly_analytics.cli import checks, options
from wegly_analytics.cli.exit_codes import INTERRUPTED
from wegly_analytics.cli.messages import with_options
from wegly_analytics.cli.publication import Publication
from wegly_analytics.errors import ApiError, IdError, MissingColumnError, SettingError, StoppedError
from wegly_analytics.model.ids import Ids, read_ids

if TYPE_CHECKING:
    from collections.abc import Iterator

_MANY: Final = 100_000
"""Ids beyond which the command asks for a confirmation: at the default rate they take more than five hours."""


def fetch(
    ids: Annotated[
        list[str] | None,
        typer.Argument(help="Codes, UUIDs, ranges such as 1-500, files of these, tables, or - for standard input."),
    ] = None,
    *,
    walk: Annotated[
        int | None,
        typer.Option(min=1, help="Request code after code from this one on, instead of ids.", show_default=False),
    ] = None,
    misses: Annotated[
        int | None,
        typer.Option(min=1, help="With --walk: stop after so many codes in a row without a deal.", show_default="100"),
    ] = None,
    column: Annotated[
        str | None,
        typer.Option(callback=checks.not_empty, help="The column of ids in a CSV, Parquet or Excel file."),
    ] = None,
    webhooks: Annotated[Path | None, typer.Option(help="A file of captured webhooks (NDJSON), instead of ids.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help=f"Fetch also more than {_MANY:,} ids.")] = False,
    root: options.Root,
    archive: options.Archive = None,
    max_age: options.MaxAge = None,
    max_failures: options.MaxFailures = 0.05,
    personal: options.Personal = "hash",
    allow_incomplete: options.AllowIncomplete = False,
    workers: options.Workers = 8,
    per_second: options.PerSecond = 5.0,
    base_url: options.BaseUrl = None,
    origin: options.Origin = None,
    timeout: options.Timeout = 30.0,
    attempts: options.Attempts = 5,
    quiet: options.Quiet = False,
    as_json: options.AsJson = False,
) -> None:
    """Fetch deals and publish a snapshot of them.

    The token comes from WEGLY_TOKEN, a .env file or the keyring. Webhooks are checked with the secret in
    WEGLY_WEBHOOK_SECRET, if it is set.
    """
    if sum(given is not None for given in (ids, walk, webhooks)) != 1:
        raise SettingError("say what to fetch: ids, --walk or --webhooks, and only one of them")
    if max_age is not None and archive is None:
        raise SettingError("--max-age is about archived responses: use it together with --archive")
    publication = Publication(root, personal, allow_incomplete, as_json)
    wanted = _wanted(ids or [], column, walk, misses, webhooks, yes)
    client = _client(base_url, origin, timeout, attempts, per_second)
    from wegly_analytics.intake.build import SnapshotBuilder
    from wegly_analytics.intake.fetch import fetch_into

    with publication.publisher() as publisher:
        builder = SnapshotBuilder(publisher)
        with _explained(client):
            summary = fetch_into(
                builder,
                wanted,
                client=client,
                archive=archive,
                workers=workers,
                progress=not quiet,
                max_age=max_age,
                max_failures=max_failures,
            )
        publication.publish(publisher, summary, builder.missing, address=client.base_url)


def refresh(
    *,
    root: options.Root,
    recent: options.Recent = "30d",
    misses: Annotated[
        int, typer.Option(min=0, help="Stop the search for new codes after so many without a deal; 0 for no search.")
    ] = 100,
    archive: options.Archive = None,
    max_failures: options.MaxFailures = 0.05,
    personal: options.Personal = "hash",
    allow_incomplete: options.AllowIncomplete = False,
    workers: options.Workers = 8,
    per_second: options.PerSecond = 5.0,
    base_url: options.BaseUrl = None,
    origin: options.Origin = None,
    timeout: options.Timeout = 30.0,
    attempts: options.Attempts = 5,
    quiet: options.Quiet = False,
    as_json: options.AsJson = False,
) -> None:
    """Update the last published snapshot and publish the result.

    Only deals that may have changed are requested, and codes beyond the highest known; the others are carried over.
    """
    publication = Publication(root, personal, allow_incomplete, as_json)
    from wegly_analytics.intake.refresh import refresh_into

    before = wa.load(root)
    client = _client(base_url, origin, timeout, attempts, per_second)
    with publication.publisher(before.personal) as publisher:
        with _explained(client):
            done = refresh_into(
                publisher,
                before,
                root=root,
                client=client,
                archive=archive,
                recent=recent,
                misses=misses,
                workers=workers,
                progress=not quiet,
                max_failures=max_failures,
            )
        publication.publish(publisher, done.summary, done.missing, address=client.base_url, changes=done.changes)


def read(
    paths: Annotated[list[Path], typer.Argument(help="Archives, or files of saved deals.")],
    *,
    root: options.Root,
    personal: options.Personal = "hash",
    allow_incomplete: options.AllowIncomplete = False,
    as_json: options.AsJson = False,
) -> None:
    """Publish a snapshot of saved responses.

    It needs neither token nor network.
    """
    from wegly_analytics.intake.build import SnapshotBuilder
    from wegly_analytics.intake.read import read_into

    publication = Publication(root, personal, allow_incomplete, as_json)
    with publication.publisher() as publisher:
        builder = SnapshotBuilder(publisher)
        publication.publish(publisher, read_into(builder, paths), builder.missing)


def _client(base_url: str | None, origin: str | None, timeout: float, attempts: int, per_second: float) -> wa.Client:
    return wa.Client(
        base_url=base_url, origin=origin, timeout=timeout, attempts=attempts, per_second=per_second or None
    )


@contextmanager
def _explained(client: wa.Client) -> Iterator[None]:
    """Name the address in an error of the API; keep what Ctrl-C has to say from the command line's own handling."""
    try:
        yield
    except ApiError as error:
        if client.base_url not in str(error):
            error.add_note(f"the address was {client.base_url} (--base-url or WEGLY_BASE_URL)")
        raise
    except StoppedError as error:
        typer.echo(f"\n{with_options(str(error))}", err=True)  # the progress bar has no line end
        raise typer.Exit(INTERRUPTED) from None


def _wanted(
    ids: list[str], column: str | None, walk: int | None, misses: int | None, webhooks: Path | None, is_confirmed: bool
) -> Any:
    """Read which deals are meant, in a form that `wegly_analytics.fetch` takes."""
    if misses is not None and walk is None:
        raise SettingError("--misses ends a walk: use it together with --walk")
    if column is not None and not any(Path(word).is_file() for word in ids):
        raise SettingError("--column names a column of a CSV, Parquet or Excel file: give such a file, too")
    from wegly_analytics.settings import WEBHOOK_SECRET, setting

    if walk is not None:
        return wa.walk(walk, misses=misses or 100)
    if webhooks is not None:
        return wa.webhook_ids(webhooks, setting(WEBHOOK_SECRET))
    found = Ids()
    for each in _ids(ids, column):
        found.add(each)
        if len(found) > _MANY and not is_confirmed:
            raise SettingError(f"more than {_MANY:,} ids would take hours: give fewer, or confirm with --yes")
    return found


def _ids(words: list[str], column: str | None) -> Iterator[str | range]:
    """Read ids from words, files, tables and standard input."""
    from wegly_analytics.intake.id_sources import ids_in, is_file

    for word in words:
        if word == "-":
            yield from read_ids(sys.stdin or (), "standard input")
            continue
        try:
            yield from list(read_ids([word], "arguments"))
        except IdError as error:
            if not is_file(word):
                why = str(error).removeprefix("arguments, line 1: ")
                raise IdError(f"{why}; there is no file of that name either") from None
            try:
                yield from ids_in(Path(word), column)
            except MissingColumnError as error:
                raise SettingError(str(error)) from None
