import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.duration.survfunc import SurvfuncRight
from statsmodels.stats.proportion import proportion_confint

from wegly_analytics.metrics.intervals import mean_interval, wilson
from wegly_analytics.metrics.survival import kaplan_meier, quantile


@given(st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_agrees_with_statsmodels(pair):
    k, n = pair
    low, high = wilson([k], [n])
    expected = proportion_confint(k, n, method="wilson")
    assert [low[0], high[0]] == pytest.approx([min(expected[0], k / n), max(expected[1], k / n)], abs=1e-12)
    assert 0 <= low[0] <= k / n <= high[0] <= 1


def test_of_nothing_nothing_is_known():
    assert np.isnan(wilson([0], [0])).all()


@given(st.lists(st.floats(-1000, 1000), min_size=2, max_size=9))
def test_the_interval_of_a_mean_is_196_standard_errors_to_either_side(values):
    low, high = mean_interval([sum(values)], [sum(v * v for v in values)], [len(values)])
    half = 1.959964 * np.std(values, ddof=1) / np.sqrt(len(values))
    assert (low[0], high[0]) == pytest.approx((np.mean(values) - half, np.mean(values) + half), abs=0.01)


def test_one_value_has_no_interval():
    assert np.isnan(mean_interval([5], [25], [1])).all()


times = st.lists(st.tuples(st.integers(0, 9), st.booleans(), st.integers(1, 3)), min_size=1, max_size=30)


@given(times.filter(lambda rows: any(ended for _, ended, _ in rows)))
def test_kaplan_meier_agrees_with_statsmodels(rows):
    t, ended, n = map(np.array, zip(*rows, strict=True))
    mine_t, mine = kaplan_meier(t, ended, n)
    theirs = SurvfuncRight(np.repeat(t, n).astype(float), np.repeat(ended, n).astype(int))
    assert mine_t == pytest.approx(theirs.surv_times)
    assert mine == pytest.approx(theirs.surv_prob, abs=1e-9)
    for q in (0.25, 0.5, 0.75):
        over = theirs.surv_times[1 - theirs.surv_prob >= q - 1e-12]
        assert quantile((mine_t, mine), q) == pytest.approx(over[0] if len(over) else np.nan, nan_ok=True)


def test_without_an_end_there_is_no_curve():
    curve = kaplan_meier([1.0, 2.0], [False, False], [1, 1])
    assert len(curve[0]) == 0
    assert np.isnan(quantile(curve, 0.5))
    assert len(kaplan_meier([], [], [])[0]) == 0
