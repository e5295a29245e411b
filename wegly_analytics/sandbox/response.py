"""How a deal looks from outside: its life up to an instant, in the shape of the API's answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wegly_analytics.sandbox import names
from wegly_analytics.sandbox.formatting import format_duration, format_instant, new_id, without_accents
from wegly_analytics.sandbox.lifecycle import LOST, NEVER, WON, Lifecycle, rng
from wegly_analytics.sandbox.references import FILES, Json, References
from wegly_analytics.sandbox.working_hours import DAY

if TYPE_CHECKING:
    from random import Random

    from wegly_analytics.sandbox.entities import Field
    from wegly_analytics.sandbox.truth import Truth

_SENT, _APPROVED, _REJECTED, _REPLACED = 1, 2, 3, 4
_SHOWN: Final = 120 * DAY
"""How long a deal draws views, notes and the like after its creation."""


class ResponseBuilder:
    """Writes the deals of one company.

    Parameters
    ----------
    truth
        What the company is made of.
    seed
        The company's seed; with it all ids are given.
    """

    def __init__(self, truth: Truth, seed: int) -> None:
        self._truth = truth
        self._seed = seed
        self._references = References(truth, seed)

    def id(self, code: int) -> str:
        """Give the UUID of the deal with a code."""
        return self._references.given("deal", str(code))

    def write(self, life: Lifecycle, at: int) -> Json:
        """Write a deal as it is at an instant.

        Parameters
        ----------
        life
            The deal's life.
        at
            The instant, in seconds since 1970.

        Returns
        -------
        dict
            The answer, as JSON values.
        """
        # Draws come in the same order whatever the instant, so what is written of the past never changes.
        draw = rng(self._seed, life.code, use=1)
        status = life.status(at)
        stages = self._references.stages[life.pipeline.name]
        stage = self._references.stage(life.pipeline, life.visit(at).place)
        owner = life.new_owner.value if life.new_owner.instant <= at else self._truth.owners.index(life.owner)
        user = self._references.users[int(owner)]
        activity = _Activity(draw, life, at)
        company = f"{draw.choice(names.TRADES)} {draw.choice(names.BRANDS)} {draw.choice(names.FORMS)}"
        offer = draw.choice(names.OFFERS)
        warm, rating = draw.randrange(1, 3), draw.randrange(1, 6)
        explained = draw.random() < self._truth.frequencies.described
        explanation = draw.choice(names.EXPLANATIONS)
        deal: Json = {
            "id": self.id(life.code),
            "code": life.code,
            "title": f"{offer} – {company}",
            "status": status,
            "created_by": draw.choice(self._references.users),
            "stage": {
                "id": stage["id"],
                "name": stage["name"],
                "pipeline": self._references.named("pipeline", life.pipeline.name),
            },
            "pipeline_stages": [each | {"position": place} for place, each in enumerate(stages)],
            "responsible": user,
            "deal_source": self._references.sources[life.source.name] if life.source else None,
            "marketing_lead_source": self._tracking(draw, life),
            "quality_rating": rating,
            "quality_reason": names.RATINGS[rating - 1],
            "won_date": _last_closed(life, WON, at),
            "lost_date": _last_closed(life, LOST, at),
            "crm_loss_reason": self._references.reasons[life.reason]
            if status == LOST and life.reason is not None
            else None,
            "lost_reason_description": explanation if status == LOST and explained else None,
            "visibility": draw.choices((0, 1, 2), (1, 3, 6))[0],
            "created_at": format_instant(life.created),
            "updated_at": format_instant(life.updated(at)),
            "archived_at": _happened(life.archived, at),
            "last_activity_at": format_instant(activity.last),
            "expected_close_date": next(
                (format_instant(int(day)) for instant, day in reversed(life.expected) if instant <= at), None
            ),
            "temperature": warm + (life.visit(at).place >= life.pipeline.proposal),
            "participants": self._participants(draw, life, at),
            "organization": {
                "id": new_id(draw),
                "name": company,
                "logo": f"{FILES}/logos/{life.code}.png" if draw.random() < 0.3 else None,
            },
            "lead": {"id": new_id(draw), "title": f"Contato: {company}"},
            "custom_fields": [self._field(draw, field) for field in self._truth.fields],
            "tags": [
                tag
                for tag, each in zip(self._references.tags, self._truth.tags, strict=True)
                if draw.random() < each.share
            ],
            "stage_durations": self._durations(life, at),
            "value": next(v for instant, v in reversed(life.values) if instant <= at) if life.has_value else None,
            "views_count": activity.count(draw, 30),
            "associations_count": {
                "items": draw.randrange(4),
                **{
                    name: activity.count(draw, most)
                    for name, most in (("tasks", 8), ("qualifications", 2), ("notes", 10), ("files", 4))
                },
                "activities": activity.number,
                "proposals": sum(each.created <= at for each in life.offers),
            },
            "proposals": self._proposals(draw, life, at, offer),
            "followers": self._followers(draw, life, at),
        }
        for name, absent in self._truth.optional.items():
            chance = draw.random()
            if chance < absent.missing:
                del deal[name]
            elif chance < absent.missing + absent.null:
                deal[name] = None
        emptied = draw.random()
        if not deal["proposals"] and emptied < 0.04:
            deal["proposals"] = None
            if emptied < 0.02:
                del deal["proposals"]
        return deal

    def _tracking(self, draw: Random, life: Lifecycle) -> Json:
        source = life.source.name if life.source else draw.choice(self._truth.sources).name
        paid = "pago" in source
        creative = {
            "id": new_id(draw),
            "value": draw.choice(names.CONTENTS),
            "creative_uri": f"{FILES}/ads/{life.code % 17}",
        }
        return {
            "id": new_id(draw),
            "utm_search_term": draw.choice(names.TERMS),
            "lead_source": self._references.sources[source],
            "url_conversion": f"https://www.example.com/landing/{life.code % 9}?utm_medium={'cpc' if paid else 'site'}",
            "campaing_name": draw.choice(names.CAMPAIGNS),
            "ad_set_name": draw.choice(names.AD_SETS) if paid else None,
            "content_name": draw.choice(names.CONTENTS),
            "displayed_on_name": draw.choice(names.PLACES) if paid else None,
            "conversion_tool_name": draw.choice(names.TOOLS),
            "creative": creative if paid else None,
        }

    def _participants(self, draw: Random, life: Lifecycle, at: int) -> list[Json]:
        people = []
        for number in range(draw.choices((0, 1, 2, 3), (2, 10, 5, 2))[0]):
            joined = life.created + int(number * draw.random() * 30 * DAY)
            first, last = draw.choice(names.FIRST_NAMES), draw.choice(names.SURNAMES)
            address = without_accents(f"{first}.{last}@cliente{life.code}.example.com").lower()
            number_called = f"+55 11 90000-{draw.randrange(10_000):04d}"  # nobody's: such numbers are not given out
            contacts = [
                {"id": new_id(draw), "type": kind, "value": value, "primary": kind == 1}
                for kind, value, share in ((1, address, 0.95), (2, number_called, 0.75))
                if draw.random() < share
            ]
            person = {
                "id": new_id(draw),
                "role": self._references.named("role", draw.choice(names.ROLES)) if draw.random() < 0.9 else None,
                "notes": draw.choice(names.REMARKS) if draw.random() < 0.4 else None,
                "person": {"id": new_id(draw), "name": f"{first} {last}", "contacts": contacts},
            }
            if joined <= at:
                people.append(person)
        return people

    def _field(self, draw: Random, field: Field) -> Json:
        if field.options:
            chosen = draw.sample(field.options, draw.randint(0 if field.most > 1 else 1, field.most))
            answers = [
                {
                    "id": new_id(draw),
                    "option_id": self._references.given(f"option of {field.name}", option),
                    "option_value": option,
                    "value": None,
                }
                for option in chosen
            ]
        else:
            text = str(draw.randrange(100, 9_000) * 1_000) if field.type == 2 else draw.choice(names.REMARKS)
            answers = [{"id": new_id(draw), "option_id": None, "option_value": None, "value": text}]
        return {
            "field_id": self._references.given("field", field.name),
            "field_name": field.name,
            "field_type": field.type,
            "answers": answers if draw.random() < 0.85 else [],
        }

    def _durations(self, life: Lifecycle, at: int) -> list[Json]:
        """Add up the time in each stage; who goes back to a stage is not told apart."""
        total: dict[int, int] = {}
        for place, entered, left in life.visits:
            if entered <= at and (self._truth.running or left <= at):
                total[place] = total.get(place, 0) + min(left, at) - entered
        rows = []
        for place, seconds in total.items():
            stage = self._references.stage(life.pipeline, place)
            rows.append(
                {
                    "stage_id": stage["id"],
                    "stage_name": stage["name"],
                    "total_seconds": seconds,
                    "human_readable": format_duration(seconds),
                }
            )
        return rows

    def _proposals(self, draw: Random, life: Lifecycle, at: int, title: str) -> list[Json]:
        ids = [new_id(draw), new_id(draw)]
        days, percent = draw.choice((15, 30, 45)), draw.random() < 0.7
        author = self._references.users[self._truth.owners.index(life.owner)]
        approver = self._references.named("user", self._truth.owners[0].name)
        rows = []
        for offer in life.offers:
            if offer.created > at:
                break
            subtotal = round(offer.amount / (1 - offer.rate), 2)
            replaced, approved, rejected = (
                _happened(instant, at) for instant in (offer.replaced, offer.approved, offer.rejected)
            )
            changes = [m for m in offer[3:] if m <= at]
            rows.append(
                {
                    "id": ids[offer.version - 1],
                    "code": life.code * 10 + offer.version,
                    "version": offer.version,
                    "title": f"{title} v{offer.version}",
                    "status": _APPROVED if approved else _REJECTED if rejected else _REPLACED if replaced else _SENT,
                    "is_primary": replaced is None,
                    "discount_type": 1 if percent else 2,
                    "discount_value": round(offer.rate * 100, 2) if percent else round(subtotal - offer.amount, 2),
                    "subtotal": subtotal,
                    "total": offer.amount,
                    "valid_until": format_instant(offer.created + days * DAY),
                    "created_at": format_instant(offer.created),
                    "updated_at": format_instant(max(changes)),
                    "approved_at": approved,
                    "archived_at": replaced,
                    "rejected_at": rejected,
                    "created_by": author,
                    "approved_by": approver if approved else None,
                }
            )
        return rows

    def _followers(self, draw: Random, life: Lifecycle, at: int) -> list[Json]:
        rows = []
        for user in draw.sample(self._references.users, draw.choices((0, 1, 2), (5, 4, 2))[0]):
            since = life.created + int(draw.random() * 20 * DAY)
            row = {
                "role": self._references.named("follower role", draw.choice(names.FOLLOWER_ROLES)),
                "user": user,
                "notes": draw.choice(names.REMARKS) if draw.random() < 0.2 else None,
            }
            if since <= at:
                rows.append(row)
        return rows


class _Activity:
    """What people did about a deal up to an instant: something every few days until it ends."""

    def __init__(self, draw: Random, life: Lifecycle, at: int) -> None:
        every = int(draw.uniform(2, 9) * DAY)
        lived = min(at, life.closed, life.archived) - life.created
        self.number = lived // every
        self.last = life.created + self.number * every
        self._share = min(lived / _SHOWN, 1.0)

    def count(self, draw: Random, most: int) -> int:
        """How many things of a kind there are, of at most so many."""
        return int(draw.randint(0, most) * self._share)


def _last_closed(life: Lifecycle, status: int, at: int) -> str | None:
    """When a deal was last closed in a way, also if it was opened again since."""
    if life.closed <= at and life.status(at) == status:
        return format_instant(life.closed)
    early_close = life.early_close
    return (
        format_instant(early_close.closed)
        if early_close and early_close.status == status and early_close.closed <= at
        else None
    )


def _happened(instant: int, at: int) -> str | None:
    return format_instant(instant) if instant <= at and instant < NEVER else None
