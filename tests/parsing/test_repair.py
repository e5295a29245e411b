import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import body, companies, deals

from wegly_analytics.errors import PayloadError
from wegly_analytics.model.schema import Kind
from wegly_analytics.model.tables import DOCUMENTED, READ
from wegly_analytics.parsing.flatten import flatten
from wegly_analytics.parsing.repair import Drift, mend


def nest(path, value):
    """An answer with one value, at this path."""
    first, _, rest = path.partition(".")
    inner = nest(rest, value) if rest else value
    return {first.removesuffix("[]"): [inner] if first.endswith("[]") else inner}


@given(deals())
def test_what_the_documentation_allows_needs_no_repair(deal):
    assert mend(body(deal)) == (body(deal), [])


@pytest.mark.parametrize(
    ("answer", "read", "note"),
    [
        ({"code": "12"}, {"code": 12}, "code: expected a whole number, found '12'; read as 12"),
        ({"code": 12.0}, {"code": 12}, "code: expected a whole number, found 12.0; read as 12"),
        ({"status": " 2 "}, {"status": 2}, "status: expected a documented number, found ' 2 '; read as 2"),
        ({"value": "1.50"}, {"value": 1.5}, "value: expected a number, found '1.50'; read as 1.5"),
        ({"value": ""}, {"value": None}, "value: expected a number, found ''; read as missing"),
        ({"won_date": ""}, {"won_date": None}, "won_date: expected a date and time, found ''; read as missing"),
        ({"stage": []}, {"stage": None}, "stage: expected an object, found []; read as missing"),
        ({"tags": {}}, {"tags": None}, "tags: expected a list, found {}; read as missing"),
        ({"title": 3.10}, {"title": "3.1"}, "title: expected text, found 3.1; read as '3.1'"),
        ({"title": True}, {"title": "true"}, "title: expected text, found true; read as 'true'"),
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
def test_what_loses_nothing_is_repaired_and_said(answer, read, note):
    mended, notes = mend(body({"id": "a"} | answer))
    assert json.loads(mended) == {"id": "a"} | read
    assert notes == [note]
    assert not flatten([body({"id": "a"} | answer)]).refused


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b'{"code": 12.5}', "code: expected a whole number, found 12.5"),
        (b'{"code": true}', "code: expected a whole number, found true"),
        (b'{"code": "twelve"}', "code: expected a whole number, found 'twelve'"),
        (b'{"code": 9223372036854775808}', "code: expected a whole number, found 9223372036854775808"),
        (b'{"code": 1e300}', "code: expected a whole number, found 1e300"),
        (b'{"value": true}', "value: expected a number, found true"),
        (b'{"value": "R$ 5"}', "value: expected a number, found 'R$ 5'"),
        (b'{"value": 1e400}', "value: expected a number, found 1e400"),
        (b'{"title": ["x"]}', "title: expected text, found […]"),
        (b'{"title": {"x": 1}}', "title: expected text, found {…}"),
        (b'{"stage": "New"}', "stage: expected an object, found 'New'"),
        (b'{"tags": "vip"}', "tags: expected a list, found 'vip'"),
        (b'{"tags": [{}, "vip"]}', "tags[1]: expected an object, found 'vip'"),
        (b'{"won_date": "2024-02-30"}', "won_date: expected a date and time, found '2024-02-30'"),
        (b'{"won_date": 1700000000}', "won_date: expected a date and time, found 1700000000"),
        (b'{"proposals": [{"is_primary": "yes"}]}', "proposals[0].is_primary: expected true or false, found 'yes'"),
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
        (b"<html>", "response: expected a JSON object, found '<html>', Expecting value at 0"),
        (b'{"id": "a"', "response: expected a JSON object, found Expecting ',' delimiter at 10"),
        (b'{"id": "\xff"}', "response: expected UTF-8 text, found byte 0xff at 8"),
        (b'{"x": ' + b"9" * 5000 + b"}", "response: expected a JSON object, found Exceeds the limit"),
        (b"[" * 100_000, "response: expected a JSON object, found lists or objects nested too deep"),
    ],
)
def test_what_cannot_be_repaired_is_named_with_path_expected_and_found(answer, message):
    with pytest.raises(PayloadError) as caught:
        mend(answer)
    assert str(caught.value).startswith(message)


def test_half_a_surrogate_pair_is_replaced_also_where_nobody_looks():
    mended, notes = mend(b'{"id": "a", "title": "\\ud83d!", "unknown": "\\udc00"}')
    assert json.loads(mended) == {"id": "a", "title": "\N{REPLACEMENT CHARACTER}!"}
    assert len(notes) == 1


def test_a_key_given_twice_with_one_value_is_kept_once():
    assert mend(b'{"id": "a", "id": "a", "x": 1, "x": 2}') == (b'{"id": "a"}', ["id: given twice, with the same value"])


def test_messages_never_quote_personal_data():
    people = [{"notes": 5, "person": {"name": ["Ana Lima"], "contacts": [{"value": 5511987654321}]}}]
    with pytest.raises(PayloadError) as caught:
        mend(body({"id": "a", "participants": people}))
    assert str(caught.value) == "participants[0].person.name: expected text, found list"
    del people[0]["person"]["name"]
    _, notes = mend(body({"id": "a", "participants": people}))
    assert notes == [
        "participants[0].person.contacts[0].value: expected text, found number; read as text",
        "participants[0].notes: expected text, found number; read as text",
    ]
    with pytest.raises(PayloadError) as caught:
        mend(b'{"name": "Ana Lima", "id": }')
    assert "Ana" not in str(caught.value)


WRONG = {
    Kind.TEXT: [["x"], {"x": 1}],
    Kind.INTEGER: ["x", 1.5, True, [1], {"x": 1}],
    Kind.WORD: ["x", 1.5, False, [1]],
    Kind.NUMBER: ["x", True, [1.0], {"x": 1}],
    Kind.FLAG: ["x", 2, [True]],
    Kind.INSTANT: ["yesterday", 5, True, ["2024-01-01"]],
    Kind.DAY: ["soon", 5, {"x": 1}],
}


@given(st.sampled_from(list(READ.leaves())), st.data())
def test_a_wrong_type_in_any_column_is_found_with_its_path(leaf, data):
    wrong = data.draw(st.sampled_from(WRONG[leaf.kind]))
    answer = nest(leaf.path, wrong)
    flat = flatten([body({"id": "a"} | answer), b'{"id": "b"}'])
    error = flat.refused[0]
    assert (error.path.replace("[0]", "[]"), error.expected) == (leaf.path, leaf.says)
    assert flat.tables["deals"].num_rows == 1


@given(companies())
def test_drift_is_silent_about_documented_answers(company):
    drift = Drift()
    for deal in company:
        drift.look(body(deal))
    assert drift.looked_at == len(company)
    assert not drift.unknown


def test_drift_counts_unknown_fields_and_lists_what_never_came():
    drift = Drift()
    drift.look(body({"id": "a", "mood": 1, "stage": {"id": "s", "colour": None}, "tags": [{"x": 1}, {"x": 2}]}))
    drift.look(body({"id": "b", "mood": "fine", "stage": None}))
    drift.look(b"<html>")
    drift.look(b"[1]")
    rows = list(drift.rows())
    assert [tuple(row.values()) for row in rows[:3]] == [
        ("mood", "unknown", 2, "number"),
        ("stage.colour", "unknown", 1, "null"),
        ("tags[].x", "unknown", 1, "number"),
    ]
    never = [row["path"] for row in rows[3:]]
    assert {"stage.name", "stage.pipeline", "tags[].name", "value"} <= set(never)
    assert "stage.pipeline.name" not in never, "what lies below a missing field goes without saying"
    assert Drift(**drift.as_dict()) == drift


def test_drift_before_anything_was_seen_says_nothing():
    assert list(Drift().rows()) == []
    assert DOCUMENTED.fields


def test_what_two_sets_of_answers_have_seen_can_be_put_together():
    one, two, both = Drift(), Drift(), Drift()
    answers = [body({"id": "a", "mood": 1}), body({"id": "b", "mood": "x", "tags": [{"emoji": "y"}]})]
    one.look(answers[0])
    two.look(answers[1])
    for answer in answers:
        both.look(answer)
    assert one + two == both
    assert two.unknown["mood"] == [1, "str"], "neither of them is changed"
