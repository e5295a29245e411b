"""The gettext catalogs are complete, hold nothing unused, and a new language is one file."""

import ast
import re
import shutil
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po
from metrics.companies import METRICS

import wegly_analytics as wa
from wegly_analytics.i18n import catalogs
from wegly_analytics.i18n import texts as words

PACKAGE = Path(words.__file__).parents[1]
FOLDER = catalogs.FOLDER
METHOD = "wegly_analytics.i18n.extraction:extract"


def messages(path, locale=None):
    with path.open("rb") as file:
        return {message.id: message for message in read_po(file, locale=locale) if message.id}


TEMPLATE = messages(FOLDER / "wegly.pot")
CATALOGS = sorted(FOLDER.glob("*/LC_MESSAGES/wegly.po"))


def extracted():
    return {text for _, _, text, _, _ in extract_from_dir(PACKAGE, [("**.py", METHOD)])}


def test_the_template_is_what_the_code_contains():
    found = extracted()
    assert found - set(TEMPLATE) == set(), "run `make catalog` and translate these"
    assert set(TEMPLATE) - found == set(), "no code uses these: run `make catalog`"


@pytest.mark.parametrize("path", CATALOGS, ids=lambda path: path.parts[-3])
def test_every_message_has_a_translation_with_the_same_placeholders(path):
    catalog = messages(path, path.parts[-3])
    assert set(catalog) == set(TEMPLATE), "run `make catalog`"
    assert [text for text, message in catalog.items() if not message.string or message.fuzzy] == []
    for text, message in catalog.items():
        assert sorted(re.findall(r"{\w+}", text)) == sorted(re.findall(r"{\w+}", message.string))


def test_every_declared_message_is_a_string_of_the_code():
    """A message that is only declared, in i18n/messages.py, is unused; f-strings may compose one."""
    strings, patterns = set(), []
    for path in PACKAGE.rglob("*.py"):
        if path.parent.name == "i18n":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                strings.add(node.value)
            elif isinstance(node, ast.JoinedStr):
                parts = [re.escape(part.value) if isinstance(part, ast.Constant) else ".+" for part in node.values]
                if any(isinstance(part, ast.Constant) and len(part.value) > 3 for part in node.values):
                    patterns.append("".join(parts))
    unused = [text for text in TEMPLATE if text not in strings and not any(re.fullmatch(p, text) for p in patterns)]
    assert unused == []


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
def test_every_rule_reason_and_caveat_of_a_metric_is_in_the_catalog(metric):
    attrs = metric(wa.sample(), by="tag").attrs
    for text in [*attrs["rule"].split(" · "), *attrs["excluded"], *attrs["caveats"]]:
        assert text in TEMPLATE


def test_a_text_that_no_catalog_contains_is_an_error_in_every_language():
    for lang, file in (("en", "wegly.pot"), ("pt", "wegly.po")):
        with pytest.raises(words.MissingTranslationError, match=f"{file} has no 'Nonsense': run `make catalog`"):
            words.say("Nonsense", lang)
    with pytest.raises(ValueError, match="lang='xx' is unknown; use one of 'en', 'pt'"):
        words.say("won", "xx")


def test_a_third_language_is_one_file(tmp_path, monkeypatch):
    folder = tmp_path / "locale"
    shutil.copytree(FOLDER, folder)
    spanish = folder / "es_ES" / "LC_MESSAGES" / "wegly.po"
    spanish.parent.mkdir(parents=True)
    spanish.write_text('msgid "n={n}"\nmsgstr "total {n}"\n', encoding="utf-8")
    monkeypatch.setattr(catalogs, "FOLDER", folder)
    assert words.languages() == {"en": "en_US", "es": "es_ES", "pt": "pt_BR"}
    assert words.say("n={n}", "es", n=words.number(1234567, "es")) == "total 1.234.567"
    assert words.say("won", "pt") == "ganhos"
    with pytest.raises(words.MissingTranslationError, match="LC_MESSAGES/wegly.po has no 'won'"):
        words.say("won", "es")


def test_extraction_takes_both_branches_of_a_conditional():
    from io import BytesIO

    from wegly_analytics.i18n.extraction import extract

    code = b'say("a" if x else "b", lang); N_("c"); other("d"); cohort.note("e", 1); say(name, lang)'
    assert {text for _, _, text, _ in extract(BytesIO(code), (), (), {})} == {"a", "b", "c", "e"}
