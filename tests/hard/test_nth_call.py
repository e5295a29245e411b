"""A call of the file system fails, or the process dies there: the first call, the second, and so on to the last.

Whatever the operation, its result is there or it is not, what was acknowledged is kept, nothing hidden is left by a
failure, the error is a sentence, and the same operation succeeds afterwards.
"""

from __future__ import annotations

import itertools
import shutil
import time
from typing import ClassVar

import pytest
from hard.trials import PLANS
from hard.worlds import LONG_AGO, age, archived, assert_private, assert_told, loaded, remains, snapshots

FEW = 2
"""How many calls of each operation are tried in the sample of `make test`."""

MOST = 20
"""How many calls of each operation are tried with each plan in `make test-hard`, evenly spread over all."""


class Save:
    """A snapshot is published: into a root that has one, and as the first, which also makes the secret."""

    arguments: ClassVar = {}

    def __init__(self, world, *, first=False, operation="save"):
        self.world, self.first, self.operation = world, first, operation
        if not first:
            world.run(operation)
            world.deals.version = 2
            world.deals.save(world.folder / "deals.ndjson")
        self.before = snapshots(world.template)
        self.old = loaded(world.template)
        folder = world.copy()
        world.run(operation, folder)
        self.new = self.seen(folder)

    def seen(self, folder):
        """What is loaded; without a secret that was there before, pseudonyms differ each time."""
        found = loaded(folder)
        return found and ({"deals": found["deals"]} if self.first else found)

    def check(self, folder, report, plan):
        added = len(snapshots(folder)) - len(self.before)
        assert set(self.before) <= set(snapshots(folder))
        assert added in (0, 1)
        assert self.seen(folder) == (self.new if added else self.old)
        if "result" in report:
            assert added == 1
        if added and "error" in report:
            assert "published" in report["message"], report["message"]

    def check_again(self, folder, report):
        assert "result" in report, report
        assert self.seen(folder) == self.new


class Fetch:
    """Responses are archived: into a new archive, and into one that has some already."""

    operation, arguments = "fetch", {"ids": "1-12"}

    def __init__(self, world, *, resumed=False):
        self.world = world
        if resumed:
            world.run("fetch", ids="1-5")
        self.before = archived(world.template) or {}
        self.new = world.run("fetch", world.copy(), **self.arguments)["result"]

    def check(self, folder, report, plan):
        if "result" in report:
            assert report["result"] == self.new
        answered = [each for each in self.world.server.requests if each.time < report["at"] or not report["at"]]
        since = self.world.begun
        acknowledged = [each.path.rpartition("/")[2] for each in answered[since:]]
        if "result" not in report:
            acknowledged = acknowledged[:-1]  # the last may have been on its way to the disk
        kept = archived(folder) or {}
        assert set(self.before) <= set(kept), "what was there before is kept"
        lost = set(acknowledged) - set(kept)
        assert not lost, f"answered before, and not kept: {sorted(lost)}"
        self.kept = set(kept)

    def check_again(self, folder, report):
        assert report.get("result") == self.new, report
        again = set(self.world.requested(self.world.begun))
        assert not again & self.kept, f"kept, and requested again: {sorted(again & self.kept)}"


class Refresh(Fetch):
    """A snapshot is loaded, brought up to date with the help of an archive, and published."""

    operation, arguments = "refresh", {}

    def __init__(self, world):
        self.world = world
        world.run("save")
        time.sleep(0.01)
        world.deals.version, world.deals.last = 2, 14
        self.published = snapshots(world.template)
        self.old = loaded(world.template)
        folder = world.copy()
        self.before = {}
        self.new = world.run("refresh", folder)["result"]["content"]
        self.new_loaded = loaded(folder)

    def check(self, folder, report, plan):
        added = len(snapshots(folder)) - len(self.published)
        assert added in (0, 1)
        assert loaded(folder) == (self.new_loaded if added else self.old)
        if "result" in report:
            assert added == 1
            assert report["result"]["content"] == self.new
        if added and "error" in report:
            assert "published" in report["message"], report["message"]
        super().check(folder, {k: v for k, v in report.items() if k != "result"}, plan)
        if added:
            self.kept = set()  # what comes next is another refresh

    def check_again(self, folder, report):
        assert "result" in report, report
        assert loaded(folder) == self.new_loaded
        not_yet = {str(code) for code in range(self.world.deals.last + 1, self.world.deals.last + 10)}
        again = set(self.world.requested(self.world.begun)) - not_yet  # deals may have been created since
        assert not again & self.kept, f"kept, and requested again: {sorted(again & self.kept)}"


class Erase:
    """Old responses are erased; they were received in two runs, and newer ones after them."""

    operation, arguments = "erase", {"older_than": "50d"}

    def __init__(self, world):
        if not world.trials.is_preloaded:
            pytest.skip("there is no C compiler: the clock cannot be set")
        self.world = world
        world.run("fetch", ids="1-4", clock=LONG_AGO)
        world.run("fetch", ids="3-8", clock=LONG_AGO)
        world.run("fetch", ids="9-12")
        self.all = archived(world.template)
        self.new = {id_: status for id_, status in self.all.items() if int(id_) >= 9}

    def check(self, folder, report, plan):
        held = archived(folder)
        assert held in (self.all, self.new), f"between: {sorted(map(int, held))}"
        if report.get("result", {}).get("exit") == 0:
            assert held == self.new
            assert "erased     8" in report["result"]["out"], report["result"]["out"]

    def check_again(self, folder, report):
        assert report["result"]["exit"] == 0, report
        assert archived(folder) == self.new


class Reading:
    """A snapshot is loaded, verified, or made of an archive; nothing changes on the disk."""

    def __init__(self, world, operation):
        self.world, self.operation, self.arguments = world, operation, {}
        world.run("save")
        world.run("fetch")
        self.new = self.right = world.run(operation)["result"]

    def check(self, folder, report, plan):
        if "result" in report and not report["warnings"]:
            assert report["result"] == self.right or (self.operation == "verify" and report["result"]["problems"])

    def check_again(self, folder, report):
        assert report["result"] == self.right


SCENARIOS = {
    "save": Save,
    "first save": lambda world: Save(world, first=True),
    "save in batches": lambda world: Save(world, operation="save_in_batches"),
    "fetch": Fetch,
    "resumed fetch": lambda world: Fetch(world, resumed=True),
    "refresh": Refresh,
    "erase": Erase,
    "load": lambda world: Reading(world, "load"),
    "verify": lambda world: Reading(world, "verify"),
    "read": lambda world: Reading(world, "read"),
}


def problem_of(world, scenario, plan):
    """Try one plan in a copy of the template; what does not hold afterwards, or None, and the report."""
    folder = world.copy()
    world.begun = len(world.server.requests)
    report = world.run(scenario.operation, folder, plan, **scenario.arguments)
    try:
        assert_told(report, folder)
        if "signal" in report:
            assert plan.kills
        scenario.check(folder, report, plan)
        assert_private(folder)
        left = remains(folder)
        assert plan.kills or not left, f"left behind: {left}"
        age(folder, left)
        world.begun = len(world.server.requests)
        again = world.run(scenario.operation, folder, **scenario.arguments)
        assert_told(again, folder)
        scenario.check_again(folder, again)
        assert not remains(folder), f"never swept: {remains(folder)}"
    except Exception as error:  # noqa: BLE001 - also one that reading raises afterwards
        return f"call {plan.n}, {report['hit']}: {type(error).__name__}: {str(error)[:600]}", report
    shutil.rmtree(folder)
    return None, report


def numbers(world, scenario, plan):
    """The calls to try, and of how many they are a sample.

    Of many in a row to the same file these are the first, the second and the last; of what remains, `MOST`, evenly
    spread. The process is the same each time, so a run of the tests tries the same calls again.
    """
    folder = world.copy()
    watched = world.run(scenario.operation, folder, plan.watching, log=True, **scenario.arguments)
    shutil.rmtree(folder)
    calls = watched["log"] or [str(n) for n in range(watched["calls"])]
    chosen = []
    for _, row in itertools.groupby(enumerate(calls, 1), key=lambda each: each[1]):
        first, *others = (n for n, _ in row)
        chosen += [first, *others[:1], *others[1:][-1:]]
    stride = max(1.0, len(chosen) / MOST)
    return [chosen[int(k * stride)] for k in range(min(MOST, len(chosen)))], len(calls)


def tried(world, scenario, plan, chosen):
    """Try a plan at these calls, as far as the operation comes; the problems, and how many trials were made."""
    problems, n_tried = [], 0
    for n in chosen:
        problem, report = problem_of(world, scenario, plan.at(n))
        if report["calls"] < n and "signal" not in report:
            break
        n_tried += 1
        problems += [problem] if problem else []
    return problems, n_tried


def reported(name, plan, problems, n_tried, record_property):
    record_property("trials", (name, plan, n_tried, n_tried - len(problems)))
    assert not problems, f"{len(problems)} of {n_tried} did not survive:\n" + "\n".join(problems)


@pytest.mark.hard
@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("name", SCENARIOS)
def test_whatever_call_fails_the_operation_took_place_or_it_did_not(name, plan, world, record_property):
    if not world.trials.is_preloaded and "within" in plan:
        pytest.skip("there is no C compiler: a write cannot be cut off")
    scenario = SCENARIOS[name](world)
    chosen, n_calls = numbers(world, scenario, PLANS[plan])
    problems, n_tried = tried(world, scenario, PLANS[plan], chosen)
    if not n_tried:
        pytest.skip("it makes no such call")
    reported(name, f"{plan}, {n_calls:,} calls", problems, n_tried, record_property)


@pytest.mark.parametrize("name", ["save", "fetch", "refresh", "erase"])
def test_whichever_of_a_few_calls_fails(name, world, record_property):
    scenario = SCENARIOS[name](world)
    problems, n_tried = [], 0
    for plan in ("disk full from here on", "device fails once", "killed after"):
        last = world.run(scenario.operation, world.copy(), PLANS[plan].watching, **scenario.arguments)["calls"]
        chosen = sorted({1 + (last - 1) * k // FEW for k in range(FEW)}) if last else []
        found, n = tried(world, scenario, PLANS[plan], chosen)
        problems, n_tried = problems + found, n_tried + n
    assert n_tried
    reported(name, "a few calls", problems, n_tried, record_property)
