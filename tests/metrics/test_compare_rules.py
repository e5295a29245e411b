import pandas as pd
import pytest
from metrics.test_win_rate import lost, still_open, won

from wegly_analytics.i18n import texts as words
from wegly_analytics.metrics import compare_rules, velocity, win_rate
from wegly_analytics.metrics.intervals import mean_interval

STAGES = {"pipeline_stages": [{"id": "a", "name": "A"}, {"id": "b", "name": "B"}]}


def spent(**seconds):
    return {"stage_durations": [{"stage_id": s, "total_seconds": n * 86_400} for s, n in seconds.items()]}


def test_every_definition_shows_its_gap_to_ours(snapshot_of):
    deals = [
        won(**STAGES, **spent(a=10, b=20, gone=400)),
        lost(created_at="2026-03-10T12:00:00Z", **STAGES, **spent(a=6)),
        lost(),
        still_open(expected_close_date="2026-06-30T00:00:00Z", **STAGES, **spent(b=0)),
        still_open(),
    ]
    snap = snapshot_of(*deals)
    table = compare_rules(snap)
    assert table["figure"].tolist() == ["win_rate"] * 3 + ["cycle"] * 3
    assert table["value"].tolist() == pytest.approx([1 / 3, 1 / 5, 1 / 4, 59, (59 + 10 + 69) / 3, (30 + 6 + 0) / 3])
    assert table["n"].tolist() == [3, 5, 4, 1, 3, 3]
    gaps = [0, 1 / 5 - 1 / 3, 1 / 4 - 1 / 3, 0, 46 - 59, 12 - 59]
    assert table["gap"].tolist() == pytest.approx(gaps)
    assert table["value"].iloc[0] == win_rate(snap)["rate"].iloc[0]
    assert table["value"].iloc[3] == velocity(snap)["days"].iloc[0]
    low, high = mean_interval([59 + 10 + 69], [59**2 + 10**2 + 69**2], [3])
    assert table.loc[4, ["low", "high"]].tolist() == pytest.approx([low[0], high[0]])
    assert table.loc[3, ["low", "high"]].isna().all(), "one deal has no standard error"
    assert table.attrs["n"] == 5
    assert all(words.say(rule, "pt") for rule in table["rule"])


def test_each_group_is_compared_with_itself_largest_first(snapshot_of):
    web = {"deal_source": {"name": "web"}}
    table = compare_rules(snapshot_of(lost(), won(**web), won(**web), still_open(**web)), by="source")
    assert table["source"].tolist() == ["web"] * 6 + ["(not informed)"] * 6
    assert table["gap"].tolist()[:3] == pytest.approx([0, -1 / 3, 0])
    assert pd.isna(table["value"].iloc[9]), "nobody won there"
    assert pd.isna(table["gap"].iloc[10]), "nothing to compare with"


def test_where_nothing_was_lost_the_comparison_is_cautious_too(snapshot_of):
    assert compare_rules(snapshot_of(won())).attrs["caveats"] == win_rate(snapshot_of(won())).attrs["caveats"]


def test_a_mean_of_equal_values_is_sure(snapshot_of):
    low, high = mean_interval([0.3], [0.03], [3])
    assert (low[0], high[0]) == (pytest.approx(0.1), pytest.approx(0.1))
