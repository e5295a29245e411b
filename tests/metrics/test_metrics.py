"""What holds for every metric."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from metrics.companies import METRICS, OnDuckDB, OnPandas, OnPolars, companies, every_metric, on, same, snapshot
from strategies import TAKEN_AT, deals

import wegly_analytics as wa
from wegly_analytics import metrics
from wegly_analytics.errors import MissingColumnError, SettingError
from wegly_analytics.model.tables import DEALS


@every_metric
@given(company=companies(min_size=12))
@settings(max_examples=2)
def test_a_metric_gives_the_same_table_on_every_engine(metric, company):
    snap = snapshot(company)
    expected = metric(snap, by="source")
    for kind in (OnPolars, OnDuckDB, OnPandas):
        same(metric(on(kind, snap), by="source"), expected, check_dtype=False)


COUNTS = {"won", "lost", "open", "n", "deals", "left", "still_in", "stale", "won_value", "lost_value"}
BY_PIPELINE = {"time_in_stage", "funnel", "funnel visited", "funnel strict", "pipeline_value"}


@pytest.mark.parametrize("name", METRICS)
@given(company=companies(), random=st.randoms(use_true_random=False))
@settings(max_examples=5)
def test_order_and_split_never_matter_and_rates_and_counts_are_consistent(name, company, random):
    """The properties of one table are tested together, since the metric takes longest."""
    metric, snap = METRICS[name], snapshot(company)
    parts, whole = metric(snap, by="source"), metric(snap)
    shuffled = snapshot(random.sample(company, len(company)))
    same(metric(shuffled, by="source"), parts)
    same(metric(shuffled), whole)
    rates_lie_within_their_intervals(parts)
    for count in COUNTS & set(whole.columns):
        assert parts[count].sum() == pytest.approx(whole[count].sum()), count
    if name not in BY_PIPELINE:
        split = [
            deal | {"stage": {**deal["stage"], "pipeline": {"id": f"p{n % 2}", "name": "PQ"[n % 2]}}}
            for n, deal in enumerate(company)
        ]
        same(metric(snapshot(split), by="source"), parts)


def rates_lie_within_their_intervals(table):
    if {"low", "rate"} <= set(table):
        known = table.dropna(subset=["rate"])
        assert ((known["low"] >= 0) & (known["high"] <= 1)).all()
        assert ((known["low"] <= known["rate"]) & (known["rate"] <= known["high"])).all()
        assert table["rate"].isna().equals(table["low"].isna())


@every_metric
def test_groups_may_be_numbers_some_of_which_are_missing(metric):
    assert "quality_rating" in metric(wa.sample(), by="quality_rating")


@every_metric
def test_a_group_never_stands_in_the_way_of_a_figure(metric):
    figures = sorted(set(metric(wa.sample()).columns) - {"pipeline", "stage"})
    dropped = {"title", "responsible", "last_activity_at", "deal_id"} | (
        {"value"} if metric is METRICS["stalled"] else set()
    )  # a list of deals has these once
    for name in figures[:4]:
        if name in dropped:
            continue
        with pytest.raises(
            SettingError, match=rf"by='{name}': the result of metrics\.\w+ has a column '{name}' of its own"
        ):
            metric(wa.sample().assign(**({} if name in DEALS.names else {name: 1})), by=name)


TEMPORARY = ("counts", "age", "group_0")


@every_metric
@pytest.mark.parametrize("name", TEMPORARY)
def test_a_group_may_be_called_as_anything_that_a_metric_computes_on_the_way(metric, name):
    snap = wa.sample()
    table = metric(snap.assign(**{name: snap.deals["temperature"]}), by=[name, name])
    same(metric(snap, by="temperature").rename(columns={"temperature": name}), table)


@every_metric
@given(company=st.lists(deals(), max_size=4, unique_by=lambda deal: deal["id"]))
@settings(max_examples=3)
def test_a_metric_takes_anything_the_documentation_allows(metric, company):
    snap = snapshot(company)
    try:
        metric(snap)
    except SettingError as error:
        assert "periods" in str(error)


@every_metric
def test_nothing_gives_an_empty_typed_table_that_explains_itself(metric):
    table = metric(snapshot([]), by="source")
    full = metric(
        snapshot([{"id": "a", "status": 2, "won_date": TAKEN_AT.isoformat(), "created_at": TAKEN_AT.isoformat()}]),
        by="source",
    )
    assert len(table) == 0
    assert list(table.columns) == list(full.columns)
    assert table.attrs["n"] == 0
    for name in set(table.columns) - {"source"}:
        assert table[name].dtype.kind == full[name].dtype.kind or len(full) == 0, name


@every_metric
def test_a_metric_says_what_was_computed_on_what(metric, snapshot_of):
    snap = snapshot_of({"status": 2, "archived_at": "2026-01-01T00:00:00Z"}, {"status": None}, {"status": 1})
    table = metric(snap)
    assert isinstance(table.index, pd.RangeIndex)
    attrs = table.attrs
    assert attrs["rule"].endswith("archived deals excluded")
    assert attrs["excluded"]["archived"] == 1
    assert attrs["excluded"]["status unknown"] == 1
    assert attrs["completeness"]["requested"] == 3
    assert attrs["taken_at"] == "2026-07-01T12:00:00+00:00"
    assert "archived" not in metric(snap, archived=True).attrs["excluded"]
    json.dumps(attrs)  # pandas writes attrs into Parquet as JSON


@every_metric
def test_a_misspelt_group_is_named_with_its_neighbour(metric, snapshot_of):
    with pytest.raises(MissingColumnError, match="deals has no column 'sorce'; did you mean 'source'"):
        metric(snapshot_of({}), by="sorce")


@every_metric
def test_several_groups_and_assigned_ones(metric, snapshot_of):
    snap = snapshot_of(
        {"status": 2, "won_date": "2026-05-01T00:00:00Z", "created_at": "2026-04-01T00:00:00Z"},
        {"status": 3, "lost_date": "2026-05-01T00:00:00Z", "crm_loss_reason": {"name": "Price"}},
    )
    table = metric(snap.assign(size="big"), by=["size", "source"])
    assert {"size", "source"} <= set(table.columns)
    assert set(table["source"]) <= {"(not informed)"}


@every_metric
def test_the_snapshot_is_not_changed(metric, snapshot_of):
    snap, twin = (snapshot_of({"status": 2, "value": 5}) for _ in range(2))
    metric(snap, by="status")
    assert snap == twin


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda s: metrics.win_rate(s, count="all"), "count='all' is none of 'closed', 'created'"),
        (lambda s: metrics.win_rate(s, weight="n"), "weight='n' is neither"),
        (lambda s: metrics.velocity(s, count="won"), "count='won' is none of 'open'"),
        (lambda s: metrics.win_loss(s, every="day"), "every='day' is none of 'week', 'month'"),
        (lambda s: metrics.velocity(s, every="fortnight"), "every='fortnight' is none"),
    ],
)
def test_unknown_settings_are_refused(call, message, snapshot_of):
    snap = snapshot_of({"status": 2, "won_date": "2026-05-01T00:00:00Z", "created_at": "2026-04-01T00:00:00Z"})
    with pytest.raises(SettingError, match=message):
        call(snap)


def test_odd_dates_make_no_million_periods(snapshot_of):
    snap = snapshot_of(
        {"status": 2, "won_date": "1901-01-01T00:00:00Z"}, {"status": 2, "won_date": "2026-01-01T00:00:00Z"}
    )
    with pytest.raises(SettingError, match=r"would make 1,501 periods, from 1900-12-01 to 2025-12-01"):
        metrics.win_loss(snap)
    years = metrics.win_loss(snap, every="year")["period"].dt.year
    assert [years.min(), years.max(), len(years)] == [1900, 2025, 126], "in São Paulo both deals are a year older"


def test_no_metric_leaves_numpy_warnings(snapshot_of):
    snap = snapshot_of({"status": 2}, {"status": 3, "value": 0})
    for metric in METRICS.values():
        metric(snap)
    assert np.geterr()["divide"] == "warn"
