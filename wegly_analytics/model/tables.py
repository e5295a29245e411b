"""Declarations of the nine tables, the ledger, and the documented paths that no table keeps.

Every text column declares what it may hold, by a member of `Personal`, which states what each privacy mode does with
it, and why. Run ``python -m wegly_analytics.model.tables`` to print the data dictionary.
"""

from __future__ import annotations

from typing import Final

from wegly_analytics.model.enums import OUTCOMES, STATUS, TEMPERATURE, VISIBILITY
from wegly_analytics.model.personal import PROTECTED_MODES, UNDECLARED, Personal
from wegly_analytics.model.schema import Column, Kind, Table, dictionary, tree

TEXT, INTEGER, NUMBER, FLAG, INSTANT, DAY, ENUM = Kind
CUSTOMER, STAFF, FREE_TEXT, REPEATED_TEXT, LABEL, CATEGORY, IDENTIFIER, KEY = Personal


def _text(name: str, path: str, meaning: str, personal: Personal) -> Column:
    return Column(name=name, path=path, kind=TEXT, meaning=meaning, personal=personal)


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


DEAL_ID: Final = Column(
    name="deal_id",
    path="id",
    kind=TEXT,
    meaning="The deal's UUID; joins every table.",
    personal=IDENTIFIER,
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
        _text("title", "title", "The deal's title.", FREE_TEXT),
        Column(name="status", path="status", kind=ENUM, meaning="The deal's status.", labels=STATUS),
        _money("value", "value", "The deal's value; missing is not zero."),
        _text("pipeline_id", "stage.pipeline.id", "The pipeline the deal is in.", IDENTIFIER),
        _text("pipeline", "stage.pipeline.name", "The pipeline's name.", CATEGORY),
        _text("stage_id", "stage.id", "The stage the deal is in.", IDENTIFIER),
        _text("stage", "stage.name", "The stage's name.", CATEGORY),
        _text("responsible_id", "responsible.id", "The current owner, not necessarily the one at closing.", STAFF),
        _text("responsible", "responsible.name", "The owner's name.", STAFF),
        _text("source_id", "deal_source.id", "The deal's direct source.", IDENTIFIER),
        _text("source", "deal_source.name", "The source's name.", CATEGORY),
        _at("created_at", "created_at", "When the deal was created."),
        _at("won_at", "won_date", "When it was won; a re-opened deal may keep it."),
        _at("lost_at", "lost_date", "When it was lost; a re-opened deal may keep it."),
        _text("loss_reason_id", "crm_loss_reason.id", "Why it was lost.", IDENTIFIER),
        _text("loss_reason", "crm_loss_reason.name", "The loss reason's name.", CATEGORY),
        _text(
            "lost_reason_description", "lost_reason_description", "Why it was lost, in the owner's words.", FREE_TEXT
        ),
        Column(
            name="expected_close",
            path="expected_close_date",
            kind=DAY,
            meaning="The expected day of closing: a calendar day, which the API writes as midnight UTC.",
        ),
        _at("last_activity_at", "last_activity_at", "When the last activity on the deal took place."),
        UPDATED_AT,
        _at("archived_at", "archived_at", "When it was archived; missing if it is not."),
        Column(
            name="temperature",
            path="temperature",
            kind=ENUM,
            meaning="How likely it is to be won, in the owner's judgement.",
            labels=TEMPERATURE,
        ),
        _integer("quality_rating", "quality_rating", "The lead's rating, 1 to 5."),
        _text("quality_reason", "quality_reason", "Why it has that rating.", FREE_TEXT),
        Column(
            name="visibility",
            path="visibility",
            kind=ENUM,
            meaning="Who may see it.",
            labels=VISIBILITY,
        ),
        _text("organization_id", "organization.id", "The customer's organization.", CUSTOMER),
        _text("organization", "organization.name", "The organization's name.", CUSTOMER),
        _text("lead_id", "lead.id", "The lead it was created from.", CUSTOMER),
        _text("lead", "lead.title", "The lead's title.", CUSTOMER),
        _text("created_by_id", "created_by.id", "Who created it.", STAFF),
        _text("created_by", "created_by.name", "The creator's name.", STAFF),
        _text("tracking_id", "marketing_lead_source.id", "The last marketing tracking record.", CUSTOMER),
        _text("lead_source_id", "marketing_lead_source.lead_source.id", "The last tracked source.", IDENTIFIER),
        _text("lead_source", "marketing_lead_source.lead_source.name", "The last tracked source's name.", CATEGORY),
        _text("utm_search_term", "marketing_lead_source.utm_search_term", "The search term last tracked.", FREE_TEXT),
        _text(
            "url_conversion", "marketing_lead_source.url_conversion", "The page of the last conversion.", REPEATED_TEXT
        ),
        _text(
            "campaign", "marketing_lead_source.campaing_name", "The last campaign (the API writes `campaing`).", LABEL
        ),
        _text("ad_set", "marketing_lead_source.ad_set_name", "The last ad set.", LABEL),
        _text("content", "marketing_lead_source.content_name", "The last content.", LABEL),
        _text(
            "displayed_on", "marketing_lead_source.displayed_on_name", "Where the advertisement was displayed.", LABEL
        ),
        _text(
            "conversion_tool", "marketing_lead_source.conversion_tool_name", "The tool of the last conversion.", LABEL
        ),
        _text("creative_id", "marketing_lead_source.creative.id", "The last creative.", IDENTIFIER),
        _text("creative", "marketing_lead_source.creative.value", "The last creative's value.", LABEL),
        _text(
            "creative_uri", "marketing_lead_source.creative.creative_uri", "The last creative's address.", REPEATED_TEXT
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
    "One row is one stage of the deal's pipeline, as listed by that deal.",
    (
        DEAL_ID,
        _text("pipeline_id", "stage.pipeline.id", "The pipeline the deal is in.", IDENTIFIER),
        _text("stage_id", "pipeline_stages[].id", "The stage.", IDENTIFIER),
        _text("stage", "pipeline_stages[].name", "The stage's name.", CATEGORY),
        _integer("position", "pipeline_stages[].position", "The stage's place in the pipeline."),
    ),
)

STAGE_DURATIONS: Final = Table(
    "stage_durations",
    "stage_durations[]",
    "One row is the total time that a deal has spent in one stage, over all visits.",
    (
        DEAL_ID,
        _text(
            "stage_id", "stage_durations[].stage_id", "The stage; it may no longer belong to any pipeline.", IDENTIFIER
        ),
        _text("stage", "stage_durations[].stage_name", "The stage's name.", CATEGORY),
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
        _text("proposal_id", "proposals[].id", "The proposal.", IDENTIFIER),
        _integer("code", "proposals[].code", "The proposal's number."),
        _integer("version", "proposals[].version", "Its version."),
        _text("title", "proposals[].title", "Its title.", FREE_TEXT),
        _integer("status", "proposals[].status", "An undocumented number; the dates show the proposal's state."),
        Column(
            name="is_primary",
            path="proposals[].is_primary",
            kind=FLAG,
            meaning="Whether it is the deal's primary proposal.",
        ),
        _integer("discount_type", "proposals[].discount_type", "An undocumented number."),
        Column(
            name="discount_value",
            path="proposals[].discount_value",
            kind=NUMBER,
            meaning="The discount, in the unit given by `discount_type`.",
        ),
        _money("subtotal", "proposals[].subtotal", "Before the discount."),
        _money("total", "proposals[].total", "After the discount."),
        _at("valid_until", "proposals[].valid_until", "The last instant at which it is valid."),
        _at("created_at", "proposals[].created_at", "When it was created."),
        _at("updated_at", "proposals[].updated_at", "When it last changed."),
        _at("approved_at", "proposals[].approved_at", "When it was approved; missing if it was not."),
        _at("rejected_at", "proposals[].rejected_at", "When it was rejected; missing if it was not."),
        _at("archived_at", "proposals[].archived_at", "When it was archived; missing if it was not."),
        _text("created_by_id", "proposals[].created_by.id", "Who created it.", STAFF),
        _text("created_by", "proposals[].created_by.name", "The creator's name.", STAFF),
        _text("approved_by_id", "proposals[].approved_by.id", "Who approved it.", STAFF),
        _text("approved_by", "proposals[].approved_by.name", "The approver's name.", STAFF),
    ),
)

_PERSON_ID: Final = _text("person_id", "participants[].person.id", "The person.", CUSTOMER)

PARTICIPANTS: Final = Table(
    "participants",
    "participants[]",
    "One row is one person's participation in a deal.",
    (
        DEAL_ID,
        _text("participant_id", "participants[].id", "The participation.", CUSTOMER),
        _text("role_id", "participants[].role.id", "The person's role.", IDENTIFIER),
        _text("role", "participants[].role.name", "The role's name.", CATEGORY),
        _PERSON_ID,
        _text("person", "participants[].person.name", "The person's name.", CUSTOMER),
        _text("notes", "participants[].notes", "Notes about the person.", FREE_TEXT),
    ),
)

CONTACTS: Final = Table(
    "contacts",
    "participants[].person.contacts[]",
    "One row is one e-mail address or telephone number of a participant of a deal.",
    (
        DEAL_ID,
        _text("participant_id", "participants[].id", "The participation.", CUSTOMER),
        _PERSON_ID,
        _text("contact_id", "participants[].person.contacts[].id", "The contact.", CUSTOMER),
        _integer("type", "participants[].person.contacts[].type", "An undocumented number."),
        _text(
            "value",
            "participants[].person.contacts[].value",
            "The e-mail address, telephone number or other contact.",
            CUSTOMER,
        ),
        Column(
            name="is_primary",
            path="participants[].person.contacts[].primary",
            kind=FLAG,
            meaning="Whether it is the person's primary contact.",
        ),
    ),
)

CUSTOM_FIELDS: Final = Table(
    "custom_fields",
    "custom_fields[].answers[]",
    "One row is one answer to one custom field of a deal; a field without answers has one row.",
    (
        DEAL_ID,
        _text("field_id", "custom_fields[].field_id", "The field.", IDENTIFIER),
        _text("field", "custom_fields[].field_name", "The field's name.", CATEGORY),
        _integer("field_type", "custom_fields[].field_type", "An undocumented number."),
        _text("answer_id", "custom_fields[].answers[].id", "The answer.", IDENTIFIER),
        _text("option_id", "custom_fields[].answers[].option_id", "The option chosen.", IDENTIFIER),
        _text("option", "custom_fields[].answers[].option_value", "The option's text.", LABEL),
        _text("value", "custom_fields[].answers[].value", "The answer as entered.", FREE_TEXT),
    ),
    keep_empty=True,
)

TAGS: Final = Table(
    "tags",
    "tags[]",
    "One row is one tag on a deal.",
    (
        DEAL_ID,
        _text("tag_id", "tags[].id", "The tag.", IDENTIFIER),
        _text("tag", "tags[].name", "The tag's name.", LABEL),
        _text("color", "tags[].color", "The tag's colour.", CATEGORY),
    ),
)

FOLLOWERS: Final = Table(
    "followers",
    "followers[]",
    "One row is one colleague who follows a deal.",
    (
        DEAL_ID,
        _text("role_id", "followers[].role.id", "The colleague's role.", IDENTIFIER),
        _text("role", "followers[].role.name", "The role's name.", CATEGORY),
        _text("user_id", "followers[].user.id", "The colleague.", STAFF),
        _text("user", "followers[].user.name", "The colleague's name.", STAFF),
        _text("notes", "followers[].notes", "Notes about the colleague's role.", FREE_TEXT),
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
    "One row is one requested id.",
    (
        Column(
            name="requested",
            path="",
            kind=TEXT,
            meaning="The id as requested, a code or a UUID; for a response in a file, the file's name and a number.",
            personal=KEY,
            required=True,
        ),
        Column(
            name="outcome",
            path="",
            kind=TEXT,
            meaning="The outcome. " + " ".join(f"`{k}`: {v}." for k, v in OUTCOMES.items()),
            personal=CATEGORY,
            required=True,
        ),
        _text("deal_id", "", "The deal received; missing if there is none.", IDENTIFIER),
        _integer(
            "http_status",
            "",
            "The last HTTP status; missing if there was no response, or none was needed.",
        ),
        _text(
            "message", "", "The error, or the repairs made to the response; it may quote what was received.", FREE_TEXT
        ),
        _at("fetched_at", "", "When the response was received."),
        _at("missed_at", "", "When the last request for a carried deal failed; missing if it succeeded."),
        Column(
            name="in_scope",
            path="",
            kind=FLAG,
            meaning="False if `Snapshot.where` excluded the deal.",
            required=True,
        ),
    ),
)
"""The tenth table of every snapshot: every requested id and its outcome."""

IGNORED: Final = {
    "created_by.avatar": "The address of a picture: not used in analysis.",
    "responsible.avatar": "The address of a picture: not used in analysis.",
    "deal_source.logo": "The address of a picture: not used in analysis.",
    "marketing_lead_source.lead_source.logo": "The address of a picture: not used in analysis.",
    "organization.logo": "The address of a picture: not used in analysis.",
    "proposals[].created_by.avatar": "The address of a picture: not used in analysis.",
    "followers[].user.avatar": "The address of a picture: not used in analysis.",
    "stage_durations[].human_readable": "The same as `total_seconds`, as text.",
}
"""The documented paths that no table keeps, with the reason."""

READ: Final = tree(TABLES.values())
"""The part of a response that the tables keep."""

DOCUMENTED: Final = tree(TABLES.values(), IGNORED)
"""Everything that a response may hold according to the documentation."""


def marked(personal: Personal) -> list[str]:
    """List the columns with one declaration, as ``"`table.column`"``."""
    tables = [*TABLES.values(), LEDGER]
    return [f"`{t.name}.{c.name}`" for t in tables for c in t.columns if c.personal is personal]


def data_dictionary() -> str:
    """Write `data/README.md`: every table and column, and the paths that are not kept."""
    rows = [
        [each.whose, ", ".join(marked(each)), *(each.treatment(mode) for mode in PROTECTED_MODES), each.reason]
        for each in Personal
    ]
    modes = "".join(f"| {' | '.join(row)} |\n" for row in rows)
    head = (
        "# Data dictionary\n\n"
        "Generated from `wegly_analytics/model/tables.py` by `make dictionary`; do not edit by hand.\n\n"
        "`data/` is the default folder for raw responses and snapshots. Git ignores everything else in it.\n"
        "A snapshot is a folder of Parquet files, one folder per table. Every table has the column `deal_id`.\n"
        "Instants are in UTC. Text columns whose name ends in `_id` are the API's own ids.\n\n"
        "## Personal data\n\n"
        "Every text column declares what it may hold, and so what each mode of `snap.save(personal=...)` does\n"
        "with it: *hash* replaces each value by a pseudonym (equal values get equal pseudonyms), *drop* removes the\n"
        "values, *ids* leaves codes and UUIDs and replaces other texts by the number of the row, *keep* leaves all.\n"
        '`personal="keep"` keeps every column. A saved snapshot is pseudonymised, not\n'
        "anonymous: it remains personal data under the LGPD.\n\n"
        "| may hold | columns | `hash` | `hash-all` | `drop` | reason |\n"
        "| --- | --- | --- | --- | --- | --- |\n"
        f"{modes}\n"
        "Numbers, dates and flags are kept in every mode. Anyone with access to Wegly can look up a deal, and so its\n"
        "customer, by id or code. Text columns that `snap.assign` added or replaced are treated as\n"
        f"{UNDECLARED.whose}.\n\n"
    )
    return head + dictionary([*TABLES.values(), LEDGER], IGNORED)


if __name__ == "__main__":
    import sys

    sys.stdout.write(data_dictionary())
