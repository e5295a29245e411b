"""Publishing the snapshot of a command, and its summary."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

import typer

from wegly_analytics.cli.checks import publishable
from wegly_analytics.cli.exit_codes import INCOMPLETE
from wegly_analytics.cli.streams import OutputError
from wegly_analytics.errors import IncompleteError, SettingError
from wegly_analytics.model.enums import MISSING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pyarrow as pa

    from wegly_analytics.intake.changes import Changes
    from wegly_analytics.model.personal import Mode
    from wegly_analytics.snapshot.privacy import Protection
    from wegly_analytics.snapshot.save import Publisher, Summary

_SHOWN: Final = 5
"""Kinds of failures shown at most."""


@dataclass(frozen=True)
class Publication:
    """Where and how a snapshot is to be published, checked before any work.

    Parameters
    ----------
    root
        The folder of snapshots.
    personal
        The treatment of personal data.
    allow_incomplete
        Whether to publish also if more than 5 % of the deals are missing.
    as_json
        Whether the summary is for machines.
    """

    root: Path
    personal: str
    allow_incomplete: bool
    as_json: bool

    def __post_init__(self) -> None:
        publishable(self.root, "--root")
        if self.personal.startswith("hash"):
            from wegly_analytics.settings import salt_file
            from wegly_analytics.snapshot.secret import read_secret

            read_secret(salt_file())

    def publisher(self, done: Protection | None = None) -> Publisher:
        """Return what publishes the batches of a snapshot, whose personal columns may be treated already."""
        from wegly_analytics.snapshot.save import Publisher

        _allocate_by_system()
        return Publisher(self.root, cast("Mode", self.personal), allow_incomplete=self.allow_incomplete, done=done)

    def publish(
        self,
        publisher: Publisher,
        summary: Summary,
        missing: pa.Table,
        *,
        address: str | None = None,
        changes: Changes | None = None,
    ) -> None:
        """Publish a snapshot and print the summary; leave with 3 if deals are missing for a reason other than 404.

        Parameters
        ----------
        publisher
            What the batches were given to.
        summary
            What was read.
        missing
            The rows of the ledger of deals that are missing or were kept as before.
        address
            Where the deals were requested.
        changes
            What a refresh has brought.
        """
        if not summary.completeness.requested:  # an empty snapshot would become the newest
            raise SettingError("there is no id and no response to make a snapshot of: nothing was published")
        path, is_refused = None, False
        try:
            path = publisher.publish(summary)
        except IncompleteError:
            is_refused = True
        self._say(_as_json(summary, path, changes) if self.as_json else _as_text(summary, path, changes), path)
        for sentence in _failures(missing, address):
            typer.echo(sentence, err=True)
        if is_refused:
            typer.echo(
                "Error: nothing was published, because more than 5 % of the deals are missing; "
                "run the command again when the cause is fixed, or accept the gaps with --allow-incomplete",
                err=True,
            )
        if summary.completeness.missing or (changes and changes.failed):
            raise typer.Exit(INCOMPLETE)

    def _say(self, summary: str, path: Path | None) -> None:
        """Print the summary; that it cannot be printed is a failure only for a machine, which needs it."""
        try:
            typer.echo(summary)
        except OutputError as error:
            if path:
                error = OutputError(f"{error}; the snapshot was published: {path}")
            if self.as_json:
                raise error from None
            typer.echo(f"Warning: {error}", err=True)


def _allocate_by_system() -> None:
    """Let the system's allocator serve Arrow, too.

    A run allocates and frees a batch after the other. Arrow's own allocator gives the memory back to the system each
    time, which takes a tenth more processor time and a quarter more memory. A command may choose, a notebook may not.
    """
    import pyarrow as pa

    pa.set_memory_pool(pa.system_memory_pool())


def _as_json(summary: Summary, path: Path | None, changes: Changes | None) -> str:
    counts = summary.completeness
    said: dict[str, Any] = counts.as_dict() | {"received": counts.received, "missing": counts.missing}
    said["deals"] = summary.deals
    said |= {"taken_from": summary.taken_from.isoformat(), "taken_at": summary.taken_at.isoformat()}
    if changes:
        said["refresh"] = changes.as_dict()
    return json.dumps(said | {"snapshot": str(path) if path else None})


def _as_text(summary: Summary, path: Path | None, changes: Changes | None) -> str:
    lines = [str(summary.completeness)]
    if changes:
        lines.append(f"refresh   {changes}")
    if path:
        lines.append(f"snapshot  {path}")
    return "\n".join(lines)


def _failures(missing: pa.Table, address: str | None) -> Iterator[str]:
    """Return a sentence for each kind of failure, the most frequent first, with an example."""
    columns = ["requested", "outcome", "http_status", "message", "missed_at"]
    kinds: dict[tuple[str, int | None], list[dict[str, Any]]] = {}
    for row in missing.select(columns).to_pylist():
        is_kept = row["outcome"] == "carried" and row["missed_at"] is not None and row["http_status"] != 404
        if is_kept or row["outcome"] in MISSING:
            kinds.setdefault((row["outcome"], row["http_status"]), []).append(row)
    where = f" at {address}" if address else ""
    for (outcome, _), rows in sorted(kinds.items(), key=lambda kind: -len(kind[1]))[:_SHOWN]:
        what = "kept as before" if outcome == "carried" else outcome
        yield f"{what}: {len(rows):,}{where}, for example {rows[0]['requested']}: {rows[0]['message']}"
