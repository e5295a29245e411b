"""The curve of competing ends: by hand, against others' software, and at its edges."""

import importlib
import os
import warnings

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from statsmodels.duration.survfunc import CumIncidenceRight, SurvfuncRight

from wegly_analytics.metrics.intervals import Z, wilson
from wegly_analytics.metrics.survival import COLUMNS, SHARES, aalen_johansen, kaplan_meier

WON, LOST = 1, 2

lives = st.lists(st.tuples(st.integers(0, 9), st.sampled_from([0, WON, LOST]), st.integers(1, 3)), max_size=30)
untied = st.lists(
    st.tuples(st.integers(1, 10**6), st.sampled_from([0, WON, LOST])), min_size=1, max_size=40, unique_by=lambda x: x[0]
)


@pytest.fixture(scope="module")
def lifelines():
    """Installed by `make test`; where it is not, somebody's own machine may go without."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return importlib.import_module("lifelines")
    except ImportError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"lifelines, the oracle, is not installed ({error}); make test installs it")


def curve(rows):
    return aalen_johansen(*zip(*rows, strict=True)) if rows else aalen_johansen([], [], [])


def test_by_hand():
    """Four deals; of those that see day 2 one is lost, and one is open, at an age of two days."""
    table = aalen_johansen([1, 2, 2, 3], [WON, LOST, 0, WON], [1, 1, 1, 1])
    assert table[["days", "at_risk", "won", "lost"]].to_numpy().tolist() == [
        [0, 4, 0, 0], [1, 4, 1, 0], [2, 3, 0, 1], [3, 1, 1, 0]
    ]  # fmt: skip
    # day 1: 1/4 won. day 2: 3/4 × 1/3 lost. day 3: the 2/4 still open are all won
    assert table["p_won"].tolist() == pytest.approx([0, 1 / 4, 1 / 4, 3 / 4])
    assert table["p_lost"].tolist() == pytest.approx([0, 0, 1 / 4, 1 / 4])
    assert table["p_open"].tolist() == pytest.approx([1, 3 / 4, 2 / 4, 0])
    error = Z * np.sqrt(1 / 4 * 3 / 4 / 4) / (1 / 4 * np.log(4))
    assert table.loc[1, ["p_won_low", "p_won_high"]].tolist() == pytest.approx(
        [0.25 ** np.exp(error), 0.25 ** np.exp(-error)]
    )


@example([(0, 0, 3), (0, 0, 3), (0, 0, 3), (0, 1, 3), (1, 1, 3)])  # 0.2 + 0.8 in many steps is above 1
@given(lives)
def test_shares_are_shares_and_add_up(rows):
    table = curve(rows)
    assert list(table.columns) == COLUMNS
    assert table[SHARES].sum(axis=1).tolist() == pytest.approx([1] * len(table))
    assert table["days"].is_monotonic_increasing
    assert table["days"].is_unique
    assert not table.isna().to_numpy().any()
    for name in SHARES:
        low, share, high = (table[f"{name}{end}"] for end in ("_low", "", "_high"))
        assert ((low >= 0) & (low <= share) & (share <= high) & (high <= 1)).all()
    assert table["p_won"].is_monotonic_increasing
    assert table["p_lost"].is_monotonic_increasing
    assert table["p_open"].is_monotonic_decreasing


@given(lives)
def test_winning_and_losing_are_treated_alike(rows):
    swapped = curve([(t, {WON: LOST, LOST: WON, 0: 0}[how], n) for t, how, n in rows])
    table = curve(rows)
    for ends in ("", "_low", "_high"):
        assert table[f"p_won{ends}"].tolist() == swapped[f"p_lost{ends}"].tolist()


@given(lives)
def test_the_share_still_open_is_kaplan_meiers(rows):
    assume(any(how for _, how, _ in rows))
    t, how, n = map(np.array, zip(*rows, strict=True))
    days, surviving = kaplan_meier(t, how > 0, n)
    table = curve(rows)
    table = table[table["won"] + table["lost"] > 0]
    assert table["days"].tolist() == days.tolist()
    assert table["p_open"].tolist() == pytest.approx(surviving.tolist(), abs=1e-12)


@given(lives)
def test_shares_agree_with_statsmodels_also_where_days_are_tied(rows):
    assume({WON, LOST} <= {how for _, how, _ in rows})
    t, how, n = map(np.array, zip(*rows, strict=True))
    with np.errstate(all="ignore"):  # it divides by none left at risk
        theirs = CumIncidenceRight(np.repeat(t, n).astype(float), np.repeat(how, n))
    table = curve(rows).set_index("days")
    table = table[table["won"] + table["lost"] > 0]
    for kind, name in ((WON, "p_won"), (LOST, "p_lost")):
        expected = dict(zip(theirs.times, theirs.cinc[kind - 1], strict=True))
        assert table[name].tolist() == pytest.approx([expected[day] for day in table.index], abs=1e-9)


@given(lives)
def test_the_error_of_the_share_still_open_agrees_with_statsmodels(rows):
    assume(any(how for _, how, _ in rows))
    t, how, n = map(np.array, zip(*rows, strict=True))
    theirs = SurvfuncRight(np.repeat(t, n).astype(float), np.repeat(how > 0, n).astype(int))
    table = curve(rows).set_index("days").loc[theirs.surv_times]
    for (_, row), share, error in zip(table.iterrows(), theirs.surv_prob, theirs.surv_prob_se, strict=True):
        if 1e-9 < share < 1 - 1e-9:
            far = Z * error / (share * -np.log(share))
            assert row["p_open_low"] == pytest.approx(share ** np.exp(far), abs=1e-9)
            assert row["p_open_high"] == pytest.approx(share ** np.exp(-far), abs=1e-9)


@given(untied)
def test_shares_and_intervals_agree_with_lifelines_where_no_days_are_tied(lifelines, rows):
    t, how = map(np.array, zip(*rows, strict=True))
    table = aalen_johansen(t, how, np.ones(len(t))).set_index("days")
    for kind, name in ((WON, "p_won"), (LOST, "p_lost")):
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            theirs = lifelines.AalenJohansenFitter().fit(t, how, event_of_interest=kind)
        shares = theirs.cumulative_density_.iloc[:, 0].loc[table.index]
        assert table[name].tolist() == pytest.approx(shares.tolist(), abs=1e-9)
        bounds = theirs.confidence_interval_.loc[table.index].to_numpy()
        known = ~np.isnan(bounds).any(axis=1) & (shares > 0).to_numpy() & (shares < 1 - 1e-9).to_numpy()
        mine = table.loc[known, [f"{name}_low", f"{name}_high"]].to_numpy()
        assert mine.ravel().tolist() == pytest.approx(np.sort(bounds[known]).ravel().tolist(), abs=1e-9)


@given(lives)
def test_kaplan_meier_agrees_with_lifelines(lifelines, rows):
    assume(any(how for _, how, _ in rows))
    t, how, n = map(np.array, zip(*rows, strict=True))
    days, surviving = kaplan_meier(t, how > 0, n)
    with np.errstate():  # its settings for all of numpy are undone
        theirs = lifelines.KaplanMeierFitter().fit(t, how > 0, weights=n)
    assert surviving.tolist() == pytest.approx(theirs.survival_function_.iloc[:, 0].loc[days].tolist(), abs=1e-9)


@given(st.lists(st.tuples(st.integers(1, 6), st.sampled_from([WON, LOST]), st.integers(1, 3)), min_size=2, max_size=20))
def test_once_all_have_ended_the_error_is_that_of_a_plain_share(rows):
    """With nothing censored the share won is won ÷ all, and its variance the binomial one."""
    n = sum(count for *_, count in rows)
    for _, row in curve(rows).iterrows():
        share = sum(count for t, how, count in rows if how == WON and t <= row["days"]) / n
        assert row["p_won"] == pytest.approx(share)
        if 0 < share < 1:
            far = Z * np.sqrt(share * (1 - share) / n) / (share * -np.log(share))
            assert row["p_won_low"] == pytest.approx(share ** np.exp(far), abs=1e-9)


def test_weights_are_counts():
    t, how, n = [3, 1, 2, 3], [WON, LOST, 0, LOST], [2, 5, 3, 4]
    one_by_one = aalen_johansen(np.repeat(t, n), np.repeat(how, n), np.ones(sum(n)))
    assert aalen_johansen(t, how, n).equals(one_by_one)


def test_of_nothing_there_is_no_curve():
    table = aalen_johansen([], [], [])
    assert len(table) == 0
    assert [table[name].dtype for name in ("at_risk", "won", "p_won", "days")] == ["int64", "int64", float, float]
    assert len(aalen_johansen([4], [WON], [0])) == 0


def test_where_all_still_go_on_only_the_start_is_known():
    table = aalen_johansen([5, 9], [0, 0], [3, 1])
    assert table[["days", "at_risk", *SHARES]].to_numpy().tolist() == [[0, 4, 0, 0, 1]]


def test_one_that_ended_says_next_to_nothing():
    table = aalen_johansen([5], [WON], [1])
    assert table["p_won"].tolist() == [0, 1]
    last = table.iloc[-1]
    assert (last["p_won_low"], last["p_won_high"]) == (0, 1)
    assert last["p_lost"] == 0
    assert last["p_lost_high"] == pytest.approx(wilson([0], [1])[1][0])


def test_where_all_end_on_one_day_the_curve_is_one_step():
    table = aalen_johansen([7, 7, 7, 7], [WON, LOST, LOST, LOST], [1, 1, 1, 1])
    assert table[["days", "at_risk", "won", "lost", *SHARES]].to_numpy().tolist() == [
        [0, 4, 0, 0, 0, 0, 1], [7, 4, 1, 3, 0.25, 0.75, 0]
    ]  # fmt: skip
    assert 0 < table["p_won_low"].iloc[-1] < 0.25 < table["p_won_high"].iloc[-1] < 1


def test_what_ends_at_once_stands_in_the_row_of_day_0():
    table = aalen_johansen([0, 0, 5], [WON, 0, LOST], [1, 1, 1])
    assert table[["days", "at_risk", "won", "lost"]].to_numpy().tolist() == [[0, 3, 1, 0], [5, 1, 0, 1]]


def test_ends_come_before_censorings_of_the_same_day():
    assert aalen_johansen([1, 1], [WON, 0], [1, 3])["p_won"].iloc[-1] == 0.25
