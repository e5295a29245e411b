"""What a refresh brought is counted from the two snapshots."""

import pytest
from server_side import Numbered, client

from wegly_analytics import fetch, refresh
from wegly_analytics.intake.changes import Changes
from wegly_analytics.sandbox import faults

COUNTS = {"requested": 4, "carried": 0, "new": 0, "changed": 0, "not_found": 0, "failed": 0, "unchanged": 4}


AS_BEFORE = {"tags": [{"name": "x"}, {"name": "y"}]}


@pytest.fixture
def refreshed(serve):
    """Fetch four deals, change the second one, refresh, and compare."""

    def run(changes, *, misses=0, faults=None):
        company = Numbered(4)
        before = fetch("1-4", client=client(serve(company)), progress=False)
        company.fields = {
            name: lambda code, name=name, value=value: value if code == 2 else AS_BEFORE.get(name)
            for name, value in changes.items()
        }
        after = refresh(before, client=client(serve(company, faults=faults)), progress=False, misses=misses)
        return Changes.between(before, after).as_dict()

    return run


def test_nothing_has_changed(refreshed):
    assert refreshed({}) == COUNTS


@pytest.mark.parametrize(
    ("change", "n"),
    [
        ({"updated_at": "2026-01-01T00:00:00Z"}, 1),
        ({"title": "another"}, 1),
        ({"tags": [{"name": "x"}, {"name": "z"}]}, 1),
        ({"tags": [{"name": "x"}]}, 1),
        ({"tags": [{"name": "y"}, {"name": "x"}]}, 0),
        ({"proposals": [{"id": "p", "total": 5}]}, 1),
        ({"stage_durations": [{"stage_id": "s", "total_seconds": 60}]}, 0),
    ],
    ids=["its time", "its title", "a tag", "one tag less", "another order", "a proposal", "time that runs"],
)
def test_a_change_of_the_deal_or_of_its_rows_counts(refreshed, change, n):
    assert refreshed(change) == COUNTS | {"changed": n, "unchanged": 4 - n}


def test_codes_without_a_deal_are_requested_and_not_found(refreshed):
    assert refreshed({}, misses=3) == COUNTS | {"requested": 7, "not_found": 3}


@pytest.mark.filterwarnings("ignore")
def test_a_deal_that_was_not_received_is_carried(refreshed):
    trouble = {"1": faults.Status(404), "2": faults.Status(418), "3": faults.Status(403)}
    assert refreshed({}, faults=trouble) == COUNTS | {"carried": 3, "not_found": 1, "failed": 2, "unchanged": 1}
