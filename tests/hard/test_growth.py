"""Twice as many deals take about twice as long and twice the memory, whatever is done with them."""

from __future__ import annotations

import time

import pytest
from hard.operations import SAVED
from hard.trials import Deals
from hard.worlds import World

pytestmark = pytest.mark.hard

N = {"fetch": 1_500, "read": 3_000, "erase": 3_000, "save": 15_000, "load": 15_000, "refresh": 15_000}
"""Deals of the smaller run: enough that what is constant does not hide a square."""

TIME, MEMORY = 2.9, 2.7
"""What twice as many may cost; a square would be 4."""

SLACK = 8 << 20
"""Bytes that the allocators may differ by."""

TIMES = 3


def prepared(world, operation, n):
    """A folder in which the operation has this many deals to work on."""
    world.deals.last, world.deals.n_open = n, 20 if operation == "refresh" else None
    if operation in ("save", "load", "refresh"):
        world.deals.save(world.folder / SAVED)
    if operation in ("load", "refresh"):
        assert "result" in world.run("save")
    if operation in ("read", "erase"):
        assert "result" in world.run("fetch", ids=f"1-{n}", workers=2)
        time.sleep(0.01)


def arguments(operation, n):
    return {"fetch": {"ids": f"1-{n}", "workers": 2}, "refresh": {"archive": False}}.get(operation, {})


def measured(world, operation, n):
    """The least seconds and bytes that the operation takes in several runs."""
    prepared(world, operation, n)
    reports = [world.run(operation, world.copy(), **arguments(operation, n)) for _ in range(TIMES)]
    assert all("result" in report and not report["result"].get("exit") for report in reports), reports
    return min(report["seconds"] for report in reports), min(report["memory"] for report in reports)


def compared(trials, folder, serve, operation):
    """How many times as long and as much memory twice as many deals take."""
    n, found = N[operation], []
    for factor in (1, 2):
        (folder / str(factor)).mkdir(parents=True)
        world = World(trials, folder / str(factor), serve)
        world.deals = world.server.source = Deals()
        found.append(measured(world, operation, factor * n))
    (seconds, memory), (seconds_2, memory_2) = found
    told = f"{n:,} → {2 * n:,}: {seconds:.2f} → {seconds_2:.2f} s, {memory >> 20} → {memory_2 >> 20} MB"
    return told, seconds_2 / seconds, (memory_2 + SLACK) / (memory + SLACK)


@pytest.mark.parametrize("operation", N)
def test_time_and_memory_grow_with_the_number_of_deals(operation, trials, folder, serve, record_property):
    for trial in ("first", "again"):  # once more if something else on the machine was in the way
        told, ratio, ratio_of_memory = compared(trials, folder / trial, serve, operation)
        if ratio < TIME and ratio_of_memory < MEMORY:
            break
    record_property("trials", (operation, told, 1, int(ratio < TIME and ratio_of_memory < MEMORY)))
    assert ratio < TIME, told
    assert ratio_of_memory < MEMORY, told
