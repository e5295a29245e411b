import json

from hypothesis import given
from strategies import body, companies

from wegly_analytics.model.tables import DOCUMENTED
from wegly_analytics.parsing.drift import MAX_PATHS, Drift


@given(companies())
def test_documented_responses_have_no_drift(company):
    drift = Drift()
    for deal in company:
        drift.look(body(deal))
    assert drift.looked_at == len(company)
    assert not drift.unknown


def test_drift_counts_unknown_fields_and_lists_fields_that_were_never_seen():
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
    assert "stage.pipeline.name" not in never, "fields below a missing one are not listed"
    assert Drift(**drift.as_dict()) == drift


def test_drift_without_responses_is_empty():
    assert list(Drift().rows()) == []
    assert DOCUMENTED.fields


def test_the_drift_of_two_sets_of_responses_can_be_added():
    one, two, both = Drift(), Drift(), Drift()
    responses = [body({"id": "a", "mood": 1}), body({"id": "b", "mood": "x", "tags": [{"emoji": "y"}]})]
    one.look(responses[0])
    two.look(responses[1])
    for response in responses:
        both.look(response)
    assert one + two == both
    assert two.unknown["mood"] == [1, "str"], "neither of them is changed"


def test_a_key_that_is_not_a_name_is_counted_but_not_kept():
    drift = Drift()
    keys = ["\ud800", "\0", "a.b", "tags[]", "k" * 1_000_000, "", "Ana Lima", "ana@example.com", "título"]
    drift.look(
        json.dumps({"id": "a", **dict.fromkeys(keys, 1), "stage": {"x[]": 1}, "__proto__": 1, "Title": 1}).encode()
    )
    assert drift.unknown == {"*": [1, "int"], "stage.*": [1, "int"], "__proto__": [1, "int"], "Title": [1, "int"]}


def test_of_many_undocumented_paths_a_stated_number_is_kept_and_the_others_are_counted():
    drift = Drift()
    for _ in range(2):
        drift.look(body({"id": "a", **{f"k{n}": n for n in range(3 * MAX_PATHS)}}))
    assert len(drift.unknown) == MAX_PATHS
    assert drift.unlisted == 4 * MAX_PATHS
    assert Drift(**drift.as_dict()) == drift
    both = drift + drift
    assert (len(both.unknown), both.unlisted, both.unknown["k0"]) == (MAX_PATHS, 8 * MAX_PATHS, [4, "int"])
    assert {"path": "…", "drift": "unknown", "deals": 4 * MAX_PATHS, "example": None} in drift.rows()
