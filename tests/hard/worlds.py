"""Folders in which operations are tried, and what must hold in them afterwards."""

from __future__ import annotations

import os
import shutil
import stat
import time
import warnings

from hard.operations import ARCHIVE, ROOT, SAVED, SECRET, content
from hard.trials import Deals, child

import wegly_analytics as wa

LONG_AGO = -100 * 86_400
"""Seconds by which the clock is set for what is old."""

STALE = 25 * 3600
"""Seconds after which the remains of a dead process are removed."""


class World:
    """A template of a folder, copies of it for trials, and a server.

    Parameters
    ----------
    trials
        The warm process.
    folder
        Where the folders go.
    serve
        Starts servers.
    """

    def __init__(self, trials, folder, serve):
        self.trials = trials
        self.folder = folder
        self.deals = Deals()
        self.server = serve(self.deals)
        self.deals.save(folder / SAVED)
        self.template = folder / "template"
        self.template.mkdir()
        self.n = 0

    def run(self, operation, folder=None, plan=None, *, log=False, **arguments):
        """Run one operation in the template, or in another folder."""
        order = child(operation, folder or self.template, self.server.url, plan, **arguments)
        (report,) = self.trials.run(order, log=log)
        return report

    def together(self, folder, *operations, kill_after=None):
        """Run operations at the same time; each is a name, or a name with arguments."""
        named = [(each, {}) if isinstance(each, str) else each for each in operations]
        children = [child(name, folder, self.server.url, **arguments) for name, arguments in named]
        return self.trials.run(*children, kill_after=kill_after)

    def copy(self):
        """Copy the template, with its times."""
        self.n += 1
        return shutil.copytree(self.template, self.folder / f"case-{self.n}")

    def requested(self, since=0):
        """The ids requested since the n-th request."""
        return [each.path.rpartition("/")[2] for each in self.server.requests[since:]]


def snapshots(folder):
    """The names of the published snapshots that a reader of the root sees."""
    root = folder / ROOT
    return sorted(path.name for path in root.glob("*")) if root.is_dir() else []


def loaded(folder):
    """What `load` gives and `verify` finds; None where there is no snapshot."""
    if not snapshots(folder):
        return None
    problems = wa.verify(folder / ROOT)
    assert problems.empty, f"verify: {problems[['path', 'problem', 'detail']].values.tolist()}"
    return content(wa.load(folder / ROOT))


def archived(folder):
    """The ids in the archive, with their status; None where there is no archive."""
    if not (folder / ARCHIVE).exists():
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", wa.errors.IncompleteWarning)
        try:
            ledger = wa.read(folder / ARCHIVE).ledger
        except wa.errors.SettingError as error:
            assert "is not an archive" in str(error)
            return {}
    return dict(zip(ledger["requested"], ledger["http_status"], strict=True))


def remains(folder):
    """What lies about beside published snapshots, archive and secret."""
    expected = {folder / "data", folder / ROOT, folder / SECRET, folder / ARCHIVE}
    found = set()
    for path in folder.rglob("*"):
        is_hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        is_known = (folder / ROOT) in path.parents or (folder / ARCHIVE) in path.parents or path in expected
        is_of_sqlite = path.name in (f"{(folder / ARCHIVE).name}{suffix}" for suffix in ("-wal", "-shm"))
        if is_hidden or not (is_known or is_of_sqlite):
            found.add(str(path.relative_to(folder)))
    return sorted(found)


def age(folder, names):
    """Make the remains of a dead process look a day old."""
    then = time.time() - STALE
    for name in names:
        os.utime(folder / name, (then, then), follow_symlinks=False)


def assert_private(folder):
    """Nobody else may read responses or the secret."""
    private = [folder / SECRET, *folder.glob(f"{ARCHIVE}*"), *(folder / ARCHIVE).rglob("*")]
    for path in private:
        if path.exists():
            assert not stat.S_IMODE(path.stat().st_mode) & 0o077, f"{path.name} can be read by others"


def assert_told(report, folder):
    """What went wrong was said in a sentence that names the place, and there is no traceback."""
    assert "traceback" not in report, report["traceback"]
    assert "Traceback" not in report["printed"], report["printed"]
    result = report.get("result", {})
    message = report.get("message") or result.get("err", "")
    if "error" in report or result.get("exit"):
        assert str(folder) in message, f"the place is missing: {message}"
