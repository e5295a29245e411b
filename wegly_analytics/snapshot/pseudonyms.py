"""What a treatment does with the values of a column.

A pseudonym is a keyed hash (HMAC-SHA256). Equal values get equal pseudonyms, so people can be counted and joined, but
without the secret the person cannot be found, not even by trying every telephone number. The secret is stored outside
the data.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from wegly_analytics.errors import SettingError
from wegly_analytics.model.ids import is_key

if TYPE_CHECKING:
    from wegly_analytics.model.personal import Treatment

_DIGITS: Final = 32
"""Hexadecimal digits of a pseudonym: 128 bits make collisions practically impossible."""


def treated_column(table: pa.Table, name: str, treatment: Treatment, secret: bytes | None) -> pa.Table:
    """Treat one column of a table; `secret` is needed for pseudonyms only."""
    n = table.schema.get_field_index(name)
    values = table.column(n).combine_chunks()
    if treatment == "ids":
        rows = enumerate(values.to_pylist(), start=1)
        values = pa.array([value if is_key(value) else f"row {n}" for n, value in rows], values.type)
    elif treatment == "drop":
        values = pa.nulls(len(values), values.type)
    else:
        coded = values.dictionary_encode()
        names = pa.array([_pseudonym(value, secret) for value in coded.dictionary.to_pylist()], values.type)
        values = names.take(coded.indices)
    return table.set_column(n, table.schema.field(n), values)


def _pseudonym(value: str | None, secret: bytes | None) -> str | None:
    if value is None:
        return None
    if secret is None:
        raise SettingError("there is no secret to make pseudonyms with: see Protection.unlocked")
    return hmac.new(secret, value.encode(), hashlib.sha256).hexdigest()[:_DIGITS]


def fingerprint(secret: bytes) -> str:
    """Identify a secret without revealing it."""
    return hmac.new(secret, b"wegly_analytics: which secret", hashlib.sha256).hexdigest()[:8]
