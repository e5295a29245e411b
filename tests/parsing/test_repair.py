import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import body, deals

from wegly_analytics.errors import PayloadError
from wegly_analytics.model.schema import Kind
from wegly_analytics.model.tables import READ
from wegly_analytics.parsing.flatten import flatten
from wegly_analytics.parsing.repair import repair


def nest(path, value):
    """A response with one value, at this path."""
    first, _, rest = path.partition(".")
    inner = nest(rest, value) if rest else value
    return {first.removesuffix("[]"): [inner] if first.endswith("[]") else inner}


@given(deals())
def test_what_the_documentation_allows_needs_no_repair(deal):
    assert repair(body(deal))[1] == []
    flat, again = flatten([body(deal)]), flatten([repair(body(deal))[0]])
    assert all(again.tables[name].equals(table) for name, table in flat.tables.items())


@pytest.mark.parametrize(
    ("response", "read", "note"),
    [
        ({"code": "12"}, {"code": 12}, "code: expected a whole number, found '12'; read as 12"),
        ({"code": 12.0}, {"code": 12}, "code: expected a whole number, found 12.0; read as 12"),
        ({"status": " 2 "}, {"status": 2}, "status: expected a documented number, found ' 2 '; read as 2"),
        ({"value": "1.50"}, {"value": 1.5}, "value: expected a number, found '1.50'; read as 1.5"),
        ({"value": ""}, {"value": None}, "value: expected a number, found ''; read as missing"),
        ({"won_date": ""}, {"won_date": None}, "won_date: expected a date and time, found ''; read as missing"),
        ({"stage": []}, {"stage": None}, "stage: expected an object, found []; read as missing"),
        ({"tags": {}}, {"tags": None}, "tags: expected a list, found {}; read as missing"),
        ({"title": 3.10}, {"title": "3.1"}, "title: expected text, found number; read as text"),
        (
            {"stage": {"name": 3.10}},
            {"stage": {"name": "3.1"}},
            "stage.name: expected text, found number; read as text",
        ),
        (
            {"stage": {"id": True}},
            {"stage": {"id": "true"}},
            "stage.id: expected text, found true or false; read as text",
        ),
        ({"value": "1e400"}, {"value": None}, "value: expected a number, found '1e400'; read as missing"),
        (
            {"won_date": "0000-00-00"},
            {"won_date": None},
            "won_date: expected a date and time, found '0000-00-00'; read as missing",
        ),
        ({"title": []}, {"title": None}, "title: expected text, found []; read as missing"),
        (
            {"won_date": " 2024-02-20T10:00:00.1234567z"},
            {"won_date": "2024-02-20T10:00:00.123456+00:00"},
            "won_date: expected a date and time, found ' 2024-02-20T10:00:00.1234567z'; "
            "read as '2024-02-20T10:00:00.123456+00:00'",
        ),
        (
            {"proposals": [{}, {"is_primary": "true"}]},
            {"proposals": [{}, {"is_primary": True}]},
            "proposals[1].is_primary: expected true or false, found 'true'; read as true",
        ),
        (
            {"proposals": [{"is_primary": 0}]},
            {"proposals": [{"is_primary": False}]},
            "proposals[0].is_primary: expected true or false, found 0; read as false",
        ),
    ],
)
def test_what_loses_nothing_is_repaired_and_noted(response, read, note):
    repaired, notes = repair(body({"id": "a"} | response))
    assert json.loads(repaired) == {"id": "a"} | read
    assert notes == [note]
    assert not flatten([body({"id": "a"} | response)]).refused


@pytest.mark.parametrize(
    ("response", "message"),
    [
        (b'{"code": 12.5}', "code: expected a whole number, found 12.5"),
        (b'{"code": true}', "code: expected a whole number, found true"),
        (b'{"code": "twelve"}', "code: expected a whole number, found text"),
        (b'{"code": 9223372036854775808}', "code: expected a whole number, found 9223372036854775808"),
        (b'{"code": 1e300}', "code: expected a whole number, found 1e300"),
        (b'{"value": true}', "value: expected a number, found true"),
        (b'{"value": "R$ 5"}', "value: expected a number, found text"),
        (b'{"stage": {"name": ["x"]}}', "stage.name: expected text, found list"),
        (b'{"stage": {"name": {"x": 1}}}', "stage.name: expected text, found object"),
        (b'{"title": ["Maria"]}', "title: expected text, found list"),
        (b'{"responsible": "Maria"}', "responsible: expected an object, found text"),
        (b'{"stage": "New"}', "stage: expected an object, found text"),
        (b'{"pipeline_stages": "New"}', "pipeline_stages: expected a list, found text"),
        (b'{"pipeline_stages": [{}, "New"]}', "pipeline_stages[1]: expected an object, found text"),
        (b'{"won_date": "2024-02-30"}', "won_date: expected a date and time, found '2024-02-30'"),
        (b'{"won_date": "Maria, 2024-02-29"}', "won_date: expected a date and time, found text"),
        (b'{"code": "12 Maria"}', "code: expected a whole number, found text"),
        (b'{"won_date": 1700000000}', "won_date: expected a date and time, found 1700000000"),
        (b'{"proposals": [{"is_primary": "yes"}]}', "proposals[0].is_primary: expected true or false, found text"),
        (b'{"code": 1, "code": 2}', "code: expected one value, found two different ones"),
        (b'{"stage": {"id": "a", "id": "b"}}', "stage.id: expected one value, found two different ones"),
        (b'["Maria"]', "response: expected a JSON object, found list"),
        (b'"Maria"', "response: expected a JSON object, found text"),
        (b'Maria {"id": "a"}', "response: expected a JSON object, found Expecting value at 0"),
        (b'{"participants": "Maria"}', "participants: expected a list, found text"),
        (b'{"participants": ["Maria"]}', "participants[0]: expected an object, found text"),
        (b'{"participants": [{"person": "Maria"}]}', "participants[0].person: expected an object, found text"),
        (
            b'{"participants": [{"person": {"name": ["Maria"]}}]}',
            "participants[0].person.name: expected text, found list",
        ),
        (b"null", "response: expected a JSON object, found null"),
        (b"<html>", "response: expected a JSON object, found '<…', probably an HTML page, Expecting value at 0"),
        (b'{"id": "a"', "response: expected a JSON object, found Expecting ',' delimiter at 10"),
        (b'{"id": "\xff"}', "response: expected UTF-8 text, found byte 0xff at 8"),
        (b'{"code": ' + b"9" * 5000 + b"}", "code: expected a whole number, found " + "9" * 60 + "…"),
        (b"[" * 100_000, "response: expected a JSON object, found lists or objects nested deeper than 200"),
    ],
)
def test_what_cannot_be_repaired_is_named_with_path_expected_and_found(response, message):
    with pytest.raises(PayloadError) as caught:
        repair(response)
    assert str(caught.value).startswith(message)


def test_half_a_surrogate_pair_is_replaced_also_in_undocumented_fields():
    repaired, notes = repair(b'{"id": "a", "title": "\\ud83d!", "unknown": "\\udc00"}')
    assert json.loads(repaired) == {"id": "a", "title": "\N{REPLACEMENT CHARACTER}!"}
    assert len(notes) == 1


def test_a_key_repeated_with_the_same_value_is_kept_once():
    assert repair(b'{"id": "a", "id": "a", "x": 1, "x": 2}') == (
        b'{"id": "a"}',
        ["id: given twice, with the same value"],
    )


def test_messages_never_quote_personal_data():
    people = [{"notes": 5, "person": {"name": ["Ana Lima"], "contacts": [{"value": 5511987654321}]}}]
    with pytest.raises(PayloadError) as caught:
        repair(body({"id": "a", "participants": people}))
    assert str(caught.value) == "participants[0].person.name: expected text, found list"
    del people[0]["person"]["name"]
    _, notes = repair(body({"id": "a", "participants": people}))
    assert notes == [
        "participants[0].person.contacts[0].value: expected text, found number; read as text",
        "participants[0].notes: expected text, found number; read as text",
    ]
    with pytest.raises(PayloadError) as caught:
        repair(b'{"name": "Ana Lima", "id": }')
    assert "Ana" not in str(caught.value)


WRONG = {
    Kind.TEXT: [["x"], {"x": 1}],
    Kind.INTEGER: ["x", 1.5, True, [1], {"x": 1}],
    Kind.ENUM: ["x", 1.5, False, [1]],
    Kind.NUMBER: ["x", True, [1.0], {"x": 1}],
    Kind.FLAG: ["x", 2, [True]],
    Kind.INSTANT: ["yesterday", 5, True, ["2024-01-01"]],
    Kind.DAY: ["soon", 5, {"x": 1}],
}


@given(st.sampled_from(list(READ.leaves())), st.data())
def test_a_wrong_type_in_any_column_is_found_with_its_path(leaf, data):
    wrong = data.draw(st.sampled_from(WRONG[leaf.kind]))
    response = nest(leaf.path, wrong)
    flat = flatten([body({"id": "a"} | response), b'{"id": "b"}'])
    error = flat.refused[0]
    assert (error.path.replace("[0]", "[]"), error.expected) == (leaf.path, leaf.description)
    assert flat.tables["deals"].num_rows == 1
