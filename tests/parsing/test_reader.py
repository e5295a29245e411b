"""Inference of undocumented fields: what it shows, and that it never harms."""

import json
import time
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import body, companies

from wegly_analytics.parsing.drift import Drift
from wegly_analytics.parsing.lines import Lines
from wegly_analytics.parsing.reader import LOOK_AT_FIRST, Reader

MANY = LOOK_AT_FIRST + 5


def drift_of(deals, first=MANY):
    return Reader().read(Lines.of([body(deal) for deal in deals]), first).drift


def test_every_undocumented_field_of_every_response_is_counted():
    deals = [{"id": "a", "stage": {"id": "s"}} for _ in range(400)]
    deals[399] |= {"mood": "fine", "stage": {"id": "s", "colour": 1}, "tags": [{"name": "a", "x": 1}, {"x": 2.5}]}
    deals[398] |= {"mood": "sad", "tags": [{"x": 3}], "participants": [{"person": {"pet": {"name": "Rex"}}}]}
    deals[397] |= {"empty": None, "Ana Lima": [1]}
    drift = drift_of(deals)
    assert drift.unknown == {
        "mood": [2, "str"],
        "stage.colour": [1, "int"],
        "tags[].x": [2, "int"],
        "participants[].person.pet": [1, "dict"],
        "empty": [0, "NoneType"],
        "*": [1, "list"],
    }
    assert drift.looked_at == 400


@given(
    companies(), st.dictionaries(st.sampled_from(["x", "y", "Ana"]), st.integers() | st.text(max_size=3), max_size=3)
)
def test_inference_and_the_comparison_of_single_responses_agree(company, extra):
    deals = [deal | extra for deal in company]
    single = Drift()
    for deal in deals:
        single.look(body(deal))
    both = drift_of(deals)
    assert both.looked_at == single.looked_at
    assert both.unknown == single.unknown


def test_of_the_first_responses_a_field_that_is_sent_as_null_counts_as_sent():
    deals = [{"id": "a", "won_date": None, "mood": None}] * 3
    first, later = drift_of(deals, first=0), drift_of(deals)
    assert "won_date" in first.seen
    assert first.unknown == {"mood": [3, "NoneType"]}
    assert "won_date" not in later.seen


@pytest.mark.parametrize("mixed", [1, "x", True, [1], {"a": 1}, 1.5, None])
def test_an_undocumented_field_of_any_type_costs_no_deal(mixed):
    deals = [{"id": f"d{n}", "mood": mixed if n % 2 else "text"} for n in range(300)]
    rows = Reader().read(Lines.of([body(deal) for deal in deals]), 10_000)
    assert rows.table.num_rows == 300
    assert not rows.refused
    assert not rows.notes
    assert list(rows.drift.unknown) == ["mood"]


DEEP = {
    "lists": lambda n: b'{"id": "a", "x": ' + b"[" * n + b"]" * n + b"}",
    "objects": lambda n: b'{"id": "a", "x": ' + b'{"a":' * n + b"1" + b"}" * (n + 1),
    "both": lambda n: b'{"id": "a", "x": ' + b'[{"a":' * n + b"1" + b"}]" * n + b"}",
    "with braces in the keys": lambda n: b'{"id": "a", "x": ' + b'{"}":' * n + b"1" + b"}" * (n + 1),
}


@pytest.mark.parametrize("how", DEEP)
@pytest.mark.parametrize("n", [400, 1_000, 20_000, 200_000])
def test_no_nesting_ends_the_process_or_costs_a_deal(how, n):
    bodies = [b'{"id": "b"}', DEEP[how](n), b'{"id": "c"}']
    rows = Reader().read(Lines.of(bodies), 10_000)
    assert rows.table.column("id").to_pylist() == ["b", "a", "c"]


def test_inference_stops_where_the_names_of_fields_hold_data():
    reader = Reader()

    def piece(first):
        return Lines.of(
            [
                json.dumps({"id": f"d{n}", "by": {}} | {f"{n}-{k}": k for k in range(20)}).encode()
                for n in range(first, first + 300)
            ]
        )

    taken = []
    for first in range(0, 3_000, 300):
        begun = time.process_time()
        rows = reader.read(piece(first), first)
        taken.append(time.process_time() - begun)
        assert rows.table.num_rows == 300
        assert rows.drift.unknown["*"][0] == rows.drift.looked_at > 0
    assert not reader._infers
    assert max(islice(taken, 1, None)) < taken[0]


@given(st.lists(st.text('[]{}":,a \\', max_size=200), max_size=6), st.sampled_from([b"\n", b"\r\n", b"\n\n"]))
def test_the_count_of_opening_brackets_is_never_too_low(texts, end):
    lines = [text.encode() for text in texts]
    found = Lines.of_text(end.join(lines)).most_openings
    assert found >= max((line.count(b"[") + line.count(b"{") for line in lines), default=0)


def test_the_count_of_opening_brackets_of_ordinary_responses_is_close():
    lines = Lines.of([b'{"id": "%s", "tags": [{}]}' % (b"x" * 300)] * 1_000)
    assert 3 <= lines.most_openings <= 9
