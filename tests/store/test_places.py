"""Where a snapshot can be saved, who may read it, and what is left when a step fails."""

import itertools
import os
import stat
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from publishing import TABLES, publish

from wegly_analytics.store import parquet
from wegly_analytics.store.verify import problems


def run(program, *arguments):
    """Run a program in a process of its own, with the tests' own modules."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([*sys.path, str(Path(__file__).parents[1])])}
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def modes(folder):
    return {stat.S_IMODE(path.stat().st_mode) for path in [folder, *folder.rglob("*")] if path.is_dir()}, {
        stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*") if path.is_file()
    }


@pytest.mark.parametrize("umask", [0o077, 0o022, 0o000])
def test_the_mode_of_files_is_stated_whatever_the_umask(umask, tmp_path):
    from publishing import describe

    before = os.umask(umask)
    try:
        paths = [parquet.write(tmp_path, TABLES, describe, private=private) for private in (False, True)]
    finally:
        os.umask(before)
    assert [modes(path) for path in paths] == [({0o755}, {0o644}), ({0o700}, {0o600})]


@pytest.fixture
def mounted(tmp_path):
    root = tmp_path / "mounted"
    root.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "none", root], capture_output=True, check=False).returncode:
        pytest.skip("mounting is not permitted")
    yield root
    subprocess.run(["umount", root], check=True)


def assert_staged_inside_and_unseen(root):
    path = publish(root)
    assert list(problems(path, TABLES)) == []
    assert [each.name for each in root.iterdir()] == [path.name]
    with parquet.writing(root) as writer:
        writer.add(TABLES)
        writer.add(TABLES)  # the first batch is written when this returns
        assert writer.folder.parent == root
        assert duckdb.sql(f"select deal_id, value from read_parquet('{root}/**/deals/*.parquet')").fetchall() == [
            ("a", 1.0),
            ("b", 2.0),
        ]
    assert [each.name for each in root.iterdir()] == [path.name]


def test_a_mount_point_can_be_saved_to(mounted):
    assert_staged_inside_and_unseen(mounted)


def test_a_folder_that_is_mounted_a_second_time_can_be_saved_to(tmp_path, mounted):
    """Both have the same device number, and a rename across them fails nevertheless."""
    (tmp_path / "source").mkdir()
    (mounted / "a").mkdir()
    (mounted / "root").mkdir()
    subprocess.run(["mount", "--bind", mounted / "a", mounted / "root"], check=True)
    try:
        assert_staged_inside_and_unseen(mounted / "root")
    finally:
        subprocess.run(["umount", mounted / "root"], check=True)


def test_a_folder_whose_parent_cannot_be_written_can_be_saved_to():
    shared = Path("/dev/shm")
    if os.getuid() or not shared.is_dir():
        pytest.skip("only root can become another user")
    parent = shared / f"wegly-parent-{os.getpid()}"
    (parent / "root").mkdir(parents=True)
    os.chown(parent / "root", 65534, 65534)
    try:
        program = "import os, sys, publishing; os.setresuid(*[65534] * 3); print(publishing.publish(sys.argv[1]))"
        assert run(program, parent / "root").returncode == 0
        assert len(list((parent / "root").iterdir())) == 1
        assert os.listdir(parent) == ["root"]
    finally:
        subprocess.run(["rm", "-r", parent], check=True)


FAILING = """
import itertools, os, sys
import pyarrow
pyarrow.set_cpu_count(1)
from publishing import publish
from wegly_analytics.errors import SnapshotError

def fail_at(n):
    seen = itertools.count(1)
    def hook(event, arguments):
        if (event == "open" or event.startswith("os.")) and next(seen) == n:
            raise OSError(5, "Input/output error")
    sys.addaudithook(hook)

for n in itertools.count(1):
    root = f"{sys.argv[1]}/{n}/snapshots"
    child = os.fork()
    if not child:
        fail_at(n)
        try:
            publish(root)
        except SnapshotError as error:
            os.write(1, f"{n}\\t{error}\\n".encode())
        os._exit(0)
    os.waitpid(child, 0)
    if n == 45:
        break
"""


@pytest.mark.hard
def test_a_step_that_fails_leaves_nothing_or_says_that_it_was_published(tmp_path):
    done = run(FAILING, tmp_path)
    assert done.returncode == 0, done.stderr
    said = dict(line.split("\t", 1) for line in done.stdout.splitlines())
    for n in range(1, 46):
        found = list((tmp_path / str(n)).glob("snapshots/snapshot=*"))
        message = said.get(str(n), "")
        assert ("nothing was left" in message) == (not found), message
        assert not message or ("nothing was left" in message) != ("not known to be durable" in message)
        assert not found or list(problems(found[0], TABLES)) == []
    assert any("was published, but it is not known to be durable" in message for message in said.values())
    assert len(said) > 15
    assert "45" not in said, "the last step was reached"


def test_published_at_never_goes_back_when_a_folder_was_renamed(tmp_path):
    from wegly_analytics.store.manifest import Manifest

    first = publish(tmp_path)
    first.rename(tmp_path / "snapshot=copy")
    paths = [publish(tmp_path) for _ in range(5)]
    at = [Manifest.read(path).published_at for path in [tmp_path / "snapshot=copy", *paths]]
    assert all(a < b for a, b in itertools.pairwise(at))
