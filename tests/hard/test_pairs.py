"""Two processes work on the same root and archive at the same time, and neither notices the other."""

from __future__ import annotations

import shutil

import pytest
from hard.worlds import LONG_AGO, archived, assert_private, assert_told, loaded, remains, snapshots

OPERATIONS = ["fetch", "refresh", "erase", "save", "load", "verify", "read"]
PUBLISHING = ("refresh", "save")
TIMES = 6


class Shared:
    """A root with a snapshot, and an archive with old responses for codes 1 to 6 and new ones for 7 to 9."""

    def __init__(self, world):
        self.world = world
        world.run("save")
        world.run("fetch", ids="1-6", clock=LONG_AGO if world.trials.is_preloaded else 0)
        world.run("fetch", ids="7-9")
        self.seen = [loaded(world.template)]
        world.deals.version, world.deals.last = 2, 14
        for publishing in PUBLISHING:
            folder = world.copy()
            world.run(publishing, folder)
            self.seen.append(loaded(folder))
            shutil.rmtree(folder)

    def arguments(self, operation):
        if operation == "erase":
            return {"older_than": "50d"}
        return {"workers": 3} if operation in ("fetch", "refresh") else {}

    def check(self, pair):
        """Run two operations at once, in a copy, and check what they say and leave."""
        folder, begun = self.world.copy(), len(self.world.server.requests)
        before = snapshots(folder)
        reports = self.world.together(folder, *[(each, self.arguments(each)) for each in pair])
        for operation, report in zip(pair, reports, strict=True):
            assert_told(report, folder)
            assert "result" in report, f"{operation}: {report}"
            assert report["result"].get("exit", 0) == 0, f"{operation}: {report}"
            if operation == "verify":
                assert report["result"]["problems"] == []
            if operation == "load":
                assert without_hash(report["result"]) in map(without_hash, self.seen)
            if operation == "fetch":
                assert sorted(map(int, report["result"]["versions"])) == [*range(1, 10), 11, 12]
        assert len(snapshots(folder)) == len(before) + sum(each in PUBLISHING for each in pair)
        assert loaded(folder)
        held, requested = set(archived(folder) or {}), set(self.world.requested(begun))
        assert requested <= held, f"answered, and not in the archive: {sorted(requested - held)}"
        assert {"7", "8", "9"} <= held
        if "erase" in pair:
            assert not (held - requested) & set("123456"), "erased responses are gone"
        else:
            assert set("123456") <= held
        assert not remains(folder), remains(folder)
        assert_private(folder)
        shutil.rmtree(folder)


def without_hash(seen):
    return {"deals": seen["deals"], "versions": seen["versions"]}


def check(world, pairs, times, record_property):
    if not world.trials.is_preloaded:
        pairs = [pair for pair in pairs if "erase" not in pair]  # the clock cannot be set
    shared, problems = Shared(world), []
    for pair in pairs:
        found = []
        for _ in range(times):
            try:
                shared.check(pair)
            except Exception as error:  # noqa: BLE001 - also one that reading raises afterwards
                found.append(f"{' and '.join(pair)}: {type(error).__name__}: {str(error)[:600]}")
        record_property("trials", (" and ".join(pair), "at the same time", times, times - len(found)))
        problems += found
    assert not problems, f"{len(problems)} did not survive:\n" + "\n".join(problems)


@pytest.mark.hard
@pytest.mark.parametrize("first", OPERATIONS)
def test_two_processes_at_once_lose_nothing(first, world, record_property):
    others = OPERATIONS[OPERATIONS.index(first) :]
    check(world, [(first, other) for other in others], TIMES, record_property)


def test_some_pairs_of_processes_lose_nothing(world, record_property):
    pairs = [("save", "save"), ("save", "load"), ("refresh", "verify"), ("fetch", "read")]
    check(world, pairs, 2, record_property)
