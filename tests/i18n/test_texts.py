import datetime as dt

import pytest

from wegly_analytics.i18n import texts as words


def test_numbers_money_and_percentages_follow_the_language():
    assert words.number(1234.56, "en", 2) == "1,234.56"
    assert words.number(1234.56, "pt", 2) == "1.234,56"
    assert words.percent(0.125, "en", 1) == "12.5%"
    assert words.money(1234.56, "pt").replace("\xa0", " ") == "R$ 1.234,56"
    assert words.money(5, "en", "USD") == "$5.00"


@pytest.mark.parametrize(
    ("value", "short"),
    [(0, "R$0"), (950, "R$950"), (7500, "R$7.5K"), (10_000, "R$10K"), (999_960, "R$1M"), (12_340_000, "R$12.3M")],
)
def test_short_money_has_as_many_digits_as_it_needs(value, short):
    assert words.short_money(value, "en") == short


def test_days_and_periods_follow_the_language():
    start = dt.date(2026, 3, 2)
    assert words.day(start, "pt") == "2 de mar. de 2026"
    assert [words.period(start, every, "en") for every in ("month", "quarter", "year", "week", None)] == [
        "Mar 26",
        "Q1 26",
        "2026",
        "3/2/2026",
        "3/2/2026",
    ]
    assert words.period(start, "week", "pt") == "02/03/2026"


def test_columns_have_labels_and_added_columns_keep_their_names():
    assert words.column("loss_reason", "pt") == "motivo de perda"
    assert words.column("my_size", "pt") == "my size"
