import datetime as dt
import warnings
from dataclasses import FrozenInstanceError, replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import TAKEN_AT, body, companies

from wegly_analytics.errors import EmptyScopeWarning, MissingColumnError, SettingError, SnapshotError
from wegly_analytics.intake.build import Response, SnapshotBuilder
from wegly_analytics.model.enums import NOT_INFORMED
from wegly_analytics.model.tables import LEDGER, TABLES
from wegly_analytics.snapshot.completeness import Completeness
from wegly_analytics.snapshot.snapshot import Snapshot

DEALS = [
    {"title": "A", "status": 2, "value": 10, "deal_source": {"name": "web"}, "tags": [{"name": "x"}, {"name": "y"}]},
    {"title": "B", "status": 3, "value": None, "deal_source": {"name": "fair"}, "proposals": [{"total": 5}]},
    {"title": "C", "status": 1, "value": 30, "deal_source": None, "expected_close_date": "2026-08-01T00:00:00Z"},
]


@pytest.fixture
def snap(snapshot_of):
    return snapshot_of(*DEALS)


def titles(snap):
    return snap.deals["title"].tolist()


def test_frames_are_plain_pandas_with_whole_numbers_and_days(snap):
    deals = snap.deals
    assert type(deals) is pd.DataFrame
    assert deals["code"].dtype == "Int64"
    assert deals["value"].tolist()[0] == 10.0
    assert np.isnan(deals["value"][1])
    assert deals["expected_close"][2] == pd.Timestamp("2026-08-01")
    assert str(deals["created_at"].dtype) == "datetime64[us, UTC]"


def test_changing_a_frame_changes_no_snapshot(snap):
    before = snap.deals.copy()
    for name in [*TABLES, "ledger"]:
        frame = getattr(snap, name)
        for column in frame:
            frame[column] = None
    value = snap.deals["value"]
    value.iloc[0] = -1
    deals = snap.deals
    deals.loc[:, "value"] = -1.0
    del deals["title"]
    pd.testing.assert_frame_equal(snap.deals, before)


def test_a_column_set_on_a_frame_is_lost_and_pandas_says_so(snap):
    if int(pd.__version__.split(".")[0]) >= 3:
        with pytest.warns(pd.errors.ChainedAssignmentError):
            snap.deals["x"] = 1
    deals = snap.deals
    deals["x"] = 1
    assert "x" not in snap.deals, "it was a copy"
    with pytest.raises(MissingColumnError, match="deals has no column 'x'"):
        snap.where(x=1)
    assert snap.assign(x=1).deals["x"].tolist() == [1, 1, 1]
    assert 'snap.deals["size"] = 1' in Snapshot.__doc__


def test_a_snapshot_cannot_be_changed(snap):
    with pytest.raises(FrozenInstanceError):
        snap.taken_at = TAKEN_AT
    with pytest.raises(AttributeError):
        snap.deals = pd.DataFrame()
    with pytest.raises(TypeError, match="unhashable"):
        hash(snap)


@pytest.mark.parametrize(
    ("columns", "left"),
    [
        ({"source": "web"}, "A"),
        ({"source": ["web", "fair"]}, "AB"),
        ({"source": {"web", None}}, "AC"),
        ({"source": None}, "C"),
        ({"source": NOT_INFORMED}, "C"),
        ({"source": pd.NA}, "C"),
        ({"status": ("won", "lost")}, "AB"),
        ({"code": range(2, 10)}, "BC"),
        ({"code": 3}, "C"),
        ({"value": lambda v: v > 5}, "AC"),
        ({"value": 30, "status": "open"}, "C"),
        ({"expected_close": dt.date(2026, 8, 1)}, "C"),
        ({}, "ABC"),
    ],
)
def test_where_keeps_the_deals_that_match(snap, columns, left):
    assert "".join(titles(snap.where(**columns))) == left


def test_where_takes_functions_of_the_deals(snap):
    some = snap.where(lambda d: d["value"] > 5, lambda d: (d["title"] != "A").to_numpy())
    assert titles(some) == ["C"]
    assert some.filters == ("a function", "a function")


def test_a_missing_truth_value_excludes_the_deal(snap):
    assert titles(snap.where(lambda d: d["code"].astype("Int64").where(d["title"] != "A") > 0)) == ["B", "C"]


def test_every_table_follows_and_the_ledger_keeps_all_that_was_requested(snap):
    some = snap.where(source="web").check()
    assert [len(getattr(some, name)) for name in ("deals", "tags", "proposals")] == [1, 2, 0]
    assert len(some.ledger) == 3
    assert some.ledger["in_scope"].tolist() == [True, False, False]
    assert some.completeness == replace(snap.completeness, in_scope=1)
    assert some.filters == ("source = web",)
    assert titles(snap) == ["A", "B", "C"], "the snapshot itself stays as it was"
    assert titles(some.where(status="won")) == ["A"]


def test_a_misspelled_column_is_reported_with_a_similar_one(snap):
    with pytest.raises(MissingColumnError, match="deals has no column 'sorce'; did you mean 'source'"):
        snap.where(sorce="web")


def test_a_value_that_no_deal_has_is_warned_of(snap):
    with pytest.warns(EmptyScopeWarning, match="no deal has source 'wep'; did you mean 'web'"):
        assert titles(snap.where(source="wep")) == []
    with pytest.warns(EmptyScopeWarning, match="no deal has pipeline 'x'$"):
        snap.where(pipeline="x")


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"status": "ganho"}, "status is one of open, won, lost; 'ganho' is not one of them"),
        ({"code": "17"}, "code has type int64"),
        ({"value": lambda v: "yes"}, "must return one truth value for each of the 3 deals"),
        ({"value": lambda v: v}, "must return one truth value"),
        ({"value": lambda v: v[:1] > 0}, "must return one truth value"),
    ],
)
def test_what_cannot_be_compared_is_refused(snap, how, message):
    with pytest.raises(SettingError, match=message):
        snap.where(**how)


def test_a_condition_that_is_not_a_function_is_refused(snap):
    with pytest.raises(SettingError, match="where\\('won'\\) is not a condition"):
        snap.where("won")


def test_assign_adds_columns_that_filter_and_group(snap):
    more = snap.assign(size=lambda d: np.where(d["value"] > 20, "big", "small"), one=1, flag=[True, None, False])
    assert more.deals["size"].tolist() == ["small", "small", "big"]
    assert titles(more.where(size="big")) == ["C"]
    assert "size" not in snap.deals
    assert more.check() is more


def test_assign_aligns_by_index_as_pandas_does(snap):
    values = snap.deals.sort_values("title", ascending=False)["title"].str.lower()
    assert snap.assign(lower=values).deals["lower"].tolist() == ["a", "b", "c"]


def test_assign_stores_types_that_every_reader_of_parquet_knows(snap):
    more = snap.assign(
        none=None,
        category=pd.Categorical(["a", "b", None]),
        day=[dt.date(2026, 1, 1)] * 3,
        nanoseconds=pd.Series(pd.to_datetime(["2026-01-01T00:00:00"] * 3)).astype("datetime64[ns]"),
        zoned=pd.Timestamp("2026-01-01", tz="America/Sao_Paulo"),
        small=np.array([1, 2, 3], dtype="int8"),
        half=np.array([1, 2, 3], dtype="float32"),
        source=lambda d: d["source"].fillna("none"),
    )
    types = {f.name: str(f.type) for f in more.tables["deals"].schema}
    assert {name: types[name] for name in ("none", "category", "day", "nanoseconds", "zoned", "small", "half")} == {
        "none": "string",
        "category": "string",
        "day": "date32[day]",
        "nanoseconds": "timestamp[us]",
        "zoned": "timestamp[us, tz=America/Sao_Paulo]",
        "small": "int64",
        "half": "double",
    }
    assert more.deals["source"].tolist() == ["web", "fair", "none"]
    assert more.tables["deals"].schema.field("source").metadata, "a replaced column keeps its meaning"


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ({"deal_id": "x"}, "deal_id joins the tables"),
        ({"x": [1, 2]}, "cannot assign x"),
        ({"x": [[1], [2], [3]]}, "'x' has type list<.*not every reader"),
        ({"x": [1, "a", None]}, "'x' cannot be stored"),
        ({"x": pd.to_timedelta([1, 2, 3], unit="D")}, "'x' has type duration"),
        ({"value": "much"}, "'value' has type double, not"),
    ],
)
def test_assign_refuses_what_a_snapshot_cannot_store(snap, column, message):
    with pytest.raises(SettingError, match=message):
        snap.assign(**column)


def test_frame_lists_the_tables(snap):
    assert snap.frame("tags").collect().shape == (2, 4)
    with pytest.raises(SettingError, match="no table 'deal'; there are deals, pipeline_stages"):
        snap.frame("deal")


def broken(snap, name, change):
    return replace(snap, tables={**snap.tables, name: change(snap.tables[name])})


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("deals", lambda t: pa.concat_tables([t, t]), "deals has a deal_id twice"),
        ("deals", lambda t: t.slice(1), "tags has rows of deals that are not in deals"),
        ("deals", lambda t: t.slice(1), "the ledger has 3 deals in scope, and they are not the 2 rows of deals"),
        ("deals", lambda t: t.drop_columns("code"), "deals.code is not int64"),
        ("tags", lambda t: t.set_column(1, "tag_id", pa.array([1, 2])), "tags.tag_id is not string"),
        ("ledger", lambda t: pa.concat_tables([t, t]), "the ledger has a requested id twice"),
        (
            "ledger",
            lambda t: t.set_column(1, t.schema.field(1), pa.array(["lost"] * 3)),
            "an outcome other than fetched",
        ),
    ],
)
def test_check_finds_tables_that_disagree(snap, name, change, message):
    with pytest.raises(SnapshotError, match=message):
        broken(snap, name, change).check()


def test_check_finds_a_missing_table(snap):
    tables = {name: table for name, table in snap.tables.items() if name != "tags"}
    with pytest.raises(SnapshotError, match="table tags is missing"):
        replace(snap, tables=tables).check()


def test_snapshots_are_equal_when_all_they_hold_is(snap, snapshot_of):
    assert snap == snapshot_of(*DEALS)
    assert snap != snapshot_of(*DEALS[:2])
    assert snap != snap.where(source="web")
    assert snap != replace(snap, taken_at=TAKEN_AT + dt.timedelta(1))
    assert snap != "a snapshot"


def test_the_repr_says_when_and_how_complete(snap):
    assert repr(snap) == "<Snapshot 2026-07-01 12:00 UTC: 3 of 3 requested deals received (100.0 %)>"
    assert len(snap) == 3


def test_the_card_says_when_how_many_and_how_complete(snapshot_of):
    builder = SnapshotBuilder()
    builder.add(0, Response("1", "fetched", TAKEN_AT, 200, body=body({"id": "a", "deal_source": {"name": "<b>"}})))
    builder.add(1, Response("2", "not_found", TAKEN_AT, 404, "gap"))
    html = builder.snapshot(TAKEN_AT).where(source="<b>")._repr_html_()
    for piece in (
        "1 deal\n",
        "Filter: source = &lt;b&gt;",
        "2026-07-01 12:00",
        "1 of 2 requested deals received (50.0 %)",
        "width:50.00%",
        "&lt;b&gt;",
    ):
        assert piece in html
    assert "other than 404" not in html
    assert "width" not in SnapshotBuilder().snapshot(TAKEN_AT)._repr_html_()


def test_completeness_counts_every_outcome():
    counts = Completeness(
        requested=10, fetched=4, carried=1, not_found=2, forbidden=1, failed=1, unreadable=1, in_scope=2
    )
    assert (counts.received, counts.missing, counts.share) == (5, 3, 0.5)
    assert str(counts) == (
        "5 of 10 requested deals received (50.0 %); 2 not found, 1 forbidden, 1 failed, 1 unreadable; 2 in scope"
    )
    assert Completeness().share is None
    assert str(Completeness()) == "0 of 0 requested deals received"


outcomes = st.sampled_from(["fetched", "not_found", "forbidden", "failed", "unreadable", "rubbish"])


@given(companies(max_size=4), st.lists(outcomes, max_size=10), st.randoms(use_true_random=False))
@settings(max_examples=20)
def test_requested_is_always_the_rows_of_the_ledger(company, kinds, random):
    responses = []
    for place, kind in enumerate(kinds):
        if kind in ("fetched", "rubbish"):
            found = body(random.choice(company)) if company and kind == "fetched" else b"{"
            responses.append(Response(str(place + 1), "fetched", TAKEN_AT, 200, body=found, check_id=False))
        else:
            responses.append(Response(str(place + 1), kind, TAKEN_AT, 404, "no"))
    order = list(range(len(responses)))
    random.shuffle(order)
    builder = SnapshotBuilder()
    for place in order:
        builder.add(place, responses[place])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        snap = builder.snapshot(TAKEN_AT)
    assert snap.ledger["requested"].tolist() == [str(n + 1) for n in range(len(kinds))]
    counts = snap.completeness
    assert counts.requested == len(kinds) == counts.received + counts.missing + counts.not_found
    assert isinstance(snap.check(), Snapshot)
    assert snap.tables["ledger"].schema.equals(LEDGER.schema)
