"""What a published folder says of itself: `_manifest.json`, as one validated type."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from wegly_analytics.errors import SnapshotError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

NAME: Final = "_manifest.json"

SCHEMA_VERSION: Final = 1
"""Raised when a published table changes the names or types of its columns."""


@dataclass(frozen=True)
class PublishedFile:
    """One file as it was published: its size, and its SHA-256 in hexadecimal."""

    bytes: int
    sha256: str

    def __post_init__(self) -> None:
        if type(self.bytes) is not int or type(self.sha256) is not str:  # JSON holds anything
            raise TypeError(f"{self!r} is not a size and a SHA-256")


@dataclass(frozen=True)
class PublishedTable:
    """One table as it was published: its rows, and its files by name."""

    rows: int
    files: Mapping[str, PublishedFile]

    def __post_init__(self) -> None:
        if type(self.rows) is not int or not self.files:
            raise TypeError("a table has no rows or no files")
        for name in self.files:
            if name in ("", ".", "..") or "/" in name or "\\" in name:
                raise ValueError(f"{name!r} is not the name of a file in the table's folder")


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a published folder says of itself.

    Parameters
    ----------
    taken_from, taken_at
        When the first and the last response was received.
    published_at
        When the folder was published; within a root it never goes back.
    completeness
        The counts of the ledger.
    filters
        What `Snapshot.where` kept, one sentence each; empty for a whole snapshot.
    personal
        What was done to personal data.
    drift
        Where responses and documentation differ.
    tables
        Rows and files of each table.
    schema_version
        The version of the tables' columns.
    """

    taken_from: datetime
    taken_at: datetime
    published_at: datetime
    completeness: Mapping[str, int]
    filters: tuple[str, ...]
    personal: Mapping[str, Any]
    drift: Mapping[str, Any]
    tables: Mapping[str, PublishedTable] = field(default_factory=dict)
    schema_version: int = SCHEMA_VERSION

    def to_json(self) -> str:
        """Write the manifest as JSON."""
        fields = {
            name: value.isoformat() if isinstance(value, datetime) else value for name, value in asdict(self).items()
        }
        return json.dumps(fields, indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def read(cls, folder: Path, needed: Iterable[str] = ()) -> Manifest:
        """Read the manifest of a folder.

        Parameters
        ----------
        folder
            The folder of one snapshot.
        needed
            Tables that it must list.

        Raises
        ------
        SnapshotError
            If there is none, it is damaged, or a newer version of the package wrote it.
        """
        path = folder / NAME
        try:
            fields = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise SnapshotError(f"{folder} is not a snapshot: it has no {NAME}") from None
        except (OSError, ValueError, RecursionError) as error:
            raise SnapshotError(f"{path} cannot be read: {error}") from error
        try:
            if fields["schema_version"] > SCHEMA_VERSION:
                raise SnapshotError(f"{folder} was written by a newer version of wegly_analytics; upgrade to read it")
            manifest = cls._validated(fields)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise SnapshotError(f"{path} cannot be trusted: {error!r}") from error
        if missing := [name for name in needed if name not in manifest.tables]:
            have = ", ".join(manifest.tables) or "none"
            raise SnapshotError(f"{folder} has no table {missing[0]!r}; its manifest lists {have}")
        return manifest

    @classmethod
    def _validated(cls, fields: Mapping[str, Any]) -> Manifest:
        tables = {
            str(name): PublishedTable(
                table["rows"], {file: PublishedFile(**about) for file, about in table["files"].items()}
            )
            for name, table in fields["tables"].items()
        }
        for name in tables:
            if name in ("", ".", "..") or "/" in name or "\\" in name:
                raise ValueError(f"{name!r} is not the name of a table's folder")
        instants = {name: _instant(fields[name]) for name in ("taken_from", "taken_at", "published_at")}
        if not all(isinstance(each, str) for each in fields["filters"]):
            raise TypeError("filters are not texts")
        return cls(
            **instants,
            completeness={str(name): int(n) for name, n in fields["completeness"].items()},
            filters=tuple(fields["filters"]),
            personal=dict(fields["personal"]),
            drift=dict(fields["drift"]),
            tables=tables,
            schema_version=int(fields["schema_version"]),
        )


def _instant(text: str) -> datetime:
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return instant.astimezone(UTC)
