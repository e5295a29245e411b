import json
from dataclasses import replace
from datetime import UTC, datetime

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from metrics.companies import OnDuckDB, OnPandas, OnPolars, companies, on, same, snapshot
from strategies import deals

from wegly_analytics.errors import EmptyScopeWarning, SettingError
from wegly_analytics.i18n import texts as words
from wegly_analytics.metrics import quality, win_rate
from wegly_analytics.snapshot.quality_rules import RULES

CREATED, CLOSED, RECENT = "2026-03-01T12:00:00Z", "2026-04-01T12:00:00Z", "2026-06-20T12:00:00Z"
WON = {"status": 2, "created_at": CREATED, "won_date": CLOSED, "value": 10}
LOST = {"status": 3, "created_at": CREATED, "lost_date": CLOSED, "crm_loss_reason": {"name": "Preço"}}
OPEN = {"status": 1, "created_at": RECENT, "last_activity_at": RECENT}
STAGES = {"pipeline_stages": [{"id": "a", "name": "A"}, {"id": "b", "name": "B"}]}

BROKEN = {
    "won without value": (WON | {"value": None}, "value missing, won_at 2026-04-01 12:00Z"),
    "lost without reason": (
        LOST | {"crm_loss_reason": None},
        "lost_reason_description missing, lost_at 2026-04-01 12:00Z",
    ),
    "open past its expected close": (
        OPEN | {"expected_close_date": "2026-06-30T00:00:00Z"},
        "expected_close 2026-06-30",
    ),
    "silent for too long": (
        OPEN | {"created_at": CREATED, "last_activity_at": "2026-06-01T11:59:59Z"},
        "last_activity_at 2026-06-01 11:59Z, created_at 2026-03-01 12:00Z",
    ),
    "won and lost dates both set": (
        WON | {"lost_date": "2026-03-15T00:00:00Z"},
        "status won, won_at 2026-04-01 12:00Z, lost_at 2026-03-15 00:00Z",
    ),
    "won without a date": (WON | {"won_date": None}, "won_at missing, lost_at missing"),
    "lost without a date": (LOST | {"lost_date": None}, "won_at missing, lost_at missing"),
    "open with a closing date": (OPEN | {"won_date": CLOSED}, "won_at 2026-04-01 12:00Z, lost_at missing"),
    "closed before created": (
        LOST | {"lost_date": "2026-02-28T12:00:00Z"},
        "created_at 2026-03-01 12:00Z, won_at missing, lost_at 2026-02-28 12:00Z",
    ),
    "stage not in its pipeline": (
        OPEN | STAGES | {"stage": {"id": "z", "name": "Z", "pipeline": {"name": "P"}}},
        "stage Z, pipeline P",
    ),
    "proposals miscounted": (
        OPEN | {"associations_count": {"proposals": 2}, "proposals": [{"id": "p"}]},
        "n_proposals 2, proposals_there 1",
    ),
    "value not positive": (WON | {"value": 0}, "status won, value 0"),
}

FINE = [
    WON,
    LOST,
    OPEN,
    OPEN | {"expected_close_date": "2026-07-01T00:00:00Z", "last_activity_at": "2026-06-01T12:00:00Z"},
    OPEN | STAGES | {"stage": {"id": "a"}},
    OPEN | {"stage": {"id": "a"}, "pipeline_stages": []},
    OPEN | {"associations_count": {"proposals": 0}, "value": 0},
    OPEN | {"created_at": None, "last_activity_at": None},
    WON | {"expected_close_date": "2026-01-01T00:00:00Z", "created_at": CLOSED},
]


def test_every_rule_has_its_case():
    assert [rule.name for rule in RULES] == list(BROKEN)
    assert all(words.say(text, "pt") for text in BROKEN)


@pytest.mark.parametrize("rule", BROKEN)
def test_a_deal_that_breaks_one_rule_breaks_no_other(rule, snapshot_of):
    deal, detail = BROKEN[rule]
    table = quality(snapshot_of(*FINE, deal | {"title": "Culprit"}))
    assert table.to_numpy().tolist() == [[rule, f"deal-{len(FINE)}", "Culprit", detail]]
    assert table.attrs["counts"] == dict.fromkeys(BROKEN, 0) | {rule: 1}
    assert (table.attrs["n"], table.attrs["broken"]) == (len(FINE) + 1, 1)


def test_a_deal_that_nothing_ever_happened_to_is_silent_since_its_creation(snapshot_of):
    snap = snapshot_of(OPEN | {"created_at": CREATED, "last_activity_at": None})
    assert quality(snap)["rule"].tolist() == ["silent for too long"]
    assert quality(snap, silent_days=150).empty
    with pytest.raises(SettingError, match="silent_days=-1 must not be negative"):
        quality(snap, silent_days=-1)


def test_the_day_of_an_expected_close_is_over_at_midnight_in_sao_paulo(snapshot_of):
    snap = snapshot_of(OPEN | {"expected_close_date": "2026-06-30T00:00:00Z"}, WON)
    for hour, overdue in ((2, False), (3, True)):
        then = replace(snap, taken_at=datetime(2026, 7, 1, hour, tzinfo=UTC))
        assert len(quality(then)) == overdue
        assert win_rate(then, count="closed+stale")["stale"].tolist() == [overdue]


def test_archived_deals_are_checked_only_on_request(snapshot_of):
    snap = snapshot_of(WON | {"value": None, "archived_at": CLOSED}, {"status": None})
    assert quality(snap).attrs["excluded"] == {"archived": 1, "status unknown": 1}
    assert quality(snap, archived=True)["rule"].tolist() == ["won without value"]


def test_rules_may_be_picked_and_a_misspelt_one_is_named(snapshot_of):
    snap = snapshot_of(*(deal for deal, _ in BROKEN.values()))
    assert set(quality(snap, rules="won without value")["rule"]) == {"won without value"}
    assert set(quality(snap, rules=["silent for too long", "won without a date"])["rule"]) == {
        "won without a date", "silent for too long"
    }  # fmt: skip
    assert len(quality(snap, rules="clean")) == 8
    with pytest.raises(SettingError, match="no rule 'won with value'; did you mean 'won without value'"):
        quality(snap, rules="won with value")
    with pytest.raises(SettingError, match="no rule 'xyzzy'; there are: won without value, lost"):
        quality(snap, rules=["xyzzy"])


def test_a_snapshot_may_be_rid_of_deals_that_contradict_themselves(snapshot_of):
    snap = snapshot_of(*FINE, *(deal for deal, _ in BROKEN.values()))
    clean = snap.where(quality="clean")
    assert len(clean) == len(snap) - 8
    assert clean.filters == ("quality = clean: 8 of 21 deals excluded",)
    assert quality(clean, rules="clean").empty
    assert clean.check() is clean
    lost = snap.where(status="lost", quality=["lost without reason", "lost without a date"])
    assert lost.filters == (
        "status = lost",
        "quality = lost without reason and lost without a date: 2 of 4 deals excluded",
    )
    with pytest.raises(SettingError, match="no rule 'cleen'; "):
        snap.where(quality="cleen")
    with pytest.raises(SettingError, match="no rule is named"):
        snap.where(quality=[])
    with pytest.warns(EmptyScopeWarning, match="all 1 deals break a rule: lost without a date"):
        snapshot_of(LOST | {"lost_date": None}).where(quality=["lost without a date"])


@given(company=companies())
@settings(max_examples=4)
def test_quality_is_the_same_on_every_engine_and_in_every_order(company):
    snap = snapshot(company)
    for kind in (OnPolars, OnDuckDB, OnPandas):
        same(quality(on(kind, snap)), quality(snap), check_dtype=False)
    same(quality(snapshot(company[::-1])), quality(snap))


@given(company=st.lists(deals(), max_size=4, unique_by=lambda deal: deal["id"]))
@settings(max_examples=4)
def test_quality_takes_anything_the_documentation_allows(company):
    snap = snapshot(company)
    table = quality(snap, archived=True)
    assert set(table["deal_id"]) <= set(snap.deals["deal_id"])
    json.dumps(table.attrs)
    clean = snap.assign(one=1).where(lambda deals: ~deals["deal_id"].isin(table["deal_id"]))
    assert quality(clean, archived=True).empty


def test_where_there_are_no_deals_nothing_is_wrong(snapshot_of):
    table = quality(snapshot_of())
    assert list(table.columns) == ["rule", "deal_id", "title", "detail"]
    assert table.empty
    assert isinstance(table.index, pd.RangeIndex)
