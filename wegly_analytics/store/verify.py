"""Problems of a published folder: every file is compared with the manifest, byte by byte."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from wegly_analytics.errors import SnapshotError
from wegly_analytics.store.checksum import sha256
from wegly_analytics.store.manifest import NAME as MANIFEST
from wegly_analytics.store.manifest import Manifest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from wegly_analytics.store.manifest import PublishedFile, PublishedTable

Kind = Literal["no manifest", "damaged manifest", "missing", "unreadable", "changed", "wrong row count", "extra"]


@dataclass(frozen=True)
class Problem:
    """One problem of a published folder.

    Parameters
    ----------
    problem
        ``"no manifest"``; ``"damaged manifest"``, one that cannot be read or is not valid; a file that is
        ``"missing"``, ``"unreadable"``, ``"changed"`` (its SHA-256 differs) or ``"extra"`` (not in the manifest); a
        table with a ``"wrong row count"``.
    path
        The file or, for a row count, the folder of the table.
    detail
        What was found, and what was published.
    table
        The table it belongs to, if any.
    """

    problem: Kind
    path: Path
    detail: str
    table: str | None = None


def problems(folder: Path, required: Iterable[str] = ()) -> Iterator[Problem]:
    """Find everything that is wrong with one published folder; nothing stops the search.

    Parameters
    ----------
    folder
        The folder of one snapshot.
    required
        Tables that its manifest must list.

    Yields
    ------
    Problem
        One for each file, in the order of the manifest; extra files last. With a damaged manifest its files cannot be
        judged, so the manifest is the only problem.
    """
    path = folder / MANIFEST
    try:
        is_missing = not path.exists()
    except OSError as error:
        yield _unreadable(path, error)
        return
    if is_missing:
        yield Problem("no manifest", path, "an interrupted copy, or a deleted file; nothing loads this folder")
        return
    try:
        manifest = Manifest.read(folder, required)
    except SnapshotError as error:
        yield Problem(
            "damaged manifest", path, str(error).removeprefix(f"{path}: ").removeprefix(f"{path} is damaged: ")
        )
        return
    for name, table in manifest.tables.items():
        for file, published in table.files.items():
            yield from _file(folder / name / file, name, published)
        yield from _rows(folder / name, name, table)
    yield from _extra(folder, manifest)


def _extra(folder: Path, manifest: Manifest) -> Iterator[Problem]:
    """Find files that are not in the manifest; nothing that cannot be looked at is taken for one of them."""
    path = folder / MANIFEST
    listed = {path} | {folder / name / file for name, table in manifest.tables.items() for file in table.files}
    try:
        found = sorted(p for p in folder.rglob("*") if p not in listed and (p.is_symlink() or not p.is_dir()))
    except OSError as error:
        yield _unreadable(folder, error)
        return
    for extra in found:
        table_name = extra.relative_to(folder).parts[0]
        detail = "not in the manifest; readers of the whole folder may take it for data"
        yield Problem("extra", extra, detail, table_name if table_name in manifest.tables else None)


def _unreadable(path: Path, error: OSError, table: str | None = None) -> Problem:
    return Problem("unreadable", path, error.strerror or str(error), table)


def _file(path: Path, table: str, published: PublishedFile) -> Iterator[Problem]:
    try:
        if not path.is_file():
            yield Problem("missing", path, f"published with {published.bytes} bytes", table)
            return
        size, digest = path.stat().st_size, sha256(path)
    except OSError as error:
        yield _unreadable(path, error, table)
        return
    if digest != published.sha256:
        found = f"{size} bytes with SHA-256 {digest[:12]}…"
        yield Problem(
            "changed", path, f"{found}, published were {published.bytes} with {published.sha256[:12]}…", table
        )
    elif size != published.bytes:
        yield Problem("damaged manifest", path, f"{size} bytes as published, listed are {published.bytes}", table)


def _rows(folder: Path, name: str, table: PublishedTable) -> Iterator[Problem]:
    """Compare the rows in the footers, as far as all of them can be read; a file that cannot be is reported itself."""
    try:
        rows = sum(pq.read_metadata(folder / file).num_rows for file in table.files)
    except (OSError, ValueError, pa.ArrowException):
        return
    if rows != table.rows:
        yield Problem("wrong row count", folder, f"{rows} rows, published were {table.rows}", name)
