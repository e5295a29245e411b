"""A folder of snapshots: what it contains, and which snapshot to load."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wegly_analytics.errors import DamagedWarning, SettingError, SnapshotError
from wegly_analytics.snapshot.sources import ALL_TABLES
from wegly_analytics.store.manifest import NAME as MANIFEST
from wegly_analytics.store.manifest import Manifest
from wegly_analytics.store.publish import PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class Published:
    """One snapshot on disk.

    Parameters
    ----------
    folder
        Its folder.
    manifest
        What the folder states about itself.
    """

    folder: Path
    manifest: Manifest

    @classmethod
    def read(cls, folder: Path) -> Published:
        """Read the manifest of a folder.

        Raises
        ------
        SnapshotError
            If it is damaged, or a newer version wrote it.
        """
        return cls(folder, Manifest.read(folder, ALL_TABLES))

    @property
    def name(self) -> str:
        """The name that `load(root, at=...)` takes."""
        return name_of(self.folder)

    @property
    def is_whole(self) -> bool:
        """Whether no deal was excluded by `Snapshot.where`."""
        return not self.manifest.filters


def name_of(folder: Path) -> str:
    """Return the name of the snapshot in a folder."""
    return folder.name.removeprefix(PREFIX)


@contextmanager
def reading(root: object) -> Iterator[None]:
    """Turn the failure of a disk or a missing permission, wherever it is met, into an error that names the place."""
    try:
        yield
    except OSError as error:
        where, why = error.filename or root, error.strerror or error
        raise SnapshotError(f"{where} cannot be read: {why}; check the disk and the permissions of {root}") from error


def checked_root(root: object, function: str) -> Path:
    """Turn what the user passed into a path.

    Raises
    ------
    SettingError
        If it is not the name of a folder.
    SnapshotError
        If it is a file, or does not exist.
    """
    example = f'name the folder of snapshots, such as {function}("data/snapshots")'
    if not isinstance(root, str | Path) or not str(root).strip():
        raise SettingError(f"{function}({root!r:.80}): {example}")
    path = Path(root)
    if path.is_file():
        hint = "wa.read(...) reads saved responses" if function in ("load", "scan") else example
        raise SnapshotError(f"{path} is a file, not a folder of snapshots; {hint}")
    if not path.is_dir():
        raise SnapshotError(f"{path} does not exist: Snapshot.save or `wegly fetch` creates a folder of snapshots")
    return path


def folders(root: Path, *, with_manifest: bool = True) -> list[Path]:
    """List the folders of the snapshots under a root, in the order of publication.

    Parameters
    ----------
    root
        The folder of snapshots, or the folder of one snapshot.
    with_manifest
        Skip folders without a manifest.
    """
    if root.name.startswith(PREFIX) or (root / MANIFEST).exists():
        return [root]
    found = sorted(path for path in root.glob(f"{PREFIX}*") if path.is_dir())
    return [path for path in found if _exists(path / MANIFEST)] if with_manifest else found


def _exists(path: Path) -> bool:
    """Whether there is something of that name, also if it cannot be read."""
    try:
        path.lstat()
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return True


def readable(root: Path, stacklevel: int, damaged: dict[Path, SnapshotError] | None = None) -> list[Published]:
    """Read the manifests under a root; a warning names one that is damaged, and `damaged` collects it."""
    found = []
    for folder in folders(root):
        try:
            found.append(Published.read(folder))
        except SnapshotError as error:
            if damaged is not None:
                damaged[folder] = error
            warnings.warn(f"skipped: {error}", DamagedWarning, stacklevel=stacklevel + 1)
    return found


def chosen(root: Path, at: str | datetime | None, stacklevel: int) -> Published:
    """Choose the snapshot of that name, the last whole one, or the one that was the last at some time.

    Raises
    ------
    SettingError
        If `at` is neither a name nor an instant, or `root` is itself one snapshot.
    SnapshotError
        If there is none, or it is damaged.
    """
    present = folders(root)
    if present == [root]:
        if at is not None:
            raise SettingError(f"{root} is one snapshot; pass its root to choose by at={at!r}")
        return Published.read(root)
    if isinstance(at, str) and (named := [folder for folder in present if at in (folder.name, name_of(folder))]):
        return Published.read(named[0])
    latest = None if at is None else _instant(at)
    snapshots = readable(root, stacklevel + 1)
    if present and not snapshots:
        return Published.read(present[-1])  # raises what is wrong with it
    whole = [each for each in snapshots if each.is_whole]
    if candidates := [each for each in whole if latest is None or each.manifest.taken_at <= latest]:
        return max(candidates, key=by_publication if latest is None else _by_time)
    raise _none(root, at, present, snapshots)


def no_snapshot(root: Path) -> SnapshotError:
    """Return the error for a folder without snapshots, with a hint where one may be."""
    if (root.parent / MANIFEST).exists():
        hint = f"it is a table of the snapshot {root.parent}"
    elif nested := next(root.glob(f"*/{PREFIX}*"), None):
        hint = f"did you mean {nested.parent}?"
    else:
        hint = "Snapshot.save or `wegly fetch` publishes one there"
    return SnapshotError(f"{root} holds no snapshot; {hint}")


def by_publication(each: Published) -> Any:
    """Order snapshots by publication: the last one is the newest."""
    return each.manifest.published_at, each.folder.name


def _by_time(each: Published) -> Any:
    return each.manifest.taken_at, by_publication(each)


def _none(root: Path, at: object, present: list[Path], snapshots: list[Published]) -> SnapshotError:
    if not present:
        return no_snapshot(root)
    whole = [each for each in snapshots if each.is_whole]
    if not whole:
        return SnapshotError(
            f"{root} holds no whole snapshot, only {len(snapshots)} filtered by where(): choose one by name, as in "
            f"at={snapshots[-1].name!r}"
        )
    first = min(each.manifest.taken_at for each in whole)
    return SnapshotError(f"{root} holds no snapshot taken by {at}; the first was taken at {first:%Y-%m-%dT%H:%M:%SZ}")


def _instant(at: Any) -> datetime:
    try:
        instant = at if isinstance(at, datetime) else datetime.fromisoformat(at.strip())
    except (TypeError, ValueError, AttributeError):
        raise SettingError(
            f"at={at!r} is neither an instant such as '2026-11-23' nor the name of a snapshot, as wa.snapshots lists it"
        ) from None
    if isinstance(at, str) and len(at.strip()) <= len("2026-11-23"):
        instant = instant.replace(hour=23, minute=59, second=59, microsecond=999999)
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)
