import pytest

from wegly_analytics.metrics import loss_reasons


def lost(reason, value=None, **more):
    return {"status": 3, "crm_loss_reason": {"name": reason} if reason else None, "value": value} | more


def test_reasons_come_most_first_and_the_uninformed_stay_in_the_denominator(snapshot_of):
    deals = [lost("Preço", 10), lost("Preço", 20), lost(None, 50), lost("Prazo"), {"status": 2}, {"status": 1}]
    table = loss_reasons(snapshot_of(*deals))
    assert table["loss_reason"].tolist() == ["Preço", "(not informed)", "Prazo"]
    assert table["deals"].tolist() == [2, 1, 1]
    assert table["share"].tolist() == [0.5, 0.25, 0.25]
    assert table["valid_share"].tolist() == pytest.approx([2 / 3, float("nan"), 1 / 3], nan_ok=True)
    assert table["cumulative"].tolist() == [0.5, 0.75, 1.0]
    assert table["value"].tolist() == [30, 50, 0]
    assert table["value_share"].tolist() == [0.375, 0.625, 0]
    assert table.attrs["left_out"] == {"open": 1, "won": 1}
    assert table.attrs["n"] == 4


def test_shares_are_within_each_group(snapshot_of):
    deals = [lost("a", deal_source={"name": "x"}), lost("b", deal_source={"name": "x"}), lost("b")]
    table = loss_reasons(snapshot_of(*deals), by="source")
    assert table[["source", "loss_reason", "share", "cumulative"]].to_numpy().tolist() == [
        ["(not informed)", "b", 1.0, 1.0],
        ["x", "a", 0.5, 0.5],
        ["x", "b", 0.5, 1.0],
    ]


def test_where_nothing_was_lost_there_is_nothing_to_list(snapshot_of):
    assert loss_reasons(snapshot_of({"status": 2})).empty


def test_without_any_value_there_is_no_share_of_it(snapshot_of):
    assert loss_reasons(snapshot_of(lost("a"))).loc[0, ["value", "value_share"]].isna().tolist() == [False, True]
