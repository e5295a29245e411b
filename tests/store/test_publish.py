"""A folder is published whole or not at all: after a kill, on a full disk, by several publishers at once."""

import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from publishing import TABLES, describe, publish

from wegly_analytics.errors import SettingError, SnapshotError
from wegly_analytics.store import parquet
from wegly_analytics.store.manifest import Manifest
from wegly_analytics.store.verify import problems


@pytest.fixture
def root(tmp_path):
    return tmp_path / "data" / "snapshots"


def run(program, *arguments):
    """Run a program in a process of its own, with the tests' own modules."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([*sys.path, str(Path(__file__).parents[1])])}
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_a_folder_is_published_under_a_name_that_sorts_by_time(root):
    paths = [publish(root) for _ in range(3)]
    assert paths == sorted(paths)
    assert all(re.fullmatch(r"snapshot=\d{8}T\d{6}\.\d{6}Z-[0-9a-f]{4}", path.name) for path in paths)
    assert {path.parent for path in paths} == {root}
    assert os.listdir(root.parent) == ["snapshots"], "nothing is left beside the root"


KILLED = """
import itertools, os, signal, sys
import pyarrow
pyarrow.set_cpu_count(1)
from publishing import publish

def kill_at(n):
    seen = itertools.count(1)
    def hook(event, arguments):
        if (event == "open" or event.startswith(("os.", "shutil."))) and next(seen) == n:
            os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(hook)

for n in itertools.count(1):
    child = os.fork()
    if not child:
        kill_at(n)
        publish(f"{sys.argv[1]}/{n}/snapshots")
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if not os.WIFSIGNALED(status):
        print(n)
        sys.exit(os.waitstatus_to_exitcode(status))
"""


@pytest.mark.hard
def test_a_process_that_is_killed_at_any_step_leaves_no_half_snapshot(tmp_path):
    """A child is killed before its first step on the file system, before its second, and so on to the last."""
    done = run(KILLED, tmp_path)
    assert done.returncode == 0, done.stderr
    steps = int(done.stdout)
    assert steps > 15
    visible = [list((tmp_path / str(n)).glob("snapshots/*")) for n in range(1, steps + 1)]
    counts = [len(paths) for paths in visible]
    assert counts == sorted(counts), "nothing, and from the rename on all of it"
    assert set(counts) == {0, 1}
    for path in (path for paths in visible for path in paths):
        assert path.name.startswith("snapshot=")
        assert list(problems(path, TABLES)) == []


def test_several_publishers_at_once_lose_nothing(root):
    with ThreadPoolExecutor(6) as pool:
        paths = list(pool.map(lambda _: publish(root), range(30)))
    assert sorted(paths) == sorted(root.iterdir())
    assert all(not list(problems(path, TABLES)) for path in paths)
    assert os.listdir(root.parent) == ["snapshots"]


FULL = """
import resource, signal, sys
from publishing import publish
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
publish(sys.argv[1])
"""


@pytest.mark.parametrize("limit", [100, 800], ids=["the first table", "the manifest"])
def test_a_full_disk_leaves_nothing(root, limit):
    """A limit on the size of files stands for a full disk; in a child, because the limit cannot be lifted again."""
    done = run(FULL, root, limit)
    assert re.search(
        rf"SnapshotError: cannot write a snapshot to {root}: .*File too large; nothing was left", done.stderr
    )
    assert list(root.iterdir()) == []
    assert os.listdir(root.parent) == ["snapshots"]


def left_behind(root, age_in_hours, name="dead"):
    """A staging folder as a process leaves it that dies."""
    folder = root.with_name(f"{root.name}.staging-{name}")
    (folder / "deals").mkdir(parents=True)
    then = time.time() - age_in_hours * 3600
    os.utime(folder, (then, then))
    return folder


@pytest.mark.parametrize("name", ["snapshots", "[2026] *", "a b%20é"])
def test_what_a_dead_process_left_is_swept_when_it_is_stale(tmp_path, name):
    root = tmp_path / name
    stale, fresh = left_behind(root, 25, "stale"), left_behind(root, 23, "fresh")
    another = left_behind(tmp_path / "other", 25)
    publish(root)
    assert (stale.exists(), fresh.exists(), another.exists()) == (False, True, True)


def test_publication_never_goes_back_within_a_root(root):
    (root / "snapshot=29990101T000000.000000Z-beef").mkdir(parents=True)
    (root / "snapshot=of another tool").mkdir()
    paths = [publish(root) for _ in range(2)]
    assert [path.name[:32] for path in paths] == [f"snapshot=29990101T000000.{n:06}Z" for n in (1, 2)]
    assert [Manifest.read(path).published_at.microsecond for path in paths] == [1, 2]


def test_the_staging_folder_of_a_symlink_lies_beside_its_target(tmp_path):
    """So that it can be renamed when the target lies on another file system."""
    (tmp_path / "disk").mkdir()
    root = tmp_path / "link"
    root.symlink_to(tmp_path / "disk" / "snapshots")
    left_behind(tmp_path / "disk" / "snapshots", 25)
    path = publish(root)
    assert path.parent == root
    assert list(problems(path, TABLES)) == []
    assert os.listdir(tmp_path / "disk") == ["snapshots"]


def test_a_link_to_another_file_system_can_be_published_to(tmp_path):
    shared_memory = Path("/dev/shm")
    if not shared_memory.is_dir() or shared_memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second file system")
    target = shared_memory / f"wegly-{os.getpid()}"
    target.mkdir()
    try:
        (tmp_path / "link").symlink_to(target / "snapshots")
        assert list(problems(publish(tmp_path / "link"), TABLES)) == []
    finally:
        subprocess.run(["rm", "-r", target], check=True)


def test_a_failure_in_the_middle_leaves_nothing(root):
    def fail(published_at, files):
        raise RuntimeError("no manifest today")

    with pytest.raises(RuntimeError, match="no manifest today"):
        parquet.write(root, TABLES, fail)
    assert list(root.iterdir()) == []
    assert os.listdir(root.parent) == ["snapshots"]


MISTAKES = {
    "an empty name": (lambda p: "", SettingError, r"save\(''\): name the folder of snapshots, such as save"),
    "blanks": (lambda p: " ", SettingError, "name the folder of snapshots"),
    "nothing": (lambda p: None, SettingError, r"save\(None\): name the folder of snapshots"),
    "a number": (lambda p: 3, SettingError, r"save\(3\): name the folder"),
    "a file": (lambda p: p / "file", SettingError, "file is a file: name the folder of snapshots"),
    "below a file": (lambda p: p / "file" / "root", SnapshotError, "cannot write .*file/root: Not a directory"),
    "a link to a file": (lambda p: p / "link", SettingError, "link is a file"),
    "one snapshot": (lambda p: p / "snapshot=x", SettingError, "is one snapshot and never changes: name its root"),
    "the file system": (lambda p: "/", SettingError, "the top of the file system is no folder of snapshots"),
    "a link to itself": (lambda p: p / "loop", SnapshotError, "cannot write a snapshot to .*loop"),
}  # fmt: skip


@pytest.mark.parametrize(("place", "error", "message"), MISTAKES.values(), ids=MISTAKES)
def test_a_root_that_cannot_be_one_is_refused_and_nothing_is_left(place, error, message, tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "snapshot=x").mkdir()
    (tmp_path / "snapshot=x" / "_manifest.json").write_text("{}")
    before = sorted(os.listdir(tmp_path))
    with pytest.raises(error, match=message):
        publish(place(tmp_path))
    assert sorted(os.listdir(tmp_path)) == before


def test_a_root_in_the_working_folder_may_be_named_relatively(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert publish("snapshots").parent == tmp_path / "snapshots"
    assert Manifest.read(publish("snapshots"), TABLES).filters == ()


def test_the_manifest_describes_the_files(root):
    manifest = Manifest.read(publish(root))
    assert {name: table.rows for name, table in manifest.tables.items()} == {"deals": 2, "tags": 0}
    assert manifest == describe(manifest.published_at, manifest.tables)


def test_what_was_written_is_read_again_in_the_same_batches(root):
    deals = TABLES["deals"]
    with parquet.writing(root) as writer:
        for n in (2, 0, 1):
            writer.add({"deals": deals.slice(0, n)})
        assert [table.to_pydict() for table in writer.batches("deals")] == [
            {"deal_id": ["a", "b"], "value": [1.0, 2.0]},
            {"deal_id": [], "value": []},
            {"deal_id": ["a"], "value": [1.0]},
        ]
        assert next(writer.batches("deals", ["value"])).to_pydict() == {"value": [1.0, 2.0]}
        assert list(writer.batches("tags")) == [], "nothing was added to it"
    assert os.listdir(root.parent) == ["snapshots"]
