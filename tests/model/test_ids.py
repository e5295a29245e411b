import tracemalloc
import uuid

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import wegly_analytics as wa
from wegly_analytics.errors import IdError, SettingError
from wegly_analytics.model.ids import Ids, deal_key, deal_keys, read_ids


@given(st.uuids())
def test_every_spelling_of_a_uuid_is_the_same_id(one):
    assert deal_key(one) == deal_key(str(one).upper()) == deal_key(one.hex) == f"{one}"


@given(st.integers(1, 10**17))
def test_every_spelling_of_a_code_is_the_same_id(code):
    assert deal_key(code) == deal_key(f" 00{code}"[-18:]) == deal_key(np.int64(code)) == str(code)


@pytest.mark.parametrize(
    "wrong", [0, -1, 1.5, True, None, float("nan"), "", "abc", "1 2", "٣", "0", "1" * 19, "g" * 32, b"1", [1]]
)
def test_what_is_not_an_id_is_named(wrong):
    with pytest.raises(IdError) as caught:
        deal_key(wrong)
    assert repr(wrong) in str(caught.value)
    assert "UUID or a positive whole number" in str(caught.value)


def test_a_missing_value_in_a_column_is_refused_and_not_skipped():
    with pytest.raises(IdError, match="nan"):
        deal_keys(pd.Series([1, None, 3]))
    assert list(deal_keys(pd.Series([1.0, 2.0]))) == ["1", "2"]


def test_one_id_is_a_list_of_one_and_not_its_digits():
    assert list(deal_keys("123")) == ["123"]
    assert list(deal_keys(7)) == ["7"]
    one = uuid.uuid4()
    assert list(deal_keys(one)) == [str(one)]
    with pytest.raises(IdError, match="is not a list of deal ids"):
        deal_keys(None)


def test_ids_are_listed_once_in_their_order():
    assert list(deal_keys(iter([3, "1", 3.0, "0001"]))) == ["3", "1"]


def test_files_may_hold_ranges_and_comments():
    found = deal_keys(read_ids(["\n", "1-3  # the first", "8..9;12, 5:5"], "f"))
    assert list(found) == ["1", "2", "3", "8", "9", "12", "5"]


@pytest.mark.parametrize("word", ["5-3", "0-3", "x", "1-2-3"])
def test_a_bad_line_is_named_with_its_place(word):
    with pytest.raises(IdError, match=r"ids\.txt, line 2"):
        list(read_ids(["1", word], "ids.txt"))


codes = st.integers(1, 400)
parts = st.one_of(codes.map(str), st.just("2bce2af3-fd3f-572f-a95b-aaabdbdb7cf3"), st.tuples(codes, codes).map(sorted))


@given(st.lists(parts, max_size=12))
def test_ids_and_ranges_in_any_order_are_listed_once_as_if_written_out(given_ids):
    ids, written_out = Ids(), []
    for part in given_ids:
        if isinstance(part, str):
            ids.add(part)
            written_out.append(part)
        else:
            ids.add(range(part[0], part[1] + 1))
            written_out += map(str, range(part[0], part[1] + 1))
    assert list(ids) == list(dict.fromkeys(written_out))
    assert len(ids) == len(set(written_out))


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ("1-99999999999", "the range '1-99999999999' has"),
        ("1-" + "9" * 30, "at most 18 digits"),
        ("9" * 30, "is not a deal id"),
        ("9" * 5000, "is not a deal id"),
        ("1-" + "9" * 5000, "at most 18 digits"),
        (10**30, "is not a deal id"),
        ([10**5000], "more than 18 digits"),
        (range(10**15), "has 1,000,000,000,000,000 ids"),
        (range(5, 10**15, 3), "ids, more than 10,000,000"),
        ("1-6000000 6000001-12000000", "there are more than 10,000,000 ids"),
    ],
    ids=lambda value: str(type(value).__name__),
)
def test_too_many_ids_or_digits_end_at_once_in_little_memory(ids, message):
    tracemalloc.start()
    try:
        with pytest.raises((IdError, SettingError), match=message) as caught:
            wa.fetch(ids)
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()
    assert len(str(caught.value)) < 400


def test_a_range_takes_no_memory_for_its_ids():
    tracemalloc.start()
    try:
        found = deal_keys(range(1, 9_000_001))
        assert (len(found), next(iter(found))) == (9_000_000, "1")
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()
