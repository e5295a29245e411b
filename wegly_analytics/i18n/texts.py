"""The texts that a user sees in a table or a chart, in each language; Babel formats numbers and dates.

The English text is the key, as in gettext: ``say("deals", "pt")``. A text that the catalog does not contain is an error
in every language, English included.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from babel.dates import format_date, format_skeleton
from babel.numbers import format_compact_currency, format_currency, format_decimal, format_percent

from wegly_analytics.i18n.catalogs import N_, MissingTranslationError, languages, locale_of, translations

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

__all__ = [
    "N_",
    "MissingTranslationError",
    "column",
    "day",
    "languages",
    "listed",
    "money",
    "number",
    "percent",
    "period",
    "say",
    "short_money",
]


def say(text: str, lang: str = "en", **params: object) -> str:
    """Translate a text into a language and fill its placeholders.

    Parameters
    ----------
    text
        The English text, as in the catalog.
    lang
        A language of `languages()`: ``"en"``, ``"pt"``.
    **params
        The values of its placeholders.

    Raises
    ------
    MissingTranslationError
        If the catalog does not contain the text.
    ValueError
        If the language is unknown.

    Examples
    --------
    >>> say("{received} of {requested} requested deals received", "pt", received=3, requested=4)
    'vieram 3 de 4 negócios pedidos'
    """
    return translations(lang).gettext(text).format(**params)


def column(name: str, lang: str) -> str:
    """Return the label of a column to group by; a column that the user added keeps its name."""
    try:
        return say(name, lang)
    except MissingTranslationError:
        return name.replace("_", " ")


def listed(items: Iterable[str]) -> str:
    """Join texts with commas."""
    return ", ".join(items)


def number(value: float, lang: str, digits: int = 0) -> str:
    """Format a number.

    Examples
    --------
    >>> number(1234.5, "pt", 1)
    '1.234,5'
    """
    return format_decimal(round(value, digits), format=_decimals(digits), locale=locale_of(lang))


def percent(share: float, lang: str, digits: int = 0) -> str:
    r"""Format a share as a percentage.

    Examples
    --------
    >>> percent(0.125, "en", 1), percent(0.125, "pt", 1).replace("\xa0", " ")
    ('12.5%', '12,5 %')
    """
    space = "\N{NO-BREAK SPACE}" if lang == "pt" else ""  # the SI rules require it
    return format_percent(share, format=f"{_decimals(digits)}{space}%", locale=locale_of(lang))


def money(value: float, lang: str, currency: str = "BRL") -> str:
    r"""Format an amount of money in full.

    Examples
    --------
    >>> money(1234.56, "en"), money(1234.56, "pt").replace("\xa0", " ")
    ('R$1,234.56', 'R$ 1.234,56')
    """
    return format_currency(value, currency, locale=locale_of(lang))


def short_money(value: float, lang: str, currency: str = "BRL") -> str:
    r"""Format an amount of money with three digits, for axes and labels.

    Examples
    --------
    >>> short_money(15340, "en"), short_money(15340, "pt").replace("\xa0", " ")
    ('R$15.3K', 'R$ 15,3 mil')
    """
    value = float(f"{value:.3g}")
    scaled = abs(value)
    while scaled >= 1000:
        scaled /= 1000
    digits = 0 if abs(value) < 1000 or scaled == round(scaled) else 1
    return format_compact_currency(value, currency, locale=locale_of(lang), fraction_digits=digits)


def day(when: date, lang: str) -> str:
    """Format a day.

    Examples
    --------
    >>> import datetime
    >>> day(datetime.date(2026, 7, 1), "en"), day(datetime.date(2026, 7, 1), "pt")
    ('Jul 1, 2026', '1 de jul. de 2026')
    """
    return format_date(when, "medium", locale=locale_of(lang))


def period(start: date, every: str | None, lang: str) -> str:
    """Format a period, given its first day.

    Examples
    --------
    >>> import datetime
    >>> [period(datetime.date(2026, 4, 1), every, "pt") for every in ("month", "quarter", "year")]
    ['abr. 26', 'T2 26', '2026']
    """
    match every:
        case "month":
            return format_date(start, "MMM yy", locale=locale_of(lang))
        case "quarter":
            return format_date(start, "QQQ yy", locale=locale_of(lang))
        case "year":
            return str(start.year)
    return str(format_skeleton("yMd", start, locale=locale_of(lang)))


def _decimals(digits: int) -> str:
    return "#,##0" + ("." + "0" * digits if digits else "")
