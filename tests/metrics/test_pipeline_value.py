from metrics.deals import LOST, OPEN, WON, staged

from wegly_analytics.metrics import pipeline_value


def test_open_value_stands_by_stage_and_is_weighted_by_the_stages_own_history(snapshot_of):
    deals = [
        staged(WON, "s2", been=("s0", "s1")),
        staged(LOST, "s0", been=("s0",)),
        staged(OPEN, "s0", 1000.0),
        staged(OPEN, "s0", None),
        staged(OPEN, "s1", 500.0, been=("s0",)),
    ]
    table = pipeline_value(snapshot_of(*deals))
    assert table["stage"].tolist() == ["New", "Offer", "Contract"]
    assert table["deals"].tolist() == [2, 1, 0]
    assert table["value"].tolist() == [1000, 500, 0]
    assert table["no_value"].tolist() == [1, 0, 0]
    assert table["closed"].tolist() == [2, 1, 0]
    assert table["weighted"].fillna(-1).tolist() == [500, 500, -1], "no history is no chance of nought"
    assert table.attrs["caveats"] == []


def test_a_stage_without_history_is_said_and_so_are_deals_in_no_stage(snapshot_of):
    table = pipeline_value(snapshot_of(staged(OPEN, "s2"), staged(OPEN, "gone")))
    assert table["weighted"].isna().all()
    assert table.attrs["excluded"] == {"in no stage of a pipeline": 1}
    assert "they have no weight" in table.attrs["caveats"][0]


def test_groups_share_the_history_of_the_stage(snapshot_of):
    deals = [staged(WON, "s0", been=("s0",), deal_source={"name": "a"}), staged(LOST, "s0", been=("s0",))]
    table = pipeline_value(snapshot_of(*deals, staged(OPEN, "s0", deal_source={"name": "b"})), by="source")
    assert table[["source", "stage", "weighted"]].values.tolist()[0] == ["b", "New", 50.0]
    assert table["source"].unique().tolist() == ["b"]


def test_a_group_may_be_a_number_that_some_deals_lack(snapshot_of):
    deals = [staged(OPEN, "s1", quality_rating=5), staged(OPEN, "s1"), staged(OPEN, "s0", quality_rating=3)]
    table = pipeline_value(snapshot_of(*deals), by="quality_rating")
    assert table["quality_rating"].drop_duplicates().tolist() == [3, 5, "(not informed)"]
    assert table["stage"].tolist() == ["New", "Offer", "Contract"] * 3
    assert table["deals"].tolist() == [1, 0, 0, 0, 1, 0, 0, 1, 0]


def test_two_stages_of_one_name_are_two_stages(snapshot_of):
    twice = [{"id": "s0", "name": "New", "position": 0}, {"id": "s1", "name": "New", "position": 1}]
    deals = [staged(OPEN, stage, pipeline_stages=twice) for stage in ("s0", "s1", "s1")]
    assert pipeline_value(snapshot_of(*deals))["deals"].tolist() == [1, 2]
