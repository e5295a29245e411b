"""In the newest quarter most deals have not ended yet: which figure estimates its win rate without bias?

In these simulations every deal has the same win probability in every quarter; won deals end sooner than lost ones, and
all within 80 days of their creation.
"""

import numpy as np
import pandas as pd
import pytest
from metrics.companies import snapshot
from strategies import TAKEN_AT

from wegly_analytics.metrics import time_to_close, win_rate
from wegly_analytics.metrics.survival import aalen_johansen

TRUTH = 0.3
QUARTER = 91.0
SIMULATIONS = 300


def newest_quarter(rng, n):
    """Ages of deals that were created in the last quarter, how they will end, and after how many days."""
    won = rng.random(n) < TRUTH
    takes = np.where(won, rng.triangular(5, 25, 80, n), rng.triangular(15, 60, 80, n))
    return rng.uniform(0, QUARTER, n), np.where(won, 1, 2), takes


@pytest.fixture(scope="module")
def simulations():
    """Each figure in many simulations."""
    rng = np.random.default_rng(20260701)
    rows = []
    for _ in range(SIMULATIONS):
        age, ending, takes = newest_quarter(rng, 300)
        seen = np.where(takes <= age, ending, 0)
        last = aalen_johansen(np.minimum(age, takes), seen, np.ones(len(age))).iloc[-1]
        rows.append(
            {
                "closed only": (seen == 1).sum() / (seen > 0).sum(),
                "cohort": (seen == 1).mean(),
                "curve": last["p_won"],
                "covered": last["p_won_low"] <= TRUTH <= last["p_won_high"],
                "width": last["p_won_high"] - last["p_won_low"],
            }
        )
    return pd.DataFrame(rows)


def test_the_curve_is_unbiased(simulations):
    error = simulations["curve"].std() / np.sqrt(SIMULATIONS)
    assert abs(simulations["curve"].mean() - TRUTH) < 3 * error
    assert error < 0.004, "or this test could not fail"


def test_its_stated_error_is_its_error(simulations):
    assert 0.91 <= simulations["covered"].mean() <= 0.98, "of 300 intervals of 95 %"
    assert simulations["width"].mean() == pytest.approx(2 * 1.96 * simulations["curve"].std(), rel=0.12)


def test_the_other_two_are_not(simulations):
    assert simulations["closed only"].mean() > TRUTH + 0.05, "most deals that end early are won"
    assert simulations["cohort"].mean() < TRUTH - 0.10, "most deals are too young to be won"


def test_the_metrics_say_the_same_of_one_large_quarter():
    age, ending, takes = newest_quarter(np.random.default_rng(4), 3000)
    company = []
    for n, (old, how, days) in enumerate(zip(age, ending, takes, strict=True)):
        created = pd.Timestamp(TAKEN_AT) - pd.Timedelta(days=old)
        over = days <= old
        date = created + pd.Timedelta(days=days) if over else None
        company.append(
            {
                "id": f"deal-{n}",
                "code": n + 1,
                "status": int(how) + 1 if over else 1,
                "created_at": created,
                "won_date": date if how == 1 else None,
                "lost_date": date if how == 2 else None,
            }
        )
    snap = snapshot(company)
    last = time_to_close(snap).iloc[-1]
    closed, cohort = (win_rate(snap, count=count).iloc[0] for count in ("closed", "created"))
    assert last["p_won_low"] <= TRUTH <= last["p_won_high"]
    assert closed["low"] > TRUTH, "sure of itself, and wrong"
    assert cohort["high"] < TRUTH
