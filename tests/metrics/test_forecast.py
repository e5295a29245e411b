from datetime import timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from strategies import TAKEN_AT, days_ago

import wegly_analytics as wa
from wegly_analytics.errors import SettingError
from wegly_analytics.metrics import forecast, time_to_close
from wegly_analytics.metrics._forecast import MANY, _cells, _Curve, _Open
from wegly_analytics.model.tables import LEDGER, TABLES
from wegly_analytics.snapshot.snapshot import Snapshot

OPEN, WON, LOST = 1, 2, 3


def deal(status, age, value=100.0, ended=None):
    end = days_ago(age - ended) if ended is not None else None
    return {
        "status": status,
        "value": value,
        "created_at": days_ago(age),
        "won_date": end if status == WON else None,
        "lost_date": end if status == LOST else None,
    }


def test_each_deal_has_the_chance_of_those_that_were_open_at_its_age(snapshot_of):
    history = [deal(WON, 99, ended=5), deal(LOST, 99, ended=15), deal(WON, 99, ended=25), deal(LOST, 99, ended=35)]
    # of the four, three were open at ten days, and one of these was won by day 30
    snap = snapshot_of(*history * 100, deal(OPEN, 10, 900.0))
    row = forecast(snap, days=20).iloc[0]
    assert row[["open", "value"]].tolist() == [1, 900]
    assert row["expected"] == pytest.approx(300, rel=0.01)
    assert (row["low"], row["high"]) == (0, 900), "one deal is won or not"


def test_it_agrees_with_the_curve_of_time_to_close():
    snap = wa.sample()
    curve = time_to_close(snap)
    open_deals = snap.deals.query("status == 'open' and archived_at.isna() and value.notna()")
    ages = (snap.taken_at - open_deals["created_at"]).dt.total_seconds() / 86_400

    def at(name, age):
        return curve[name].to_numpy()[np.searchsorted(curve["days"], age, side="right") - 1]

    chance = (at("p_won", ages + 30) - at("p_won", ages)) / at("p_open", ages)
    expected = (chance * open_deals["value"]).sum()
    # the forecast counts in whole days
    assert forecast(snap, days=30)["expected"][0] == pytest.approx(expected, rel=0.05)


def test_beyond_the_oldest_end_no_win_is_expected_and_that_is_said(snapshot_of):
    table = forecast(snapshot_of(deal(WON, 50, ended=10), deal(LOST, 50, ended=20), deal(OPEN, 40)), days=10)
    assert table["expected"].tolist() == [0]
    assert table.attrs["caveats"] == ["beyond the oldest age at which a deal ended no win is expected"]


def test_deals_without_value_or_dates_are_excluded_and_counted(snapshot_of):
    deals = [deal(OPEN, 1, None), deal(OPEN, 1) | {"created_at": None}, deal(OPEN, -2), deal(WON, 9, ended=3)]
    table = forecast(snapshot_of(*deals, deal(OPEN, 1)))
    assert table["open"].tolist() == [1]
    assert table.attrs["excluded"] == {"without usable dates": 2, "open without value": 1}


def test_the_same_seed_gives_the_same_interval_and_groups_share_the_worlds():
    snap = wa.sample()
    assert forecast(snap).equals(forecast(snap))
    assert not forecast(snap).equals(forecast(snap, seed=1))
    whole, parts = forecast(snap), forecast(snap, by="source")
    assert parts["expected"].sum() == pytest.approx(whole["expected"][0])
    assert parts["expected"].is_monotonic_decreasing
    wide = forecast(snap, level=0.95)
    assert (wide["low"] < whole["low"]).all()
    assert (wide["high"] > whole["high"]).all()


def test_nothing_open_brings_nothing(snapshot_of):
    row = forecast(snapshot_of(deal(WON, 9, ended=3))).iloc[0]
    assert row[["open", "value", "expected", "low", "high"]].tolist() == [0, 0, 0, 0, 0]
    assert forecast(snapshot_of(), by="source").empty


@pytest.mark.parametrize("options", [{"days": 0}, {"days": -1}, {"level": 0}, {"level": 1.0}, {"draws": 0}])
def test_what_cannot_be_used_is_refused(snapshot_of, options):
    (name,) = options
    with pytest.raises(SettingError, match=f"{name}="):
        forecast(snapshot_of(), **options)


def test_without_arguments_it_looks_90_days_ahead_with_an_interval_of_80_percent(snapshot_of):
    row = forecast(snapshot_of({"status": 1, "value": 10.0})).iloc[0]
    assert (row["days"], row["level"]) == (90, 0.8)


HORIZON = 60


def simulated(rng, n=400):
    """A snapshot of a simulated company with constant rates, and the value that it wins afterwards."""
    created = rng.uniform(-720, 0, n)
    to_win, to_lose = rng.exponential(150, n) + 5, rng.gamma(2.0, 40, n)
    lasts = np.minimum(to_win, to_lose)
    is_won = to_win < to_lose
    value = rng.lognormal(8, 0.8, n).round(2)
    closed = created + lasts
    status = np.where(closed > 0, "open", np.where(is_won, "won", "lost"))
    truth = value[(closed > 0) & (closed <= HORIZON) & is_won].sum()

    def instants(days, mask):
        at = [TAKEN_AT + timedelta(days=float(d)) if m else None for d, m in zip(days, mask, strict=True)]
        return pa.array(at, pa.timestamp("us", "UTC"))

    ids = [f"d{n}" for n in range(n)]
    columns = {
        "deal_id": pa.array(ids),
        "status": pa.array(status),
        "value": pa.array(value),
        "created_at": instants(created, np.full(n, True)),
        "won_at": instants(closed, status == "won"),
        "lost_at": instants(closed, status == "lost"),
    }
    schema = TABLES["deals"].schema
    deals = pa.table([columns.get(f.name, pa.nulls(n, f.type)).cast(f.type) for f in schema], schema=schema)
    tables = {name: table.schema.empty_table() for name, table in TABLES.items()} | {"deals": deals}
    tables["ledger"] = LEDGER.schema.empty_table()
    return Snapshot(tables, TAKEN_AT, TAKEN_AT), truth


def test_the_interval_contains_the_truth_as_often_as_its_level():
    """Between 70 and 90 % of 200 simulations lie within an interval of 80 %, and the expected value is not biased."""
    covered, expected, won = 0, 0.0, 0.0
    for seed in range(200):
        snap, truth = simulated(np.random.default_rng(seed))
        row = forecast(snap, days=HORIZON, draws=100).iloc[0]
        covered += row["low"] <= truth <= row["high"]
        expected, won = expected + row["expected"], won + truth
    assert 140 <= covered <= 180, covered
    assert expected / won == pytest.approx(1, abs=0.05)


def test_the_total_of_very_many_deals_is_drawn_with_the_mean_and_the_spread_of_single_ones():
    rng = np.random.default_rng(1)
    n = MANY + 1
    ages = rng.integers(0, 100, n) + rng.random(n)
    day, ending = np.arange(200) % 150, np.arange(200) % 3
    curve = _Curve(pd.Series(day), pd.Series(ending), pd.Series(np.full(200, 1_000_000)))
    few, place = _cells(ages, 30)
    deals = _Open(rng.lognormal(8, 1, n), np.ones(n, dtype=np.int64), few, place, 30)
    together = deals.drawn(curve, [np.arange(n)], 60, rng)
    alone = deals.drawn(curve, np.array_split(np.arange(n), 2), 60, rng).sum(axis=1)
    assert together.mean() == pytest.approx(alone.mean(), abs=4 * alone.std() / np.sqrt(30))
    assert together.std() == pytest.approx(alone.std(), rel=0.5)
