"""Trials of operations in processes of their own: at the n-th call, at the same time, or measured."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from strategies import body

TESTS = Path(__file__).parents[1]
SPACE, PERMISSION, DEVICE, BYTES, CHANGE = 1, 2, 4, 8, 16
"""What a call can meet, as in `system_calls.c`."""


@dataclass(frozen=True)
class Plan:
    """What happens at the n-th call."""

    mode: str
    errno: int
    kinds: int
    n: int = 1

    @property
    def watching(self):
        """The same calls are counted, and nothing happens to them."""
        return self.at(10**9)

    @property
    def kills(self):
        return self.mode in ("before", "after", "within")

    def at(self, n):
        return replace(self, n=n)


PLANS = {
    "disk full from here on": Plan("from here on", errno.ENOSPC, SPACE),
    "disk full within a write": Plan("fill up", errno.ENOSPC, SPACE),
    "device fails once": Plan("once", errno.EIO, SPACE | PERMISSION | DEVICE),
    "permission missing once": Plan("once", errno.EACCES, PERMISSION),
    "killed before": Plan("before", 0, CHANGE),
    "killed after": Plan("after", 0, CHANGE),
    "killed within a write": Plan("within", 0, BYTES),
}


class Trials:
    """A warm process that runs trials.

    Parameters
    ----------
    folder
        Where the compiled library goes.
    """

    def __init__(self, folder):
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), str(TESTS.parent), *sys.path])}
        if library := compiled(folder):
            environment["LD_PRELOAD"] = str(library)
        command = [sys.executable, "-W", "ignore", str(Path(__file__).with_name("process.py"))]
        self.process = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.is_preloaded = json.loads(self.process.stdout.readline())["preloaded"]

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        assert self.process.wait(10) == 0

    def run(self, *children, kill_after=None, log=False):
        """Run operations at the same time: each is a dictionary as `child` makes it."""
        self.process.stdin.write(json.dumps({"children": children, "kill_after": kill_after, "log": log}) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


def child(operation, folder, url="", plan=None, *, clock=0, **arguments):
    """One operation of a trial; its clock is set so many seconds ahead."""
    given = {"operation": operation, "folder": str(folder), "url": url, "arguments": arguments, "clock": clock}
    return given | {"plan": plan and asdict(plan)}


def compiled(folder):
    """Compile the library that counts calls; None where there is no compiler."""
    compiler = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
    if compiler is None or sys.platform != "linux":
        return None
    library = Path(folder) / "system_calls.so"
    source = Path(__file__).with_name("system_calls.c")
    command = [compiler, "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", library, source, "-ldl"]
    subprocess.run(command, check=True)
    return library


class Deals:
    """Codes from 1 to `last`, every tenth a gap; every third is closed, and does not change any more.

    A higher `version` changes the open ones. With `n_open`, all above that code are closed.
    """

    def __init__(self, last=12, version=1, n_open=None):
        self.last, self.version, self.n_open = last, version, n_open

    def response(self, key, at=None):
        code = int(key) if key.isdigit() else int(key[-12:])
        if code % 10 == 0 or code > self.last:
            return None
        is_closed = code % 3 == 0 or (self.n_open is not None and code > self.n_open)
        version = 1 if is_closed else self.version
        person = {"id": f"q{code}", "name": f"Person {code % 5}", "contacts": [{"id": "c", "value": f"+55 {code}"}]}
        return body(
            {
                "id": f"00000000-0000-0000-0000-{code:012}",
                "code": code,
                "title": f"deal {code}, version {version}",
                "status": 2 if is_closed else 1,
                "value": 1000.0 * code + version,
                "created_at": "2025-01-01T12:00:00Z",
                "updated_at": f"2025-02-01T12:00:{version:02}Z",
                "won_date": "2025-02-01T12:00:00Z" if is_closed else None,
                "tags": [{"name": "x"}, {"name": f"y{code % 2}"}],
                "participants": [{"id": f"p{code}", "notes": f"note {code}", "person": person}],
            }
        )

    def save(self, path):
        found = (self.response(str(code)) for code in range(1, self.last + 1))
        path.write_bytes(b"".join(each + b"\n" for each in found if each))
