import pandas as pd
import pytest

from wegly_analytics.metrics import velocity, win_loss, win_rate
from wegly_analytics.metrics.intervals import wilson


def won(**more):
    return {"status": 2, "created_at": "2026-01-10T12:00:00Z", "won_date": "2026-03-10T12:00:00Z"} | more


def lost(**more):
    return {"status": 3, "created_at": "2026-01-10T12:00:00Z", "lost_date": "2026-03-20T12:00:00Z"} | more


def still_open(**more):
    return {"status": 1, "created_at": "2026-05-01T12:00:00Z"} | more


def row(table, n=0):
    return table.iloc[n].to_dict()


def test_the_win_rate_is_won_of_won_and_lost(snapshot_of):
    table = win_rate(snapshot_of(won(), lost(), lost(), still_open()))
    low, high = wilson([1], [3])
    assert row(table) == {
        "won": 1, "lost": 2, "open": 1, "n": 3, "rate": pytest.approx(1 / 3), "low": low[0], "high": high[0]
    }  # fmt: skip
    assert table.attrs["excluded"] == {"open": 1}
    assert table.attrs["rule"].startswith("won ÷ (won + lost), by closing time")


def test_counting_the_created_gives_the_cohort_view(snapshot_of):
    assert row(win_rate(snapshot_of(won(), lost(), still_open(), still_open()), count="created"))["rate"] == 0.25


def test_overdue_deals_may_count_as_lost(snapshot_of):
    yesterday, today = "2026-06-30T00:00:00Z", "2026-07-01T00:00:00Z"
    deals = [won(), still_open(expected_close_date=yesterday), still_open(expected_close_date=today), still_open()]
    figures = row(win_rate(snapshot_of(*deals), count="closed+stale"))
    assert (figures["rate"], figures["stale"], figures["open"], figures["n"]) == (0.5, 1, 2, 2)


def test_weighing_by_value_says_how_many_have_none(snapshot_of):
    figures = row(win_rate(snapshot_of(won(value=30), won(value=None), lost(value=10), lost(value=0)), weight="value"))
    assert (figures["rate"], figures["no_value"], figures["won_value"], figures["lost_value"]) == (0.75, 0.25, 30, 10)
    low, high = wilson([0.75 * 1.6], [1.6])
    assert (figures["low"], figures["high"]) == pytest.approx((low[0], high[0])), "(30 + 10)² ÷ (30² + 10²) deals"


def test_a_negative_value_however_small_is_not_a_weight(snapshot_of):
    figures = row(win_rate(snapshot_of(won(value=30), won(value=-0.5), lost(value=10)), weight="value"))
    assert (figures["rate"], figures["won_value"]) == (0.75, 30)


def test_archived_deals_leave_together_or_stay_together(snapshot_of):
    snap = snapshot_of(won(), won(archived_at="2026-04-01T00:00:00Z"), lost(archived_at="2026-04-01T00:00:00Z"))
    assert row(win_rate(snap))["n"] == 1
    assert win_rate(snap).attrs["excluded"] == {"archived": 2}
    assert row(win_rate(snap, archived=True))["n"] == 3


def test_groups_come_most_deals_first_and_the_missing_one_has_a_name(snapshot_of):
    snap = snapshot_of(won(), won(), lost(deal_source={"name": "web"}))
    table = win_rate(snap, by="source")
    assert table["source"].tolist() == ["(not informed)", "web"]
    assert table["n"].tolist() == [2, 1]


def test_a_group_may_be_a_number_or_a_flag(snapshot_of):
    table = win_rate(snapshot_of(won(quality_rating=5), lost()).assign(hot=[True, None]), by=["quality_rating", "hot"])
    assert table.sort_values("won")[["quality_rating", "hot"]].to_numpy().tolist() == [
        ["(not informed)", "(not informed)"],
        [5.0, True],
    ]


def test_nothing_closed_is_no_rate(snapshot_of):
    assert pd.isna(row(win_rate(snapshot_of(still_open())))["rate"])


def test_months_are_cut_where_the_company_is(snapshot_of):
    midnight = won(won_date="2026-03-01T02:59:59Z", value=5)
    snap = snapshot_of(midnight, lost(lost_date="2026-03-01T03:00:00Z", value=7), won(value=None))
    table = win_loss(snap)
    assert table["period"].tolist() == [pd.Timestamp("2026-02-01"), pd.Timestamp("2026-03-01")]
    assert table[["won", "lost", "won_value", "lost_value"]].to_numpy().tolist() == [[1, 0, 5, 0], [1, 1, 0, 7]]
    assert len(win_loss(snap, tz="UTC")) == 1


def test_months_without_deals_are_shown(snapshot_of):
    table = win_loss(
        snapshot_of(won(won_date="2026-01-15T00:00:00Z"), lost(lost_date="2026-04-15T00:00:00Z")), by="source"
    )
    assert table["won"].tolist() == [1, 0, 0, 0]
    assert table["rate"].isna().tolist() == [False, True, True, False]


def test_weeks_begin_on_monday_and_survive_the_clocks_going_forward_at_midnight(snapshot_of):
    dates = ["2018-10-29T12:00:00Z", "2018-11-04T12:00:00Z", "2018-11-05T12:00:00Z"]
    table = win_loss(snapshot_of(*(won(won_date=date) for date in dates)), every="week")
    assert table["period"].tolist() == [pd.Timestamp("2018-10-29"), pd.Timestamp("2018-11-05")]
    assert table["won"].tolist() == [2, 1]


def test_a_period_may_begin_at_an_hour_that_does_not_exist(snapshot_of):
    """On Sunday 2017-10-15 the day began at one o'clock in São Paulo; in Asunción it did on 2017-10-01."""
    dates = ["2017-10-01T03:30:00Z", "2017-10-01T04:30:00Z"]
    table = win_loss(snapshot_of(*(won(won_date=date) for date in dates)), tz="America/Asuncion")
    assert table["won"].tolist() == [1, 1]


def test_a_deal_counts_by_the_date_of_its_status(snapshot_of):
    reopened = lost(won_date="2026-01-15T12:00:00Z")
    table = win_loss(snapshot_of(reopened))
    assert table[["period", "lost"]].to_numpy().tolist() == [[pd.Timestamp("2026-03-01"), 1]]


def test_closed_deals_without_a_date_are_counted_as_excluded(snapshot_of):
    table = win_loss(snapshot_of(won(won_date=None), lost(), lost(lost_date=None, won_date="2026-01-01T00:00:00Z")))
    assert table.attrs["excluded"] == {"closed without a closing date": 2}
    assert table["lost"].tolist() == [1]


def test_where_nothing_was_lost_a_rate_comes_with_a_caveat(snapshot_of):
    caveat = ["no deal was lost: the win rate of closed deals is not reliable"]
    snap = snapshot_of(won(), still_open())
    assert win_rate(snap).attrs["caveats"] == win_loss(snap).attrs["caveats"] == caveat
    assert velocity(snap).attrs["caveats"] == caveat
    assert win_rate(snap, count="created").attrs["caveats"] == []
    assert win_rate(snapshot_of(won(), lost())).attrs["caveats"] == []
    assert win_rate(snapshot_of(still_open())).attrs["caveats"] == []
