from collections import Counter
from pathlib import Path

from wegly_analytics.model import enums as vocabulary
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


def test_names_follow_the_house():
    for table in TABLES.values():
        for column in table.columns:
            assert (str(column.kind.keep) == "timestamp[us, tz=UTC]") == (
                column.name.endswith("_at") or column.name == "valid_until"
            )
            assert (column.kind.name == "FLAG") == column.name.startswith("is_")
            if column.name.startswith("n_"):
                assert column.unit == "count"


def test_undocumented_numbers_stay_numbers():
    undocumented = {("proposals", "status"), ("proposals", "discount_type"), ("contacts", "type")}
    for table, column in undocumented | {("custom_fields", "field_type")}:
        assert str(TABLES[table].schema.field(column).type) == "int64"


def test_names_and_contacts_of_people_are_personal():
    personal = {(t.name, c.name) for t in TABLES.values() for c in t.columns if c.personal == "identity"}
    assert personal == {("participants", "person"), ("contacts", "value")}


def test_the_data_dictionary_is_up_to_date():
    page = HERE.parent / "data" / "README.md"
    assert page.read_text(encoding="utf-8") == data_dictionary(), "run `make dictionary`"


def test_the_ledger_explains_every_outcome():
    meaning = next(c.meaning for c in LEDGER.columns if c.name == "outcome")
    assert all(outcome in meaning for outcome in vocabulary.OUTCOMES)
    assert set(vocabulary.RECEIVED) <= vocabulary.OUTCOMES.keys()
