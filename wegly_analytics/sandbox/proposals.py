"""The proposals of a deal, in the shape of a response."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wegly_analytics.sandbox.formatting import format_instant, format_past, new_id
from wegly_analytics.sandbox.working_hours import DAY

if TYPE_CHECKING:
    from random import Random

    from wegly_analytics.sandbox.lifecycle import Lifecycle, ProposalVersion
    from wegly_analytics.sandbox.references import Json, References
    from wegly_analytics.sandbox.truth import Truth

_SENT, _APPROVED, _REJECTED, _REPLACED = 1, 2, 3, 4


def proposals(
    draw: Random, truth: Truth, references: References, lifecycle: Lifecycle, at: int, title: str
) -> list[Json]:
    """Return the versions of the proposal that exist at an instant."""
    ids = [new_id(draw), new_id(draw)]
    days, is_percentage = draw.choice((15, 30, 45)), draw.random() < 0.7
    author = references.users[truth.owners.index(lifecycle.owner)]
    approver = references.named("user", truth.owners[0].name)
    return [
        {
            "id": ids[version.version - 1],
            "code": lifecycle.code * 10 + version.version,
            "version": version.version,
            "title": f"{title} v{version.version}",
            "status": _status(version, at),
            "is_primary": version.replaced > at,
            **_amounts(version, is_percentage),
            "valid_until": format_instant(version.created + days * DAY),
            "created_at": format_instant(version.created),
            "updated_at": format_instant(max(instant for instant in version.instants if instant <= at)),
            "approved_at": format_past(version.approved, at),
            "archived_at": format_past(version.replaced, at),
            "rejected_at": format_past(version.rejected, at),
            "created_by": author,
            "approved_by": approver if version.approved <= at else None,
        }
        for version in lifecycle.proposals
        if version.created <= at
    ]


def _status(version: ProposalVersion, at: int) -> int:
    states = ((version.approved, _APPROVED), (version.rejected, _REJECTED), (version.replaced, _REPLACED))
    return next((status for instant, status in states if instant <= at), _SENT)


def _amounts(version: ProposalVersion, is_percentage: bool) -> Json:
    subtotal = round(version.amount / (1 - version.rate), 2)
    return {
        "discount_type": 1 if is_percentage else 2,
        "discount_value": round(version.rate * 100, 2) if is_percentage else round(subtotal - version.amount, 2),
        "subtotal": subtotal,
        "total": version.amount,
    }
