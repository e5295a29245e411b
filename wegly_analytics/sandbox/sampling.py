"""The simulated company's snapshot without any network."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from wegly_analytics.intake.build import Response, SnapshotBuilder
from wegly_analytics.sandbox import MOMENT, Company

if TYPE_CHECKING:
    from wegly_analytics.snapshot.snapshot import Snapshot


@cache
def sample() -> Snapshot:
    """Give the simulated company's deals, for trying things out: no key, no network, the same every time.

    Returns
    -------
    Snapshot
        Some 1,100 deals as of 1 July 2026, with gaps in the codes as a real fetch has them.

    Examples
    --------
    >>> import wegly_analytics as wa
    >>> wa.sample().taken_at.isoformat()
    '2026-07-01T12:00:00+00:00'
    """
    company, assembly = Company(), SnapshotBuilder()
    codes = company.codes(MOMENT)
    answers = dict(company.answers(MOMENT))
    for place, code in enumerate(codes):
        if code in answers:
            answer = Response(str(code), "fetched", MOMENT, 200, body=answers[code])
        else:
            answer = Response(str(code), "not_found", MOMENT, 404, f"404 for …/deals/{code}")
        assembly.add(place, answer)
    return assembly.snapshot(MOMENT)
