"""Deals with contradictory data, and how every metric counts them."""

import numpy as np
import pandas as pd
import pytest
from metrics.companies import METRICS
from metrics.test_win_rate import lost, still_open, won

from wegly_analytics.metrics import (
    compare_rules,
    loss_reasons,
    quality,
    time_in_stage,
    time_to_close,
    velocity,
    velocity_bridge,
    win_loss,
    win_rate,
)

EARLIER = "2025-12-01T12:00:00Z"
SPENT = {"stage": {"id": "a"}, "stage_durations": [{"stage_id": "a", "stage_name": "A", "total_seconds": 172_800}]}


def first(table):
    return table.iloc[0].to_dict()


def test_a_deal_won_without_value_is_won_and_worth_nothing_known(snapshot_of):
    snap = snapshot_of(won(value=None), won(value=50), lost())
    assert first(win_rate(snap))["rate"] == pytest.approx(2 / 3)
    assert first(win_rate(snap, weight="value"))["no_value"] == pytest.approx(2 / 3)
    assert first(velocity(snap))["value"] == 50, "not 25"
    assert velocity(snap).attrs["excluded"]["won without value"] == 1
    assert win_loss(snap)["won_value"].sum() == 50
    assert quality(snap, rules="won without value")["deal_id"].tolist() == ["deal-0"]


def test_without_any_value_there_is_no_velocity_and_no_bridge(snapshot_of):
    snap = snapshot_of(won(), lost(), lost(lost_date="2026-04-20T12:00:00Z"))
    assert np.isnan(first(velocity(snap))["velocity"])
    table = velocity_bridge(snap, start="2026-03", end="2026-04")
    assert table["part"].isna().all()
    assert table["to"].iloc[1] == 0, "what is known is shown"


def test_a_deal_won_without_a_date_counts_where_no_date_is_needed(snapshot_of):
    snap = snapshot_of(won(won_date=None, value=10), won(value=30), lost())
    assert first(win_rate(snap))["won"] == 2
    assert win_loss(snap)["won"].sum() == 1
    assert win_loss(snap).attrs["excluded"]["closed without a closing date"] == 1
    figures = first(velocity(snap))
    assert (figures["value"], figures["days"]) == (30, 59), "velocity needs the date and excludes the deal"
    cycles = compare_rules(snap).set_index("used_by")
    assert cycles.loc[["wegly_analytics", "HubSpot"], "n"].tolist() == [1, 2]
    assert quality(snap, rules="won without a date")["deal_id"].tolist() == ["deal-0"]


def test_a_deal_that_closed_before_it_was_created_has_no_cycle(snapshot_of):
    snap = snapshot_of(won(won_date=EARLIER, value=10), won(value=10), lost(lost_date=EARLIER))
    assert first(win_rate(snap))["n"] == 3
    assert first(velocity(snap))["days"] == 59
    assert velocity(snap).attrs["excluded"]["won before created"] == 1
    assert win_loss(snap)["period"].iloc[0] == pd.Timestamp("2025-12-01")
    assert compare_rules(snap)["n"].tolist()[3:5] == [1, 1]
    assert quality(snap, rules="closed before created")["deal_id"].tolist() == ["deal-0", "deal-2"]


def test_a_deal_that_was_opened_again_is_open_whatever_its_old_dates_say(snapshot_of):
    snap = snapshot_of(still_open(won_date="2026-05-20T12:00:00Z", value=10, **SPENT), won(value=10), lost())
    assert first(win_rate(snap)) | {"low": 0, "high": 0} == {
        "won": 1, "lost": 1, "open": 1, "n": 2, "rate": 0.5, "low": 0, "high": 0
    }  # fmt: skip
    assert win_loss(snap)["won"].sum() == 1
    months = velocity(snap, every="month").set_index("period")["deals"]
    assert months["2026-05-01"] == 1, "open since its creation"
    assert first(velocity(snap))["days"] == 59
    assert first(time_in_stage(snap))["still_in"] == 1
    assert loss_reasons(snap).attrs["excluded"] == {"open": 1, "won": 1}
    assert quality(snap, rules="clean")["rule"].tolist() == ["open with a closing date"]
    assert len(snap.where(quality="clean")) == 2


@pytest.mark.parametrize(
    "deal", [won(value=10, **SPENT), lost(**SPENT), still_open(**SPENT)], ids=["won", "lost", "open"]
)
@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
def test_one_deal_is_enough_for_every_metric(metric, deal, snapshot_of):
    for by in (None, "source", "tag"):
        table = metric(snapshot_of(deal), by=by)
        assert table.attrs["n"] in (0, 1)
        if {"rate", "low", "high"} <= set(table):
            known = table.dropna(subset="rate")
            assert (known["high"] - known["low"] > 0.5).all(), "one deal says very little"


ONE_O_CLOCK = ["2017-10-15", "2018-11-04"]
"""Sundays that began at one o'clock in São Paulo."""


@pytest.mark.parametrize("sunday", ONE_O_CLOCK)
def test_a_day_that_began_at_one_o_clock_does_not_shift_a_deal(sunday, snapshot_of):
    """Midnight was 03:00 UTC before the clocks went forward, and 02:00 UTC after."""
    day = pd.Timestamp(sunday, tz="UTC")
    instants = [day + pd.Timedelta(hours=3, seconds=-1), day + pd.Timedelta(hours=3)]
    snap = snapshot_of(*(won(created_at="2017-01-01T12:00:00Z", won_date=f"{m:%Y-%m-%dT%H:%M:%SZ}") for m in instants))
    local = [m.tz_convert("America/Sao_Paulo") for m in instants]
    assert [m.day for m in local] == [day.day - 1, day.day], "a second lies between two days"
    table = win_loss(snap, every="week")
    assert table["won"].tolist() == [2], "Sunday ends the week"


@pytest.mark.parametrize(
    ("month", "utc"),
    [("2017-10", "03"), ("2017-11", "02"), ("2018-02", "02"), ("2018-03", "03"), ("2018-12", "02"), ("2019-03", "03"),
     ("2019-11", "03")],
)  # fmt: skip
def test_a_month_begins_at_local_midnight_in_summer_time_and_out_of_it(month, utc, snapshot_of):
    begins = pd.Timestamp(f"{month}-01T{utc}:00:00Z")
    before = begins - pd.Timedelta(microseconds=1)
    dates = [before.isoformat(), begins.isoformat()]
    deals = [won(created_at="2017-01-01T12:00:00Z", won_date=date) for date in dates]
    losses = [lost(created_at="2017-01-01T12:00:00Z", lost_date=date) for date in dates]
    snap = snapshot_of(*deals, *losses)
    last, first_of = pd.Timestamp(f"{month}-01") - pd.DateOffset(months=1), pd.Timestamp(f"{month}-01")
    assert win_loss(snap)["period"].tolist() == [last, first_of]
    assert win_loss(snap)["won"].tolist() == [1, 1]
    assert loss_reasons(snap, every="month")["deals"].tolist() == [1, 1]
    paces = velocity(snap, every="month", count="closed").set_index("period")["deals"]
    assert paces[[last, first_of]].tolist() == [2, 2]


def test_a_value_of_nothing_or_less_is_counted_but_weighs_nothing(snapshot_of):
    snap = snapshot_of(won(value=-100), won(value=0), won(value=30), lost(value=10))
    table = win_rate(snap, weight="value")
    assert first(table)["rate"] == 0.75
    assert first(table)["no_value"] == 0.25
    assert table.attrs["excluded"] == {"with a negative value": 1}
    assert first(win_rate(snap))["n"] == 4
    assert set(quality(snap, rules="value not positive")["deal_id"]) == {"deal-0", "deal-1"}


@pytest.mark.parametrize("status", [still_open, won, lost])
def test_an_archived_deal_is_in_numerator_and_denominator_or_in_neither(status, snapshot_of):
    gone = status(archived_at="2026-06-01T00:00:00Z", value=10)
    snap = snapshot_of(won(value=10), lost(value=10), gone)
    table = win_rate(snap, count="created")
    assert (first(table)["n"], table.attrs["excluded"]) == (2, {"archived": 1})
    table = win_rate(snap, count="created", archived=True)
    assert (first(table)["n"], table.attrs["excluded"]) == (3, {})
    name = {still_open: "open", won: "won", lost: "lost"}[status]
    assert first(table)[name] == first(win_rate(snap, count="created"))[name] + 1


def test_deals_that_all_took_as_long_make_a_curve_of_one_step(snapshot_of):
    table = time_to_close(snapshot_of(*[won()] * 3, *[lost(lost_date=won()["won_date"])] * 2))
    assert len(table) == 2
    assert table.iloc[1][["at_risk", "won", "lost"]].tolist() == [5, 3, 2]
    assert table.iloc[1][["p_won", "p_lost", "p_open"]].tolist() == pytest.approx([0.6, 0.4, 0])
