import numpy as np
import pandas as pd
import pytest

from wegly_analytics.metrics import time_in_stage

DAY = 86_400
STAGES = [{"id": f"s{n}", "name": name, "position": n} for n, name in enumerate(["Novo", "Proposta", "Fechamento"])]


def deal(status, stage, days, **more):
    return {
        "status": status,
        "stage": {"id": stage, "pipeline": {"id": "p", "name": "Vendas"}},
        "pipeline_stages": STAGES,
        "stage_durations": [{"stage_id": s, "stage_name": s, "total_seconds": d * DAY} for s, d in days.items()],
    } | more


COMPANY = [
    deal(2, "s2", {"s0": 2, "s1": 4, "s2": 1}),
    deal(3, "s1", {"s0": 4, "s1": 6}),
    deal(1, "s1", {"s0": 6, "s1": 5}),
    deal(1, "s0", {"s0": 1}),
]


def test_the_current_stage_of_an_open_deal_still_counts_on(snapshot_of):
    table = time_in_stage(snapshot_of(*COMPANY))
    assert table["stage"].tolist() == ["Novo", "Proposta", "Fechamento"]
    assert table["left"].tolist() == [3, 2, 1]
    assert table["still_in"].tolist() == [1, 1, 0]
    # Novo: one censored at 1; of three at risk one leaves at 2, 4 and 6 each
    assert table.loc[0, ["p25", "p50", "p75", "mean_left"]].tolist() == [2, 4, 6, 4]
    # Proposta: leaves at 4 (2/3 stay), censored at 5, leaves at 6
    assert table.loc[1, ["p25", "p50", "p75", "mean_left"]].tolist() == [4, 6, 6, 5]
    assert table.loc[2, "p50"] == 1


def test_what_was_not_reached_is_missing(snapshot_of):
    table = time_in_stage(snapshot_of(deal(2, "s0", {"s0": 1}), deal(1, "s0", {"s0": 5}), deal(1, "s0", {"s0": 5})))
    assert table.loc[0, ["p25", "p50", "p75"]].tolist() == pytest.approx([1, np.nan, np.nan], nan_ok=True)


def test_open_deals_without_a_time_are_counted_but_not_timed(snapshot_of):
    table = time_in_stage(snapshot_of(deal(1, "s0", {}), deal(1, "s0", {"s0": 1}), deal(2, "s2", {"s0": 3})))
    assert table.loc[0, ["left", "still_in", "p50"]].tolist() == [1, 2, 3]
    assert table.attrs["excluded"] == {"without stage times": 1}


def test_a_stage_that_the_pipeline_no_longer_has_comes_last(snapshot_of):
    table = time_in_stage(snapshot_of(deal(2, "s2", {"gone": 2}), deal(2, "s2", {"s0": 1})))
    assert table["stage"].tolist() == ["Novo", "Proposta", "Fechamento", "gone"]
    assert table["position"].tolist() == [0, 1, 2, pd.NA]
    assert pd.isna(table["pipeline"][3])


def test_two_stages_of_one_name_stay_apart(snapshot_of):
    stages = [{"id": "a", "name": "Retorno", "position": 0}, {"id": "b", "name": "Retorno", "position": 1}]
    table = time_in_stage(snapshot_of(deal(2, "b", {"a": 1, "b": 9}, pipeline_stages=stages)))
    assert table["p50"].tolist() == [1, 9]


def test_a_renamed_stage_goes_by_its_most_frequent_name(snapshot_of):
    old = [{"id": "s0", "name": "Velho", "position": 0}]
    table = time_in_stage(snapshot_of(deal(2, "s0", {}, pipeline_stages=old), *COMPANY[:2]))
    assert table["stage"].tolist()[0] == "Novo"
    assert len(table) == 3


def test_pipelines_stand_one_after_the_other(snapshot_of):
    other = [{"id": "x", "name": "Contato", "position": 0}]
    partner = deal(2, "x", {"x": 1}, pipeline_stages=other)
    partner["stage"]["pipeline"] = {"id": "q", "name": "Parcerias"}
    table = time_in_stage(snapshot_of(partner, *COMPANY), by="pipeline")
    assert table["pipeline"].tolist() == ["Vendas"] * 3 + ["Parcerias"]


def test_by_group_each_stage_is_there_for_each(snapshot_of):
    company = [d | {"responsible": {"name": "Ana" if n % 2 else None}} for n, d in enumerate(COMPANY)]
    table = time_in_stage(snapshot_of(*company), by="responsible")
    assert len(table) == 6
    assert table.groupby("responsible")["left"].sum().to_dict() == {"(not informed)": 4, "Ana": 2}


def test_impossible_times_are_excluded(snapshot_of):
    table = time_in_stage(snapshot_of(deal(2, "s0", {"s0": -1}), deal(2, "s0", {"s0": 2})))
    assert table.loc[0, ["left", "p50"]].tolist() == [1, 2]


def test_a_stage_without_an_id_is_a_stage_too(snapshot_of):
    table = time_in_stage(snapshot_of({"status": 1, "stage_durations": [{"total_seconds": 86_400.0}]}, {"status": 1}))
    assert table["left"].tolist() == [1]


def test_a_stage_with_two_equally_frequent_names_goes_by_the_same_one_in_any_order(snapshot_of):
    deals = [
        {"id": n, "status": 1, "stage_durations": [{"stage_id": "s", "stage_name": n, "total_seconds": 5}]}
        for n in ("b", "a")
    ]
    tables = [time_in_stage(snapshot_of(*order)) for order in (deals, deals[::-1])]
    assert [table["stage"].tolist() for table in tables] == [["a"], ["a"]]
