from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from metrics.companies import OnDuckDB, OnPandas, OnPolars, on, same, snapshot

import wegly_analytics as wa
from wegly_analytics.errors import MissingColumnError, SettingError
from wegly_analytics.metrics import stalled
from wegly_analytics.metrics._stalled import LEAST

DAY = 86_400


def deal(status, stage, days, **more):
    """A deal in a stage, with the days it was in each."""
    times = [
        {"stage_id": s, "stage_name": s, "total_seconds": DAY * d if d is not None else d} for s, d in days.items()
    ]
    return {
        "status": status,
        "stage": {"id": stage, "name": f"Stage {stage}", "pipeline": {"id": "p", "name": "P"}},
        "stage_durations": times,
    } | more


def gone(days, **more):
    return deal(1, "b", {"a": days}, **more)


def waiting(days, **more):
    return deal(1, "a", {"a": days}, **more)


TEN_LEFT = [gone(days) for days in range(1, 11)]  # after 1, 2, … 10 days


def codes(table):
    return [int(name.split("-")[1]) for name in table["deal_id"]]


def test_a_deal_is_stalled_if_it_waits_longer_than_nine_of_ten_did(snapshot_of):
    snap = snapshot_of(waiting(9, title="on the mark"), waiting(9.5, title="above it", value=7), *TEN_LEFT)
    table = stalled(snap)
    assert table.drop(columns=["responsible", "last_activity_at"]).to_dict("records") == [
        {
            "deal_id": "deal-1", "title": "above it", "stage": "Stage a", "days": 9.5,
            "typical_days": 9.0, "value": 7.0
        }
    ]  # fmt: skip
    assert table.columns.tolist() == [
        "deal_id", "title", "responsible", "stage", "days", "typical_days", "value", "last_activity_at"
    ]  # fmt: skip
    assert table.attrs["n"] == 2, "those that wait in stage a; nobody has a time in b yet"
    assert table.attrs["excluded"] == {"without stage times": 10}
    assert table.attrs["q"] == 0.9


def test_what_most_is_may_be_said(snapshot_of):
    snap = snapshot_of(waiting(5.5), *TEN_LEFT)
    assert stalled(snap, q=0.5)["typical_days"].tolist() == [5]
    assert len(stalled(snap)) == 0


@pytest.mark.parametrize("q", [0, 1, 90, -0.1, float("nan")])
def test_a_share_that_is_none_is_refused(q, snapshot_of):
    with pytest.raises(SettingError, match="is not between 0 and 1"):
        stalled(snapshot_of(), q=q)


@given(st.lists(st.integers(1, 20), min_size=LEAST, max_size=30), st.sampled_from([0.25, 0.5, 0.75, 0.9]))
@settings(max_examples=15)
def test_the_mark_is_numpys_inverted_quantile(days, q):
    company = [deal | {"id": f"deal-{n}", "code": n + 1} for n, deal in enumerate([waiting(99), *map(gone, days)])]
    snap = snapshot(company)
    expected = np.quantile(np.array(days, dtype=float), q, method="inverted_cdf")
    assert stalled(snap, q=q)["typical_days"].tolist() == pytest.approx([expected])


def test_closed_deals_have_left_their_last_stage(snapshot_of):
    closed = [deal(2 + n % 2, "a", {"a": 3}) for n in range(LEAST)]
    assert stalled(snapshot_of(waiting(4), *closed))["typical_days"].tolist() == [3]


def test_the_most_valuable_come_first_then_the_longest_and_those_without_value_last(snapshot_of):
    snap = snapshot_of(
        waiting(30), waiting(11, value=5), waiting(40), waiting(12, value=5), waiting(11, value=0), waiting(40),
        *TEN_LEFT
    )  # fmt: skip
    assert codes(stalled(snap)) == [3, 1, 4, 2, 5, 0]


def test_where_few_have_left_nobody_knows_what_is_long(snapshot_of):
    few = [gone(1) for _ in range(LEAST - 1)]
    table = stalled(snapshot_of(waiting(99), waiting(1), *few))
    assert len(table) == 0
    assert table.attrs["excluded"]["in a stage that few deals have left"] == 2
    assert table.attrs["n"] == 0
    assert len(stalled(snapshot_of(waiting(99), *few, gone(1)))) == 1


def test_with_groups_a_deal_is_compared_with_its_own(snapshot_of):
    web, fair = ({"deal_source": {"name": name}} for name in ("web", "fair"))
    slow, quick = [gone(20, **fair) for _ in range(LEAST)], [gone(2, **web) for _ in range(LEAST)]
    snap = snapshot_of(waiting(10, **web), waiting(10, **fair), waiting(10), *slow, *quick)
    table = stalled(snap, by="source")
    assert table.columns[:2].tolist() == ["source", "deal_id"]
    assert table[["source", "deal_id", "typical_days"]].to_numpy().tolist() == [["web", "deal-0", 2.0]]
    assert table.attrs["excluded"]["in a stage that few deals have left"] == 1, "of those without a source none left"


def test_the_uninformed_are_a_group(snapshot_of):
    table = stalled(snapshot_of(waiting(99), *TEN_LEFT), by=["source", "quality_rating"])
    assert table[["source", "quality_rating"]].to_numpy().tolist() == [["(not informed)"] * 2]


@pytest.mark.parametrize("by", ["responsible", "stage", "deal_id", "title"])
def test_a_column_of_the_list_may_be_the_group(by, snapshot_of):
    snap = snapshot_of(*[waiting(99, responsible={"name": "Ana"}, value=3)] * 2, *[gone(d) for d in [1] * LEAST])
    table = stalled(snap, by=by)
    assert table.columns[0] == by
    assert table.columns.is_unique


def test_a_tagged_deal_stands_under_each_tag_and_counts_once(snapshot_of):
    tags = {"tags": [{"id": "1", "name": "hot"}, {"id": "2", "name": "new"}]}
    snap = snapshot_of(waiting(99, **tags), *[gone(days, **tags) for days in range(1, 11)])
    table = stalled(snap, by="tag")
    assert table[["tag", "deal_id"]].to_numpy().tolist() == [["hot", "deal-0"], ["new", "deal-0"]]
    assert table.attrs["n"] == 1


def test_what_was_dropped_from_the_snapshot_is_missing(tmp_path):
    whole = wa.sample()
    whole.save(tmp_path, personal="drop", columns={"deals.title": "drop"})
    mine, bare = stalled(whole), stalled(wa.load(tmp_path))
    assert bare.columns.tolist() == mine.columns.tolist()
    assert bare["title"].isna().all()
    assert not mine["title"].isna().any()
    assert bare[["deal_id", "days", "value"]].equals(mine[["deal_id", "days", "value"]])


def test_a_table_without_the_told_columns_still_makes_the_list(snapshot_of):
    snap = snapshot_of(waiting(99), *TEN_LEFT)
    tables = {**snap.tables, "deals": snap.tables["deals"].drop_columns(["title", "value", "responsible"])}
    table = stalled(replace(snap, tables=tables))
    assert table[["title", "value", "responsible"]].isna().all(axis=None)
    assert codes(table) == [0]


def test_times_that_cannot_be_are_no_times(snapshot_of):
    snap = snapshot_of(waiting(-1), waiting(None), waiting(99), deal(1, None, {"a": 99}), *TEN_LEFT)
    table = stalled(snap)
    assert codes(table) == [2]
    assert table.attrs["excluded"]["without stage times"] == 3 + len(TEN_LEFT)


def test_where_all_take_equally_long_none_is_stalled(snapshot_of):
    assert len(stalled(snapshot_of(*[waiting(5)] * 3, *[gone(5)] * 9))) == 0


@pytest.mark.parametrize("deals", [[], [waiting(5)], [waiting(5)] * 9, [deal(2, "a", {"a": 5})] * 9])
def test_nothing_to_compare_is_an_empty_typed_list(deals, snapshot_of):
    table = stalled(snapshot_of(*deals))
    assert len(table) == 0
    assert table.dtypes[["days", "typical_days", "value"]].tolist() == [float] * 3
    assert table["last_activity_at"].dtype.kind == "M"


def test_a_misspelt_group_is_named(snapshot_of):
    with pytest.raises(MissingColumnError, match="no column 'stag'"):
        stalled(snapshot_of(), by="stag")


def test_the_simulated_company_has_some():
    table = stalled(wa.sample())
    assert 0 < len(table) < table.attrs["n"] / 4, "about a tenth of a steady pipeline, more where it has grown old"
    assert pd.api.types.is_numeric_dtype(table["value"])


@pytest.mark.parametrize("kind", [OnPolars, OnDuckDB, OnPandas])
@pytest.mark.parametrize("by", [None, "source", ["tag", "responsible"]])
def test_the_sample_gives_the_same_list_on_every_engine(kind, by):
    snap = wa.sample()
    same(stalled(on(kind, snap), by=by, q=0.75), stalled(snap, by=by, q=0.75), check_dtype=False)
