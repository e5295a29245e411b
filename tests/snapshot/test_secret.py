"""The secret of pseudonyms is there whole or not at all, one for all processes, and only the user can read it."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from wegly_analytics.errors import SettingError
from wegly_analytics.snapshot.secret import read_secret

KILLED = """
import itertools, os, signal, sys
from pathlib import Path
from wegly_analytics.snapshot.secret import read_secret

def kill_at(n):
    seen = itertools.count(1)
    def hook(event, arguments):
        if (event == "open" or event.startswith("os.")) and next(seen) == n:
            os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(hook)

for n in itertools.count(1):
    child = os.fork()
    if not child:
        kill_at(n)
        read_secret(Path(sys.argv[1], str(n), "key"))
        os._exit(0)
    if not os.WIFSIGNALED(os.waitpid(child, 0)[1]):
        print(n)
        break
"""


def test_a_kill_at_any_step_leaves_no_secret_or_a_whole_one(tmp_path):
    done = subprocess.run([sys.executable, "-c", KILLED, tmp_path], capture_output=True, text=True, check=True)
    assert int(done.stdout) > 4
    for n in range(1, int(done.stdout) + 1):
        file = tmp_path / str(n) / "key"
        assert not file.exists() or len(file.read_text()) == 65
        assert len(read_secret(file)) == 32
        assert os.listdir(file.parent) == ["key"], "nothing is left"


FULL = """
import resource, signal, sys
from pathlib import Path
from wegly_analytics.snapshot.secret import read_secret
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))
read_secret(Path(sys.argv[1]))
"""


def test_a_full_disk_leaves_no_secret(tmp_path):
    done = subprocess.run([sys.executable, "-c", FULL, tmp_path / "key"], capture_output=True, text=True, check=False)
    assert "File too large" in done.stderr
    assert os.listdir(tmp_path) == []
    assert len(read_secret(tmp_path / "key")) == 32


def test_all_who_create_it_at_once_get_the_same(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(lambda _: read_secret(tmp_path / "key"), range(40)))) == 1
    assert os.listdir(tmp_path) == ["key"]


@pytest.mark.parametrize(
    ("content", "mode", "message"),
    [("", 0o600, "is empty"), ("ab", 0o600, "too short"), ("ab" * 32, 0o640, "mode 0640.*chmod 600"),
     ("ab" * 32, 0o604, "mode 0604")],
)  # fmt: skip
def test_a_secret_that_is_empty_short_or_open_is_refused(content, mode, message, tmp_path):
    (tmp_path / "key").write_text(content)
    (tmp_path / "key").chmod(mode)
    with pytest.raises(SettingError, match=message):
        read_secret(tmp_path / "key")
