"""Deals for which a figure was wrong once: each keeps the record that showed it."""

from datetime import UTC, datetime, timedelta

import pytest
from strategies import TAKEN_AT

from wegly_analytics.errors import SettingError
from wegly_analytics.metrics import (
    coverage,
    funnel,
    loss_reasons,
    pipeline_value,
    proposals,
    stalled,
    time_in_stage,
    velocity,
    win_loss,
    win_rate,
)  # fmt: skip

OPEN, WON, LOST = 1, 2, 3


def ago(days: float) -> str:
    return (TAKEN_AT - timedelta(days=days)).isoformat()


def deal(status: int, value: float | None = 100.0, **more: object) -> dict[str, object]:
    return {
        "status": status,
        "value": value,
        "created_at": ago(100),
        "won_date": ago(10) if status == WON else None,
        "lost_date": ago(10) if status == LOST else None,
    } | more


STAGES = [{"id": f"s{n}", "name": name, "position": n} for n, name in enumerate(["New", "Offer"])]


def staged(status: int, stage: str, *durations: tuple[str, float], **more: object) -> dict[str, object]:
    return deal(
        status,
        stage={"id": stage, "name": f"name of {stage}", "pipeline": {"id": "p", "name": "P"}},
        pipeline_stages=STAGES,
        stage_durations=[{"stage_id": s, "stage_name": s, "total_seconds": seconds} for s, seconds in durations],
        **more,
    )


@pytest.mark.parametrize("count", ["created", "closed+stale"])
def test_the_value_of_open_deals_is_not_lost_value(count, snapshot_of):
    late = deal(OPEN, 7.0, expected_close_date=ago(40))
    row = win_rate(snapshot_of(deal(WON, 50.0), deal(LOST, 30.0), deal(OPEN, 20.0), late), count=count, weight="value")
    is_stale = count == "closed+stale"
    assert row[["won_value", "lost_value", "open_value", "stale_value"]].iloc[0].tolist() == [
        50, 30, 20 if is_stale else 27, 7 if is_stale else 0,
    ]  # fmt: skip
    assert row["rate"].item() == pytest.approx(50 / (50 + 30 + (7 if is_stale else 27)))


def test_a_small_lost_value_is_not_absorbed_by_a_large_won_one(snapshot_of):
    assert win_rate(snapshot_of(deal(WON, 1e16), deal(LOST, 0.3)), weight="value")["lost_value"].item() == 0.3


def test_a_lost_deal_without_stage_times_counts_in_the_stage_it_was_lost_in(snapshot_of):
    table = funnel(snapshot_of(staged(WON, "s1", ("s0", 60), ("s1", 60)), staged(LOST, "s1")))
    assert table["lost"].tolist() == [1, 1]
    assert table["win_rate"].tolist() == [0.5, 0.5]
    assert table.attrs["excluded"] == {}


@pytest.mark.parametrize("metric", [coverage, proposals, win_rate, loss_reasons, velocity, stalled])
def test_a_group_of_numbers_some_of_which_are_missing_is_a_table(metric, snapshot_of):
    offer = {"id": "p", "approved_at": ago(20), "created_at": ago(30)}
    snap = snapshot_of(
        deal(WON, quality_rating=3, proposals=[offer]), deal(LOST, quality_rating=None), deal(LOST, quality_rating=10)
    )
    more = {"target": 1_000} if metric is coverage else {}
    table = metric(snap, by="quality_rating", **more)
    assert set(table["quality_rating"]) <= {3, 10, "(not informed)"}
    if metric is not stalled:
        assert len(table)


def test_a_stage_with_0_seconds_was_not_visited_in_any_metric(snapshot_of):
    snap = snapshot_of(staged(WON, "s1", ("s0", 0), ("s1", 60)), staged(LOST, "s0", ("s0", 60)))
    values = pipeline_value(snap).set_index("stage")
    assert values["closed"].tolist() == [1, 1]
    assert time_in_stage(snap)["left"].tolist() == [1, 1]
    assert funnel(snap, rule="visited")["reached"].tolist() == [1, 1]


def test_the_median_of_two_approvals_is_between_them(snapshot_of):
    rows = [{"id": f"o{days}", "created_at": ago(50), "approved_at": ago(50 - days)} for days in (2, 10)]
    assert proposals(snapshot_of(deal(OPEN, proposals=rows)))["days_to_approval"].item() == pytest.approx(6)


@pytest.mark.parametrize("metric", [win_loss, velocity])
def test_a_close_in_a_far_year_is_an_error_with_a_remedy(metric, snapshot_of):
    snap = snapshot_of(deal(WON), deal(WON, won_date="2260-06-01T00:00:00Z"))
    with pytest.raises(SettingError, match=r"every='month' would make 2,8\d\d periods.* where\(\)"):
        metric(snap, every="month")
    assert len(metric(snap, every="year")) == 235


def test_one_stage_that_a_deal_lists_twice_is_one_time(snapshot_of):
    day = 86_400
    twice = staged(WON, "s1", ("s0", day), ("s0", 2 * day), ("s1", day))
    table = time_in_stage(snapshot_of(twice)).set_index("stage")
    assert table.loc["New", ["left", "p50"]].tolist() == [1, 3]


def test_an_open_deal_in_an_unknown_stage_has_a_row(snapshot_of):
    table = time_in_stage(snapshot_of(staged(OPEN, "gone"))).set_index("stage")
    assert table.loc["name of gone", "still_in"] == 1
    assert table["still_in"].sum() == 1


def test_a_negative_value_has_no_share_of_lost_value(snapshot_of):
    reasons = [{"id": "a", "name": "a"}, {"id": "b", "name": "b"}]
    snap = snapshot_of(deal(LOST, 10.0, crm_loss_reason=reasons[0]), deal(LOST, -5.0, crm_loss_reason=reasons[1]))
    table = loss_reasons(snap)
    assert table["value_share"].between(0, 1).all()
    assert table["value_share"].sum() == 1
    assert table.attrs["excluded"]["with a negative value"] == 1


def test_coverage_takes_no_deal_that_is_overdue_within_the_period(snapshot_of):
    yesterday, tomorrow = (f"{TAKEN_AT + timedelta(days=n):%Y-%m-%d}T00:00:00Z" for n in (-2, 2))
    snap = snapshot_of(
        deal(OPEN, 40.0, expected_close_date=yesterday),
        deal(OPEN, 60.0, expected_close_date=tomorrow),
        deal(WON, 90.0),
        deal(LOST, 10.0),
    )
    row = coverage(snap, target=1_000, every="year").iloc[0]
    assert row["open"] == 60
    assert row["needed"] == pytest.approx(100 / 90), "1 ÷ win rate by value; by number it would be 2"


def test_the_time_of_a_snapshot_decides_what_is_unfinished(snapshot_of):
    assert datetime(2026, 7, 1, 12, tzinfo=UTC) == TAKEN_AT
    snap = snapshot_of(deal(WON, won_date="2026-06-30T12:00:00Z"), deal(WON, won_date="2026-07-01T11:00:00Z"))
    assert win_loss(snap)["unfinished"].tolist() == [False, True]
