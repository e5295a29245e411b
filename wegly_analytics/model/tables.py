"""The nine tables and the ledger, declared; and what the tables leave out, with the reason.

Run ``python -m wegly_analytics.model.tables`` to print the data dictionary.
"""

from __future__ import annotations

from typing import Final

from wegly_analytics.model.enums import OUTCOMES, STATUS, TEMPERATURE, VISIBILITY
from wegly_analytics.model.schema import Column, Kind, Table, dictionary, tree

TEXT, INTEGER, NUMBER, FLAG, INSTANT, DAY, WORD = Kind


def _text(name: str, path: str, meaning: str) -> Column:
    return Column(name=name, path=path, kind=TEXT, meaning=meaning)


def _at(name: str, path: str, meaning: str) -> Column:
    return Column(name=name, path=path, kind=INSTANT, meaning=meaning)


def _money(name: str, path: str, meaning: str) -> Column:
    return Column(
        name=name,
        path=path,
        kind=NUMBER,
        meaning=meaning,
        unit="money, currency not stated by the API",
    )


def _count(name: str, path: str, meaning: str) -> Column:
    return Column(name=name, path=path, kind=INTEGER, meaning=meaning, unit="count")


def _integer(name: str, path: str, meaning: str) -> Column:
    return Column(name=name, path=path, kind=INTEGER, meaning=meaning)


def _notes(path: str, meaning: str) -> Column:
    return Column(name="notes", path=path, kind=TEXT, meaning=meaning, personal="text")


DEAL_ID: Final = Column(
    name="deal_id",
    path="id",
    kind=TEXT,
    meaning="The deal's UUID; joins every table.",
    required=True,
)

CODE: Final = _integer("code", "code", "The deal's number.")
UPDATED_AT: Final = _at("updated_at", "updated_at", "When the record last changed.")

DEALS: Final = Table(
    "deals",
    "",
    "One row is one deal.",
    (
        DEAL_ID,
        CODE,
        _text("title", "title", "The deal's title."),
        Column(name="status", path="status", kind=WORD, meaning="Where the deal stands.", words=STATUS),
        _money("value", "value", "What the deal is worth; missing is not zero."),
        _text("pipeline_id", "stage.pipeline.id", "The pipeline the deal is in."),
        _text("pipeline", "stage.pipeline.name", "The pipeline's name."),
        _text("stage_id", "stage.id", "The stage the deal is in."),
        _text("stage", "stage.name", "The stage's name."),
        _text("responsible_id", "responsible.id", "The owner today, not when the deal was closed."),
        _text("responsible", "responsible.name", "The owner's name."),
        _text("source_id", "deal_source.id", "The deal's direct source."),
        _text("source", "deal_source.name", "The source's name."),
        _at("created_at", "created_at", "When the deal was created."),
        _at("won_at", "won_date", "When it was won; a re-opened deal may keep it."),
        _at("lost_at", "lost_date", "When it was lost; a re-opened deal may keep it."),
        _text("loss_reason_id", "crm_loss_reason.id", "Why it was lost."),
        _text("loss_reason", "crm_loss_reason.name", "The loss reason's name."),
        Column(
            name="lost_reason_description",
            path="lost_reason_description",
            kind=TEXT,
            meaning="Why it was lost, in the owner's words.",
            personal="reason",
        ),
        Column(
            name="expected_close",
            path="expected_close_date",
            kind=DAY,
            meaning="The day it should close: a calendar day, written by the API as midnight UTC.",
        ),
        _at("last_activity_at", "last_activity_at", "When somebody last did something about it."),
        UPDATED_AT,
        _at("archived_at", "archived_at", "When it was archived; missing if it is not."),
        Column(
            name="temperature",
            path="temperature",
            kind=WORD,
            meaning="How warm it is.",
            words=TEMPERATURE,
        ),
        _integer("quality_rating", "quality_rating", "The lead's rating, 1 to 5."),
        _text("quality_reason", "quality_reason", "Why it has that rating."),
        Column(
            name="visibility",
            path="visibility",
            kind=WORD,
            meaning="Who may see it.",
            words=VISIBILITY,
        ),
        _text("organization_id", "organization.id", "The customer's organization."),
        _text("organization", "organization.name", "The organization's name."),
        _text("lead_id", "lead.id", "The lead it grew from."),
        _text("lead", "lead.title", "The lead's title."),
        _text("created_by_id", "created_by.id", "Who created it."),
        _text("created_by", "created_by.name", "The creator's name."),
        _text("tracking_id", "marketing_lead_source.id", "The last marketing tracking record."),
        _text("lead_source_id", "marketing_lead_source.lead_source.id", "The last tracked source."),
        _text(
            "lead_source",
            "marketing_lead_source.lead_source.name",
            "The last tracked source's name.",
        ),
        _text(
            "utm_search_term",
            "marketing_lead_source.utm_search_term",
            "The search term last tracked.",
        ),
        _text(
            "url_conversion",
            "marketing_lead_source.url_conversion",
            "The page of the last conversion.",
        ),
        _text(
            "campaign",
            "marketing_lead_source.campaing_name",
            "The last campaign (the API writes `campaing`).",
        ),
        _text("ad_set", "marketing_lead_source.ad_set_name", "The last ad set."),
        _text("content", "marketing_lead_source.content_name", "The last content."),
        _text(
            "displayed_on",
            "marketing_lead_source.displayed_on_name",
            "Where the advertisement was displayed.",
        ),
        _text(
            "conversion_tool",
            "marketing_lead_source.conversion_tool_name",
            "The tool of the last conversion.",
        ),
        _text("creative_id", "marketing_lead_source.creative.id", "The last creative."),
        _text("creative", "marketing_lead_source.creative.value", "The last creative's value."),
        _text(
            "creative_uri",
            "marketing_lead_source.creative.creative_uri",
            "Where the last creative lies.",
        ),
        _count("n_views", "views_count", "How often the deal was viewed."),
        _count("n_items", "associations_count.items", "Items on the deal."),
        _count("n_tasks", "associations_count.tasks", "Tasks on the deal."),
        _count("n_qualifications", "associations_count.qualifications", "Qualifications on the deal."),
        _count("n_notes", "associations_count.notes", "Notes on the deal."),
        _count("n_files", "associations_count.files", "Files on the deal."),
        _count("n_activities", "associations_count.activities", "Activities on the deal."),
        _count(
            "n_proposals",
            "associations_count.proposals",
            "Proposals on the deal, as the API counts them.",
        ),
    ),
)

PIPELINE_STAGES: Final = Table(
    "pipeline_stages",
    "pipeline_stages[]",
    "One row is one stage of the pipeline that a deal is in, as that deal lists it.",
    (
        DEAL_ID,
        _text("pipeline_id", "stage.pipeline.id", "The pipeline the deal is in."),
        _text("stage_id", "pipeline_stages[].id", "The stage."),
        _text("stage", "pipeline_stages[].name", "The stage's name."),
        _integer("position", "pipeline_stages[].position", "The stage's place in the pipeline."),
    ),
)

STAGE_DURATIONS: Final = Table(
    "stage_durations",
    "stage_durations[]",
    "One row is all the time that a deal has spent in one stage; visits are added up.",
    (
        DEAL_ID,
        _text(
            "stage_id",
            "stage_durations[].stage_id",
            "The stage; it may be in no pipeline any more.",
        ),
        _text("stage", "stage_durations[].stage_name", "The stage's name."),
        Column(
            name="seconds",
            path="stage_durations[].total_seconds",
            kind=NUMBER,
            meaning="Time accumulated in the stage.",
            unit="seconds",
        ),
    ),
)

PROPOSALS: Final = Table(
    "proposals",
    "proposals[]",
    "One row is one version of one proposal of a deal.",
    (
        DEAL_ID,
        _text("proposal_id", "proposals[].id", "The proposal."),
        _integer("code", "proposals[].code", "The proposal's number."),
        _integer("version", "proposals[].version", "Its version."),
        _text("title", "proposals[].title", "Its title."),
        _integer("status", "proposals[].status", "An undocumented number; tell its state from the dates."),
        Column(
            name="is_primary",
            path="proposals[].is_primary",
            kind=FLAG,
            meaning="Whether it is the deal's main one.",
        ),
        _integer("discount_type", "proposals[].discount_type", "An undocumented number."),
        Column(
            name="discount_value",
            path="proposals[].discount_value",
            kind=NUMBER,
            meaning="The discount, in the unit that `discount_type` stands for.",
        ),
        _money("subtotal", "proposals[].subtotal", "Before the discount."),
        _money("total", "proposals[].total", "After the discount."),
        _at("valid_until", "proposals[].valid_until", "Until when it holds."),
        _at("created_at", "proposals[].created_at", "When it was created."),
        _at("updated_at", "proposals[].updated_at", "When it last changed."),
        _at("approved_at", "proposals[].approved_at", "When it was approved; missing if it was not."),
        _at("rejected_at", "proposals[].rejected_at", "When it was rejected; missing if it was not."),
        _at("archived_at", "proposals[].archived_at", "When it was archived; missing if it was not."),
        _text("created_by_id", "proposals[].created_by.id", "Who created it."),
        _text("created_by", "proposals[].created_by.name", "The creator's name."),
        _text("approved_by_id", "proposals[].approved_by.id", "Who approved it."),
        _text("approved_by", "proposals[].approved_by.name", "The approver's name."),
    ),
)

_PERSON_ID: Final = _text("person_id", "participants[].person.id", "The person.")

PARTICIPANTS: Final = Table(
    "participants",
    "participants[]",
    "One row is one person's part in a deal.",
    (
        DEAL_ID,
        _text("participant_id", "participants[].id", "The participation."),
        _text("role_id", "participants[].role.id", "The person's role."),
        _text("role", "participants[].role.name", "The role's name."),
        _PERSON_ID,
        Column(
            name="person",
            path="participants[].person.name",
            kind=TEXT,
            meaning="The person's name.",
            personal="identity",
        ),
        _notes("participants[].notes", "Notes about the person."),
    ),
)

CONTACTS: Final = Table(
    "contacts",
    "participants[].person.contacts[]",
    "One row is one address or number of a person who takes part in a deal.",
    (
        DEAL_ID,
        _text("participant_id", "participants[].id", "The participation."),
        _PERSON_ID,
        _text("contact_id", "participants[].person.contacts[].id", "The contact."),
        _integer("type", "participants[].person.contacts[].type", "An undocumented number."),
        Column(
            name="value",
            path="participants[].person.contacts[].value",
            kind=TEXT,
            meaning="The e-mail address, phone number or the like.",
            personal="identity",
        ),
        Column(
            name="is_primary",
            path="participants[].person.contacts[].primary",
            kind=FLAG,
            meaning="Whether it is the person's main one.",
        ),
    ),
)

CUSTOM_FIELDS: Final = Table(
    "custom_fields",
    "custom_fields[].answers[]",
    "One row is one answer to one custom field of a deal; a field without answers keeps one row.",
    (
        DEAL_ID,
        _text("field_id", "custom_fields[].field_id", "The field."),
        _text("field", "custom_fields[].field_name", "The field's name."),
        _integer("field_type", "custom_fields[].field_type", "An undocumented number."),
        _text("answer_id", "custom_fields[].answers[].id", "The answer."),
        _text("option_id", "custom_fields[].answers[].option_id", "The option chosen."),
        _text("option", "custom_fields[].answers[].option_value", "The option's text."),
        _text("value", "custom_fields[].answers[].value", "The answer as given."),
    ),
    keep_empty=True,
)

TAGS: Final = Table(
    "tags",
    "tags[]",
    "One row is one tag on a deal.",
    (
        DEAL_ID,
        _text("tag_id", "tags[].id", "The tag."),
        _text("tag", "tags[].name", "The tag's name."),
        _text("color", "tags[].color", "The tag's colour."),
    ),
)

FOLLOWERS: Final = Table(
    "followers",
    "followers[]",
    "One row is one colleague who follows a deal.",
    (
        DEAL_ID,
        _text("role_id", "followers[].role.id", "The colleague's role."),
        _text("role", "followers[].role.name", "The role's name."),
        _text("user_id", "followers[].user.id", "The colleague."),
        _text("user", "followers[].user.name", "The colleague's name."),
        _notes("followers[].notes", "Notes about the colleague's part."),
    ),
)

TABLES: Final = {
    table.name: table
    for table in (
        DEALS,
        PIPELINE_STAGES,
        STAGE_DURATIONS,
        PROPOSALS,
        PARTICIPANTS,
        CONTACTS,
        CUSTOM_FIELDS,
        TAGS,
        FOLLOWERS,
    )
}
"""The nine tables by name."""

LEDGER: Final = Table(
    "ledger",
    "",
    "One row is one id that was requested.",
    (
        Column(
            name="requested",
            path="",
            kind=TEXT,
            meaning="The id as requested: a code or a UUID.",
            required=True,
        ),
        Column(
            name="outcome",
            path="",
            kind=TEXT,
            meaning="What became of it. " + " ".join(f"`{k}`: {v}." for k, v in OUTCOMES.items()),
            required=True,
        ),
        _text("deal_id", "", "The deal that came; missing if none did."),
        _integer(
            "http_status",
            "",
            "The last HTTP status; missing if no answer came, or none was needed.",
        ),
        _text("message", "", "What went wrong, or what was repaired in the answer."),
        _at("fetched_at", "", "When the answer came."),
        _at("missed_at", "", "When a deal that is kept was last requested in vain; missing if it came."),
        Column(
            name="in_scope",
            path="",
            kind=FLAG,
            meaning="False once `Snapshot.where` has left the deal out.",
            required=True,
        ),
    ),
)
"""The tenth file of every snapshot: what was requested and what came."""

IGNORED: Final = {
    "created_by.avatar": "A picture's address: nothing to analyse.",
    "responsible.avatar": "A picture's address: nothing to analyse.",
    "deal_source.logo": "A picture's address: nothing to analyse.",
    "marketing_lead_source.lead_source.logo": "A picture's address: nothing to analyse.",
    "organization.logo": "A picture's address: nothing to analyse.",
    "proposals[].created_by.avatar": "A picture's address: nothing to analyse.",
    "followers[].user.avatar": "A picture's address: nothing to analyse.",
    "stage_durations[].human_readable": "`total_seconds` again, as text.",
}
"""The documented paths that no table keeps, with the reason."""

READ: Final = tree(TABLES.values())
"""What the reader takes from an answer."""

DOCUMENTED: Final = tree(TABLES.values(), IGNORED)
"""All that an answer may hold according to the documentation."""


def data_dictionary() -> str:
    """Write `data/README.md`: every table, column and omission, from the declarations."""
    head = (
        "# Data dictionary\n\n"
        "Generated from `wegly_analytics/model/tables.py` by `make dictionary`; do not edit by hand.\n\n"
        "`data/` is where raw answers and snapshots go by default. Git keeps nothing of it but this page. A\n"
        "snapshot is a folder of Parquet files, one folder a table, and every row carries `deal_id`. Instants are\n"
        "UTC. Text columns whose name ends in `_id` are the API's own ids.\n\n"
    )
    return head + dictionary([*TABLES.values(), LEDGER], IGNORED)


if __name__ == "__main__":
    import sys

    sys.stdout.write(data_dictionary())
