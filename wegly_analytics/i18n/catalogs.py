"""The gettext catalogs: which languages exist, and the texts of each.

A language is one file, ``locale/<locale>/LC_MESSAGES/wegly.po``; English is the template ``locale/wegly.pot``. Catalogs
are compiled when first needed and kept in memory, so no compiled file can be older than its source.
"""

from __future__ import annotations

import io
from functools import cache
from gettext import NullTranslations
from pathlib import Path
from typing import Final

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import Translations

FOLDER = Path(__file__).parent / "locale"
DOMAIN: Final = "wegly"


class MissingTranslationError(KeyError):
    """A text that a catalog does not contain."""

    def __init__(self, text: str, path: Path) -> None:
        super().__init__(text)
        self.path = path

    def __str__(self) -> str:
        return f"{self.path.parent.name}/{self.path.name} has no {self.args[0]!r}: run `make catalog`"


class _Strict(NullTranslations):
    """The last fallback: a text that no catalog contains is an error."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path

    def gettext(self, message: str) -> str:
        """Refuse the text."""
        raise MissingTranslationError(message, self.path)


def N_(text: str) -> str:  # noqa: N802 (gettext's own name)
    """Mark a text for extraction and return it unchanged; `say` translates it later."""
    return text


def languages() -> dict[str, str]:
    """Return the languages and the locale of each.

    Examples
    --------
    >>> languages()
    {'en': 'en_US', 'pt': 'pt_BR'}
    """
    return dict(_languages(FOLDER))


def locale_of(lang: str) -> str:
    """Return the locale of a language, or raise ValueError with the languages that exist."""
    known = _languages(FOLDER)
    if lang not in known:
        raise ValueError(f"lang={lang!r} is unknown; use one of {', '.join(map(repr, known))}")
    return known[lang]


def translations(lang: str) -> Translations:
    """Return the texts of a language; its `gettext` raises `MissingTranslationError` for an unknown text."""
    return _read(FOLDER, locale_of(lang))


@cache
def _languages(folder: Path) -> dict[str, str]:
    found = sorted(path.parent.parent.name for path in folder.glob(f"*/LC_MESSAGES/{DOMAIN}.po"))
    return {"en": "en_US"} | {name.partition("_")[0]: name for name in found}


@cache
def _read(folder: Path, locale: str) -> Translations:
    is_template = locale == "en_US"
    path = folder / f"{DOMAIN}.pot" if is_template else folder / locale / "LC_MESSAGES" / f"{DOMAIN}.po"
    with path.open("rb") as file:
        catalog = read_po(file, locale=locale)
    if is_template:
        for message in catalog:
            if message.id:
                message.string = message.id
    compiled = io.BytesIO()
    write_mo(compiled, catalog)
    compiled.seek(0)
    texts = Translations(compiled, domain=DOMAIN)
    texts.add_fallback(_Strict(path))
    return texts
