import pyarrow as pa
import pytest

from wegly_analytics.model.personal import PROTECTED_MODES, UNDECLARED, Personal
from wegly_analytics.model.schema import Column, Kind, Table, dictionary, tree


def column(**changes):
    kind = changes.setdefault("kind", Kind.TEXT)
    declared = {"personal": Personal.CATEGORY} if kind is Kind.TEXT else {}
    return Column(**{"name": "a", "path": "a", "meaning": "An a."} | declared | changes)


def test_only_a_documented_number_has_labels():
    with pytest.raises(ValueError, match="an ENUM column needs labels"):
        column(kind=Kind.ENUM)
    with pytest.raises(ValueError, match="no other column may have them"):
        column(labels={1: "one"})


def test_arrow_fields_carry_meaning_path_and_unit():
    field = column(unit="days", personal=Personal.STAFF).field
    assert field.metadata == {b"meaning": b"An a.", b"path": b"a", b"unit": b"days", b"personal": b"staff"}
    assert column().field.metadata[b"personal"] == b"category"
    assert column(required=True).field.nullable is False


def test_the_tree_gives_the_reader_its_nested_schema():
    table = Table("t", "xs[]", "One.", (column(path="xs[].y.z"), column(name="n", path="n", kind=Kind.DAY)))
    inner = pa.struct([("y", pa.struct([("z", pa.string())]))])
    assert tree([table]).json_type == pa.struct([("xs", pa.list_(inner)), ("n", pa.timestamp("us", "UTC"))])


def test_ignored_paths_are_documented_but_not_read():
    table = Table("t", "", "One.", (column(),))
    assert [leaf.path for leaf in tree([table], ["logo"]).leaves()] == ["a", "logo"]
    assert [leaf.path for leaf in tree([table]).leaves()] == ["a"]


def test_the_dictionary_shows_labels_units_and_the_treatment_of_personal_data():
    table = Table(
        "t",
        "",
        "One row is one thing.",
        (column(kind=Kind.ENUM, labels={1: "one"}), column(name="b", unit="days", personal=Personal.FREE_TEXT)),
    )
    text = dictionary([table], {"logo": "A picture."})
    for piece in (
        "## t",
        "One row is one thing.",
        "`one` (1)",
        "Unit: days.",
        "free text; `hash`: drop",
        "| `logo` | A picture. |",
    ):
        assert piece in text


def test_only_text_can_be_personal():
    with pytest.raises(ValueError, match="a: only a TEXT column can be marked as personal"):
        column(kind=Kind.INTEGER, personal=Personal.CUSTOMER)


def test_text_without_a_declaration_is_an_error():
    with pytest.raises(ValueError, match="a: a TEXT column must declare what it may hold"):
        column(personal=None)


def test_each_mode_treats_a_column_at_least_as_strongly_as_the_weaker_modes():
    strength = ["keep", "ids", "hash", "drop"]
    for each in Personal:
        treatments = [strength.index(each.treatment(mode)) for mode in ("keep", *PROTECTED_MODES)]
        assert treatments == sorted(treatments)
        assert treatments[0] == 0


def test_a_kind_is_readable_only_in_the_modes_that_it_lists():
    for each in Personal:
        assert each.readable_in == tuple(mode for mode in PROTECTED_MODES if each.treatment(mode) == "keep")
    assert UNDECLARED.readable_in == ()
