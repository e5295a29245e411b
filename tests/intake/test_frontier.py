import pytest
from hypothesis import given
from hypothesis import strategies as st

from wegly_analytics.errors import SettingError
from wegly_analytics.intake.frontier import Frontier, Walk


def alone(exists, start, misses):
    """The codes that one worker requests."""
    requested, run, code = [], 0, start
    while run < misses:
        requested.append(code)
        run = 0 if code in exists else run + 1
        code += 1
    return requested


@given(
    st.sets(st.integers(1, 60)),
    st.integers(1, 10),
    st.integers(1, 8),
    st.integers(1, 6),
    st.randoms(use_true_random=False),
)
def test_many_workers_request_no_code_that_one_would_not(exists, start, misses, workers, random):
    frontier = Frontier([], Walk(start, misses))
    under_way, requested = [], []
    while True:
        while len(under_way) < workers and (id_ := frontier.next()) is not None:
            under_way.append(id_)
            requested.append(int(id_))
        if not under_way:
            break
        id_ = under_way.pop(random.randrange(len(under_way)))
        frontier.note(id_, exists=int(id_) in exists)
    assert requested == alone(exists, start, misses)
    assert frontier.positions == {str(code): n for n, code in enumerate(requested)}


def test_listed_ids_come_first_and_are_not_walked_over_again():
    frontier = Frontier(["7", "2"], Walk(1, 3))
    assert [frontier.next() for _ in range(6)] == ["7", "2", "1", "3", None, None]
    frontier.note("3", exists=True)
    assert [frontier.next() for _ in range(4)] == ["4", "5", "6", None]
    assert frontier.total is None


def test_a_list_knows_its_length_and_its_end():
    frontier = Frontier(["7", "2"])
    assert (frontier.total, list(frontier.listed), frontier.is_exhausted) == (2, ["7", "2"], False)
    assert [frontier.next(), frontier.next(), frontier.next()] == ["7", "2", None]
    assert frontier.is_exhausted


@pytest.mark.parametrize(("start", "misses"), [(0, 1), (1, 0), (1.5, 1), (True, 1), (1, "x")])
def test_a_walk_takes_whole_numbers(start, misses):
    with pytest.raises(SettingError, match="give (1 or more|for example)"):
        Walk(start, misses)
