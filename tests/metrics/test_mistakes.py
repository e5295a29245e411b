"""What people naturally pass to a metric by mistake, and the errors."""

import re

import pandas as pd
import pytest

import wegly_analytics as wa
from wegly_analytics import metrics
from wegly_analytics.errors import MissingColumnError, SettingError

MISTAKES = {
    "a DataFrame": (lambda s: metrics.win_rate(s.deals), SettingError, "metrics.win_rate takes a Snapshot, not a DataFrame"),
    "a table": (lambda s: metrics.velocity(metrics.velocity(s)), SettingError, "pass the snapshot itself, or wa.read"),
    "a path": (lambda s: metrics.funnel("data/snapshots"), SettingError, "takes a Snapshot, not a str"),
    "nothing": (lambda s: metrics.quality(None), SettingError, "takes a Snapshot, not a NoneType"),
    "a misspelt column": (lambda s: metrics.win_rate(s, by="sorce"), MissingColumnError, "did you mean 'source'"),
    "a column of the API": (lambda s: metrics.win_rate(s, by="deal_source"), MissingColumnError, "deal_source"),
    "a Series": (lambda s: metrics.win_rate(s, by=[s.deals["source"]]), SettingError, "by takes names of columns of deals"),
    "a group named as a figure": (lambda s: metrics.win_rate(s.assign(rate=1), by="rate"), SettingError, "column 'rate' of its own"),
    "an unknown denominator": (lambda s: metrics.win_rate(s, count="all"), SettingError, "count='all' is none of 'closed'"),
    "an unknown weight": (lambda s: metrics.win_rate(s, weight="money"), SettingError, "weight='money'"),
    "a pandas frequency": (lambda s: metrics.win_loss(s, every="M"), SettingError, "every='M' is none of 'week', 'month'"),
    "a period in Portuguese": (lambda s: metrics.velocity(s, every="mês"), SettingError, "every='mês' is none of"),
    "days as text": (lambda s: metrics.forecast(s, days="90d"), SettingError, "days='90d' is not a number: give for example days=90"),
    "no days": (lambda s: metrics.forecast(s, days=0), SettingError, "give days above 0"),
    "a level in percent": (lambda s: metrics.forecast(s, level=80), SettingError, "give a share between 0 and 1"),
    "no target": (lambda s: metrics.coverage(s, target=None), SettingError, "target=None: give money above 0"),
    "a target as text": (lambda s: metrics.coverage(s, target="2M"), SettingError, "target='2M': give money above 0"),
    "targets without groups": (lambda s: metrics.coverage(s, target={"Ana": 1}), SettingError, "pass by="),
    "no period": (lambda s: metrics.coverage(s, target=1, periods=0), SettingError, "periods=0: give 1 or more"),
    "several pipelines": (lambda s: metrics.funnel(s), SettingError, "there are several pipelines; name one with pipeline="),
    "an unknown pipeline": (lambda s: metrics.funnel(s, pipeline="Sales"), SettingError, "pipeline='Sales' has no deal here"),
    "an unknown funnel rule": (lambda s: metrics.funnel(s, pipeline="Vendas", rule="any"), SettingError, "rule='any' is none of"),
    "a quantile in percent": (lambda s: metrics.stalled(s, q=90), SettingError, "q=90 is not between 0 and 1"),
    "an unknown quality rule": (lambda s: metrics.quality(s, rules="tidy"), SettingError, "there is no rule 'tidy'"),
    "edges in percent": (lambda s: metrics.discounts(s, edges=(0, 10)), SettingError, "ascending shares"),
}  # fmt: skip


@pytest.mark.parametrize(("call", "error", "message"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_answered_with_the_place_and_the_remedy(call, error, message):
    with pytest.raises(error, match=re.escape(message)):
        call(wa.sample())


@pytest.mark.parametrize(
    "bands",
    [
        lambda bands: bands,
        lambda bands: bands.astype(pd.IntervalDtype()),
        lambda bands: bands.astype("string"),
    ],
    ids=["categories", "intervals", "text"],
)
def test_bands_made_by_pandas_cut_are_groups(bands):
    snap = wa.sample()
    snap = snap.assign(band=bands(pd.cut(snap.deals["value"], [0, 10_000, 1e12])))
    names = {"(0.0, 10000.0]", "(10000.0, 1000000000000.0]", "(not informed)"}
    assert set(metrics.win_rate(snap, by="band")["band"]) == names
