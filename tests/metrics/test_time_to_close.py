import pandas as pd
import pytest
from metrics.companies import OnDuckDB, OnPandas, OnPolars, on, same
from strategies import TAKEN_AT

import wegly_analytics as wa
from wegly_analytics.metrics import time_to_close
from wegly_analytics.metrics.survival import SHARES

TAKEN_AT = pd.Timestamp(TAKEN_AT)


def at(days_ago):
    return f"{TAKEN_AT - pd.Timedelta(days=days_ago):%Y-%m-%dT%H:%M:%SZ}"


def won(age, **more):
    return {"status": 2, "created_at": at(100), "won_date": at(100 - age)} | more


def lost(age, **more):
    return {"status": 3, "created_at": at(100), "lost_date": at(100 - age)} | more


def still_open(age, **more):
    return {"status": 1, "created_at": at(age)} | more


def figures(table, *columns):
    return table[list(columns)].to_numpy().tolist()


def test_an_open_deal_counts_until_the_snapshot_was_taken(snapshot_of):
    table = time_to_close(snapshot_of(won(10), lost(20), still_open(15), won(30)))
    assert figures(table, "days", "at_risk", "won", "lost") == [
        [0, 4, 0, 0], [10, 4, 1, 0], [20, 2, 0, 1], [30, 1, 1, 0]
    ]  # fmt: skip
    assert table["p_won"].tolist() == pytest.approx([0, 1 / 4, 1 / 4, 5 / 8])
    assert table["p_lost"].tolist() == pytest.approx([0, 0, 3 / 8, 3 / 8])
    assert table["p_open"].tolist() == pytest.approx([1, 3 / 4, 3 / 8, 0])
    assert table.attrs["n"] == 4
    assert table.attrs["rule"].startswith("shares of deals won and lost by age, Aalen-Johansen")


def test_status_decides_which_date_counts(snapshot_of):
    reopened = still_open(50, won_date=at(20), lost_date=at(30))
    assert figures(time_to_close(snapshot_of(reopened)), "days", "at_risk", "p_open") == [[0, 1, 1]]


def test_deals_that_cannot_be_placed_are_counted_by_reason(snapshot_of):
    table = time_to_close(
        snapshot_of(
            won(10), won(10, created_at=None), lost(5, lost_date=None), won(-3), still_open(-2), still_open(0),
            lost(5, archived_at=at(1)), {"status": None}, {"status": 1}, won(10, created_at=None, won_date=None)
        )
    )  # fmt: skip
    assert table.attrs["excluded"] == {
        "archived": 1,
        "status unknown": 1,
        "without creation date": 3,
        "closed without a closing date": 1,
        "closed before created": 1,
        "created after the snapshot": 1,
    }
    assert table.attrs["n"] == table["at_risk"].iloc[0] == 2


def test_groups_come_largest_first_each_with_a_curve_of_its_own(snapshot_of):
    web = {"deal_source": {"name": "web"}}
    table = time_to_close(snapshot_of(won(10, **web), lost(5), lost(7), still_open(3)), by="source")
    assert table["source"].tolist() == ["(not informed)"] * 3 + ["web"] * 2
    assert figures(table, "days", "at_risk", "p_won", "p_lost") == [
        [0, 3, 0, 0], [5, 2, 0, 0.5], [7, 1, 0, 1], [0, 1, 0, 0], [10, 1, 1, 0]
    ]  # fmt: skip


def test_a_group_may_be_a_number_or_a_flag(snapshot_of):
    snap = snapshot_of(won(5, quality_rating=3), lost(5), lost(6)).assign(hot=[True, True, None])
    table = time_to_close(snap, by=["quality_rating", "hot"])
    assert table.drop_duplicates(["quality_rating", "hot"])[["quality_rating", "hot"]].to_numpy().tolist() == [
        [3.0, True], ["(not informed)", True], ["(not informed)", "(not informed)"]
    ]  # fmt: skip


def test_a_tagged_deal_is_in_the_curve_of_each_tag_and_counts_once(snapshot_of):
    tags = {"tags": [{"id": "1", "name": "hot"}, {"id": "2", "name": "new"}]}
    table = time_to_close(snapshot_of(won(5, **tags), still_open(5)), by="tag")
    assert sorted(table["tag"].unique()) == ["(not informed)", "hot", "new"]
    assert table.attrs["n"] == 2


def test_a_deal_closed_at_its_creation_time_counts_on_day_0(snapshot_of):
    table = time_to_close(snapshot_of(won(0), lost(4)))
    assert figures(table, "days", "at_risk", "won", "p_won") == [[0, 2, 1, 0.5], [4, 1, 0, 0.5]]


def test_days_have_fractions(snapshot_of):
    assert time_to_close(snapshot_of(won(0.25)))["days"].tolist() == [0, 0.25]


@pytest.mark.parametrize("deals", [[], [{"status": None}], [{"status": 2}]])
def test_without_deals_there_is_no_curve(deals, snapshot_of):
    table = time_to_close(snapshot_of(*deals))
    assert len(table) == 0
    assert table.dtypes[["days", "at_risk", "won", "p_won"]].tolist() == [float, "int64", "int64", float]


def test_where_all_are_open_nothing_has_ended(snapshot_of):
    table = time_to_close(snapshot_of(still_open(3), still_open(40)))
    assert figures(table, "days", "at_risk", *SHARES) == [[0, 2, 0, 0, 1]]


def test_where_all_take_equally_long_there_is_one_step(snapshot_of):
    table = time_to_close(snapshot_of(*[won(9)] * 3, lost(9), still_open(9)))
    assert figures(table, "days", "at_risk", "p_won", "p_lost", "p_open")[1:] == [
        [9, 5, pytest.approx(0.6), pytest.approx(0.2), pytest.approx(0.2)]
    ]


def test_the_curve_of_a_group_is_that_of_its_deals_alone():
    snap = wa.sample()
    table = time_to_close(snap, by="source")
    alone = time_to_close(snap.where(source="Prospecção ativa"))
    mine = table[table["source"] == "Prospecção ativa"].drop(columns="source").reset_index(drop=True)
    pd.testing.assert_frame_equal(mine, alone)


@pytest.mark.parametrize("kind", [OnPolars, OnDuckDB, OnPandas])
def test_parts_of_a_second_are_dropped_on_every_engine(kind, snapshot_of):
    created = f"{TAKEN_AT - pd.Timedelta(days=2):%Y-%m-%dT%H:%M:%S}"
    deals = [
        {"status": 1 + n % 3, "created_at": f"{created}.{part}Z", "won_date": at(1), "lost_date": at(1)}
        for n, part in enumerate(["000001", "4", "5", "6", "999999", "0"] * 2)
    ]
    snap = snapshot_of(*deals)
    table = time_to_close(on(kind, snap))
    same(table, time_to_close(snap), check_dtype=False)
    assert table["days"].tolist() == [0, pytest.approx(1 - 1 / 86_400), 1]


@pytest.mark.parametrize("kind", [OnPolars, OnDuckDB, OnPandas])
def test_the_sample_gives_the_same_curves_on_every_engine(kind):
    snap = wa.sample()
    same(time_to_close(on(kind, snap), by="source"), time_to_close(snap, by="source"), check_dtype=False)
