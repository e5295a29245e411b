"""The manifest of a published folder: `_manifest.json`, as one validated type."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, get_args

from wegly_analytics.errors import SnapshotError
from wegly_analytics.model.enums import OUTCOMES
from wegly_analytics.model.personal import Mode, Treatment
from wegly_analytics.parsing.decode import decode

if TYPE_CHECKING:
    from pathlib import Path

NAME: Final = "_manifest.json"

SCHEMA_VERSION: Final = 1
"""Raised when a published table changes the names or types of its columns."""

SHA256: Final = "sha256"
"""The key of the manifest's own hash: SHA-256 of its other keys as JSON, sorted, without blanks, in ASCII."""

MOST: Final = 10**15
"""The largest count that is valid: sums of counts must fit into 64 bits."""

COUNTS: Final = ("requested", *OUTCOMES, "in_scope")
"""The keys of `Manifest.completeness`."""

_INSTANTS: Final = ("taken_from", "taken_at", "published_at")
_SHA256: Final = re.compile("[0-9a-f]{64}")
_REMEDY: Final = "restore the folder from a copy, or delete it and publish the snapshot again"


@dataclass(frozen=True)
class PublishedFile:
    """One file as it was published: its size, and its SHA-256 in hexadecimal."""

    bytes: int
    sha256: str

    def __post_init__(self) -> None:
        _require_count("bytes", self.bytes)
        if type(self.sha256) is not str or not _SHA256.fullmatch(self.sha256):
            raise SnapshotError(f"'sha256' is {self.sha256!r:.80}, not 64 hexadecimal digits")


@dataclass(frozen=True)
class PublishedTable:
    """One table as it was published: its rows, and its files by name."""

    rows: int
    files: Mapping[str, PublishedFile]

    def __post_init__(self) -> None:
        _require_count("rows", self.rows)
        if not self.files:
            raise SnapshotError("'files' is empty: every table has at least one file")
        for name in self.files:
            _require_name("files", name)

    @classmethod
    def from_json(cls, name: str, values: Any) -> PublishedTable:
        """Read one table of a manifest."""
        try:
            _require_keys(values, ("rows", "files"))
            files = {}
            for file, about in _mapping("files", values["files"]).items():
                _require_keys(about, ("bytes", "sha256"))
                files[file] = PublishedFile(**about)
            return cls(values["rows"], files)
        except SnapshotError as error:
            raise SnapshotError(f"'tables.{name}': {error}") from None


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """The manifest of a published folder; every value is validated when it is created.

    Parameters
    ----------
    taken_from, taken_at
        When the first and the last response was received.
    published_at
        When the folder was published; within a root it never goes back.
    completeness
        The counts of the ledger, by the names in `COUNTS`.
    filters
        What `Snapshot.where` kept, as short texts; empty for a whole snapshot.
    personal
        What was done to personal data.
    drift
        How responses and documentation differ.
    tables
        Rows and files of each table.
    schema_version
        The version of the tables' columns.

    Raises
    ------
    SnapshotError
        If a value is not valid; the message names its key.
    """

    taken_from: datetime
    taken_at: datetime
    published_at: datetime
    completeness: Mapping[str, int]
    filters: tuple[str, ...]
    personal: Mapping[str, Any]
    drift: Mapping[str, Any]
    tables: Mapping[str, PublishedTable]
    schema_version: int = SCHEMA_VERSION

    def __post_init__(self) -> None:
        for name in _INSTANTS:
            if (at := getattr(self, name)).tzinfo is None:
                raise SnapshotError(f"{name!r} is {at.isoformat()}, without a time zone")
        if self.taken_at < self.taken_from:
            raise SnapshotError(
                f"'taken_at' is {self.taken_at.isoformat()}, before 'taken_from', {self.taken_from.isoformat()}"
            )
        if type(self.schema_version) is not int or not 1 <= self.schema_version <= SCHEMA_VERSION:
            raise SnapshotError(f"'schema_version' is {self.schema_version!r}, not a version up to {SCHEMA_VERSION}")
        if type(self.filters) is not tuple or not all(isinstance(text, str) for text in self.filters):
            raise SnapshotError(f"'filters' is {self.filters!r:.80}, not a list of texts")
        _require_completeness(self.completeness)
        _require_personal(self.personal)
        _require_drift(self.drift)
        for name in self.tables:
            _require_name("tables", name)

    def to_json(self) -> str:
        """Write the manifest as JSON."""
        values = {
            name: value.isoformat() if isinstance(value, datetime) else value for name, value in asdict(self).items()
        }
        return json.dumps({**values, SHA256: _digest(values)}, indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Manifest:
        """Read what `to_json` wrote.

        Raises
        ------
        SnapshotError
            If it is not valid JSON, lacks a key or has an unknown one, a value is not valid, or a newer version of the
            package wrote it.
        """
        try:
            text.encode()  # no lone surrogate, escaped or not
            values = decode(text, object_pairs_hook=_unique)
            json.dumps(values, ensure_ascii=False, allow_nan=False).encode()
        except ValueError as error:
            raise SnapshotError(f"it is not valid JSON: {error}") from None
        version = values.get("schema_version") if isinstance(values, dict) else None
        if type(version) is int and version > SCHEMA_VERSION:
            raise _NewerError(
                f"'schema_version' is {version}, and this version reads up to {SCHEMA_VERSION}: a newer version wrote "
                "it; update wegly_analytics"
            )
        _require_keys(values, [*(field.name for field in fields(cls)), SHA256])
        stated, digest = values.pop(SHA256), _digest(values)
        tables, filters = _mapping("tables", values["tables"]), values["filters"]
        converted = {name: _instant(name, values[name]) for name in _INSTANTS} | {
            "tables": {name: PublishedTable.from_json(name, table) for name, table in tables.items()},
            "filters": tuple(filters) if isinstance(filters, list) else filters,
        }
        manifest = cls(**{**values, **converted})
        if stated != digest:
            raise SnapshotError(f"{SHA256!r} is {stated!r:.80}, but that of its content is {digest!r}: it was changed")
        return manifest

    @classmethod
    def read(cls, folder: Path, required: Iterable[str] = ()) -> Manifest:
        """Read the manifest of a folder.

        Parameters
        ----------
        folder
            The folder of one snapshot.
        required
            The tables that it must list, no other ones; if empty, any.

        Raises
        ------
        SnapshotError
            If there is none, it is damaged, or a newer version of the package wrote it; the message names the file,
            the key and the remedy.
        """
        path, required = folder / NAME, tuple(required)
        try:
            manifest = cls.from_json(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise SnapshotError(f"{folder} is not a snapshot: it has no {NAME}") from None
        except _NewerError as error:
            raise SnapshotError(f"{path}: {error}") from None
        except (OSError, ValueError) as error:
            raise SnapshotError(f"{path} cannot be read: {error}; {_REMEDY}") from error
        except SnapshotError as error:
            raise SnapshotError(f"{path} is damaged: {error}; {_REMEDY}") from None
        if missing := [name for name in required if name not in manifest.tables]:
            listed = ", ".join(manifest.tables) or "none"
            raise SnapshotError(f"{path} is damaged: 'tables' lists {listed}, without {missing[0]!r}; {_REMEDY}")
        if required and (unknown := [name for name in manifest.tables if name not in required]):
            raise SnapshotError(f"{path} is damaged: 'tables' lists {unknown[0]!r:.80}, an unknown table; {_REMEDY}")
        return manifest


class _NewerError(SnapshotError):
    """A newer version of the package wrote the manifest: it is not damaged."""


def _require_completeness(counts: Any) -> None:
    try:
        _require_keys(counts, COUNTS)
        for name, n in counts.items():
            _require_count(name, n)
    except SnapshotError as error:
        raise SnapshotError(f"'completeness': {error}") from None
    if counts["requested"] != (n := sum(counts[name] for name in OUTCOMES)):
        raise SnapshotError(f"'completeness': 'requested' is {counts['requested']}, but its outcomes add up to {n}")


def _require_personal(personal: Any) -> None:
    personal = _mapping("personal", personal)
    if unknown := [name for name in personal if name not in ("mode", "columns", "key", "assigned")]:
        raise SnapshotError(f"'personal' has {unknown[0]!r:.80}, an unknown key")
    columns = _mapping("personal.columns", personal.get("columns"))
    known = [("mode", personal.get("mode"), get_args(Mode))]
    known += [(f"columns.{name}", treatment, get_args(Treatment)) for name, treatment in columns.items()]
    for name, value, choices in known:
        if value not in choices:
            raise SnapshotError(f"'personal.{name}' is {value!r:.80}, not one of {', '.join(choices)}")
    if not isinstance(key := personal.get("key"), str | None):
        raise SnapshotError(f"'personal.key' is {key!r:.80}, not a text or null")
    assigned = personal.get("assigned", [])
    if not isinstance(assigned, list) or not all(isinstance(name, str) for name in assigned):
        raise SnapshotError(f"'personal.assigned' is {assigned!r:.80}, not a list of names")


def _require_drift(drift: Any) -> None:
    """Require what `Drift.as_dict` returns; each part may be absent."""
    drift = _mapping("drift", drift)
    if unknown := [name for name in drift if name not in ("looked_at", "unknown", "seen", "unlisted")]:
        raise SnapshotError(f"'drift' has {unknown[0]!r:.80}, an unknown key")
    for name in ("looked_at", "unlisted"):
        _require_count(f"drift.{name}", drift.get(name, 0))
    for path, found in _mapping("drift.unknown", drift.get("unknown", {})).items():
        if not isinstance(found, list | tuple) or len(found) != 2 or not isinstance(found[1], str):
            raise SnapshotError(f"'drift.unknown.{path:.80}' is {found!r:.80}, not a count and a type")
        _require_count(f"drift.unknown.{path:.80}", found[0])
    if not isinstance(seen := drift.get("seen", []), list | tuple) or not all(isinstance(path, str) for path in seen):
        raise SnapshotError(f"'drift.seen' is {seen!r:.80}, not a list of texts")


def _digest(values: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(values := dict(pairs)) != len(pairs):
        raise ValueError("an object has the same key twice")
    return values


def _require_keys(values: Any, names: Iterable[str]) -> None:
    names = tuple(names)
    if not isinstance(values, Mapping):
        raise SnapshotError(f"{values!r:.80} is not an object")
    if missing := [name for name in names if name not in values]:
        raise SnapshotError(f"{missing[0]!r} is missing")
    if unknown := [name for name in values if name not in names]:
        raise SnapshotError(f"{unknown[0]!r:.80} is an unknown key; known are {', '.join(names)}")


def _mapping(name: str, values: Any) -> Mapping[str, Any]:
    if not isinstance(values, Mapping):
        raise SnapshotError(f"{name!r} is {values!r:.80}, not an object")
    return values


def _require_count(name: str, n: object) -> None:
    if type(n) is not int or not 0 <= n <= MOST:
        raise SnapshotError(f"{name!r} is {n!r:.80}, not a count")


def _require_name(key: str, name: str) -> None:
    if name in ("", ".", "..") or "/" in name or "\\" in name or not name.isprintable():
        raise SnapshotError(f"{key!r} has {name!r:.80}, which is not a plain name")


def _instant(name: str, text: Any) -> datetime:
    try:
        at = datetime.fromisoformat(text)
        return at.astimezone(UTC) if at.tzinfo else at
    except (TypeError, ValueError, OverflowError):
        raise SnapshotError(f"{name!r} is {text!r:.80}, not an instant such as 2026-11-23T18:48:00+00:00") from None
