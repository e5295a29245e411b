import ast
import datetime as dt
import re
from pathlib import Path

import pytest
from metrics.test_metrics import METRICS

import wegly_analytics as wa
from wegly_analytics.i18n import texts as words

PACKAGE = Path(words.__file__).parents[1]


def test_every_text_that_code_says_is_in_the_catalogue():
    for path in [*PACKAGE.glob("plots/*.py"), *PACKAGE.glob("metrics/*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            named = isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", ""))
            if named == "say" and isinstance(node.args[0], ast.Constant):
                assert node.args[0].value in words.PORTUGUESE, path
            if named == "note" and path.parent.name == "metrics" and isinstance(node.args[0], ast.Constant):
                assert node.args[0].value in words.PORTUGUESE, path
            if named == "append" and ast.unparse(node.func).endswith("caveats.append"):
                assert node.args[0].value in words.PORTUGUESE, path


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
def test_every_rule_and_every_reason_to_leave_deals_out_is_in_the_catalogue(metric):
    attrs = metric(wa.sample(), by="tag").attrs
    for text in [*attrs["rule"].split(" · "), *attrs["excluded"], *attrs["caveats"]]:
        assert text in words.PORTUGUESE


def test_translations_keep_the_braces():
    for english, portuguese in words.PORTUGUESE.items():
        assert sorted(re.findall(r"{\w+}", english)) == sorted(re.findall(r"{\w+}", portuguese))


def test_a_text_without_a_translation_is_an_error():
    with pytest.raises(words.MissingTranslationError, match="has no 'Nonsense': add it"):
        words.say("Nonsense")
    with pytest.raises(ValueError, match="lang='xx': there are 'en', 'pt'"):
        words.say("won", "xx")


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


def test_columns_have_names_and_own_columns_keep_theirs():
    assert words.column("loss_reason", "pt") == "motivo de perda"
    assert words.column("my_size", "pt") == "my size"
