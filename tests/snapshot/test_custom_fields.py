import pandas as pd
import pytest

import wegly_analytics as wa
from wegly_analytics import metrics
from wegly_analytics.errors import SettingError


def answered(name, *answers, **more):
    """A deal with one custom field; an answer is an option, or written text in a list."""
    given = [
        {"id": f"a{n}", "value": answer[0]} if isinstance(answer, list) else {"id": f"a{n}", "option_value": answer}
        for n, answer in enumerate(answers)
    ]
    return {"status": 2, "custom_fields": [{"field_id": f"id of {name}", "field_name": name, "answers": given}]} | more


@pytest.fixture
def snap(snapshot_of):
    return snapshot_of(
        answered("Segmento", "Varejo"),
        answered("Segmento", "Saúde", "Educação", "Saúde"),
        answered("Segmento", ["escrito à mão"], status=3),
        answered("Segmento"),
        answered("Porte", "Grande", archived_at="2026-01-01T00:00:00Z"),
        {"status": 1},
    )


def test_a_custom_field_becomes_a_column(snap):
    column = snap.assign(segment=wa.custom_field("Segmento")).deals["segment"]
    assert column.dropna().tolist() == ["Varejo", "Educação + Saúde", "escrito à mão"]
    assert column.notna().tolist() == [True, True, True, False, False, False]


def test_the_first_of_several_answers_may_be_enough(snap):
    column = snap.assign(segment=wa.custom_field("Segmento", several="first")).deals["segment"]
    assert column.iloc[1] == "Saúde"
    with pytest.raises(SettingError, match="several='last' is neither 'join' nor 'first'"):
        wa.custom_field("Segmento", several="last")


def test_a_field_may_be_named_by_its_id(snap):
    one, other = (snap.assign(x=wa.custom_field(name)) for name in ("Segmento", "id of Segmento"))
    assert one == other


def test_it_filters_groups_and_is_saved_like_any_column(snap, tmp_path):
    segmented = snap.assign(segment=wa.custom_field("Segmento"), twice=lambda deals: deals["code"] * 2)
    assert metrics.win_rate(segmented, by="segment")["segment"].nunique() == 4
    assert len(segmented.where(segment="Varejo")) == 1
    assert len(segmented.where(segment=None)) == 3
    assert segmented.deals["twice"].tolist() == [2, 4, 6, 8, 10, 12]
    assert wa.load(segmented.save(tmp_path, personal="keep")) == segmented


@pytest.mark.parametrize(
    ("name", "hint"),
    [("segmeto", "did you mean 'Segmento'"), ("Xyzzy", "the custom fields are: Porte, Segmento")],
)
def test_an_unknown_field_is_named_with_its_neighbours(snap, name, hint):
    with pytest.raises(SettingError, match=f"no deal has a custom field '{name}'; {hint}"):
        snap.assign(x=wa.custom_field(name))


def test_without_any_field_that_is_said_and_without_deals_there_is_nothing_to_say(snapshot_of):
    with pytest.raises(SettingError, match="there are no custom fields"):
        snapshot_of({}).assign(x=wa.custom_field("Segmento"))
    empty = snapshot_of().assign(x=wa.custom_field("Segmento"))
    assert metrics.win_rate(empty, by="x").empty


def test_the_sample_has_its_segments():
    column = wa.sample().assign(segment=wa.custom_field("Segmento")).deals["segment"]
    fields = wa.sample().custom_fields
    expected = fields[fields["field"] == "Segmento"].dropna(subset="option").groupby("deal_id")["option"].first()
    assert column.notna().sum() == len(expected)
    assert pd.Series(column.dropna().unique()).isin(expected.unique()).all()
