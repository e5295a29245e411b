import pandas as pd
import pytest

from wegly_analytics.errors import IdError, MissingColumnError, SettingError
from wegly_analytics.intake.id_sources import ids_from

UUID = "2bce2af3-fd3f-572f-a95b-aaabdbdb7cf3"
FRAME = pd.DataFrame({"owner": ["a", "b", "c", "d"], "code": [17, None, 3, 17]})


@pytest.mark.parametrize("name", ["x.csv", "x.xlsx", "x.parquet"])
def test_a_column_of_a_table_is_a_list_of_ids(tmp_path, name):
    file = tmp_path / name
    writer = {"csv": FRAME.to_csv, "xlsx": FRAME.to_excel, "parquet": FRAME.to_parquet}[name.rpartition(".")[2]]
    writer(file, index=False)
    assert ids_from(file) == ["17", "3"]
    assert ids_from(file, "code") == ["17", "3"]


def test_a_brazilian_csv_file_has_semicolons_and_a_byte_order_mark(tmp_path):
    file = tmp_path / "x.csv"
    file.write_text(f"Título;Código\nA, e B;{UUID}\nC;  12 \n;\n", encoding="utf-8-sig")
    assert ids_from(file) == [UUID, "12"]


def test_a_single_column_needs_no_name(tmp_path):
    file = tmp_path / "x.tsv"
    file.write_text("whatever\n5\n6\n")
    assert ids_from(file) == ["5", "6"]


def test_long_codes_keep_their_last_digits(tmp_path):
    file = tmp_path / "x.csv"
    file.write_text("code,x\n9007199254740993,1\n,2\n")
    assert ids_from(file) == ["9007199254740993"]


def test_a_cell_that_is_not_an_id_is_named_with_its_row(tmp_path):
    file = tmp_path / "x.csv"
    file.write_text("code,x\n5,1\nabc,2\n")
    with pytest.raises(IdError, match=r"x.csv, row 3, column 'code': 'abc' is .* deal id"):
        ids_from(file)
    with pytest.raises(MissingColumnError, match="x.csv has no column 'cod'; did you mean 'code'?"):
        ids_from(file, "cod")
    file.write_text("a,b\n1,2\n")
    with pytest.raises(SettingError, match="x.csv has the columns a, b: pass column= with the one that holds the ids"):
        ids_from(file)


@pytest.mark.parametrize(("name", "text"), [("none.csv", None), ("x.parquet", "no"), ("x.doc", "no"), ("x.xlsx", "no")])
def test_a_file_that_cannot_be_read_is_named(tmp_path, name, text):
    if text:
        (tmp_path / name).write_text(text)
    with pytest.raises(SettingError, match=f"{name} cannot be read: "):
        ids_from(tmp_path / name)


def test_a_line_for_excel_and_a_suffix_in_capitals_do_not_matter(tmp_path):
    file = tmp_path / "D.CSV"
    file.write_text("sep=;\r\nname;code\r\na;17\r\nb;3\r\n")
    assert ids_from(file) == ["17", "3"]


def test_a_repeated_column_is_named(tmp_path):
    (tmp_path / "x.csv").write_text("code,code\n1,2\n")
    with pytest.raises(SettingError, match="several columns called 'code'"):
        ids_from(tmp_path / "x.csv")
