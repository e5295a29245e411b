"""The warm process of the trials, folders that are copied quickly, and a table of what was tried at the end."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest
from hard.trials import Trials
from hard.worlds import World


@pytest.fixture(scope="session")
def trials(tmp_path_factory):
    started = Trials(tmp_path_factory.mktemp("library"))
    yield started
    started.close()


@pytest.fixture
def folder(tmp_path):
    """A folder in memory, where there is one: trials sync and copy thousands of small files."""
    shared_memory = Path("/dev/shm")
    if not shared_memory.is_dir():
        yield tmp_path
        return
    made = Path(tempfile.mkdtemp(prefix="wegly-", dir=shared_memory))
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture
def world(trials, folder, serve):
    return World(trials, folder, serve)


def pytest_terminal_summary(terminalreporter):
    """Print how many trials were made and survived; each test notes its own with `record_property`."""
    reports = [each for found in terminalreporter.stats.values() for each in found if hasattr(each, "user_properties")]
    noted = {value for each in reports for name, value in each.user_properties if name == "trials"}
    if noted:
        terminalreporter.section("trials: tried and survived")
        for operation, what, tried, survived in sorted(noted):
            terminalreporter.write_line(f"{operation:<22}{what:<40}{tried:>7,}{survived:>8,}")
