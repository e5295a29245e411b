"""The people of a deal: the customer's participants, with their contacts, and the followers among the staff."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wegly_analytics.sandbox import names
from wegly_analytics.sandbox.formatting import new_id, without_accents
from wegly_analytics.sandbox.working_hours import DAY

if TYPE_CHECKING:
    from random import Random

    from wegly_analytics.sandbox.lifecycle import Lifecycle
    from wegly_analytics.sandbox.references import Json, References


def participants(draw: Random, references: References, lifecycle: Lifecycle, at: int) -> list[Json]:
    """Draw the participants of a deal, and return those who have joined it at an instant."""
    people = []
    for number in range(draw.choices((0, 1, 2, 3), (2, 10, 5, 2))[0]):
        joined = lifecycle.created + int(number * draw.random() * 30 * DAY)
        first, last = draw.choice(names.FIRST_NAMES), draw.choice(names.SURNAMES)
        email = without_accents(f"{first}.{last}@cliente{lifecycle.code}.example.com").lower()
        telephone = f"+55 11 90000-{draw.randrange(10_000):04d}"  # such numbers are not assigned
        contacts = [
            {"id": new_id(draw), "type": kind, "value": value, "primary": kind == 1}
            for kind, value, share in ((1, email, 0.95), (2, telephone, 0.75))
            if draw.random() < share
        ]
        participant = {
            "id": new_id(draw),
            "role": references.named("role", draw.choice(names.ROLES)) if draw.random() < 0.9 else None,
            "notes": draw.choice(names.REMARKS) if draw.random() < 0.4 else None,
            "person": {"id": new_id(draw), "name": f"{first} {last}", "contacts": contacts},
        }
        if joined <= at:
            people.append(participant)
    return people


def followers(draw: Random, references: References, lifecycle: Lifecycle, at: int) -> list[Json]:
    """Draw the followers of a deal, and return those who follow it at an instant."""
    people = []
    for user in draw.sample(references.users, draw.choices((0, 1, 2), (5, 4, 2))[0]):
        since = lifecycle.created + int(draw.random() * 20 * DAY)
        follower = {
            "role": references.named("follower role", draw.choice(names.FOLLOWER_ROLES)),
            "user": user,
            "notes": draw.choice(names.REMARKS) if draw.random() < 0.2 else None,
        }
        if since <= at:
            people.append(follower)
    return people
