import pyarrow as pa
import pytest

from wegly_analytics.model.schema import Column, Kind, Table, dictionary, tree


def column(**changes):
    return Column(**{"name": "a", "path": "a", "kind": Kind.TEXT, "meaning": "An a."} | changes)


def test_a_documented_number_needs_words_and_nothing_else_has_them():
    with pytest.raises(ValueError, match="a WORD column has words"):
        column(kind=Kind.WORD)
    with pytest.raises(ValueError, match="only a WORD column has"):
        column(words={1: "one"})


def test_arrow_fields_carry_meaning_path_and_unit():
    field = column(unit="days", personal="identity").field
    assert field.metadata == {b"meaning": b"An a.", b"path": b"a", b"unit": b"days", b"personal": b"identity"}
    assert column(required=True).field.nullable is False


def test_the_tree_gives_the_reader_its_nested_schema():
    table = Table("t", "xs[]", "One.", (column(path="xs[].y.z"), column(name="n", path="n", kind=Kind.DAY)))
    inner = pa.struct([("y", pa.struct([("z", pa.string())]))])
    assert tree([table]).read == pa.struct([("xs", pa.list_(inner)), ("n", pa.timestamp("us", "UTC"))])


def test_ignored_paths_are_documented_but_not_read():
    table = Table("t", "", "One.", (column(),))
    assert [leaf.path for leaf in tree([table], ["logo"]).leaves()] == ["a", "logo"]
    assert [leaf.path for leaf in tree([table]).leaves()] == ["a"]


def test_the_dictionary_names_words_units_and_personal_data():
    table = Table(
        "t",
        "",
        "One row is one thing.",
        (column(kind=Kind.WORD, words={1: "one"}), column(name="b", unit="days", personal="text")),
    )
    text = dictionary([table], {"logo": "A picture."})
    for piece in ("## t", "One row is one thing.", "`one` (1)", "Unit: days.", "Free text", "| `logo` | A picture. |"):
        assert piece in text
