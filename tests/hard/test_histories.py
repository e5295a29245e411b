"""Any history of fetches, kills, refreshes, saves and erasures leaves what a plain model says."""

from __future__ import annotations

import itertools
import shutil

import pytest
from hard.operations import ARCHIVE, ROOT, SAVED, content
from hard.trials import PLANS, Deals
from hard.worlds import archived, assert_private, assert_told, snapshots
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

import wegly_analytics as wa

codes = st.tuples(st.integers(1, 15), st.integers(1, 15)).map(sorted)
kills = st.sampled_from(["killed before", "killed after", "killed within a write"])
calls = st.integers(1, 400)


class History(RuleBasedStateMachine):
    """The model: the responses in the archive with their versions, and the published snapshots, the newest last."""

    numbers = itertools.count()

    def __init__(self, world):
        super().__init__()
        self.world = world
        self.folder = world.folder / f"history-{next(self.numbers)}"
        self.folder.mkdir()
        self.change(1, 15)
        self.archive = {}
        self.published = []

    def change(self, version, last):
        """Time goes on at the server."""
        self.version = version
        self.world.deals.version, self.world.deals.last = version, last
        self.world.deals.save(self.world.folder / SAVED)

    def run(self, operation, plan=None, **given):
        self.begun = len(self.world.server.requests)
        report = self.world.run(operation, self.folder, plan, **given)
        assert_told(report, self.folder)
        assert "signal" in report or "result" in report, report
        assert "signal" in report or not report["result"].get("exit"), report
        return report

    def current(self, code):
        """The version of a deal that the server sends now; None for a gap."""
        return versions([Deals(15, self.version).response(str(code))])

    def note_archive(self, *, at_least, at_most):
        """The archive holds what was acknowledged, and nothing that was never received."""
        held = set(archived(self.folder) or {})
        assert at_least <= held, f"lost: {sorted(at_least - held)}"
        assert held <= at_most, f"never received: {sorted(held - at_most)}"
        seen = content(wa.read(self.folder / ARCHIVE))["versions"] if held else {}
        for code in held & set(self.archive):
            assert seen.get(code) in (self.archive[code], self.current(code)), "a version that was never received"
        self.archive = {code: seen.get(code) for code in held}

    def note_snapshots(self, report, *, was_killed):
        """One was published, or none if the process was killed."""
        new = snapshots(self.folder)[len(self.published) :]
        assert len(new) == 1 or (was_killed and not new), new
        if new:
            snap = wa.load(self.folder / ROOT / new[0])
            self.published.append((new[0], content(snap)))

    @rule(codes=codes)
    def fetch(self, codes):
        first, last = codes
        report = self.run("fetch", ids=f"{first}-{last}", workers=2)
        wanted = {str(code) for code in range(first, last + 1)}
        for code in wanted:
            seen = report["result"]["versions"].get(code)
            assert seen == self.archive.get(code, self.current(code)), f"code {code}: version {seen}"
        assert set(self.world.requested(self.begun)) == wanted - set(self.archive)
        self.note_archive(at_least=wanted | set(self.archive), at_most=wanted | set(self.archive))

    @rule(codes=codes, plan=kills, n=calls)
    def fetch_is_killed(self, codes, plan, n):
        first, last = codes
        report = self.run("fetch", PLANS[plan].at(n), ids=f"{first}-{last}")
        requested = self.world.requested(self.begun)
        acknowledged = requested if "result" in report else requested[:-1]
        before = set(self.archive)
        self.note_archive(at_least=before | set(acknowledged), at_most=before | set(requested))

    @precondition(lambda self: self.version < 9)
    @rule()
    def deals_change(self):
        self.change(self.version + 1, 15)

    @rule()
    def save(self):
        self.note_snapshots(self.run("save"), was_killed=False)

    @rule(plan=kills, n=calls)
    def save_is_killed(self, plan, n):
        report = self.run("save", PLANS[plan].at(n))
        self.note_snapshots(report, was_killed="signal" in report)

    @precondition(lambda self: self.published)
    @rule(plan=st.none() | kills, n=calls)
    def refresh(self, plan, n):
        before = self.published[-1][1]["versions"]
        report = self.run("refresh", plan and PLANS[plan].at(n))
        requested = self.world.requested(self.begun)
        acknowledged = requested if "result" in report else requested[:-1]
        self.note_archive(at_least=set(self.archive) | set(acknowledged), at_most=set(self.archive) | set(requested))
        n_published = len(self.published)
        self.note_snapshots(report, was_killed="signal" in report)
        if len(self.published) > n_published:
            after = self.published[-1][1]["versions"]
            assert set(before) <= set(after), "a refresh drops no deal"
            assert all(before[code] <= after[code] <= self.version for code in before), "no deal goes back"

    @precondition(lambda self: self.archive)
    @rule(plan=st.none() | kills, n=calls)
    def erase(self, plan, n):
        report = self.run("erase", plan and PLANS[plan].at(n), older_than="0s")
        held = archived(self.folder) or {}
        assert not held or ("signal" in report and set(held) == set(self.archive)), "erased in part"
        self.archive = self.archive if held else {}

    @invariant()
    def the_newest_snapshot_is_loaded_and_nothing_is_damaged(self):
        assert snapshots(self.folder) == sorted(name for name, _ in self.published)
        if self.published:
            assert content(wa.load(self.folder / ROOT)) == self.published[-1][1]
            assert wa.verify(self.folder / ROOT).empty
        assert_private(self.folder)

    def teardown(self):
        shutil.rmtree(self.folder)


def versions(bodies):
    """The version in a response of `Deals`."""
    found = [int(each.split(b'"value": ')[1].split(b".")[0]) % 1000 for each in bodies if each]
    return found[0] if found else None


def check(world, **given):
    if not world.trials.is_preloaded:
        pytest.skip("there is no C compiler")
    unhurried = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    run_state_machine_as_test(
        lambda: History(world), settings=settings(deadline=None, suppress_health_check=unhurried, **given)
    )


@pytest.mark.hard
def test_any_history_leaves_what_a_plain_model_says(world):
    check(world, max_examples=25, stateful_step_count=12)


def test_a_few_histories_leave_what_a_plain_model_says(world):
    check(world, max_examples=4, stateful_step_count=5, derandomize=True, database=None)
