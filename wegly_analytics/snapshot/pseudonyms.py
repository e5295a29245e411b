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
import pyarrow.compute as pc

from wegly_analytics.errors import SettingError
from wegly_analytics.model.ids import is_key

if TYPE_CHECKING:
    from wegly_analytics.model.personal import Treatment

_BLOCK: Final = hashlib.sha256().block_size
_INNER: Final = bytes(n ^ 0x36 for n in range(256))
_OUTER: Final = bytes(n ^ 0x5C for n in range(256))

_CODE: Final = r"\A[1-9][0-9]{0,17}\z"
"""A code, as most ids are."""

_PERHAPS_ID: Final = r"\A[0-9A-Fa-f-]{1,40}\z"
"""What else may be an id; `is_key` decides."""

_DIGITS: Final = 32
"""Hexadecimal digits of a pseudonym: 128 bits make collisions practically impossible."""


class Pseudonyms:
    """Makes the pseudonyms of a batch of tables; each value is hashed once, however many columns hold it.

    Parameters
    ----------
    secret
        The key of the hash; not needed if there is nothing to hash.

    Examples
    --------
    >>> Pseudonyms(b"secret").of([b"Ana"])
    ['234126c8b4abc2991f3de81da5fa4723']
    """

    def __init__(self, secret: bytes | None) -> None:
        self._secret = secret
        self._known: dict[bytes, str] = {}

    def of(self, values: list[bytes]) -> list[str]:
        """Return the pseudonym of each value, the HMAC-SHA256 of its UTF-8 text.

        This takes less than half the time of `hmac.new`: the two states of the hash that depend on the key alone (RFC
        2104) are computed once, and copied for each value.
        """
        if not values:
            return []
        if self._secret is None:
            raise SettingError("there is no secret to make pseudonyms with: see Protection.unlocked")
        key = self._secret if len(self._secret) <= _BLOCK else hashlib.sha256(self._secret).digest()
        inner = hashlib.sha256(key.ljust(_BLOCK, b"\0").translate(_INNER))
        outer = hashlib.sha256(key.ljust(_BLOCK, b"\0").translate(_OUTER))
        known, found = self._known, []
        for value in values:
            name = known.get(value)
            if name is None:
                first, second = inner.copy(), outer.copy()
                first.update(value)
                second.update(first.digest())
                known[value] = name = second.hexdigest()[:_DIGITS]
            found.append(name)
        return found


def treated_column(table: pa.Table, name: str, treatment: Treatment, pseudonyms: Pseudonyms, first: int) -> pa.Table:
    """Treat one column of a table.

    Parameters
    ----------
    table, name
        The table and the column.
    treatment
        What to do with its values.
    pseudonyms
        For the treatment ``"hash"``.
    first
        How many rows were treated before; other texts than ids become the number of the row.
    """
    n = table.schema.get_field_index(name)
    values = table.column(n).combine_chunks()
    if treatment == "ids":
        values = _only_ids(values, first)
    elif treatment == "drop":
        values = pa.nulls(len(values), values.type)
    else:
        coded = values.dictionary_encode()  # what is missing has no place in the dictionary
        names = pa.array(pseudonyms.of(coded.dictionary.cast(pa.binary()).to_pylist()), values.type)
        values = names.take(coded.indices)
    return table.set_column(n, table.schema.field(n), values)


def _only_ids(values: pa.Array, first: int) -> pa.Array:
    """Replace texts that are neither codes nor UUIDs by the number of their row."""
    is_id = pc.fill_null(pc.match_substring_regex(values, _CODE), False)
    maybe = pc.and_not(pc.fill_null(pc.match_substring_regex(values, _PERHAPS_ID), False), is_id)
    if pc.any(maybe).as_py():
        sure = pa.array([is_key(value) for value in values.filter(maybe).to_pylist()], pa.bool_())
        is_id = pc.replace_with_mask(is_id, maybe, sure)
    if pc.all(is_id).as_py():
        return values
    numbers = pa.array(range(first + 1, first + 1 + len(values)), pa.int64()).cast(values.type)
    return pc.if_else(is_id, values, pc.binary_join_element_wise("row", numbers, " "))


def fingerprint(secret: bytes) -> str:
    """Identify a secret without revealing it."""
    return hmac.new(secret, b"wegly_analytics: which secret", hashlib.sha256).hexdigest()[:8]
