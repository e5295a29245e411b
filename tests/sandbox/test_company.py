"""The simulated company: always the same, always moving on, and true to what was declared about it."""

from __future__ import annotations

import itertools
import json
import re
import statistics
import threading
from collections import Counter, defaultdict
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wegly_analytics.sandbox import MOMENT, TRUTH, Company

DOCUMENTED = set((Path(__file__).parents[1] / "data" / "documented_paths.txt").read_text().split())
OPEN, WON, LOST = 1, 2, 3
DAY = 86_400

Deal = dict[str, Any]


def deals_of(company: Company, at: datetime, codes: range | None = None) -> list[Deal]:
    bodies = (company.answer(str(code), at) for code in codes or company.codes(at))
    return [json.loads(body) for body in bodies if body is not None]


def leaves(node: Any, path: str = "") -> set[str]:
    if isinstance(node, dict):
        return set().union(*(leaves(value, f"{path}.{key}" if path else key) for key, value in node.items()))
    if isinstance(node, list):
        return set().union(*(leaves(value, f"{path}[]") for value in node))
    return set() if node is None else {path}


def moment_of(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)


@pytest.fixture(scope="module")
def company() -> Company:
    return Company()


@pytest.fixture(scope="module")
def sample(company: Company) -> list[Deal]:
    return deals_of(company, MOMENT)


@pytest.fixture(scope="module")
def ended() -> list[Deal]:
    """Deals of six years, seen three years after the last of them arrived; archived ones never end."""
    since, until = datetime(2025, 1, 1, tzinfo=UTC), datetime(2031, 1, 1, tzinfo=UTC)
    company = Company(seed=11, deals_per_month=60)
    seen = until + timedelta(days=3 * 365)
    found = deals_of(company, seen, company.codes(until))
    assert moment_of(found[0]["created_at"]) >= since
    return [deal for deal in found if deal["archived_at"] is None]


# What an analyst meets


def test_the_sample_is_a_company_of_a_thousand_deals(sample: list[Deal]) -> None:
    status = Counter(deal["status"] for deal in sample)
    assert 1_100 <= len(sample) <= 1_250
    assert 0.2 <= status[OPEN] / len(sample) <= 0.3
    for kind, key in ((WON, "won_date"), (LOST, "lost_date")):
        assert len({deal[key][:7] for deal in sample if deal["status"] == kind}) >= 12


def test_every_documented_leaf_appears_and_no_other(sample: list[Deal]) -> None:
    assert set().union(*map(leaves, sample)) == DOCUMENTED


def test_the_documented_traps_are_all_there(sample: list[Deal]) -> None:
    def some(deals: list[Deal]) -> bool:
        return 0 < len(deals) < len(sample) / 2

    assert some([d for d in sample if d["value"] is None])
    assert some([d for d in sample if d["status"] == WON and d["value"] is None])
    assert some([d for d in sample if d["status"] == LOST and d["crm_loss_reason"] is None])
    assert some([d for d in sample if d["deal_source"] is None])
    assert some([d for d in sample if d["status"] == OPEN and d["archived_at"] is not None])
    assert some([d for d in sample if d["status"] == OPEN and (d["won_date"] or d["lost_date"])])
    assert some([d for d in sample if d["status"] == WON and d["lost_date"]])
    for name in ("tags", "participants", "custom_fields", "followers", "proposals"):
        states = {"missing" if name not in d else "null" if d[name] is None else bool(d[name]) for d in sample}
        assert {"missing", "null", True} <= states, name
    strays = [
        d
        for d in sample
        if "pipeline_stages" in d
        and {s["stage_id"] for s in d["stage_durations"]} - {s["id"] for s in d["pipeline_stages"]}
    ]
    assert some(strays)


def test_moments_and_days_are_written_as_the_api_writes_them(sample: list[Deal]) -> None:
    instant = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z")
    for deal in sample:
        assert instant.fullmatch(deal["created_at"])
        assert deal["expected_close_date"] is None or deal["expected_close_date"].endswith("T00:00:00.000Z")
        assert deal["created_at"] <= deal["updated_at"] <= "2026-07-01T12:00:00.000Z"


def test_people_mostly_work_in_working_hours(sample: list[Deal]) -> None:
    local = [moment_of(deal["created_at"]) - timedelta(hours=3) for deal in sample]
    busy = [moment.weekday() < 5 and 8 <= moment.hour < 19 for moment in local]
    assert 0.8 < statistics.mean(busy) < 1


def test_nobody_in_it_can_be_reached(sample: list[Deal]) -> None:
    contacts = [c for d in sample for p in d.get("participants") or [] for c in p["person"]["contacts"]]
    assert contacts
    for contact in contacts:
        assert contact["value"].endswith(".example.com") or contact["value"].startswith("+55 11 90000-")


def test_counted_proposals_are_listed_proposals(sample: list[Deal]) -> None:
    for deal in sample:
        assert deal["associations_count"]["proposals"] == len(deal.get("proposals") or [])


def test_an_open_deals_current_stage_is_still_running() -> None:
    def running(company: Company) -> dict[int, int]:
        deals = deals_of(company, MOMENT, range(900, 1_200))
        return {d["code"]: sum(s["total_seconds"] for s in d["stage_durations"]) for d in deals}

    with_it, without = running(Company()), running(Company(truth=replace(TRUTH, running=False)))
    assert sum(with_it[code] > without[code] for code in with_it) > 100
    assert all(with_it[code] >= without[code] for code in with_it)


# Always the same


def test_a_seed_is_a_company(company: Company) -> None:
    again, other = Company(), Company(seed=8)
    for code in company.codes(MOMENT)[::5]:
        body = company.answer(str(code), MOMENT)
        assert again.answer(str(code), MOMENT) == body
        assert body is None or other.answer(str(code), MOMENT) != body
    assert repr(other) == "Company(seed=8)"


@given(code=st.integers(1, 1_200))
def test_a_deal_is_the_same_alone_and_among_others(company: Company, code: int) -> None:
    alone = Company().answer(str(code), MOMENT)
    assert alone == company.answer(str(code), MOMENT)
    if alone is not None:
        assert company.answer(json.loads(alone)["id"], MOMENT) == alone
        assert company.answer(json.loads(alone)["id"].upper(), MOMENT) == alone


@given(key=st.one_of(st.text(max_size=40), st.uuids().map(str), st.integers().map(str)))
def test_no_key_breaks_it(company: Company, key: str) -> None:
    body = company.answer(key, MOMENT)
    assert body is None or json.loads(body)["code"] == int(key)


def test_threads_see_the_same_company(company: Company) -> None:
    shared, found = Company(), defaultdict(set)
    keys = [json.loads(body)["id"] for _, body in company.answers(MOMENT)][:150]

    def ask() -> None:
        for key in keys:
            found[key].add(shared.answer(key, MOMENT))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {key: {company.answer(key, MOMENT)} for key in keys} == found


def test_codes_have_gaps(company: Company, sample: list[Deal]) -> None:
    codes = company.codes(MOMENT)
    assert codes.start == 1
    assert 0.01 < 1 - len(sample) / len(codes) < 0.05
    assert company.answer(str(codes.stop), MOMENT) is None


def test_before_it_opened_there_is_nothing(company: Company) -> None:
    assert list(company.codes(datetime(2024, 12, 31, tzinfo=UTC))) == []
    assert company.answer("1", datetime(2024, 12, 31, tzinfo=UTC)) is None


def test_a_moment_without_a_time_zone_is_refused(company: Company) -> None:
    with pytest.raises(ValueError, match="no time zone"):
        company.codes(datetime(2026, 7, 1))


def test_a_company_without_deals_is_refused() -> None:
    with pytest.raises(ValueError, match="deals_per_month=0"):
        Company(deals_per_month=0)


# Always moving on


@settings(max_examples=25)
@given(days=st.lists(st.integers(0, 900), min_size=2, max_size=4).map(sorted), start=st.integers(1, 1_100))
def test_later_it_has_only_moved_on(company: Company, days: list[int], start: int) -> None:
    opened = datetime(2025, 1, 1, tzinfo=UTC)
    for code in range(start, start + 12):
        seen = [company.answer(str(code), opened + timedelta(days=n)) for n in days]
        deals = [json.loads(body) for body in seen if body is not None]
        assert [body is None for body in seen] == sorted((body is None for body in seen), reverse=True)
        for before, after in itertools.pairwise(deals):
            same = ("id", "code", "title", "created_at", "created_by", "deal_source", "organization", "custom_fields")
            assert [before.get(name) for name in same] == [after.get(name) for name in same]
            assert before["updated_at"] <= after["updated_at"]
            assert all(n <= after["associations_count"][key] for key, n in before["associations_count"].items())
            times = [{s["stage_id"]: s["total_seconds"] for s in d["stage_durations"]} for d in (before, after)]
            assert all(seconds <= times[1][stage] for stage, seconds in times[0].items())
            offers = [[p["id"] for p in d.get("proposals") or []] for d in (before, after)]
            assert offers[1][: len(offers[0])] == offers[0]
            if before["status"] != OPEN and after["status"] != before["status"]:
                # Closed, then opened again: the old date stays.
                key = "won_date" if before["status"] == WON else "lost_date"
                assert after[key] == before[key]


def test_much_happens_in_a_month(company: Company) -> None:
    before, after = (
        {d["code"]: d for d in deals_of(company, at, range(600, 1_260))} for at in (MOMENT, MOMENT + timedelta(days=30))
    )
    assert before.keys() < after.keys()

    def changed(key: str) -> int:
        return sum(before[code].get(key) != after[code].get(key) for code in before)

    for key in ("status", "stage", "value", "expected_close_date", "responsible", "proposals", "archived_at"):
        assert changed(key), key


# True to what was declared


def near(found: float, true: float, n: float) -> bool:
    """Within four standard errors of a share."""
    return abs(found - true) < 4 * (true * (1 - true) / n) ** 0.5


def test_by_three_years_later_deals_have_ended(ended: list[Deal]) -> None:
    assert len(ended) > 5_000
    assert sum(deal["status"] == OPEN for deal in ended) < 0.005 * len(ended)


def test_win_rates_by_source_are_the_declared_ones(ended: list[Deal]) -> None:
    for source, rate in TRUTH.win_rate_by_source().items():
        deals = [d for d in ended if d["deal_source"] and d["deal_source"]["name"] == source]
        assert near(statistics.mean(d["status"] == WON for d in deals), rate, len(deals)), source


def test_the_overall_win_rate_falls_though_no_source_gets_worse(ended: list[Deal]) -> None:
    periods = ((date(2025, 1, 1), date(2025, 12, 1)), (date(2026, 8, 1), date(2030, 12, 1)))
    for since, until in periods:
        deals = [d for d in ended if str(since)[:7] <= d["created_at"][:7] <= str(until)[:7]]
        assert near(statistics.mean(d["status"] == WON for d in deals), TRUTH.win_rate(since, until), len(deals))
    before, after = (TRUTH.win_rate(*period) for period in periods)
    assert before - after > 0.05
    assert TRUTH.win_rate() == pytest.approx(after)


def test_loss_reasons_are_the_declared_ones(ended: list[Deal]) -> None:
    lost = [d for d in ended if d["status"] == LOST]
    given_ones = Counter(d["crm_loss_reason"]["name"] for d in lost if d["crm_loss_reason"])
    n = given_ones.total()
    assert near(1 - n / len(lost), TRUTH.frequencies.no_reason, len(lost))
    for reason, share in TRUTH.loss_reasons().items():
        assert near(given_ones[reason] / n, share, n), reason


@pytest.mark.parametrize("status", [(WON, LOST), (WON,), (LOST,)])
def test_stage_medians_are_the_declared_ones_whatever_the_outcome(ended: list[Deal], status: tuple[int]) -> None:
    seconds = defaultdict(list)
    for deal in ended:
        if deal["status"] in status:
            for stay in deal["stage_durations"]:
                seconds[deal["stage"]["pipeline"]["name"], stay["stage_name"]].append(stay["total_seconds"])
    for pipeline in TRUTH.pipelines:
        for stage, days in TRUTH.stage_medians(pipeline.name).items():
            found = seconds[pipeline.name, stage]
            error = 1.2533 * TRUTH.spread * days / len(found) ** 0.5
            assert abs(statistics.median(found) / DAY - days) < 4 * error, stage


def test_the_mean_cycle_and_value_are_the_declared_ones(ended: list[Deal]) -> None:
    won = [d for d in ended if d["status"] == WON]
    cycles = [(moment_of(d["won_date"]) - moment_of(d["created_at"])).total_seconds() / DAY for d in won]
    error = statistics.stdev(cycles) / len(won) ** 0.5
    assert abs(statistics.mean(cycles) - TRUTH.cycle_days()) < 4 * error
    values = [d["value"] for d in won if d["value"] is not None]
    error = statistics.stdev(values) / len(values) ** 0.5
    assert abs(statistics.mean(values) - TRUTH.mean_value()) < 4 * error


def test_win_rates_by_discount_are_the_declared_ones(ended: list[Deal]) -> None:
    depths = defaultdict(list)
    for deal in ended:
        for offer in deal.get("proposals") or []:
            if offer["is_primary"] and deal["status"] != OPEN:
                given_away = round(1 - offer["total"] / offer["subtotal"], 3)
                depth = next(d for d in TRUTH.discounts if d.low <= given_away <= d.high)
                depths[depth.name].append(deal["status"] == WON)
    truth = TRUTH.win_rate_by_discount(date(2025, 1, 1), date(2030, 12, 1))
    for depth, rate in truth.items():
        assert near(statistics.mean(depths[depth]), rate, len(depths[depth])), depth


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"sources": TRUTH.sources[1:]}, "the shares of sources come to 0.81, not 1"),
        ({"owners": tuple(replace(o, delta=0.01) for o in TRUTH.owners)}, "the weighted deltas of owners"),
        ({"seasons": (1.0,)}, "the months of seasons come to 1, not 12"),
        ({"sources": tuple(replace(s, win=0.95) for s in TRUTH.sources)}, "keep it inside 0 to 1"),
    ],
)
def test_a_truth_that_cannot_be_is_refused(change: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        replace(TRUTH, **change)
