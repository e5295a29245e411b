"""Twice as many deals take about twice as long, not four times."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from wegly_analytics.intake.build import Response, SnapshotBuilder
from wegly_analytics.intake.due import due
from wegly_analytics.intake.refresh import renewed

pytestmark = pytest.mark.hard
NOW = datetime(2026, 7, 1, tzinfo=UTC)


def snapshot(n, at):
    builder = SnapshotBuilder()
    for code in range(1, n + 1):
        body = b'{"id": "deal-%d", "code": %d, "status": 1, "tags": [{"name": "a"}]}' % (code, code)
        builder.add(code, Response(str(code), "fetched", at, 200, None, body))
    return builder.snapshot(at)


def seconds(work):
    begun = time.process_time()
    work()
    return time.process_time() - begun


def build(n):
    return seconds(lambda: snapshot(n, NOW))


def renew(n):
    old, new = snapshot(n, NOW), snapshot(n, NOW + timedelta(days=1))
    return seconds(lambda: renewed(old, new, due(old, timedelta(days=30))))


@pytest.mark.parametrize("work", [build, renew])
def test_twice_the_deals_take_about_twice_the_time(work):
    work(1_000)
    ratios = (min(work(60_000) for _ in range(2)) / min(work(30_000) for _ in range(2)) for _ in range(3))
    assert any(ratio < 3 for ratio in ratios), "in each of three trials it took more than three times as long"
