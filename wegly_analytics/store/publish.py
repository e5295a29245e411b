"""A folder written completely or not at all: staged beside the root, synced to disk, published by one rename.

The staging folder is a sibling of the root: on the same file system, so that it can be renamed, and outside the root,
because some tools read hidden folders too. Readers of the root never see an incomplete snapshot. A process that is
killed leaves only its staging folder, which a later publication removes.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wegly_analytics.errors import SettingError, SnapshotError
from wegly_analytics.store.manifest import NAME as MANIFEST

if TYPE_CHECKING:
    from collections.abc import Iterator

PREFIX: Final = "snapshot="
"""How the name of a published folder begins; Hive-style, so that readers get a `snapshot` column."""

STAGING: Final = ".staging-"

STALE_SECONDS: Final = 24 * 3600
"""The age after which a staging folder is taken for that of a dead process."""

_TIME_FORMAT: Final = "%Y%m%dT%H%M%S.%fZ"


@dataclass(frozen=True)
class Staging:
    """A folder that is being written.

    Parameters
    ----------
    root
        The folder of snapshots, as the user named it.
    folder
        Where to write; invisible to readers of the root.
    """

    root: Path
    folder: Path

    def next_instant(self) -> datetime:
        """Return the time of publication: later than every snapshot in the root, whatever the clock shows."""
        now = datetime.now(UTC)
        for path in self.root.glob(f"{PREFIX}*"):
            name = path.name.removeprefix(PREFIX).partition("-")[0]
            with suppress(ValueError):  # other folders may have such names
                now = max(now, datetime.strptime(name, _TIME_FORMAT).replace(tzinfo=UTC) + timedelta(microseconds=1))
        return now

    def publish(self, at: datetime) -> Path:
        """Make everything that was written durable, and publish it by one rename.

        Returns
        -------
        pathlib.Path
            The folder, ``snapshot=20261123T184800.123456Z-3f9a``: names sort by time of publication.
        """
        for folder, _, names in os.walk(self.folder, topdown=False):
            for name in names:
                sync(Path(folder, name))
            sync(Path(folder))
        while (path := self.root / f"{PREFIX}{at.strftime(_TIME_FORMAT)}-{secrets.token_hex(2)}").exists():
            pass
        self.folder.rename(path)
        try:
            sync(self.root)
        except OSError as error:
            raise SnapshotError(
                f"{path} was published, but the disk did not confirm it ({error.strerror}): check it with wa.verify"
            ) from error
        return path


def writable_root(root: object) -> Path:
    """Turn what the user passed to `Snapshot.save` into a path, before anything is written.

    Raises
    ------
    SettingError
        If it cannot be a folder of snapshots.
    """
    example = 'name the folder of snapshots, such as save("data/snapshots")'
    if not isinstance(root, str | os.PathLike) or not str(root).strip():
        raise SettingError(f"save({root!r:.80}): {example}")
    path = Path(root).absolute()
    if path.is_file():
        raise SettingError(f"{path} is a file: {example}")
    if not _target(path).name:
        raise SettingError(f"save({str(root)!r}): snapshots are staged beside their folder; {example}")
    if (path / MANIFEST).exists():
        raise SettingError(f"{path} is one snapshot and never changes: name its root, save({str(path.parent)!r})")
    return path


@contextmanager
def staged(root: str | Path) -> Iterator[Staging]:
    """Create a staging folder beside `root`, and remove it if it was not published.

    Parameters
    ----------
    root
        The folder of snapshots; created if it does not exist.

    Raises
    ------
    SettingError
        If `root` cannot be a folder of snapshots.
    SnapshotError
        If the disk is full or the folder cannot be written; nothing is left there then.
    """
    given = writable_root(root)
    try:
        place = _target(given)
        place.mkdir(parents=True, exist_ok=True)
        _sweep(place)
        staging = Staging(given, place.with_name(f"{place.name}{STAGING}{secrets.token_hex(4)}"))
        staging.folder.mkdir()
        try:
            yield staging
        finally:
            shutil.rmtree(staging.folder, ignore_errors=True)  # already gone if it was published
    except OSError as error:
        remedy = f"; {given} is a mount point: name a folder in it" if error.errno == errno.EXDEV else ""
        raise SnapshotError(
            f"cannot write a snapshot to {given}: {error.strerror or error}; nothing was left{remedy}"
        ) from error


def _target(path: Path) -> Path:
    """Follow symlinks: the staging folder must lie on the same file system as the folder itself."""
    return Path(os.path.realpath(path))


def _sweep(place: Path) -> None:
    for path in place.parent.iterdir():
        if path.name.startswith(f"{place.name}{STAGING}"):
            with suppress(FileNotFoundError):  # another process sweeps too
                if time.time() - path.stat().st_mtime > STALE_SECONDS:
                    shutil.rmtree(path, ignore_errors=True)


def sync(path: Path) -> None:
    """Make a file, or the names in a folder, durable."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
