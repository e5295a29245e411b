from collections import Counter
from pathlib import Path

from wegly_analytics.model import enums
from wegly_analytics.model.personal import Personal
from wegly_analytics.model.schema import Kind
from wegly_analytics.model.tables import DOCUMENTED, IGNORED, LEDGER, READ, TABLES, data_dictionary

HERE = Path(__file__).parents[1]


def test_every_documented_field_is_a_column_or_ignored_with_a_reason():
    documented = set((HERE / "data/documented_paths.txt").read_text().split())
    declared = {column.path for table in TABLES.values() for column in table.columns}
    assert declared | IGNORED.keys() == documented
    assert not declared & IGNORED.keys()
    assert {leaf.path for leaf in DOCUMENTED.leaves()} == documented
    assert {leaf.path for leaf in READ.leaves()} == declared
    assert all(reason.endswith(".") for reason in IGNORED.values())


def test_there_are_nine_tables_and_every_row_carries_its_deal():
    assert list(TABLES) == [
        "deals",
        "pipeline_stages",
        "stage_durations",
        "proposals",
        "participants",
        "contacts",
        "custom_fields",
        "tags",
        "followers",
    ]
    assert all(table.names[0] == "deal_id" for table in TABLES.values())


def test_no_column_is_called_id_and_none_twice():
    for table in [*TABLES.values(), LEDGER]:
        assert "id" not in table.names
        assert max(Counter(table.names).values()) == 1


def test_column_names_follow_the_conventions():
    for table in TABLES.values():
        for column in table.columns:
            assert (str(column.kind.arrow_type) == "timestamp[us, tz=UTC]") == (
                column.name.endswith("_at") or column.name == "valid_until"
            )
            assert (column.kind.name == "FLAG") == column.name.startswith("is_")
            if column.name.startswith("n_"):
                assert column.unit == "count"


def test_undocumented_numbers_stay_numbers():
    undocumented = {("proposals", "status"), ("proposals", "discount_type"), ("contacts", "type")}
    for table, column in undocumented | {("custom_fields", "field_type")}:
        assert str(TABLES[table].schema.field(column).type) == "int64"


def columns_of(*kinds):
    """The columns of the nine tables that were declared as one of some kinds."""
    return {f"{t.name}.{c.name}" for t in TABLES.values() for c in t.columns if c.personal in kinds}


def test_every_column_that_may_hold_a_person_is_declared():
    assert columns_of(Personal.CUSTOMER) == {
        "deals.organization_id", "deals.organization", "deals.lead_id", "deals.lead", "deals.tracking_id",
        "participants.participant_id", "participants.person_id", "participants.person",
        "contacts.participant_id", "contacts.person_id", "contacts.contact_id", "contacts.value",
    }  # fmt: skip
    assert columns_of(Personal.STAFF) == {
        "deals.responsible_id", "deals.responsible", "deals.created_by_id", "deals.created_by",
        "proposals.created_by_id", "proposals.created_by", "proposals.approved_by_id", "proposals.approved_by",
        "followers.user_id", "followers.user",
    }  # fmt: skip
    assert columns_of(Personal.FREE_TEXT, Personal.REPEATED_TEXT) == {
        "deals.title", "proposals.title", "deals.lost_reason_description", "deals.quality_reason",
        "participants.notes", "followers.notes", "custom_fields.value", "deals.utm_search_term",
        "deals.url_conversion", "deals.creative_uri",
    }  # fmt: skip
    assert columns_of(Personal.LABEL) == {
        "custom_fields.option", "tags.tag", "deals.campaign", "deals.ad_set", "deals.content", "deals.displayed_on",
        "deals.conversion_tool", "deals.creative",
    }  # fmt: skip


def test_what_is_readable_in_every_mode_is_an_id_or_a_list_that_the_company_maintains():
    lists = {"pipeline", "stage", "source", "lead_source", "loss_reason", "role", "field", "color"}
    readable = columns_of(Personal.CATEGORY, Personal.IDENTIFIER)
    assert {place for place in readable if not place.endswith("_id") and place.split(".")[1] not in lists} == set()
    declared = {c.name: c.personal for c in LEDGER.columns if c.kind is Kind.TEXT}
    assert declared == {
        "requested": Personal.KEY, "outcome": Personal.CATEGORY, "deal_id": Personal.IDENTIFIER,
        "message": Personal.FREE_TEXT,
    }  # fmt: skip


def test_the_data_dictionary_is_up_to_date():
    page = HERE.parent / "data" / "README.md"
    assert page.read_text(encoding="utf-8") == data_dictionary(), "run `make dictionary`"


def test_the_ledger_explains_every_outcome():
    meaning = next(c.meaning for c in LEDGER.columns if c.name == "outcome")
    assert all(outcome in meaning for outcome in enums.OUTCOMES)
    assert set(enums.RECEIVED) <= enums.OUTCOMES.keys()
