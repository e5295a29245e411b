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
    assert table.attrs["excluded"] == {"open": 1, "won": 1}
    assert table.attrs["n"] == 4


def test_shares_are_within_each_group(snapshot_of):
    deals = [lost("a", deal_source={"name": "x"}), lost("b", deal_source={"name": "x"}), lost("b")]
    table = loss_reasons(snapshot_of(*deals), by="source")
    assert table[["source", "loss_reason", "share", "cumulative"]].to_numpy().tolist() == [
        ["(not informed)", "b", 1.0, 1.0],
        ["x", "a", 0.5, 0.5],
        ["x", "b", 0.5, 1.0],
    ]
    assert table.index.tolist() == [0, 1, 2]


def test_where_nothing_was_lost_there_is_nothing_to_list(snapshot_of):
    assert loss_reasons(snapshot_of({"status": 2})).empty


def test_without_any_value_there_is_no_share_of_it(snapshot_of):
    assert loss_reasons(snapshot_of(lost("a"))).loc[0, ["value", "value_share"]].isna().tolist() == [False, True]


def test_over_time_every_reason_stands_in_every_period(snapshot_of):
    deals = [
        lost("Preço", 10, lost_date="2026-01-10T12:00:00Z"),
        lost("Prazo", 20, lost_date="2026-01-10T12:00:00Z"),
        lost("Preço", 30, lost_date="2026-03-01T02:59:59Z"),
        lost(None, lost_date="2026-03-01T03:00:00Z"),
        lost("Preço"),
    ]
    table = loss_reasons(snapshot_of(*deals), every="month")
    assert table["period"].dt.month.tolist() == [1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert table["loss_reason"].tolist()[:3] == ["Prazo", "Preço", "(not informed)"]
    shares = table.pivot_table(index="loss_reason", columns="period", values="share", dropna=False)
    assert shares.loc["Preço"].tolist() == [0.5, 1.0, 0.0], "a second before midnight in São Paulo is February"
    assert shares.loc["(not informed)"].tolist() == [0.0, 0.0, 1.0]
    assert table["deals"].sum() == table.attrs["n"] == 4
    assert table.attrs["excluded"] == {"closed without a closing date": 1}
    assert "by period of closing" in table.attrs["rule"]


def test_a_period_without_a_loss_has_no_shares(snapshot_of):
    dates = ["2026-01-10T12:00:00Z", "2026-03-10T12:00:00Z"]
    table = loss_reasons(snapshot_of(*(lost("a", 1, lost_date=date) for date in dates)), every="month")
    assert table[["share", "cumulative", "valid_share"]].isna().any(axis=1).tolist() == [False, True, False]


def test_reasons_by_the_stage_in_which_deals_were_lost(snapshot_of):
    early, late = ({"stage": {"id": s, "name": s}} for s in ("early", "late"))
    table = loss_reasons(snapshot_of(lost("a", **early), lost("b", **late), lost("a", **late), lost("a")), by="stage")
    assert table[["stage", "loss_reason", "share"]].to_numpy().tolist() == [
        ["(not informed)", "a", 1.0], ["early", "a", 1.0], ["late", "a", 0.5], ["late", "b", 0.5]
    ]  # fmt: skip
