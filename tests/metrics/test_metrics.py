"""What holds for every metric."""

import json

import duckdb
import narwhals as nw
import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import MOMENT, body, deals

import wegly_analytics as wa
from wegly_analytics import metrics
from wegly_analytics.errors import MissingColumnError, SettingError
from wegly_analytics.intake.build import Response, SnapshotBuilder
from wegly_analytics.model.tables import DEALS
from wegly_analytics.snapshot.snapshot import Snapshot


def funnel(snap, **options):
    """The funnel of the pipeline with most closed deals."""
    names = [name for name in metrics.win_rate(snap, by="pipeline")["pipeline"] if name != "(not informed)"]
    return metrics.funnel(snap, pipeline=names[0] if names else None, **options)


METRICS = {
    "win_rate": metrics.win_rate,
    "win_rate created": lambda s, **k: metrics.win_rate(s, count="created", **k),
    "win_rate stale": lambda s, **k: metrics.win_rate(s, count="closed+stale", **k),
    "win_rate by value": lambda s, **k: metrics.win_rate(s, weight="value", **k),
    "win_loss": lambda s, **k: metrics.win_loss(s, every="year", **k),
    "loss_reasons": metrics.loss_reasons,
    "loss_reasons by year": lambda s, **k: metrics.loss_reasons(s, every="year", **k),
    "velocity": metrics.velocity,
    "velocity by year": lambda s, **k: metrics.velocity(s, every="year", **k),
    "velocity created": lambda s, **k: metrics.velocity(s, every="quarter", count="created", **k),
    "time_in_stage": metrics.time_in_stage,
    "time_to_close": metrics.time_to_close,
    "stalled": lambda s, **k: metrics.stalled(s, q=0.5, **k),
    "proposals": metrics.proposals,
    "discounts": metrics.discounts,
    "pipeline_value": metrics.pipeline_value,
    "coverage": lambda s, **k: metrics.coverage(s, target=1000, every="year", periods=2, **k),
    "funnel": funnel,
    "funnel visited": lambda s, **k: funnel(s, rule="visited", **k),
    "funnel strict": lambda s, **k: funnel(s, rule="strict", **k),
    "forecast": lambda s, **k: metrics.forecast(s, draws=20, **k),
    "compare_rules": metrics.compare_rules,
    "velocity_bridge": lambda s, **k: metrics.velocity_bridge(s, every="year", **k),
}
every_metric = pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)

few = st.sampled_from(["a", "b", None])
money = st.none() | st.integers(0, 1000)


@st.composite
def companies(draw, max_size=25):
    """Deals with few names, so that groups and ties are common, and dates around the moment."""
    company = []
    stages = [{"id": f"s{n}", "name": f"Stage {n}", "position": n} for n in range(3)]
    for n in range(draw(st.integers(0, max_size))):
        day = st.none() | st.integers(0, 900).map(lambda d: pd.Timestamp(MOMENT) - pd.Timedelta(days=d))
        created, won, lost, expected, archived = (draw(day) for _ in range(5))
        company.append(
            {
                "id": f"deal-{n}",
                "code": n + 1,
                "status": draw(st.sampled_from([1, 2, 3, None])),
                "value": draw(money),
                "created_at": created,
                "won_date": won,
                "lost_date": lost,
                "expected_close_date": expected,
                "archived_at": archived if draw(st.integers(0, 4)) == 0 else None,
                "deal_source": {"name": draw(few)},
                "crm_loss_reason": {"name": draw(few)},
                "stage": {"id": draw(st.sampled_from(["s0", "s1", "s9"])), "pipeline": {"id": "p", "name": "P"}},
                "pipeline_stages": stages,
                "proposals": [
                    {
                        "id": f"p{n}-{m}",
                        "is_primary": draw(st.sampled_from([True, False, None])),
                        "subtotal": draw(money),
                        "total": draw(money),
                        "created_at": plain({"at": created})["at"],
                        **plain({f"{name}_at": draw(day) for name in ("approved", "rejected", "archived")}),
                        "valid_until": plain({"at": draw(day)})["at"],
                    }
                    for m in range(draw(st.integers(0, 2)))
                ],
                "stage_durations": [
                    {"stage_id": s, "stage_name": s, "total_seconds": draw(st.none() | st.integers(0, 10**6))}
                    for s in draw(st.lists(st.sampled_from(["s0", "s1", "s2", "s9"]), unique=True))
                ],
            }
        )
    return company


def plain(deal):
    return {k: v.strftime("%Y-%m-%dT%H:%M:%SZ") if isinstance(v, pd.Timestamp) else v for k, v in deal.items()}


def snapshot(company):
    assembly = SnapshotBuilder()
    for place, deal in enumerate(company):
        assembly.add(place, Response(str(place + 1), "fetched", MOMENT, 200, body=body(plain(deal)), check_id=False))
    return assembly.snapshot(MOMENT)


class Elsewhere(Snapshot):
    """The same snapshot, its frames on another engine."""

    def frame(self, name, columns=None):
        table = self.tables[name] if columns is None else self.tables[name].select(columns)
        return nw.from_native(self.engine(table)).lazy()


class OnPolars(Elsewhere):
    engine = staticmethod(lambda table: pl.from_arrow(table).lazy())


class OnDuckDB(Elsewhere):
    engine = staticmethod(lambda table: duckdb.from_arrow(table))


class OnPandas(Elsewhere):
    engine = staticmethod(lambda table: table.to_pandas(types_mapper=pd.ArrowDtype))


def on(kind, snap):
    return kind(snap.tables, snap.taken_from, snap.taken_at, snap.drift_seen, snap.filters)


def same(one, other, **how):
    pd.testing.assert_frame_equal(one, other, rtol=1e-9, atol=1e-9, **how)


@every_metric
@given(company=companies())
@settings(max_examples=8)
def test_a_metric_gives_the_same_table_on_every_engine(metric, company):
    snap = snapshot(company)
    expected = metric(snap, by="source")
    for kind in (OnPolars, OnDuckDB, OnPandas):
        same(metric(on(kind, snap), by="source"), expected, check_dtype=False)


@every_metric
@given(company=companies(), random=st.randoms(use_true_random=False))
@settings(max_examples=8)
def test_the_order_of_deals_never_matters(metric, company, random):
    shuffled = random.sample(company, len(company))
    for by in (None, "source"):
        same(metric(snapshot(company), by=by), metric(snapshot(shuffled), by=by))


@every_metric
@given(company=companies())
@settings(max_examples=8)
def test_rates_lie_within_their_intervals(metric, company):
    table = metric(snapshot(company), by="source")
    if {"low", "rate"} <= set(table):
        known = table.dropna(subset=["rate"])
        assert ((known["low"] >= 0) & (known["high"] <= 1)).all()
        assert ((known["low"] <= known["rate"]) & (known["rate"] <= known["high"])).all()
        assert table["rate"].isna().equals(table["low"].isna())


BY_PIPELINE = {"time_in_stage", "funnel", "funnel visited", "funnel strict", "pipeline_value"}


@pytest.mark.parametrize("metric", [METRICS[name] for name in METRICS if name not in BY_PIPELINE])
@given(company=companies())
@settings(max_examples=8)
def test_deals_that_are_split_over_two_pipelines_and_put_together_give_the_same(metric, company):
    split = [
        deal | {"stage": {**deal["stage"], "pipeline": {"id": f"p{n % 2}", "name": "PQ"[n % 2]}}}
        for n, deal in enumerate(company)
    ]
    for by in (None, "source"):
        same(metric(snapshot(company), by=by), metric(snapshot(split), by=by))


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


COUNTS = {"won", "lost", "open", "n", "deals", "left", "still_in", "stale", "won_value", "lost_value"}


@every_metric
@given(company=companies())
@settings(max_examples=8)
def test_groups_add_up_to_the_total(metric, company):
    snap = snapshot(company)
    parts, whole = metric(snap, by="source"), metric(snap)
    for name in COUNTS & set(whole.columns):
        assert parts[name].sum() == pytest.approx(whole[name].sum()), name


@every_metric
@given(company=st.lists(deals(), max_size=4, unique_by=lambda deal: deal["id"]))
@settings(max_examples=8)
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
        snapshot([{"id": "a", "status": 2, "won_date": MOMENT.isoformat(), "created_at": MOMENT.isoformat()}]),
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
    assert attrs["rule"].endswith("archived deals left out")
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
        {"status": 2, "won_date": "1000-01-01T00:00:00Z"}, {"status": 2, "won_date": "2026-01-01T00:00:00Z"}
    )
    with pytest.raises(SettingError, match=r"would make 12,3\d\d periods, from 0?999-12-01 to 2025-12-01"):
        metrics.win_loss(snap)
    years = metrics.win_loss(snap, every="year")["period"].dt.year
    assert [years.min(), years.max(), len(years)] == [999, 2025, 1027], "in São Paulo both deals are a year older"


def test_no_metric_leaves_numpy_warnings(snapshot_of):
    snap = snapshot_of({"status": 2}, {"status": 3, "value": 0})
    for metric in METRICS.values():
        metric(snap)
    assert np.geterr()["divide"] == "warn"
