"""A snapshot of the simulated company, without any network."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from wegly_analytics.intake.build import SnapshotBuilder
from wegly_analytics.intake.response import Response
from wegly_analytics.sandbox import TAKEN_AT, Company

if TYPE_CHECKING:
    from wegly_analytics.snapshot.snapshot import Snapshot


@cache
def sample() -> Snapshot:
    """Return a snapshot of a simulated company: no token, no network, the same every time.

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
    company, builder = Company(), SnapshotBuilder()
    bodies = dict(company.responses(TAKEN_AT))
    for number, code in enumerate(company.codes(TAKEN_AT)):
        if code in bodies:
            response = Response(str(code), "fetched", TAKEN_AT, 200, body=bodies[code])
        else:
            response = Response(str(code), "not_found", TAKEN_AT, 404, f"404 for …/deals/{code}")
        builder.add(number, response)
    return builder.snapshot(TAKEN_AT)
