"""A deal as the API shows it at an instant: its lifecycle so far, in the shape of a response."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from wegly_analytics.sandbox import names
from wegly_analytics.sandbox.activity import Activity
from wegly_analytics.sandbox.formatting import format_duration, format_instant, format_past, new_id
from wegly_analytics.sandbox.lifecycle import LOST, WON, Lifecycle
from wegly_analytics.sandbox.people import followers, participants
from wegly_analytics.sandbox.proposals import proposals
from wegly_analytics.sandbox.references import FILES, Json, References
from wegly_analytics.sandbox.simulation import rng

if TYPE_CHECKING:
    from random import Random

    from wegly_analytics.sandbox.entities import Field
    from wegly_analytics.sandbox.truth import Truth


class _Description(NamedTuple):
    """What the owner writes about a deal."""

    customer: str
    offer: str
    temperature: int
    rating: int
    explanation: str | None


class ResponseBuilder:
    """Builds the responses about the deals of one company.

    Parameters
    ----------
    truth
        The declaration of the company.
    seed
        The company's seed, from which all ids follow.
    """

    def __init__(self, truth: Truth, seed: int) -> None:
        self._truth = truth
        self._seed = seed
        self._references = References(truth, seed)

    def id(self, code: int) -> str:
        """Return the UUID of the deal with a code."""
        return self._references.id("deal", str(code))

    def build(self, lifecycle: Lifecycle, at: int) -> Json:
        """Build the response about a deal as it is at an instant.

        Parameters
        ----------
        lifecycle
            The deal's lifecycle.
        at
            The instant, in seconds since 1970.

        Returns
        -------
        dict
            The response, as JSON values.
        """
        # The draws have the same order at every instant, so the past in a response never changes.
        draw = rng(self._seed, lifecycle.code, use=1)
        activity = Activity(draw, lifecycle, at)
        description = self._describe(draw)
        deal: Json = {
            **self._identity(draw, lifecycle, at, description),
            **self._origin(draw, lifecycle, at, description),
            **self._outcome(lifecycle, at, description),
            **self._dates(draw, lifecycle, at, activity),
            **self._people(draw, lifecycle, at, description),
            **self._attributes(draw, lifecycle, at),
            **self._counts(draw, lifecycle, at, activity),
            "proposals": proposals(draw, self._truth, self._references, lifecycle, at, description.offer),
            "followers": followers(draw, self._references, lifecycle, at),
        }
        self._omit(draw, deal)
        return deal

    def _describe(self, draw: Random) -> _Description:
        customer = f"{draw.choice(names.TRADES)} {draw.choice(names.BRANDS)} {draw.choice(names.FORMS)}"
        offer = draw.choice(names.PRODUCTS)
        temperature, rating = draw.randrange(1, 3), draw.randrange(1, 6)
        is_explained = draw.random() < self._truth.frequencies.described
        explanation = draw.choice(names.EXPLANATIONS)
        return _Description(customer, offer, temperature, rating, explanation if is_explained else None)

    def _identity(self, draw: Random, lifecycle: Lifecycle, at: int, description: _Description) -> Json:
        stages = self._references.stages[lifecycle.pipeline.name]
        stage = self._references.stage(lifecycle.pipeline, lifecycle.visit(at).position)
        return {
            "id": self.id(lifecycle.code),
            "code": lifecycle.code,
            "title": f"{description.offer} – {description.customer}",
            "status": lifecycle.status(at),
            "created_by": draw.choice(self._references.users),
            "stage": {
                "id": stage["id"],
                "name": stage["name"],
                "pipeline": self._references.named("pipeline", lifecycle.pipeline.name),
            },
            "pipeline_stages": [stage | {"position": position} for position, stage in enumerate(stages)],
        }

    def _origin(self, draw: Random, lifecycle: Lifecycle, at: int, description: _Description) -> Json:
        handed_over = lifecycle.new_owner.instant <= at
        owner = lifecycle.new_owner.value if handed_over else self._truth.owners.index(lifecycle.owner)
        return {
            "responsible": self._references.users[int(owner)],
            "deal_source": self._references.sources[lifecycle.source.name] if lifecycle.source else None,
            "marketing_lead_source": self._tracking(draw, lifecycle),
            "quality_rating": description.rating,
            "quality_reason": names.RATINGS[description.rating - 1],
        }

    def _outcome(self, lifecycle: Lifecycle, at: int, description: _Description) -> Json:
        is_lost = lifecycle.status(at) == LOST
        has_reason = is_lost and lifecycle.reason is not None
        return {
            "won_date": format_past(lifecycle.last_closed(WON, at), at),
            "lost_date": format_past(lifecycle.last_closed(LOST, at), at),
            "crm_loss_reason": self._references.reasons[lifecycle.reason or 0] if has_reason else None,
            "lost_reason_description": description.explanation if is_lost else None,
        }

    def _dates(self, draw: Random, lifecycle: Lifecycle, at: int, activity: Activity) -> Json:
        expected = (int(change.value) for change in reversed(lifecycle.expected) if change.instant <= at)
        return {
            "visibility": draw.choices((0, 1, 2), (1, 3, 6))[0],
            "created_at": format_instant(lifecycle.created),
            "updated_at": format_instant(lifecycle.updated(at)),
            "archived_at": format_past(lifecycle.archived, at),
            "last_activity_at": format_instant(activity.last),
            "expected_close_date": next(map(format_instant, expected), None),
        }

    def _people(self, draw: Random, lifecycle: Lifecycle, at: int, description: _Description) -> Json:
        has_proposal = lifecycle.visit(at).position >= lifecycle.pipeline.proposal
        return {
            "temperature": description.temperature + has_proposal,
            "participants": participants(draw, self._references, lifecycle, at),
            "organization": {
                "id": new_id(draw),
                "name": description.customer,
                "logo": f"{FILES}/logos/{lifecycle.code}.png" if draw.random() < 0.3 else None,
            },
            "lead": {"id": new_id(draw), "title": f"Contato: {description.customer}"},
        }

    def _attributes(self, draw: Random, lifecycle: Lifecycle, at: int) -> Json:
        tags = zip(self._references.tags, self._truth.tags, strict=True)
        values = (change.value for change in reversed(lifecycle.values) if change.instant <= at)
        return {
            "custom_fields": [self._custom_field(draw, field) for field in self._truth.fields],
            "tags": [reference for reference, tag in tags if draw.random() < tag.share],
            "stage_durations": self._durations(lifecycle, at),
            "value": next(values) if lifecycle.has_value else None,
        }

    def _counts(self, draw: Random, lifecycle: Lifecycle, at: int, activity: Activity) -> Json:
        return {
            "views_count": activity.count(draw, 30),
            "associations_count": {
                "items": draw.randrange(4),
                "tasks": activity.count(draw, 8),
                "qualifications": activity.count(draw, 2),
                "notes": activity.count(draw, 10),
                "files": activity.count(draw, 4),
                "activities": activity.number,
                "proposals": sum(version.created <= at for version in lifecycle.proposals),
            },
        }

    def _omit(self, draw: Random, deal: Json) -> None:
        """Remove some optional parts, or set them to null."""
        for name, absence in self._truth.optional.items():
            chance = draw.random()
            if chance < absence.missing:
                del deal[name]
            elif chance < absence.missing + absence.null:
                deal[name] = None
        chance = draw.random()
        if not deal["proposals"] and chance < 0.04:
            deal["proposals"] = None
            if chance < 0.02:
                del deal["proposals"]

    def _tracking(self, draw: Random, lifecycle: Lifecycle) -> Json:
        source = lifecycle.source.name if lifecycle.source else draw.choice(self._truth.sources).name
        is_paid = "pago" in source
        creative = {
            "id": new_id(draw),
            "value": draw.choice(names.CONTENTS),
            "creative_uri": f"{FILES}/ads/{lifecycle.code % 17}",
        }
        medium = "cpc" if is_paid else "site"
        return {
            "id": new_id(draw),
            "utm_search_term": draw.choice(names.TERMS),
            "lead_source": self._references.sources[source],
            "url_conversion": f"https://www.example.com/landing/{lifecycle.code % 9}?utm_medium={medium}",
            "campaing_name": draw.choice(names.CAMPAIGNS),
            "ad_set_name": draw.choice(names.AD_SETS) if is_paid else None,
            "content_name": draw.choice(names.CONTENTS),
            "displayed_on_name": draw.choice(names.PLACES) if is_paid else None,
            "conversion_tool_name": draw.choice(names.TOOLS),
            "creative": creative if is_paid else None,
        }

    def _custom_field(self, draw: Random, field: Field) -> Json:
        if field.options:
            chosen = draw.sample(field.options, draw.randint(0 if field.most > 1 else 1, field.most))
            answers = [
                {
                    "id": new_id(draw),
                    "option_id": self._references.id(f"option of {field.name}", option),
                    "option_value": option,
                    "value": None,
                }
                for option in chosen
            ]
        else:
            text = str(draw.randrange(100, 9_000) * 1_000) if field.type == 2 else draw.choice(names.REMARKS)
            answers = [{"id": new_id(draw), "option_id": None, "option_value": None, "value": text}]
        return {
            "field_id": self._references.id("field", field.name),
            "field_name": field.name,
            "field_type": field.type,
            "answers": answers if draw.random() < 0.85 else [],
        }

    def _durations(self, lifecycle: Lifecycle, at: int) -> list[Json]:
        """Add up the time in each stage, over all visits to it."""
        total: dict[int, int] = {}
        for position, entered, left in lifecycle.visits:
            if entered <= at and (self._truth.running or left <= at):
                total[position] = total.get(position, 0) + min(left, at) - entered
        rows = []
        for position, seconds in total.items():
            stage = self._references.stage(lifecycle.pipeline, position)
            rows.append(
                {
                    "stage_id": stage["id"],
                    "stage_name": stage["name"],
                    "total_seconds": seconds,
                    "human_readable": format_duration(seconds),
                }
            )
        return rows
