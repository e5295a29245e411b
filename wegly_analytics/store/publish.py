"""A folder written completely or not at all: staged, synced to disk, published by one rename.

The staging folder is a sibling of the root where a rename from there works: outside the root, because some tools read
hidden folders too. Where it does not (the root is a mount point, or its parent cannot be written), it is a hidden
folder in the root. Until the last moment the names of its files end in `.partial`, so that patterns such as
`**/deals/*.parquet` do not find them. Readers of the root never see an incomplete snapshot. A process that is killed
leaves only its staging folder, which a later publication removes.
"""

from __future__ import annotations

import fcntl
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
from wegly_analytics.store.manifest import Manifest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PREFIX: Final = "snapshot="
"""How the name of a published folder begins; Hive-style, so that readers get a `snapshot` column."""

STAGING: Final = ".staging-"

PARTIAL: Final = ".partial"
"""How the name of a staged file ends."""

STALE_SECONDS: Final = 24 * 3600
"""The age after which a staging folder is taken for that of a dead process."""

_TIME_FORMAT: Final = "%Y%m%dT%H%M%S.%fZ"
_TICK: Final = timedelta(microseconds=1)


@dataclass(frozen=True)
class Staging:
    """A folder that is being written.

    Parameters
    ----------
    root
        The folder of snapshots, as the user named it.
    folder
        Where to write files, each with a name that ends in `PARTIAL`; only the user can read it.
    """

    root: Path
    folder: Path

    def publish(self, manifest: Callable[[datetime], str], *, private: bool) -> Path:
        """Make everything that was written durable, and publish it by one rename.

        Parameters
        ----------
        manifest
            Makes the text of the manifest, given the time of publication.
        private
            Whether only the user may read the files: modes 0700 and 0600 instead of 0755 and 0644.

        Returns
        -------
        pathlib.Path
            The folder, ``snapshot=20261123T184800.123456Z-3f9a``: names sort by time of publication.

        Raises
        ------
        SnapshotError
            If the folder was published, but the disk did not confirm it.
        """
        folder_mode, file_mode = (0o700, 0o600) if private else (0o755, 0o644)
        tables = sorted(path for path in self.folder.iterdir() if path.is_dir())
        for file in (file for table in tables for file in table.iterdir()):
            file.chmod(file_mode)
            sync(file)
        with _turn(self.root):
            at = _next_instant(self.root)
            path = self.folder / MANIFEST
            path.write_text(manifest(at), encoding="utf-8")
            path.chmod(file_mode)
            sync(path)
            for table in tables:
                for file in table.iterdir():
                    file.rename(file.with_name(file.name.removesuffix(PARTIAL)))
                table.chmod(folder_mode)
                sync(table)
            self.folder.chmod(folder_mode)
            sync(self.folder)
            while (path := self.root / f"{PREFIX}{at.strftime(_TIME_FORMAT)}-{secrets.token_hex(2)}").exists():
                pass
            self.folder.rename(path)
            try:
                sync(self.root)
            except OSError as error:
                raise SnapshotError(
                    f"{path} was published, but it is not known to be durable: the disk did not confirm it "
                    f"({error.strerror or error}); check it with wa.verify"
                ) from error
        return path


@contextmanager
def _turn(root: Path) -> Iterator[None]:
    """Wait for other publishers: a time of publication is chosen and made visible before the next one is chosen."""
    handle = os.open(root, os.O_RDONLY)
    try:
        with suppress(OSError):  # some network file systems cannot lock a folder
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        with suppress(OSError):  # nothing was written through it
            os.close(handle)


def _next_instant(root: Path) -> datetime:
    """Return the time of publication: later than every snapshot in the root, whatever the clock shows."""
    now = datetime.now(UTC)
    for path in root.glob(f"{PREFIX}*"):
        # other folders may have such names, and a manifest may be damaged
        with suppress(ValueError, OverflowError):
            name = path.name.removeprefix(PREFIX).partition("-")[0]
            now = max(now, datetime.strptime(name, _TIME_FORMAT).replace(tzinfo=UTC) + _TICK)
        with suppress(SnapshotError, OverflowError):
            now = max(now, Manifest.read(path).published_at + _TICK)
    return now


def writable_root(root: object) -> Path:
    """Turn what the user passed to `Snapshot.save` into a path, before anything is written.

    Raises
    ------
    SettingError
        If it cannot be a folder of snapshots.
    SnapshotError
        If it cannot be looked at.
    """
    try:
        return _writable_root(root)
    except OSError as error:
        raise _unwritable(root, error) from error


def _writable_root(root: object) -> Path:
    example = 'name the folder of snapshots, such as save("data/snapshots")'
    if not isinstance(root, str | os.PathLike) or not str(root).strip():
        raise SettingError(f"save({root!r:.80}): {example}")
    path = Path(root).absolute()
    if path.is_file():
        raise SettingError(f"{path} is a file: {example}")
    if not _target(path).name:
        raise SettingError(f"save({str(root)!r}): the top of the file system is no folder of snapshots; {example}")
    if (path / MANIFEST).exists():
        raise SettingError(f"{path} is one snapshot and never changes: name its root, save({str(path.parent)!r})")
    return path


@contextmanager
def staged(root: str | Path) -> Iterator[Staging]:
    """Create a staging folder for `root`, and remove it if it was not published.

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
        _create(place)
        _sweep(place)
        folder = _staging_folder(place)
        try:
            yield Staging(given, folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)  # already gone if it was published
    except OSError as error:
        raise _unwritable(given, error) from error


def _unwritable(root: object, error: OSError) -> SnapshotError:
    return SnapshotError(f"cannot write a snapshot to {root}: {error.strerror or error}; nothing was left")


def try_out(root: Path) -> None:
    """Write a file in a staging folder for an existing `root`, and rename the folder into it; nothing is left there.

    Raises
    ------
    OSError
        If snapshots cannot be published there.
    """
    place = _target(root)
    folder = _staging_folder(place)
    try:
        (folder / f"trial{PARTIAL}").write_bytes(b"\n")
        folder = folder.rename(place / f"{STAGING}{secrets.token_hex(4)}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _target(path: Path) -> Path:
    """Follow symlinks: the staging folder must lie on the same file system as the folder itself."""
    return Path(os.path.realpath(path))


def _create(place: Path) -> None:
    """Create a folder and those above it, each with a name that is durable."""
    missing = [folder for folder in (place, *place.parents) if not folder.exists()]
    for folder in reversed(missing):
        folder.mkdir(exist_ok=True)
        sync(folder.parent)


def _staging_folder(place: Path) -> Path:
    """Create the staging folder where it can be renamed from: beside the root, or else in it."""
    token = secrets.token_hex(4)
    beside, inside = place.with_name(f"{place.name}{STAGING}{token}"), place / f"{STAGING}{token}"
    if _is_one_file_system(place):
        with suppress(PermissionError):
            beside.mkdir(mode=0o700)
            return beside
    inside.mkdir(mode=0o700)
    return inside


def _is_one_file_system(place: Path) -> bool:
    """Whether a folder beside `place` can be renamed into it.

    Equal device numbers are not enough: a folder may be mounted a second time elsewhere. A name that does not exist
    cannot be renamed anyway, but the error is another one across mounts.
    """
    if place.stat().st_dev != place.parent.stat().st_dev:
        return False
    name = f"{STAGING}{secrets.token_hex(8)}"
    try:
        os.rename(place.with_name(name), place / name)  # noqa: PTH104 - neither exists
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def _sweep(place: Path) -> None:
    """Remove the staging folders of dead processes, beside the root and in it."""
    for folder, prefix in ((place.parent, f"{place.name}{STAGING}"), (place, STAGING)):
        with suppress(OSError):  # the folder above may not be readable, and another process sweeps too
            for path in folder.iterdir():
                if path.name.startswith(prefix) and time.time() - path.stat().st_mtime > STALE_SECONDS:
                    shutil.rmtree(path, ignore_errors=True)


def sync(path: Path) -> None:
    """Make a file, or the names in a folder, durable."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
