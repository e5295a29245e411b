import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from metrics.companies import METRICS, OnDuckDB, OnPandas, OnPolars, companies, on, same, snapshot
from metrics.test_win_rate import lost, still_open, won

from wegly_analytics.errors import MissingColumnError
from wegly_analytics.metrics import loss_reasons, time_in_stage, velocity, win_loss, win_rate

every_metric = pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
tags = st.lists(st.sampled_from(["x", "y", None]), max_size=3)


def tagged(*names):
    return {"tags": [{"id": f"t{n}", "name": name} for n, name in enumerate(names)]}


@st.composite
def tagged_companies(draw):
    return [deal | tagged(*draw(tags)) for deal in draw(companies(max_size=12))]


def test_a_deal_with_two_tags_counts_in_both_and_once_in_all(snapshot_of):
    snap = snapshot_of(won(**tagged("x", "y")), lost(**tagged("y")), still_open(**tagged("x", "y")), lost())
    table = win_rate(snap, by="tag").set_index("tag")
    assert table[["won", "lost", "open"]].to_dict("index") == {
        "x": {"won": 1, "lost": 0, "open": 1},
        "y": {"won": 1, "lost": 1, "open": 1},
        "(not informed)": {"won": 0, "lost": 1, "open": 0},
    }
    assert table.attrs["n"] == 3
    assert table.attrs["excluded"] == {"open": 1}
    assert "a deal with several tags counts in each" in table.attrs["rule"]
    assert "several tags" not in win_rate(snap, by="source").attrs["rule"]


def test_a_tag_given_twice_counts_once(snapshot_of):
    assert win_rate(snapshot_of(won(**tagged("x", "x"))), by="tag")["won"].tolist() == [1]


def test_a_tag_without_a_name_is_not_informed(snapshot_of):
    table = win_rate(snapshot_of(won(**tagged(None)), lost(**tagged(None, "x"))), by="tag").set_index("tag")
    assert table["n"].to_dict() == {"(not informed)": 2, "x": 1}
    assert table.attrs["n"] == 2


def test_tags_go_with_other_groups(snapshot_of):
    web = {"deal_source": {"name": "web"}}
    table = win_rate(snapshot_of(won(**tagged("x", "y"), **web), lost(**tagged("x"))), by=["tag", "source"])
    assert sorted(table[["tag", "source", "n"]].to_numpy().tolist()) == [
        ["x", "(not informed)", 1], ["x", "web", 1], ["y", "web", 1]
    ]  # fmt: skip


def test_stage_times_are_those_of_each_tags_deals(snapshot_of):
    spent = {"stage_durations": [{"stage_id": "a", "stage_name": "A", "total_seconds": 86_400}]}
    snap = snapshot_of(
        won(**tagged("x", "y"), **spent), still_open(**tagged("x", "y"), stage={"id": "a"}), won(**spent)
    )
    table = time_in_stage(snap, by="tag").set_index("tag")
    assert table["left"].to_dict() == {"x": 1, "y": 1, "(not informed)": 1}
    assert table["still_in"].to_dict() == {"x": 1, "y": 1, "(not informed)": 0}
    assert table.attrs["excluded"] == {"without stage times": 1}
    assert table.attrs["n"] == 3


def test_a_column_of_ones_own_called_tag_is_just_a_column(snapshot_of):
    snap = snapshot_of(won(**tagged("x", "y"))).assign(tag="mine")
    table = win_rate(snap, by="tag")
    assert table["tag"].tolist() == ["mine"]
    assert "several tags" not in table.attrs["rule"]


def test_a_misspelt_tag_is_named(snapshot_of):
    with pytest.raises(MissingColumnError, match="did you mean 'tag'"):
        win_rate(snapshot_of(won()), by="tags")


@every_metric
@given(company=tagged_companies())
@settings(max_examples=2)
def test_by_tag_a_metric_is_the_same_everywhere_and_says_how_many_deals_there_are(metric, company):
    snap = snapshot(company)
    table, whole = metric(snap, by="tag"), metric(snap)
    for kind in (OnPolars, OnDuckDB, OnPandas):
        same(metric(on(kind, snap), by="tag"), table, check_dtype=False)
    if metric is METRICS["stalled"]:  # compares a deal with those of its tag, which may be too few
        return
    assert table.attrs["n"] == whole.attrs["n"]
    assert table.attrs["excluded"] == whole.attrs["excluded"]


@given(company=companies())
@settings(max_examples=4)
def test_where_every_deal_has_the_same_two_tags_each_is_the_whole(company):
    snap = snapshot([deal | tagged("x", "y") for deal in company])
    for metric in (win_rate, win_loss, velocity, loss_reasons, time_in_stage):
        kwargs = {"every": "year"} if metric is win_loss else {}
        table, whole = metric(snap, by="tag", **kwargs), metric(snap, **kwargs)
        for tag in set(table["tag"]):
            part = table[table["tag"] == tag].drop(columns="tag").reset_index(drop=True)
            same(part, whole)
