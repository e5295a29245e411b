"""Every hostile response of the table costs its own deal and no other, and the snapshot can be published and read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hostile_bodies import check, hostile_responses, snapshot_with

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.hard


def test_no_hostile_response_affects_another_deal_or_the_snapshot(tmp_path: Path) -> None:
    hostile = hostile_responses()
    assert len(hostile) > 300
    check(snapshot_with(hostile), hostile, tmp_path)
