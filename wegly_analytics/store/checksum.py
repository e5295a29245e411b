"""SHA-256 of published files: compared with the manifest before a file is read, once per file and process."""

from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING, Final, TypeAlias

from wegly_analytics.errors import SnapshotError

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping
    from pathlib import Path

    from wegly_analytics.store.manifest import PublishedFile

Identity: TypeAlias = tuple[int, int, int, int, int]
"""What changes with a file: device, inode, size, time of the last change of its content, and of its inode."""

SETTLED_NS: Final = 2_000_000_000
"""How old the last change of a file must be to be sure that a further one gets another time: two seconds on FAT."""

_known: Final[dict[Path, tuple[Identity, str]]] = {}
"""The SHA-256 of files that were hashed in this process; it holds as long as the identity does."""


def sha256(path: Path) -> str:
    """Compute the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def unreadable(path: Path, error: Exception) -> SnapshotError:
    """Return the error for a file that cannot be read."""
    return SnapshotError(f"{path} cannot be read: {error}; wa.verify lists what is damaged")


def check(files: Mapping[Path, PublishedFile]) -> tuple[Identity, ...]:
    """Compare files with what was published.

    Returns
    -------
    tuple
        The identity of each file; if it is the same after reading, what was read is what was checked.

    Raises
    ------
    SnapshotError
        If a file cannot be read, or its SHA-256 is not the published one.
    """
    return tuple(_check(path, published) for path, published in files.items())


def _check(path: Path, published: PublishedFile) -> Identity:
    try:
        identity = _identity(path.stat())
        remembered, digest = _known.get(path, (None, ""))
        if remembered != identity:
            digest = sha256(path)
            if _identity(path.stat()) != identity:
                raise SnapshotError(f"{path} was changed while it was read; wa.verify lists what is damaged")
            if time.time_ns() - max(identity[-2:]) > SETTLED_NS:
                _known[path] = identity, digest
    except OSError as error:
        raise unreadable(path, error) from error
    if digest != published.sha256:
        raise SnapshotError(
            f"{path} was changed after it was published: its SHA-256 is {digest[:12]}…, published was "
            f"{published.sha256[:12]}…; wa.verify lists what is damaged, check=False reads it nevertheless"
        )
    return identity


def _identity(found: os.stat_result) -> Identity:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
