from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
from metrics.deals import LOST, OPEN, WON, staged
from strategies import days_ago

import wegly_analytics as wa
from wegly_analytics.errors import SettingError
from wegly_analytics.metrics import coverage


def expected(day, value=100.0, **more):
    return staged(OPEN, "s0", value, expected_close_date=f"{day}T00:00:00Z", **more)


def test_coverage_compares_what_may_come_with_what_is_missing(snapshot_of):
    deals = [
        expected("2026-07-01"),
        expected("2026-09-30", 200.0),
        expected("2026-10-01", 1000.0),
        expected("2026-06-30", 1000.0),
        expected("2026-08-01", None),
        staged(OPEN, "s0"),
        staged(WON, "s0", 50.0, won_date="2026-07-01T03:00:00Z"),
        staged(WON, "s0", 7.0, won_date="2026-07-01T02:59:59Z"),
        staged(LOST, "s0"),
        staged(LOST, "s0", lost_date=days_ago(400)),
    ]
    row = coverage(snapshot_of(*deals), target=200).iloc[0]
    assert row["period"] == pd.Timestamp("2026-07-01")
    assert row[["booked", "open", "coverage"]].tolist() == [50, 300, 2]
    assert row[["n", "win_rate", "needed"]].tolist() == [3, pytest.approx(57 / 157), pytest.approx(157 / 57)]
    table = coverage(snapshot_of(*deals), target=200, periods=2)
    assert table["open"].tolist() == [300, 1000]
    assert table.attrs["excluded"] == {
        "open without value": 1,
        "open without an expected close": 1,
        "open past its expected close": 1,
    }


def test_a_day_is_a_day_in_every_time_zone(snapshot_of):
    """Midnight UTC on the first of a month is that month's day, wherever months begin."""
    snap = snapshot_of(expected("2026-08-01"))
    for tz in ("America/Sao_Paulo", "Asia/Tokyo", "UTC"):
        assert coverage(snap, target=1, every="month", periods=2, tz=tz)["open"].tolist() == [0, 100]


def test_a_deal_counts_in_the_period_that_holds_its_day(snapshot_of):
    days = ["2026-07-01", "2026-08-01", "2026-08-15", "2026-08-31", "2026-09-02", "2026-10-01"]
    table = coverage(snapshot_of(*map(expected, days)), target=1, every="month", periods=3)
    assert table["open"].tolist() == [100, 300, 100]


def test_a_target_that_is_met_needs_no_coverage(snapshot_of):
    snap = snapshot_of(staged(WON, "s0", 300.0, won_date="2026-07-01T05:00:00Z"), expected("2026-08-01"))
    assert np.isnan(coverage(snap, target=300)["coverage"][0])
    assert np.isnan(coverage(snapshot_of(), target=300)["needed"][0])


def test_targets_may_differ_by_group_and_one_that_is_missing_is_missing(snapshot_of):
    snap = snapshot_of(expected("2026-08-01", deal_source={"name": "a"}), expected("2026-08-02"))
    table = coverage(snap, target={"a": 50.0}, by="source").set_index("source")
    assert table.loc["a", ["target", "coverage"]].tolist() == [50, 2]
    assert table.loc["(not informed)", ["target", "coverage"]].isna().all()


def test_a_group_with_a_target_but_no_deal_keeps_its_row(snapshot_of):
    """A new colleague's target is still to be met, though there is nothing to meet it with."""
    snap = snapshot_of(expected("2026-08-01", deal_source={"name": "a"}))
    table = coverage(snap, target={"a": 50.0, "new": 70.0}, by="source", periods=2)
    assert table["source"].tolist() == ["a", "new"] * 2
    assert table["target"].tolist() == [50, 70] * 2
    assert table["coverage"].tolist() == [2, 0, 0, 0]
    assert table["needed"].isna().all(), "without closed deals nothing says what is needed"


def test_targets_of_several_groups_are_named_by_all_of_them(snapshot_of):
    snap = snapshot_of(expected("2026-08-01", deal_source={"name": "a"}))
    by = ["source", "status"]
    table = coverage(snap, target={("a", "open"): 50.0, ("b", "open"): 70.0}, by=by)
    assert table[[*by, "target"]].to_numpy().tolist() == [["a", "open", 50], ["b", "open", 70]]
    with pytest.raises(SettingError, match="target has 'a': with several groups give tuples of source, status"):
        coverage(snap, target={"a": 50.0}, by=by)


def test_deals_won_without_a_value_are_not_booked_and_that_is_said(snapshot_of):
    won = [staged(WON, "s0", value, won_date="2026-07-01T05:00:00Z") for value in (30.0, None)]
    earlier = staged(WON, "s0", None, won_date="2026-06-01T05:00:00Z")
    table = coverage(snapshot_of(*won, earlier), target=100)
    assert table["booked"].tolist() == [30]
    assert table.attrs["excluded"] == {"won without value": 1}


def test_a_quarter_may_begin_on_a_day_without_midnight(snapshot_of):
    """On 2017-10-01 the day began at one o'clock in Asunción, which is 4:00 UTC."""
    won = [staged(WON, "s0", won_date=f"2017-10-01T0{time}Z") for time in ("3:59:59", "4:00:00")]
    early = replace(snapshot_of(*won, staged(OPEN, "s0")), taken_at=datetime(2017, 10, 5, 12, tzinfo=UTC))
    table = coverage(early, target=500, periods=2, tz="America/Asuncion")
    assert table["period"].tolist() == [pd.Timestamp("2017-10-01"), pd.Timestamp("2018-01-01")]
    assert table["booked"].tolist() == [100, 0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": 0}, "target=0: give money above 0"),
        ({"target": -5.0}, "give money above 0"),
        ({"target": "much"}, "target='much'"),
        ({"target": np.nan}, "give money above 0"),
        ({"target": {"a": 5}}, "there are no groups: pass by="),
        ({"target": 5, "periods": 0}, "periods=0: give 1 or more"),
        ({"target": 5, "every": "fortnight"}, "every='fortnight'"),
    ],
)
def test_what_cannot_be_a_target_is_refused(snapshot_of, options, message):
    with pytest.raises(SettingError, match=message):
        coverage(snapshot_of(staged(OPEN, "s0")), **options)


def test_the_clock_of_coverage_is_the_snapshots(snapshot_of):
    assert wa.sample().taken_at == datetime(2026, 7, 1, 12, tzinfo=UTC)
    assert coverage(wa.sample(), target=1e6, every="month")["period"].tolist() == [pd.Timestamp("2026-07-01")]
