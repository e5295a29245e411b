"""The simulated company: reproducible, consistent over time, and true to its declared rates."""

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

from wegly_analytics.sandbox import TAKEN_AT, TRUTH, Company

DOCUMENTED = set((Path(__file__).parents[1] / "data" / "documented_paths.txt").read_text().split())
OPEN, WON, LOST = 1, 2, 3
DAY = 86_400

Deal = dict[str, Any]


def deals_of(company: Company, at: datetime, codes: range | None = None) -> list[Deal]:
    bodies = (company.response(str(code), at) for code in codes or company.codes(at))
    return [json.loads(body) for body in bodies if body is not None]


def leaves(node: Any, path: str = "") -> set[str]:
    if isinstance(node, dict):
        return set().union(*(leaves(value, f"{path}.{key}" if path else key) for key, value in node.items()))
    if isinstance(node, list):
        return set().union(*(leaves(value, f"{path}[]") for value in node))
    return set() if node is None else {path}


def instant_of(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)


@pytest.fixture(scope="module")
def company() -> Company:
    return Company()


@pytest.fixture(scope="module")
def sample(company: Company) -> list[Deal]:
    return deals_of(company, TAKEN_AT)


@pytest.fixture(scope="module")
def ended() -> list[Deal]:
    """Deals of six years, three years after the last of them arrived, without archived ones, which never end."""
    since, until = datetime(2025, 1, 1, tzinfo=UTC), datetime(2031, 1, 1, tzinfo=UTC)
    company = Company(seed=11, deals_per_month=60)
    seen = until + timedelta(days=3 * 365)
    found = deals_of(company, seen, company.codes(until))
    assert instant_of(found[0]["created_at"]) >= since
    return [deal for deal in found if deal["archived_at"] is None]


# What an analyst finds


def test_the_sample_is_a_company_of_a_thousand_deals(sample: list[Deal]) -> None:
    status = Counter(deal["status"] for deal in sample)
    assert 1_100 <= len(sample) <= 1_250
    assert 0.2 <= status[OPEN] / len(sample) <= 0.3
    for kind, key in ((WON, "won_date"), (LOST, "lost_date")):
        assert len({deal[key][:7] for deal in sample if deal["status"] == kind}) >= 12


def test_every_documented_leaf_appears_and_no_other(sample: list[Deal]) -> None:
    assert set().union(*map(leaves, sample)) == DOCUMENTED


def test_every_documented_irregularity_occurs(sample: list[Deal]) -> None:
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
    deleted_stages = [
        d
        for d in sample
        if "pipeline_stages" in d
        and {s["stage_id"] for s in d["stage_durations"]} - {s["id"] for s in d["pipeline_stages"]}
    ]
    assert some(deleted_stages)


def test_instants_and_days_are_written_as_the_api_writes_them(sample: list[Deal]) -> None:
    instant = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z")
    for deal in sample:
        assert instant.fullmatch(deal["created_at"])
        assert deal["expected_close_date"] is None or deal["expected_close_date"].endswith("T00:00:00.000Z")
        assert deal["created_at"] <= deal["updated_at"] <= "2026-07-01T12:00:00.000Z"


def test_most_deals_are_created_in_working_hours(sample: list[Deal]) -> None:
    local = [instant_of(deal["created_at"]) - timedelta(hours=3) for deal in sample]
    in_hours = [instant.weekday() < 5 and 8 <= instant.hour < 19 for instant in local]
    assert 0.8 < statistics.mean(in_hours) < 1


def test_no_contact_belongs_to_a_real_person(sample: list[Deal]) -> None:
    contacts = [c for d in sample for p in d.get("participants") or [] for c in p["person"]["contacts"]]
    assert contacts
    for contact in contacts:
        assert contact["value"].endswith(".example.com") or contact["value"].startswith("+55 11 90000-")


def test_the_count_of_proposals_is_the_length_of_their_list(sample: list[Deal]) -> None:
    for deal in sample:
        assert deal["associations_count"]["proposals"] == len(deal.get("proposals") or [])


def test_the_time_of_an_open_deal_in_its_current_stage_can_be_included_or_not() -> None:
    def seconds(company: Company) -> dict[int, int]:
        deals = deals_of(company, TAKEN_AT, range(900, 1_200))
        return {d["code"]: sum(s["total_seconds"] for s in d["stage_durations"]) for d in deals}

    included, not_included = seconds(Company()), seconds(Company(truth=replace(TRUTH, running=False)))
    assert sum(included[code] > not_included[code] for code in included) > 100
    assert all(included[code] >= not_included[code] for code in included)


# Reproducible


def test_a_seed_determines_the_company(company: Company) -> None:
    again, other = Company(), Company(seed=8)
    for code in company.codes(TAKEN_AT)[::5]:
        body = company.response(str(code), TAKEN_AT)
        assert again.response(str(code), TAKEN_AT) == body
        assert body is None or other.response(str(code), TAKEN_AT) != body
    assert repr(other) == "Company(seed=8)"


@settings(max_examples=15)
@given(code=st.integers(1, 1_200))
def test_a_deal_does_not_depend_on_the_other_requests(company: Company, code: int) -> None:
    alone = Company().response(str(code), TAKEN_AT)
    assert alone == company.response(str(code), TAKEN_AT)
    if alone is not None:
        assert company.response(json.loads(alone)["id"], TAKEN_AT) == alone
        assert company.response(json.loads(alone)["id"].upper(), TAKEN_AT) == alone


@given(requested_id=st.one_of(st.text(max_size=40), st.uuids().map(str), st.integers().map(str)))
def test_any_text_may_be_requested(company: Company, requested_id: str) -> None:
    body = company.response(requested_id, TAKEN_AT)
    assert body is None or json.loads(body)["code"] == int(requested_id)


def test_threads_see_the_same_company(company: Company) -> None:
    shared, found = Company(), defaultdict(set)
    bodies = [body for _, body in itertools.islice(company.responses(TAKEN_AT), 60)]
    uuids = [json.loads(body)["id"] for body in bodies]

    def request_all() -> None:
        for uuid in uuids:
            found[uuid].add(shared.response(uuid, TAKEN_AT))

    threads = [threading.Thread(target=request_all) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {uuid: {body} for uuid, body in zip(uuids, bodies, strict=True)}


def test_codes_have_gaps(company: Company, sample: list[Deal]) -> None:
    codes = company.codes(TAKEN_AT)
    assert codes.start == 1
    assert 0.01 < 1 - len(sample) / len(codes) < 0.05
    assert company.response(str(codes.stop), TAKEN_AT) is None


def test_before_it_opened_it_has_no_deals(company: Company) -> None:
    assert list(company.codes(datetime(2024, 12, 31, tzinfo=UTC))) == []
    assert company.response("1", datetime(2024, 12, 31, tzinfo=UTC)) is None


# Consistent over time


@settings(max_examples=15)
@given(days=st.lists(st.integers(0, 900), min_size=2, max_size=4).map(sorted), start=st.integers(1, 1_100))
def test_what_is_past_never_changes(company: Company, days: list[int], start: int) -> None:
    opened = datetime(2025, 1, 1, tzinfo=UTC)
    for code in range(start, start + 12):
        seen = [company.response(str(code), opened + timedelta(days=n)) for n in days]
        deals = [json.loads(body) for body in seen if body is not None]
        assert [body is None for body in seen] == sorted((body is None for body in seen), reverse=True)
        for before, after in itertools.pairwise(deals):
            unchanged = (
                "id",
                "code",
                "title",
                "created_at",
                "created_by",
                "deal_source",
                "organization",
                "custom_fields",
            )
            assert [before.get(name) for name in unchanged] == [after.get(name) for name in unchanged]
            assert before["updated_at"] <= after["updated_at"]
            assert all(n <= after["associations_count"][key] for key, n in before["associations_count"].items())
            times = [{s["stage_id"]: s["total_seconds"] for s in d["stage_durations"]} for d in (before, after)]
            assert all(seconds <= times[1][stage] for stage, seconds in times[0].items())
            proposals = [[p["id"] for p in d.get("proposals") or []] for d in (before, after)]
            assert proposals[1][: len(proposals[0])] == proposals[0]
            if before["status"] != OPEN and after["status"] != before["status"]:
                # Closed, then reopened: the old date stays.
                key = "won_date" if before["status"] == WON else "lost_date"
                assert after[key] == before[key]


def test_every_kind_of_change_occurs_within_a_month(company: Company) -> None:
    before, after = (
        {d["code"]: d for d in deals_of(company, at, range(700, 1_260))}
        for at in (TAKEN_AT, TAKEN_AT + timedelta(days=30))
    )
    assert before.keys() < after.keys()

    def changed(key: str) -> int:
        return sum(before[code].get(key) != after[code].get(key) for code in before)

    for key in ("status", "stage", "value", "expected_close_date", "responsible", "proposals", "archived_at"):
        assert changed(key), key


# True to its declaration


def is_near(found: float, true: float, n: float) -> bool:
    """Within four standard errors of a share."""
    return abs(found - true) < 4 * (true * (1 - true) / n) ** 0.5


def test_three_years_later_almost_all_deals_are_closed(ended: list[Deal]) -> None:
    assert len(ended) > 5_000
    assert sum(deal["status"] == OPEN for deal in ended) < 0.005 * len(ended)


def test_win_rates_by_source_are_the_declared_ones(ended: list[Deal]) -> None:
    for source, rate in TRUTH.win_rate_by_source().items():
        deals = [d for d in ended if d["deal_source"] and d["deal_source"]["name"] == source]
        assert is_near(statistics.mean(d["status"] == WON for d in deals), rate, len(deals)), source


def test_the_overall_win_rate_falls_although_no_source_gets_worse(ended: list[Deal]) -> None:
    periods = ((date(2025, 1, 1), date(2025, 12, 1)), (date(2026, 8, 1), date(2030, 12, 1)))
    for since, until in periods:
        deals = [d for d in ended if str(since)[:7] <= d["created_at"][:7] <= str(until)[:7]]
        assert is_near(statistics.mean(d["status"] == WON for d in deals), TRUTH.win_rate(since, until), len(deals))
    before, after = (TRUTH.win_rate(*period) for period in periods)
    assert before - after > 0.05
    assert TRUTH.win_rate() == pytest.approx(after)


def test_loss_reasons_are_the_declared_ones(ended: list[Deal]) -> None:
    lost = [d for d in ended if d["status"] == LOST]
    informed = Counter(d["crm_loss_reason"]["name"] for d in lost if d["crm_loss_reason"])
    n = informed.total()
    assert is_near(1 - n / len(lost), TRUTH.frequencies.no_reason, len(lost))
    for reason, share in TRUTH.loss_reasons().items():
        assert is_near(informed[reason] / n, share, n), reason


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
    cycles = [(instant_of(d["won_date"]) - instant_of(d["created_at"])).total_seconds() / DAY for d in won]
    error = statistics.stdev(cycles) / len(won) ** 0.5
    assert abs(statistics.mean(cycles) - TRUTH.cycle_days()) < 4 * error
    values = [d["value"] for d in won if d["value"] is not None]
    error = statistics.stdev(values) / len(values) ** 0.5
    assert abs(statistics.mean(values) - TRUTH.mean_value()) < 4 * error


def test_win_rates_by_discount_are_the_declared_ones(ended: list[Deal]) -> None:
    depths = defaultdict(list)
    for deal in ended:
        for proposal in deal.get("proposals") or []:
            if proposal["is_primary"] and deal["status"] != OPEN:
                discount = round(1 - proposal["total"] / proposal["subtotal"], 3)
                depth = next(d for d in TRUTH.discounts if d.low <= discount <= d.high)
                depths[depth.name].append(deal["status"] == WON)
    truth = TRUTH.win_rate_by_discount(date(2025, 1, 1), date(2030, 12, 1))
    for depth, rate in truth.items():
        assert is_near(statistics.mean(depths[depth]), rate, len(depths[depth])), depth


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sources": TRUTH.sources[1:]}, "the shares of sources add up to 0.81, not 1"),
        ({"owners": tuple(replace(o, delta=0.01) for o in TRUTH.owners)}, "the weighted deltas of owners"),
        ({"seasons": (1.0,)}, "seasons has 1 months: give 12"),
        ({"sources": tuple(replace(s, win=0.95) for s in TRUTH.sources)}, "keep it between 0 and 1"),
    ],
)
def test_inconsistent_rates_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(TRUTH, **change)
