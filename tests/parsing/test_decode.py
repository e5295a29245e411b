"""JSON from anywhere is decoded as `json.loads` decodes it, except where it is nested too deeply."""

from __future__ import annotations

import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wegly_analytics.parsing.decode import MAX_DEPTH, NestingError, decode

_LEAVES = st.none() | st.booleans() | st.integers() | st.text(alphabet='[]{}"\\,: a', max_size=8)


@given(st.recursive(_LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=4), inner)))
def test_any_json_is_decoded_as_by_json_loads(value: object) -> None:
    for text in (json.dumps(value), json.dumps(value).encode(), json.dumps(value).encode("utf-16")):
        assert decode(text) == value


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}"), ('[{"a":', "}]")])
def test_the_limit_counts_lists_and_objects(opening: str, closing: str) -> None:
    levels = MAX_DEPTH // (opening.count("[") + opening.count("{"))
    at_limit = opening * levels + "0" + closing * levels
    assert decode(at_limit) == json.loads(at_limit)
    with pytest.raises(NestingError, match="nested deeper than 200"):
        decode(f"[{at_limit}]")


def test_brackets_in_texts_and_beside_each_other_are_not_nested() -> None:
    value = {"text": '[{"' * 1_000 + "\\", "list": [[] for _ in range(1_000)]}
    assert decode(json.dumps(value)) == value


@pytest.mark.parametrize("text", ["[" * 100_000, "[" * 100_000 + "]" * 100_000, '"' + "[" * 300, '{"a":' * 100_000])
def test_a_hostile_text_is_refused_far_from_the_recursion_limit_of_python(text: str) -> None:
    # near that limit a finalizer that happened to run failed, too: seen once as an error of the test that ran then
    def depth() -> int:
        frame, n = sys._getframe(), 0
        while frame := frame.f_back:  # type: ignore[assignment]
            n += 1
        return n

    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(depth() + 100)
    try:
        with pytest.raises(ValueError, match=r"nested deeper|Unterminated"):
            decode(text)
    finally:
        sys.setrecursionlimit(limit)
