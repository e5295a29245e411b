"""The simulated company's truth is found again by the metrics."""

import pandas as pd
import pytest

import wegly_analytics as wa
from wegly_analytics import metrics
from wegly_analytics.sandbox import TRUTH


@pytest.fixture(scope="module")
def snap():
    return wa.sample()


def test_the_sample_is_complete_but_for_gaps(snap):
    assert snap.check() is snap
    assert snap.completeness.missing == 0
    assert snap.completeness.not_found == 39
    assert len(snap.drift) == 0


def test_win_rates_by_source_hold_the_truth(snap):
    rates = metrics.win_rate(snap, by="source", archived=True).set_index("source")
    truth = TRUTH.win_rate_by_source()
    held = [rates.loc[name, "low"] - 0.02 <= rate <= rates.loc[name, "high"] + 0.02 for name, rate in truth.items()]
    assert sum(held) >= len(held) - 1, "a 95 % interval may miss one of seven"


def test_stage_medians_are_found(snap):
    table = metrics.time_in_stage(snap, archived=True).dropna(subset="position").set_index(["pipeline", "stage"])
    for pipeline in ("Vendas", "Parcerias"):
        for stage, median in TRUTH.stage_medians(pipeline).items():
            assert table.loc[(pipeline, stage), "p50"] == pytest.approx(median, rel=0.25)


def test_loss_reasons_are_found(snap):
    table = metrics.loss_reasons(snap, archived=True).set_index("loss_reason")
    for reason, share in TRUTH.loss_reasons().items():
        assert table.loc[reason, "valid_share"] == pytest.approx(share, abs=0.05)


def test_velocity_levers_are_found(snap):
    row = metrics.velocity(snap, archived=True).iloc[0]
    assert row["value"] == pytest.approx(TRUTH.mean_value(), rel=0.15)
    assert row["days"] == pytest.approx(TRUTH.cycle_days(), rel=0.15), "won deals that closed early come first"


def test_the_curve_of_all_deals_ends_at_the_true_win_rate(snap):
    created = snap.deals["created_at"].dt.date
    last = metrics.time_to_close(snap, archived=True).iloc[-1]
    assert last["p_won_low"] <= TRUTH.win_rate(created.min(), created.max()) <= last["p_won_high"]


def test_of_the_newest_quarter_the_curve_says_less_and_is_right(snap):
    """Wins come late here, so won ÷ closed and won ÷ created are both far too low for the newest deals."""
    start = pd.Timestamp("2026-04-01", tz="America/Sao_Paulo")
    newest, before = (snap.assign(new=snap.deals["created_at"] >= start).where(new=new) for new in (True, False))
    truth = TRUTH.win_rate(start.date(), snap.taken_at.date())
    for count in ("closed", "created"):
        assert metrics.win_rate(newest, count=count, archived=True)["high"].iloc[0] < truth - 0.1
    young, old = (metrics.time_to_close(each, archived=True) for each in (newest, before))
    same_age = old[old["days"] <= young["days"].iloc[-1]].iloc[-1]
    assert young["p_won_low"].iloc[-1] <= same_age["p_won"] <= young["p_won_high"].iloc[-1]


def test_the_drop_of_the_win_rate_shows(snap):
    quarters = metrics.win_loss(snap, every="quarter").set_index("period")["rate"]
    assert quarters["2026-04-01"] < quarters["2025-10-01"] - 0.08


def test_the_bridge_names_the_drop_of_the_win_rate(snap):
    parts = metrics.velocity_bridge(snap, every="quarter", start="2025-10", end="2026-04").set_index("lever")["part"]
    assert parts.idxmin() == "win_rate"
    assert parts["win_rate"] < -1000


def test_the_segments_are_those_of_the_custom_field(snap):
    segmented = snap.assign(segment=wa.custom_field("Segmento"))
    options = {option for field in TRUTH.fields if field.name == "Segmento" for option in field.options}
    assert set(metrics.win_rate(segmented, by="segment")["segment"]) == options | {"(not informed)"}


def test_the_win_rate_depends_on_no_tag(snap):
    """Tags are given whatever becomes of a deal, so each tag's interval should hold the rate of all."""
    rate = metrics.win_rate(snap, archived=True)["rate"].iloc[0]
    tags = metrics.win_rate(snap, by="tag", archived=True)
    assert set(tags["tag"]) == {tag.name for tag in TRUTH.tags} | {"(not informed)"}
    assert ((tags["low"] <= rate) & (rate <= tags["high"])).sum() >= len(tags) - 1
