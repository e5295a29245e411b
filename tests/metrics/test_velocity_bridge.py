import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from metrics.deals import dated

import wegly_analytics as wa
from wegly_analytics.errors import SettingError
from wegly_analytics.metrics import velocity, velocity_bridge
from wegly_analytics.metrics._velocity_bridge import divisia

SIGNS = [1, 1, 1, -1]
positive = st.floats(1e-3, 1e6)
lever = st.just(0.0) | positive


MARCH = [dated(2, "2026-03-01", "2026-03-11", value=100), dated(3, "2026-03-01", "2026-03-12"), dated(1, "2026-03-02")]
APRIL = [dated(2, "2026-04-01", "2026-04-06", value=400), dated(1, "2026-04-02")]
LATER = [dated(1, "2026-07-01")]


@given(before=st.tuples(positive, positive, positive, positive), after=st.tuples(lever, lever, lever, positive))
def test_the_parts_add_up_to_the_change(before, after):
    one, other = (row[0] * row[1] * row[2] / row[3] for row in (before, after))
    for split, change in (
        (divisia([before], [after], SIGNS), other - one),
        (divisia([after], [before], SIGNS), one - other),
    ):
        assert split.sum() == pytest.approx(change, abs=1e-9 * max(abs(one), abs(other), abs(split).max()))


@given(
    before=st.tuples(positive, positive, positive, positive), after=st.tuples(positive, positive, positive, positive)
)
def test_a_part_has_the_sign_of_what_its_lever_did(before, after):
    size = max(row[0] * row[1] * row[2] / row[3] for row in (before, after))
    did = np.sign(np.subtract(after, before)) * SIGNS
    parts = divisia([before], [after], SIGNS)[0]
    assert ((np.sign(parts) == did) | (abs(parts) < 1e-9 * size)).all()
    assert parts == pytest.approx(-divisia([after], [before], SIGNS)[0], abs=1e-9 * size), (
        "the way back is the same way"
    )


def test_a_lever_that_is_zero_has_the_limit():
    near = divisia([[10, 1e-200, 5, 2]], [[20, 0.5, 5, 2]], SIGNS)[0]
    exact = divisia([[10, 0, 5, 2]], [[20, 0.5, 5, 2]], SIGNS)[0]
    assert exact.tolist() == [0, 25, 0, 0]
    assert near == pytest.approx(exact, abs=0.1)
    assert divisia([[0, 0, 5, 2]], [[20, 0.5, 5, 2]], SIGNS)[0].tolist() == [12.5, 12.5, 0, 0]
    assert divisia([[0, 1, 5, 2]], [[0, 2, 5, 2]], SIGNS)[0].tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize("after", [[1, 1, math.nan, 1], [1, 1, -1, 1], [1, 1, 1, 0]])
def test_what_has_no_logarithm_is_not_split(after):
    assert np.isnan(divisia([[1, 1, 1, 1]], [after], SIGNS)).all()


def test_the_last_two_complete_months_are_compared(snapshot_of):
    deals = [*MARCH, *APRIL]
    table = velocity_bridge(snapshot_of(*deals), count="created")
    assert (table.attrs["start"], table.attrs["end"]) == ("2026-03-01", "2026-04-01")
    assert table["lever"].tolist() == ["deals", "win_rate", "value", "days"]
    assert table["from"].tolist() == [3, 0.5, 100, 10]
    assert table["to"].tolist() == [2, 1, 400, 5]
    mean = (160 - 15) / math.log(160 / 15)
    assert table["part"].tolist() == pytest.approx([mean * math.log(x) for x in (2 / 3, 2, 4, 2)])
    assert table["part"].sum() == pytest.approx(160 - 15, abs=1e-9)
    assert table.attrs["n"] == 3
    assert table.attrs["caveats"] == []


def test_an_unfinished_month_is_compared_only_on_request(snapshot_of):
    snap = snapshot_of(*MARCH, *APRIL, *LATER)
    assert velocity_bridge(snap).attrs["end"] == "2026-06-01"
    table = velocity_bridge(snap, end="2026-07")
    assert table.attrs["start"] == "2026-06-01"
    assert "the later period is not finished" in table.attrs["caveats"]


def test_a_month_without_a_win_is_not_split_and_says_so(snapshot_of):
    table = velocity_bridge(snapshot_of(*MARCH, *APRIL, *LATER))
    assert table["part"].isna().all()
    assert table["from"].iloc[0] == 2
    assert table.attrs["caveats"] == ["a lever is missing in one of the periods: its change is not split"]


@pytest.mark.parametrize("every", ["month", "quarter"])
def test_a_bridge_stands_on_two_rows_of_velocity(every):
    snap = wa.sample()
    rows = velocity(snap, every=every, by="pipeline").set_index(["period", "pipeline"])
    table = velocity_bridge(snap, every=every, by="pipeline")
    start, end = (pd.Timestamp(table.attrs[name]) for name in ("start", "end"))
    for group, parts in table.groupby("pipeline"):
        one, other = rows.loc[(start, group)], rows.loc[(end, group)]
        assert parts["from"].tolist() == pytest.approx(
            one[["deals", "win_rate", "value", "days"]].tolist(), rel=1e-12, nan_ok=True
        )
        assert parts["to"].tolist() == pytest.approx(
            other[["deals", "win_rate", "value", "days"]].tolist(), rel=1e-12, nan_ok=True
        )
        assert parts["part"].sum() == pytest.approx(other["velocity"] - one["velocity"], abs=1e-9, nan_ok=True)


def test_periods_that_cannot_be_compared_are_refused(snapshot_of):
    snap = snapshot_of(*MARCH, *APRIL)
    with pytest.raises(SettingError, match="must lie in a period before that of the end, 2026-04-01"):
        velocity_bridge(snap, start="2026-04-30")
    with pytest.raises(SettingError, match="no deal was created or closed in the month of 2026-01.*from 2026-03-01 to"):
        velocity_bridge(snap, start="2026-01")
    with pytest.raises(SettingError, match="'soon' is no day"):
        velocity_bridge(snap, end="soon")


def test_one_month_is_nothing_to_compare(snapshot_of):
    table = velocity_bridge(snapshot_of(*MARCH))
    assert table.empty
    assert table.attrs["caveats"] == ["there are not two complete periods to compare"]
