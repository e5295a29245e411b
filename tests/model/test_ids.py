import uuid

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wegly_analytics.errors import IdError
from wegly_analytics.model.ids import deal_key, deal_keys, read_ids


@given(st.uuids())
def test_every_way_to_write_a_uuid_is_the_same_id(one):
    assert deal_key(one) == deal_key(str(one).upper()) == deal_key(one.hex) == f"{one}"


@given(st.integers(1, 10**17))
def test_every_way_to_write_a_code_is_the_same_id(code):
    assert deal_key(code) == deal_key(f" 00{code}"[-18:]) == deal_key(np.int64(code)) == str(code)


@pytest.mark.parametrize(
    "wrong", [0, -1, 1.5, True, None, float("nan"), "", "abc", "1 2", "٣", "0", "1" * 19, "g" * 32, b"1", [1]]
)
def test_what_is_no_id_is_named(wrong):
    with pytest.raises(IdError) as caught:
        deal_key(wrong)
    assert repr(wrong) in str(caught.value)
    assert "UUID or a positive whole number" in str(caught.value)


def test_a_column_with_gaps_names_the_gap_instead_of_dropping_it():
    with pytest.raises(IdError, match="nan"):
        deal_keys(pd.Series([1, None, 3]))
    assert deal_keys(pd.Series([1.0, 2.0])) == ["1", "2"]


def test_one_id_is_a_list_of_one_and_never_its_letters():
    assert deal_keys("123") == ["123"]
    assert deal_keys(7) == ["7"]
    one = uuid.uuid4()
    assert deal_keys(one) == [str(one)]
    with pytest.raises(IdError, match="is not a list of deal ids"):
        deal_keys(None)


def test_ids_are_asked_for_once_in_the_order_given():
    assert deal_keys(iter([3, "1", 3.0, "0001"])) == ["3", "1"]


def test_files_may_hold_ranges_and_comments():
    assert list(read_ids(["\n", "1-3  # the first", "8..9;12, 5:5"], "f")) == ["1", "2", "3", "8", "9", "12", "5"]


@pytest.mark.parametrize("word", ["5-3", "0-3", "x", "1-2-3"])
def test_a_bad_line_is_named_with_its_place(word):
    with pytest.raises(IdError, match=r"ids\.txt, line 2"):
        list(read_ids(["1", word], "ids.txt"))
