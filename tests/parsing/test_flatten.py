import json
from datetime import UTC, date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import body, companies, deals

from wegly_analytics.model.schema import Kind
from wegly_analytics.model.tables import TABLES
from wegly_analytics.parsing.flatten import flatten


def follow(thing, path):
    """All objects at a path of a response, with their parents: slow, but simple enough to be obviously right."""
    found = [{"": thing}]
    walked = ""
    for hop in path.split("[]")[:-1]:
        found = [
            around | {f"{walked}{hop}[]": item}
            for around in found
            for item in reach(around[walked], hop.lstrip(".")) or []
        ]
        walked += f"{hop}[]"
    return found


def reach(thing, dotted):
    for key in filter(None, dotted.split(".")):
        thing = thing.get(key) if thing else None
    return thing


def expected(table, deal):
    if table.keep_empty:
        deal = {
            **deal,
            "custom_fields": [f | {"answers": f.get("answers") or [{}]} for f in deal["custom_fields"] or []],
        }
    for around in follow(deal, table.rows):
        row = []
        for column in table.columns:
            level = max((p for p in around if column.path.startswith(p)), key=len)
            value = reach(around[level], column.path[len(level) :].lstrip("."))
            if column.kind is Kind.ENUM and value is not None:
                value = column.labels[value]
            elif column.kind is Kind.INSTANT and value is not None:
                value = datetime.fromisoformat(value)
            elif column.kind is Kind.DAY and value is not None:
                value = datetime.fromisoformat(value).date()
            row.append(value)
        yield tuple(row)


@given(companies())
def test_tables_hold_exactly_what_the_responses_hold(company):
    flat = flatten([body(deal) for deal in company])
    assert not flat.refused
    assert not flat.notes
    assert list(flat.deal_ids.values()) == [deal["id"] for deal in company]
    for table in TABLES.values():
        rows = [tuple(row.values()) for row in flat.tables[table.name].to_pylist()]
        whole = [dict.fromkeys(["custom_fields"]) | deal for deal in company]
        assert rows == [row for deal in whole for row in expected(table, deal)], table.name


@given(companies())
def test_tables_have_their_declared_schema_also_when_empty(company):
    for some in (company, []):
        for name, table in flatten([body(deal) for deal in some]).tables.items():
            assert table.schema.equals(TABLES[name].schema, check_metadata=True)
            table.validate(full=True)


@given(
    companies(max_size=4), st.integers(0, 4), st.sampled_from([b"", b"null", b"[]", b"<html>", b'{"id": ', b"\xff{}"])
)
def test_one_bad_response_affects_no_other_deal(company, place, bad):
    bodies = [body(deal) for deal in company]
    place = min(place, len(bodies))
    flat = flatten([*bodies[:place], bad, *bodies[place:]])
    assert list(flat.refused) == [place]
    assert flat.tables["deals"].equals(flatten(bodies).tables["deals"])


@settings(max_examples=30)
@given(deals())
def test_pretty_printed_responses_give_the_same_tables(deal):
    pretty = json.dumps(deal, indent=2).replace("\n", "\r\n").encode()
    for name, table in flatten([b"\xef\xbb\xbf" + pretty]).tables.items():
        assert table.equals(flatten([body(deal)]).tables[name])


@pytest.mark.parametrize(
    ("bodies", "refused"),
    [
        ([b'{"id": "a"} {"id": "b"}'], {0}),
        ([b'{"id": "a"}{"id":', b'"b"}', b'{"id": "c"}'], {0, 1}),
        ([b'{"id": "a"} null {}', b'{"id": "b"}'], {0}),
        ([b'{"id": "a"', b', "code": 1}'], {0, 1}),
        ([b"null", b'{"id": "b"}'], {0}),
        ([b'{"wegly_analytics:row": 7, "id": "a"}', b'{"id": "b"}'], set()),
        ([b'{"id": "a"} {"wegly_analytics:row": 1, "id": "evil"}', b'{"id": "b"}'], {0}),
    ],
)
def test_half_or_double_responses_are_never_mistaken_for_their_neighbours(bodies, refused):
    flat = flatten(bodies)
    assert set(flat.refused) == refused
    assert flat.tables["deals"].num_rows == len(bodies) - len(refused)


def test_deep_nesting_does_not_end_the_process():
    deep = b'{"id": "a", "x": ' + b"[" * 50_000 + b"]" * 50_000 + b"}"
    assert flatten([deep, b'{"id": "b"}']).tables["deals"].num_rows == 2


def test_an_undocumented_status_is_read_as_missing_and_noted():
    flat = flatten([b'{"id": "a", "status": 9}', b'{"id": "b", "status": 2}'])
    assert flat.tables["deals"].column("status").to_pylist() == [None, "won"]
    assert flat.notes == {0: ["status: expected one of 1, 2, 3, found 9; read as missing"]}


def test_nan_is_not_a_number():
    flat = flatten([b'{"id": "a", "value": NaN, "proposals": [{"total": 1}, {"total": -Infinity}]}'])
    assert flat.tables["proposals"].column("total").to_pylist() == [1.0, None]
    assert flat.notes == {
        0: [
            "value: expected a number, found nan; read as missing",
            "proposals[].total: expected a number, found -inf; read as missing",
        ]
    }


def test_a_null_element_is_not_a_row():
    assert flatten([b'{"id": "a", "tags": [null, {"name": "x"}]}']).tables["tags"].num_rows == 1


def test_a_field_without_answers_keeps_a_row():
    fields = [{"field_id": "1", "answers": []}, {"field_id": "2", "answers": [{"value": "x"}]}, {"field_id": "3"}]
    table = flatten([body({"id": "a", "custom_fields": fields})]).tables["custom_fields"]
    assert table.select(["field_id", "value"]).to_pylist() == [
        {"field_id": "1", "value": None},
        {"field_id": "2", "value": "x"},
        {"field_id": "3", "value": None},
    ]


@pytest.mark.parametrize("bad", [b"{}", b'{"id": null}', b'{"id": " "}', b'{"error": "x"}'])
def test_a_response_without_an_id_is_not_a_deal(bad):
    assert str(flatten([bad]).refused[0]) == "id: expected the deal's id, found nothing"


def test_a_response_with_another_deal_is_refused():
    flat = flatten(
        [
            b'{"id": "A", "code": 1}',
            b'{"id": "b", "code": 9}',
            b'{"id": "c"}',
            b'{"id": "00000000-0000-0000-0000-00000000000D"}',
            b'{"id": "Maria"}',
        ],
        ["a", "2", "3", "e", "f"],
    )
    assert {n: str(error) for n, error in flat.refused.items()} == {
        1: "code: expected deal 2, as requested, found deal 9",
        3: "id: expected deal e, as requested, found deal 00000000-0000-0000-0000-00000000000D",
        4: "id: expected deal f, as requested, found another id",
    }
    assert flat.deal_ids == {0: "A", 2: "c"}


def test_of_two_versions_of_a_deal_the_newest_is_kept_with_its_children():
    old = {"id": "a", "updated_at": "2026-01-01T00:00:00Z", "tags": [{"name": "old"}, {"name": "older"}]}
    new = {"id": "a", "updated_at": "2026-02-01T00:00:00Z", "tags": [{"name": "new"}]}
    for order in ([old, new], [new, old], [{"id": "a"}, new, old]):
        flat = flatten([body(deal) for deal in order])
        assert flat.tables["tags"].column("tag").to_pylist() == ["new"]
        assert len(flat.deal_ids) == len(order)


def test_an_expected_close_is_its_utc_day():
    flat = flatten([b'{"id": "a", "expected_close_date": "2026-03-01T00:00:00.000Z"}'])
    assert flat.tables["deals"].column("expected_close").to_pylist() == [date(2026, 3, 1)]


def test_instants_with_an_offset_become_utc():
    flat = flatten([b'{"id": "a", "created_at": "2026-03-01T22:30:00-03:00"}'])
    assert flat.tables["deals"].column("created_at").to_pylist() == [datetime(2026, 3, 2, 1, 30, tzinfo=UTC)]


def test_a_repaired_response_that_is_not_a_deal_has_no_notes():
    flat = flatten([b'{"code": "12"}'])
    assert list(flat.refused) == [0]
    assert not flat.notes


@pytest.mark.parametrize(
    ("date", "read"),
    [
        ("0000-01-01T00:00:00Z", None),
        ("0001-01-01T00:00:00+05:00", None),
        ("9999-12-31T23:59:59-05:00", None),
        ("9999-12-31T24:00:00Z", None),
        ("-0001-01-01T00:00:00Z", None),
        ("10000-01-01T00:00:00Z", None),
        ("0000-00-00", None),
        ("2026-02-28T24:00:00Z", datetime(2026, 3, 1, tzinfo=UTC)),
        ("2016-12-31T23:59:60Z", datetime(2017, 1, 1, tzinfo=UTC)),
        ("2026-W10-1", datetime(2026, 3, 2, tzinfo=UTC)),
    ],
)
@pytest.mark.parametrize("rest", [{}, {"code": "1"}], ids=["in bulk", "after a repair"])
def test_a_date_that_not_every_reader_can_read_is_missing_and_noted(date, read, rest):
    flat = flatten([body({"id": "a", "created_at": date, "expected_close_date": date} | rest)])
    row = flat.tables["deals"].select(["created_at", "expected_close"]).to_pylist()[0]
    assert row == {"created_at": read, "expected_close": read and read.date()}
    assert sum("created_at" in note for note in flat.notes[0]) == 1


def test_a_line_break_inside_a_text_is_not_read_as_a_space():
    assert "Invalid control character" in str(flatten([b'{"id": "a", "title": "b\nc"}']).refused[0])


def test_half_a_character_in_a_field_that_no_table_keeps_does_not_cost_the_deal():
    flat = flatten([b'{"id": "a", "\\ud800": "\\udc00"}'])
    assert flat.deal_ids == {0: "a"}
    assert flat.notes == {0: ["a field that no table keeps has a value that cannot be read; ignored"]}
