"""What is read in several queries where there are very many deals is the same as in one."""

import narwhals as nw
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from metrics.companies import OnDuckDB, OnPolars, companies, on, snapshot

from wegly_analytics.metrics._quality import _broken
from wegly_analytics.metrics.cohort import Cohort
from wegly_analytics.metrics.combinations import Combinations
from wegly_analytics.metrics.durations import durations
from wegly_analytics.metrics.stages import stage_times
from wegly_analytics.snapshot.quality_rules import COLUMNS, RULES, Clock

few = settings(max_examples=10, suppress_health_check=[HealthCheck.too_slow], deadline=None)
engines = pytest.mark.parametrize("kind", [OnDuckDB, OnPolars])


def stays(snap, by, **options):
    """The times of each stage and group, in a form that can be compared."""
    cohort = Cohort.of("time_in_stage", snap, by, columns=["stage_id"])
    times = cohort.beside(stage_times(snap), "open", *cohort.groups, current="stage_id")
    is_open = (nw.col("open") == 1) & (nw.col("stage_id") == nw.col("current"))
    return {
        tuple(None if pd.isna(name) else name for name in each.key): (
            sorted(zip(np.repeat(each.seconds, each.n), np.repeat(each.goes_on, each.n), strict=True)),
            each.waiting,
        )
        for each in durations(cohort, times, is_open, **options)
    }


@engines
@few
@given(company=companies())
def test_the_times_of_each_stage_are_the_same_one_stage_at_a_time(kind, company):
    snap = snapshot(company)
    for by in (None, ["source", "loss_reason"]):
        assert stays(on(kind, snap), by, large=0) == stays(on(kind, snap), by) == stays(snap, by)


@engines
@few
@given(company=companies())
def test_the_deals_that_break_a_rule_are_the_same_one_rule_at_a_time(kind, company):
    snap = on(kind, snapshot(company))
    cohort = Cohort.of("quality", snap, columns=[*COLUMNS["deals"], "title"])

    def tables(name):
        return cohort.kept if name == "deals" else snap.keyed(name, *COLUMNS[name])

    def found(**options):
        n, each = _broken(cohort, tables, RULES, Clock(snap.taken_at), **options)
        return n, {rule.name: (list(deals), deals["deal_id"].tolist()) for rule, deals in each}

    assert found(large=-1) == found()


def test_combinations_of_more_values_than_can_be_numbered_are_found_too():
    n = 300
    names = [f"c{place}" for place in range(9)]  # 300 ** 9 is more than 2 ** 63
    table = pa.table({name: [f"{name} {place}" for place in range(n)] * 2 for name in names} | {"x": range(2 * n)})
    found = Combinations.of(nw.from_native(table).lazy(), names, "x")
    assert len(found.table) == n
    for place, numbers in enumerate(found.at(range(n))):
        first = int(found.table["c0"][place].split()[1])
        assert found.numbers[numbers].tolist() == [first, first + n]
