"""What a filter keeps, and what it is remembered as."""

import datetime as dt

import narwhals as nw
import narwhals.selectors as cs
import pandas as pd
import pytest

import wegly_analytics as wa
from wegly_analytics.errors import EmptyScopeWarning

CREATED = {
    "A": "2026-01-01T02:59:59Z",  # still 2025 in São Paulo
    "B": "2026-01-01T03:00:00Z",
    "C": "2026-04-01T02:59:59Z",  # the last second of March
    "D": "2026-04-01T03:00:00Z",
    "E": None,
}


@pytest.fixture(scope="module")
def in_memory(snapshot_of):
    deals = [
        {
            "title": title,
            "created_at": created,
            "value": 10.0 * n if n else None,
            "status": 2,
            "expected_close_date": f"2026-0{n + 1}-28T00:00:00Z",
            "tags": [{"name": name} for name in tags],
            "responsible": {"id": str(n), "name": f"Ana {n}"},
        }
        for n, ((title, created), tags) in enumerate(
            zip(CREATED.items(), [["vip"], ["vip", "old"], ["old"], [], []], strict=True)
        )
    ]
    return snapshot_of(*deals)


@pytest.fixture(scope="module", params=["memory", "files", "duckdb", "polars"])
def snap(request, in_memory, tmp_path_factory):
    if request.param == "memory":
        return in_memory
    path = in_memory.save(tmp_path_factory.mktemp("snapshots"), personal="keep")
    return wa.load(path) if request.param == "files" else wa.scan(path, request.param)


KEPT = {
    "quarter": ({"created_at": "2026-Q1"}, "BC", "created_at = 2026-Q1"),
    "month": ({"created_at": "2026-03"}, "C", "created_at = 2026-03"),
    "year": ({"created_at": "2026"}, "BCD", "created_at = 2026"),
    "day": ({"created_at": "2026-03-31"}, "C", "created_at = 2026-03-31"),
    "date": ({"created_at": dt.date(2026, 3, 31)}, "C", "created_at = 2026-03-31"),
    "timestamp of a day": ({"created_at": pd.Timestamp("2026-03-31")}, "C", "created_at = 2026-03-31"),
    "periods or missing": ({"created_at": ["2025", "2026-04", None]}, "ADE",
        "created_at = 2025 or 2026-04 or (not informed)"),
    "instant": ({"created_at": "2026-01-01T03:00:00Z"}, "B", "created_at = 2026-01-01T03:00:00Z"),
    "instant without a zone": ({"created_at": "2026-01-01T00:00:00"}, "B", "created_at = 2026-01-01T00:00:00"),
    "days": (
        {"created_at": wa.between("2026-01-01", "2026-03-31")}, "BC", "created_at = 2026-01-01 to 2026-03-31",
    ),
    "dates": (
        {"created_at": wa.between(dt.date(2026, 1, 1), dt.date(2026, 3, 31))}, "BC",
        "created_at = 2026-01-01 to 2026-03-31",
    ),
    "instants": (
        {"created_at": wa.between("2026-01-01T03:00:00Z", dt.datetime(2026, 4, 1, 3, tzinfo=dt.UTC))}, "BCD",
        "created_at = 2026-01-01T03:00:00Z to 2026-04-01T03:00:00+00:00",
    ),
    "periods": ({"created_at": wa.between("2026-Q1", "2026-Q2")}, "BCD", "created_at = 2026-Q1 to 2026-Q2"),
    "from": ({"created_at": wa.between("2026-04", None)}, "D", "created_at = from 2026-04"),
    "up to": ({"created_at": wa.between(None, "2025")}, "A", "created_at = up to 2025"),
    "plain days": (
        {"expected_close": wa.between("2026-01-28", "2026-03-28")}, "ABC", "expected_close = 2026-01-28 to 2026-03-28",
    ),
    "month of plain days": ({"expected_close": "2026-02"}, "B", "expected_close = 2026-02"),
    "numbers": ({"value": wa.between(10, 30)}, "BCD", "value = 10 to 30"),
    "at least": ({"value": wa.between(30, None)}, "DE", "value = from 30"),
    "tag": ({"tag": "vip"}, "AB", "tag = vip"),
    "tags": ({"tag": ["vip", "old"]}, "ABC", "tag = vip or old"),
    "no tag": ({"tag": None}, "DE", "tag = (not informed)"),
    "tag or none": ({"tag": ["old", None]}, "BCDE", "tag = old or (not informed)"),
    "name": ({"responsible": "Ana 1"}, "B", "responsible = Ana 1"),
    "whole numbers": ({"code": range(2, 4)}, "BC", "code = 2 to 3"),
    "every other": ({"code": range(1, 5, 2)}, "AC", "code = 1 or 3"),
}  # fmt: skip


@pytest.mark.parametrize(("scope", "kept", "text"), KEPT.values(), ids=KEPT)
def test_a_filter_keeps_the_same_deals_on_every_source(snap, scope, kept, text):
    some = snap.where(**scope)
    assert "".join(sorted(some.deals["title"])) == kept
    assert some.filters == (text,)


EXPRESSIONS = {
    "number": (lambda: wa.col("value") > 20, "DE", "value > 20"),
    "both": (lambda: (wa.col("value") > 20) & (wa.col("title") == "D"), "D", "value > 20 and title == D"),
    "missing": (lambda: wa.col("created_at").is_null(), "E", "created_at is missing"),
    "not": (lambda: ~(wa.col("title") == "D"), "ABCE", "not (title == D)"),
    "members": (lambda: wa.col("title").is_in(["A", "B"]), "AB", "title in ['A', 'B']"),
    "columns": (lambda: wa.col("value") > wa.col("code") * 7.5, "E", "value > code * 7.5"),
}


@pytest.mark.parametrize(("expression", "kept", "text"), EXPRESSIONS.values(), ids=EXPRESSIONS)
def test_an_expression_keeps_the_same_deals_on_every_source(snap, expression, kept, text):
    some = snap.where(expression(), status="won")
    assert "".join(sorted(some.deals["title"])) == kept
    assert some.filters == (text, "status = won")


def test_several_expressions_must_all_hold(snap):
    assert snap.where(wa.col("value") > 10, wa.col("value") < 40, tag=None).deals["title"].tolist() == ["D"]


def test_the_text_of_a_filter_is_short(snap):
    names = [f"Ana {n}" for n in range(50)]
    some = snap.where((wa.col("title") == "A" * 100) | (wa.col("value") > 0), responsible=names, code=range(1, 99, 2))
    assert all(len(text) <= 80 for text in some.filters)
    assert some.filters[1].startswith("responsible = Ana 0 or Ana 1 or")
    assert some.filters[1].endswith("… (50 values)")


def test_filters_that_exclude_each_other_are_warned_of(snap):
    with pytest.warns(EmptyScopeWarning, match="no deal meets all of: title = A; code = 2") as caught:
        assert len(snap.where(title="A", code=2)) == 0
    assert caught[0].filename == __file__
    with pytest.warns(EmptyScopeWarning, match="no deal has tag 'vpi'; did you mean 'vip'"):
        snap.where(tag="vpi")


def test_an_expression_reads_the_columns_it_names_and_all_where_it_names_none(snapshot_of, tmp_path):
    snap = snapshot_of({"title": "A", "value": 3}, {"title": "B", "value": 9})
    loaded = wa.load(snap.save(tmp_path, personal="keep"))
    assert len(loaded.where(wa.col("value") > 5)) == 1
    assert sorted(loaded.tables._columns["deals"]) == ["deal_id", "value"]
    assert len(loaded.where(nw.sum_horizontal("value", "code") > 5)) == 1
    assert len(loaded.where(nw.max_horizontal(cs.numeric()) > wa.col("code"))) == 2
    assert len(loaded.tables._columns["deals"]) == len(loaded.deals.columns)
