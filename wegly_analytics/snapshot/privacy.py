"""Personal data in what is published: turned into pseudonyms, left out, or kept.

A pseudonym is a keyed hash (HMAC-SHA256): equal values stay equal, so that people can be counted and joined, but nobody
without the secret can find out who they are, not even by trying all telephone numbers. The secret lies outside the
data. Which columns are personal stands in their declarations.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, Literal, cast, get_args

import pyarrow as pa

from wegly_analytics.errors import MissingColumnError, SettingError
from wegly_analytics.model.tables import TABLES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from wegly_analytics.model.schema import Personal

Mode = Literal["hash", "drop", "keep"]

_TREATMENT: Final[dict[Mode, dict[Personal, Mode]]] = {
    "hash": {"identity": "hash", "text": "drop", "reason": "keep"},
    "drop": {"identity": "drop", "text": "drop", "reason": "drop"},
    "keep": {"identity": "keep", "text": "keep", "reason": "keep"},
}
"""What each mode does with each kind of personal column."""

_STRENGTH: Final[tuple[Mode, ...]] = ("keep", "hash", "drop")
"""What was done more strongly cannot be undone."""

_DIGITS: Final = 32
"""Hexadecimal digits of a pseudonym: 128 bits, so that no two people ever share one."""


@dataclass(frozen=True)
class Protection:
    """What was done to personal columns.

    Attributes
    ----------
    mode
        The mode as a whole.
    columns
        What was done to each column, by ``"table.column"``; one that is not listed is as it came.
    key
        Which secret the pseudonyms were made with, without telling it.
    secret
        The secret itself, never shown or saved.
    """

    mode: Mode = "keep"
    columns: Mapping[str, Mode] = field(default_factory=dict)
    key: str | None = None
    secret: bytes | None = field(default=None, repr=False, compare=False)

    def as_dict(self) -> dict[str, Any]:
        """All but the secret, for a manifest."""
        return {"mode": self.mode, "columns": dict(self.columns), "key": self.key}

    def apply(self, tables: Mapping[str, pa.Table]) -> dict[str, pa.Table]:
        """Do to tables that came as they are what was done to others."""
        done = dict(tables)
        for place, mode in self.columns.items():
            table, name = place.split(".")
            if mode != "keep":
                done[table] = _treated(done[table], name, mode, self.secret)
        return done

    def further(self, mode: Mode, columns: Mapping[str, Mode], secret: Callable[[], bytes]) -> Protection:
        """Say what is to be done to tables on which this was done already: nothing can be undone.

        The secret is only read where there is something new to make pseudonyms of.

        Raises
        ------
        SettingError
            If a mode or a column is unknown, or the pseudonyms were made with another secret.
        """
        wanted = {
            place: max(each, self.columns.get(place, "keep"), key=_STRENGTH.index)
            for place, each in _wanted(mode, columns).items()
        }
        wanted = {place: each for place, each in sorted(wanted.items()) if each != "keep"}
        mode = max(mode, self.mode, key=_STRENGTH.index)
        if any(each == "hash" and self.columns.get(place) != "hash" for place, each in wanted.items()):
            found = secret()
            return Protection(mode, wanted, fingerprint(found), self.unlocked(found).secret)
        return Protection(mode, wanted, self.key, self.secret)

    def unlocked(self, secret: bytes) -> Protection:
        """Add the secret, with which more people can be given their pseudonyms.

        Raises
        ------
        SettingError
            If the pseudonyms were made with another one.
        """
        key = fingerprint(secret)
        if self.key not in (None, key):
            raise SettingError(
                f"the pseudonyms were made with secret {self.key}, here lies secret {key}: equal people would "
                "no longer be equal. Bring the other secret here (WEGLY_SALT_FILE), or save with personal='drop'"
            )
        return replace(self, secret=secret)

    def rest(self, done: Protection) -> Protection:
        """Say what of this is left to do where some was done already."""
        left: dict[str, Mode] = {place: mode for place, mode in self.columns.items() if done.columns.get(place) != mode}
        return Protection(self.mode, left, self.key, self.secret)

    def marked(self, name: str, table: pa.Table) -> pa.Table:
        """Write into a table's metadata what was done to it, for whoever reads the file alone."""
        for n, column in enumerate(table.schema):
            mode = self.columns.get(f"{name}.{column.name}")
            if mode is not None:
                notes = {**(column.metadata or {}), b"personal_mode": mode.encode()}
                table = table.set_column(n, column.with_metadata(notes), table.column(n))
        return table.replace_schema_metadata({**(table.schema.metadata or {}), b"personal_mode": self.mode.encode()})


def _wanted(mode: Mode, columns: Mapping[str, Mode]) -> dict[str, Mode]:
    for each in (mode, *columns.values()):
        if each not in get_args(Mode):
            raise SettingError(f"personal={each!r} is none of {', '.join(map(repr, get_args(Mode)))}")
    texts = {f"{t.name}.{c.name}" for t in TABLES.values() for c in t.columns if c.kind.name == "TEXT"}
    for place in columns:
        if place not in texts or place.endswith(".deal_id"):
            raise MissingColumnError("the list of text columns", place, sorted(texts))
    declared: dict[str, Mode] = {
        f"{t.name}.{c.name}": _TREATMENT[mode][c.personal] for t in TABLES.values() for c in t.columns if c.personal
    }
    return declared | dict(columns)


def _treated(table: pa.Table, name: str, mode: Mode, secret: bytes | None) -> pa.Table:
    n = table.schema.get_field_index(name)
    values = table.column(n).combine_chunks()
    if mode == "drop":
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
    """Name a secret without telling it."""
    return hmac.new(secret, b"wegly_analytics: which secret", hashlib.sha256).hexdigest()[:8]


def read_secret(file: Path) -> bytes:
    """Read the secret for pseudonyms; make one, private to the user, where there is none yet.

    Raises
    ------
    SettingError
        If it can be neither read nor made, or is too short to be one.
    """
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            secret = bytes.fromhex(file.read_text(encoding="ascii").strip())
        else:
            secret = secrets.token_bytes(32)
            with os.fdopen(handle, "w", encoding="ascii") as new:
                new.write(secret.hex() + "\n")
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is no hexadecimal number"
        raise SettingError(
            f"the secret for pseudonyms in {file}: {why}; let WEGLY_SALT_FILE name another file, or save with "
            "personal='drop'"
        ) from None
    if len(secret) < 16:
        raise SettingError(f"the secret for pseudonyms in {file} is too short; remove the file to make a new one")
    return secret


def restored(saved: Mapping[str, Any]) -> Protection:
    """Read what `Protection.as_dict` wrote."""
    return Protection(saved["mode"], cast("dict[str, Mode]", dict(saved["columns"])), saved["key"])
