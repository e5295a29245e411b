"""A sample of the table of hostile responses; `tests/hard` has all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hostile_bodies import check, hostile_responses, snapshot_with

if TYPE_CHECKING:
    from pathlib import Path


def test_no_hostile_response_affects_another_deal_or_the_snapshot(tmp_path: Path) -> None:
    hostile = hostile_responses()[::13]
    assert len(hostile) > 40
    check(snapshot_with(hostile), hostile, tmp_path)
