import numpy as np
import pandas as pd
import pytest
from strategies import days_ago

from wegly_analytics.errors import SettingError
from wegly_analytics.metrics import funnel

OPEN, WON, LOST = 1, 2, 3
STAGES = [{"id": f"s{n}", "name": name, "position": n} for n, name in enumerate(["New", "Talk", "Offer", "Contract"])]


def deal(status, *been, now=None, pipeline="P", stages=STAGES, **more):
    return {
        "status": status,
        "won_date": days_ago(1) if status == WON else None,
        "lost_date": days_ago(1) if status == LOST else None,
        "stage": {"id": now or been[-1], "pipeline": {"id": pipeline, "name": pipeline}},
        "pipeline_stages": stages,
        "stage_durations": [{"stage_id": s, "total_seconds": 60} for s in been],
    } | more


def reached(snap, rule="reached", **options):
    return funnel(snap, rule=rule, **options)["reached"].tolist()


@pytest.fixture
def snap(snapshot_of):
    return snapshot_of(
        deal(WON, "s0", "s3"),  # skipped two stages
        deal(LOST, "s0", "s1", "s2"),
        deal(LOST, "s0", "s2", "s1"),  # went back
        deal(OPEN, "s0", now="s1"),  # has just come there: no time yet
        deal(OPEN, "s2"),  # entered at a later stage
    )


def test_three_rules_give_three_funnels(snap):
    assert reached(snap, "reached") == [5, 5, 4, 1]
    assert reached(snap, "visited") == [4, 3, 3, 1]
    assert reached(snap, "strict") == [4, 3, 2, 0]


def test_win_rates_are_counted_among_those_that_got_there_and_never_multiplied(snap):
    table = funnel(snap)
    assert table[["won", "lost"]].values.tolist() == [[1, 2], [1, 2], [1, 2], [1, 0]]
    assert table["win_rate"].tolist() == pytest.approx([1 / 3, 1 / 3, 1 / 3, 1])
    assert table["of_first"].tolist() == pytest.approx([1, 1, 0.8, 0.2])
    assert table["of_previous"].tolist() == pytest.approx([np.nan, 1, 0.8, 0.25], nan_ok=True)
    assert ((table["low"] <= table["win_rate"]) & (table["win_rate"] <= table["high"])).all()


def test_a_won_deal_reached_stages_that_were_made_after_it(snapshot_of):
    snap = snapshot_of(deal(WON, "s0", "s1", stages=STAGES[:2]), deal(OPEN, "s0"))
    assert reached(snap) == [2, 1, 1, 1]


def test_a_stage_that_was_removed_leaves_the_deal_where_it_is_now(snapshot_of):
    snap = snapshot_of(deal(OPEN, "gone", now="s1"), deal(LOST, "gone", now="gone"), deal(LOST, "s0"))
    assert reached(snap) == [2, 1, 0, 0]
    assert funnel(snap).attrs["excluded"] == {"in no stage of the pipeline": 1}


def test_two_stages_of_one_name_are_two_rows(snapshot_of):
    stages = [{"id": "a", "name": "Talk", "position": 0}, {"id": "b", "name": "Talk", "position": 1}]
    table = funnel(snapshot_of(deal(LOST, "a", stages=stages), deal(LOST, "a", "b", stages=stages)))
    assert table[["stage", "reached"]].values.tolist() == [["Talk", 2], ["Talk", 1]]


def test_a_deal_that_was_opened_again_is_open(snapshot_of):
    again = deal(OPEN, "s0", "s1", won_date=days_ago(9))
    assert funnel(snapshot_of(again))[["reached", "won", "lost"]].values.tolist()[:2] == [[1, 0, 0], [1, 0, 0]]


def test_time_of_nought_is_no_visit(snapshot_of):
    passed = deal(LOST, "s0") | {
        "stage_durations": [{"stage_id": "s0", "total_seconds": 5}, {"stage_id": "s1", "total_seconds": 0}]
    }
    assert reached(snapshot_of(passed)) == [1, 0, 0, 0]


def test_one_pipeline_at_a_time(snapshot_of):
    snap = snapshot_of(deal(OPEN, "s0"), deal(OPEN, "s1"), deal(OPEN, "s0", pipeline="Q"))
    with pytest.raises(SettingError, match="there are several pipelines; name one with pipeline=: 'P', 'Q'"):
        funnel(snap)
    with pytest.raises(SettingError, match="pipeline='R' has no deal here"):
        funnel(snap, pipeline="R")
    assert reached(snap, pipeline="P") == [2, 1, 0, 0]
    assert funnel(snap, pipeline="P").attrs["excluded"] == {"in another pipeline, or in none": 1}
    assert reached(snap, pipeline="Q") == [1, 0, 0, 0]
    assert reached(snap.where(pipeline="Q")) == [1, 0, 0, 0]
    with pytest.raises(SettingError, match="rule='any' is none of 'reached', 'visited', 'strict'"):
        funnel(snap, rule="any")


def test_a_renamed_stage_goes_by_its_most_frequent_name(snapshot_of):
    renamed = [{**STAGES[0], "name": "Lead"}, *STAGES[1:]]
    deals = [deal(OPEN, "s0"), deal(OPEN, "s0"), deal(OPEN, "s0", stages=renamed)]
    assert funnel(snapshot_of(*deals))["stage"][0] == "New"


def test_without_stages_there_is_no_funnel_but_a_table(snapshot_of):
    for snap in (snapshot_of(), snapshot_of({"status": OPEN})):
        table = funnel(snap)
        assert table.empty
        assert table.dtypes["reached"] == "int64"
        assert table.dtypes["win_rate"] == "float64"


def test_groups_stand_one_after_the_other_each_in_order(snapshot_of):
    deals = [deal(OPEN, "s1", deal_source={"name": "b"}), deal(OPEN, "s0", deal_source={"name": "a"})]
    table = funnel(snapshot_of(*deals), by="source")
    assert table["source"].tolist() == ["a"] * 4 + ["b"] * 4
    assert table["reached"].tolist() == [1, 0, 0, 0, 1, 1, 0, 0]
    assert pd.isna(table["of_previous"][2]), "of none there is no share"
