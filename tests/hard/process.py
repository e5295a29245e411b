"""A process that has everything imported, and forks a child for each operation of a trial.

It reads trials from standard input and writes what became of them to standard output, one line of JSON each. The calls
of the children can be failed or cut off at the n-th: by the preloaded `system_calls.c`, or without a compiler by an
audit hook, which sees less.
"""

from __future__ import annotations

import ctypes
import json
import mmap
import os
import pkgutil
import resource
import select
import signal
import struct
import sys
import time
import traceback
from importlib import import_module
from pathlib import Path

import pyarrow

import wegly_analytics

MODES = {"once": 1, "from here on": 2, "fill up": 3, "before": 4, "after": 5, "within": 6}
PATIENCE = 60.0
"""Seconds after which an operation is taken to hang."""


class Preloaded:
    """The calls counted by the preloaded library."""

    def __init__(self, library):
        self.library = library
        library.system_calls_hit.restype = ctypes.c_char_p
        library.system_calls_log.restype = ctypes.c_char_p
        library.system_calls_at.restype = ctypes.c_double

    def clear(self):
        self.library.system_calls_clear()

    def arm(self, folder, plan):
        self.library.system_calls_arm(
            folder.encode(), ctypes.c_long(plan["n"]), MODES[plan["mode"]], plan["errno"], plan["kinds"]
        )

    def disarm(self):
        self.library.system_calls_disarm()

    def shift_clock(self, seconds):
        self.library.system_calls_shift_clock(ctypes.c_long(seconds))

    def log(self):
        return self.library.system_calls_log().decode().splitlines()

    def report(self):
        library = self.library
        return {
            "calls": library.system_calls_count(),
            "hit": library.system_calls_hit().decode(),
            "at": library.system_calls_at(),
        }


class Audited:
    """Steps that Python's audit hooks see: opening, and what `os` and `shutil` do with names."""

    def __init__(self):
        self.counted = mmap.mmap(-1, 16)  # number and time; shared with the children
        self.plan = None

    def clear(self):
        self.counted[:] = bytes(16)

    def arm(self, folder, plan):
        self.plan = plan
        sys.addaudithook(lambda event, arguments: self.see(folder, event, arguments))

    def disarm(self):
        self.plan = None

    def see(self, folder, event, arguments):
        is_step = event in ("open", "sqlite3.connect") or event.startswith("os.")
        if self.plan is None or not is_step or not any(str(each).startswith(folder) for each in arguments):
            return
        n, at = struct.unpack("qd", self.counted)
        n += 1
        self.counted[:] = struct.pack("qd", n, time.monotonic() if n == self.plan["n"] else at)
        if n == self.plan["n"] or (n > self.plan["n"] and self.plan["mode"] in ("from here on", "fill up")):
            if MODES[self.plan["mode"]] >= MODES["before"]:
                os.kill(os.getpid(), signal.SIGKILL)
            raise OSError(self.plan["errno"], os.strerror(self.plan["errno"]))

    def shift_clock(self, seconds):
        if seconds:
            raise NotImplementedError("the clock cannot be set without a C compiler")

    def log(self):
        return []

    def report(self):
        n, at = struct.unpack("qd", self.counted)
        return {"calls": n, "hit": "", "at": at}


class Child:
    """A forked process with one operation."""

    def __init__(self, calls, order, gate):
        self.calls = calls
        self.pipe, there = os.pipe()
        self.early = b""
        self.printed = os.memfd_create("stderr")
        self.begun = time.monotonic()
        self.pid = os.fork()
        if self.pid:
            os.close(there)
            return
        try:
            os.close(gate[1])
            os.dup2(self.printed, 2)
            report = self.run(order, there, gate[0])
        except BaseException:  # noqa: BLE001 - reported, whatever it is
            calls.disarm()
            report = {"traceback": traceback.format_exc()}
        os.write(there, json.dumps(report).encode())
        os._exit(0)

    def run(self, order, there, gate):
        from hard.operations import OPERATIONS, SECRET, outcome

        folder = Path(order["folder"])
        os.environ["WEGLY_SALT_FILE"] = str(folder / SECRET)
        self.calls.shift_clock(order["clock"])
        act = OPERATIONS[order["operation"]](folder, order["url"], **order["arguments"])
        os.write(there, b"\n")
        os.read(gate, 1)  # until the parent closes the gate
        before, begun = peak_memory(start=True), time.process_time()
        if order["plan"]:
            self.calls.arm(str(folder), order["plan"])
        report = outcome(act)
        self.calls.disarm()
        seconds = time.process_time() - begun  # of the processor: other processes make these no longer
        return report | {"seconds": seconds, "memory": peak_memory() - before}

    def wait(self, text=b""):
        """Read until the child is ready (a line end), or what it reports until it ends."""
        while True:
            ready, _, _ = select.select([self.pipe], [], [], max(0.0, self.begun + PATIENCE - time.monotonic()))
            if not ready:
                os.kill(self.pid, signal.SIGKILL)
                return b'{"traceback": "it hung"}'
            part = os.read(self.pipe, 1 << 16)
            text += part
            if not part or text == b"\n":
                return text

    def end(self):
        """What became of the child."""
        text = self.wait() if self.early == b"\n" else self.early
        _, status = os.waitpid(self.pid, 0)
        os.close(self.pipe)
        printed = os.pread(self.printed, 1 << 16, 0).decode(errors="replace")
        os.close(self.printed)
        report = json.loads(text) if text.strip() else {}
        if os.WIFSIGNALED(status):
            report["signal"] = os.WTERMSIG(status)
        elif not report:
            report["traceback"] = f"the process ended with {status} and reported nothing"
        return report | {"printed": printed}


def peak_memory(*, start=False):
    """The most memory this process had at once since the start, in bytes."""
    try:
        if start:
            Path("/proc/self/clear_refs").write_text("5")
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) << 10
    except OSError:
        pass
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def trial(calls, order):
    """Run the operations of a trial at the same time, and kill them after some seconds if it says so."""
    calls.clear()
    gate = os.pipe()
    children = [Child(calls, each, gate) for each in order["children"]]
    for child in children:
        child.early = child.wait()
    os.close(gate[0])
    os.close(gate[1])
    if order["kill_after"] is not None:
        time.sleep(order["kill_after"])
        for child in children:
            os.kill(child.pid, signal.SIGKILL)
    reports = [child.end() | calls.report() for child in children]
    return [each | ({"log": calls.log()} if order["log"] else {}) for each in reports]


def tell(report):
    sys.stdout.write(json.dumps(report) + "\n")
    sys.stdout.flush()


def main():
    library = ctypes.CDLL(None)
    calls = Preloaded(library) if hasattr(library, "system_calls_arm") else Audited()
    pyarrow.set_cpu_count(1)  # no threads before a fork
    for module in pkgutil.walk_packages(wegly_analytics.__path__, "wegly_analytics."):
        if ".plots" not in module.name and not module.name.endswith("__main__"):
            import_module(module.name)
    import_module("hard.operations")
    tell({"preloaded": isinstance(calls, Preloaded)})
    for line in sys.stdin:
        tell(trial(calls, json.loads(line)))


if __name__ == "__main__":
    main()
