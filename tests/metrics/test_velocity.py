import pandas as pd
import pytest
from metrics.deals import dated

from wegly_analytics.metrics import velocity

COMPANY = [
    dated(2, "2026-03-01", "2026-03-11", value=100),
    dated(2, "2026-03-01", "2026-04-20", value=300),
    dated(2, "2026-04-01", "2026-04-11", value=None),
    dated(3, "2026-04-02", "2026-04-30", value=1000),
    dated(1, "2026-04-05"),
    dated(1, "2026-06-05"),
]


def test_velocity_is_the_product_of_its_levers(snapshot_of):
    table = velocity(snapshot_of(*COMPANY))
    assert table.iloc[0].to_dict() == {
        "deals": 2,
        "win_rate": 0.75,
        "value": 200.0,
        "days": pytest.approx((10 + 50 + 10) / 3),
        "velocity": pytest.approx(2 * 0.75 * 200 / (70 / 3)),
    }
    assert table.attrs["excluded"] == {"won without value": 1}
    assert table.attrs["n"] == 4


def test_by_month_the_deals_open_at_its_end_count(snapshot_of):
    table = velocity(snapshot_of(*COMPANY), every="month")
    assert table["period"].dt.strftime("%m").tolist() == ["03", "04", "05", "06"]
    assert table["deals"].tolist() == [1, 1, 1, 2]
    assert table["days"].tolist() == pytest.approx([10, 30, float("nan"), float("nan")], nan_ok=True)
    assert table["velocity"].isna().tolist() == [False, False, True, True]
    assert "open at each period's end" in table.attrs["rule"]


@pytest.mark.parametrize(("count", "deals"), [("created", [2, 3, 0, 1]), ("closed", [1, 3, 0, 0])])
def test_the_first_lever_may_count_the_created_or_the_closed(snapshot_of, count, deals):
    table = velocity(snapshot_of(*COMPANY), every="month", count=count)
    assert table["deals"].tolist() == deals
    assert velocity(snapshot_of(*COMPANY), count=count)["deals"].tolist() == [sum(deals)]
    assert f"{count} in the period" in table.attrs["rule"]


def test_a_deal_won_before_it_was_created_has_no_days(snapshot_of):
    table = velocity(
        snapshot_of(dated(2, "2026-03-02", "2026-03-01", value=5), dated(2, "2026-03-01", "2026-03-03", value=5))
    )
    assert table["days"].tolist() == [2]
    assert table["win_rate"].tolist() == [1]
    assert table.attrs["excluded"] == {"won before created": 1}


def test_a_closed_deal_without_a_date_is_excluded_and_counts_nowhere(snapshot_of):
    snap = snapshot_of(dated(2, "2026-03-02", value=5), dated(3, "2026-03-02", "2026-04-01"), dated(3, "2026-03-02"))
    for table in (velocity(snap), velocity(snap, every="month")):
        assert table.attrs["excluded"] == {"closed without a closing date": 2}
        assert table.attrs["n"] == 1
        assert table["win_rate"].tolist()[-1] == 0


def test_a_deal_closed_before_it_was_created_was_never_open(snapshot_of):
    snap = snapshot_of(dated(2, "2026-03-02", "2026-01-05", value=5), dated(1, "2026-02-02"))
    table = velocity(snap, every="month")
    assert table["deals"].tolist() == [0, 1, 1]
    assert table.attrs["excluded"]["closed before created"] == 1
    assert velocity(snap, every="month", count="created")["deals"].tolist() == [0, 1, 1]


def test_a_period_that_was_not_over_is_marked(snapshot_of):
    snap = snapshot_of(dated(2, "2026-03-02", "2026-05-05", value=5), dated(2, "2026-03-02", "2026-07-01", value=5))
    assert velocity(snap, every="quarter")["unfinished"].tolist() == [False, False, True]


def test_a_closed_deal_that_was_never_created_opens_nothing(snapshot_of):
    table = velocity(
        snapshot_of({"status": 2, "won_date": "2026-03-02T12:00:00Z"}, dated(1, "2026-03-02")), every="month"
    )
    assert table["deals"].tolist() == [1]


def test_by_group_each_has_every_period(snapshot_of):
    company = [d | {"deal_source": {"name": "ab"[n % 2]}} for n, d in enumerate(COMPANY)]
    table = velocity(snapshot_of(*company), by="source", every="month")
    assert len(table) == 2 * 4
    assert table.groupby("period")["deals"].sum().tolist() == [1, 1, 1, 2]
    assert table["source"].tolist()[:2] == ["a", "b"]


def test_without_dates_there_are_no_periods(snapshot_of):
    table = velocity(snapshot_of({"status": 1}), every="month")
    assert table.empty
    assert table["period"].dtype == pd.Series(pd.to_datetime(["2026-01-01"])).astype("datetime64[us]").dtype
