"""A disk that is really full: a small file system in memory, with a little more space from trial to trial."""

from __future__ import annotations

import subprocess
from contextlib import suppress

import pytest
from hard.operations import SAVED
from hard.trials import Deals
from hard.worlds import age, archived, assert_told, loaded, remains, snapshots

SIZE = 512
"""Kibibytes of the file system."""

STEP = 4
"""Kibibytes by which the free space grows: a page."""


@pytest.fixture
def disk(folder):
    """Mount a small file system; only root may."""
    place = folder / "disk"
    place.mkdir()
    Deals().save(folder / SAVED)
    command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}k", "tmpfs", place]
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("there is no mount command")
    if done.returncode:
        pytest.skip(f"a small file system cannot be mounted here: {done.stderr.strip()}")
    (place / SAVED).symlink_to(folder / SAVED)
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


def fill(disk, free):
    """Leave so many kibibytes free; the file that takes the rest."""
    taken = disk / "taken"
    taken.unlink(missing_ok=True)
    with taken.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(4096)):
            pass
    with taken.open("r+b") as file:
        file.truncate(max(0, taken.stat().st_size // 4096 * 4096 - free * 1024))
    return taken


@pytest.mark.hard
@pytest.mark.parametrize("operation", ["save", "fetch"])
def test_a_full_disk_loses_nothing(operation, world, disk, record_property):
    """The first save makes the secret, too: with no space at all that is what fails."""
    problems, n = [], 0
    for free in range(0, SIZE, STEP):
        case = disk / f"case-{free}"
        case.mkdir()
        taken = fill(disk, free)
        n += 1
        begun = len(world.server.requests)
        report = world.run(operation, case)
        taken.unlink()  # SQLite needs space to read, too
        try:
            kept = archived(case) or {}
            assert_told(report, case)
            assert not remains(case), remains(case)
            assert len(snapshots(case)) == (operation == "save" and "result" in report)
            again = len(world.server.requests)
            assert "result" in world.run(operation, case), "once there is space again"
            assert operation == "fetch" or loaded(case)["deals"] == 11
            assert not set(kept) & set(world.requested(again)), "kept, and requested again"
            assert len(world.requested(begun)) - len(set(world.requested(begun))) <= 5, "few are requested twice"
        except Exception as error:  # noqa: BLE001 - also one that reading raises afterwards
            problems.append(f"{free} KiB free: {type(error).__name__}: {str(error)[:600]}")
        subprocess.run(["rm", "-rf", case], check=True)
        if "result" in report:
            break
    record_property("trials", (operation, "a full disk", n, n - len(problems)))
    assert n > 1
    assert not problems, f"{len(problems)} of {n} did not survive:\n" + "\n".join(problems)


@pytest.mark.hard
def test_what_a_kill_on_a_full_disk_leaves_is_swept(world, disk):
    """Killed, full, and a day later: the next save cleans up."""
    case = disk / "case"
    case.mkdir()
    taken = fill(disk, 60)
    world.together(case, "save", kill_after=0.01)
    taken.unlink()
    left = remains(case)
    age(case, left)
    assert "result" in world.run("save", case)
    assert not remains(case)
