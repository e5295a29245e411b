"""Personal data in published snapshots: replaced by pseudonyms, dropped, or kept.

Which columns are personal, and what each mode does with them, is declared in `wegly_analytics.model.tables`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, cast, get_args

import pyarrow as pa

from wegly_analytics.errors import MissingColumnError, SettingError
from wegly_analytics.model.personal import UNDECLARED, Mode, Treatment
from wegly_analytics.model.schema import Kind
from wegly_analytics.model.tables import DEAL_ID, DEALS, LEDGER, TABLES, TAGS
from wegly_analytics.snapshot.expressions import Filter
from wegly_analytics.snapshot.pseudonyms import Pseudonyms, fingerprint, treated_column

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from wegly_analytics.parsing.drift import Drift

_MODES: Final[tuple[Mode, ...]] = ("keep", "hash", "hash-all", "drop")
"""From weakest to strongest: a stronger mode cannot be undone."""

_TREATMENTS: Final[tuple[Treatment, ...]] = ("keep", "ids", "hash", "drop")
"""From weakest to strongest."""

_CHOICES: Final[tuple[Treatment, ...]] = ("keep", "hash", "drop")
"""The treatments that a user can choose for a column."""

_VALUES: Final = re.compile(r"(\w+) = ", re.ASCII)
"""How the text of a filter on the values of one column begins; that of an expression never does."""

_OBJECTS: Final = sorted({f"{c.path.rpartition('.')[0]}." for t in TABLES.values() for c in t.columns if "." in c.path})
"""The documented objects below the root, each with a dot at its end."""

_UNNAMED: Final = "(undocumented)"


@dataclass(frozen=True)
class Protection:
    """How personal columns were treated.

    Attributes
    ----------
    mode
        The mode of the whole snapshot.
    columns
        The treatment of each column, by ``"table.column"``; a column that is not listed is unchanged.
    key
        The fingerprint of the secret of the pseudonyms.
    assigned
        The declared columns of deals that were assigned: they may hold anything.
    secret
        The secret itself; never shown or saved.
    """

    mode: Mode = "keep"
    columns: Mapping[str, Treatment] = field(default_factory=dict)
    key: str | None = None
    assigned: frozenset[str] = frozenset()
    secret: bytes | None = field(default=None, repr=False, compare=False)

    def as_dict(self) -> dict[str, Any]:
        """Return everything but the secret, for a manifest."""
        return {
            "mode": self.mode,
            "columns": dict(self.columns),
            "key": self.key,
            "assigned": sorted(self.assigned),
        }

    def apply(
        self, tables: Mapping[str, pa.Table], *, ledger: bool = False, first_rows: Mapping[str, int] | None = None
    ) -> dict[str, pa.Table]:
        """Treat untreated tables in the same way. Tables and columns that they do not have are ignored.

        Parameters
        ----------
        tables
            The tables, some of them, or a batch of their rows.
        ledger
            Whether to treat the ledger. It is treated only when it is published: in memory its messages say what went
            wrong.
        first_rows
            How many rows of each table were in batches before this one.
        """
        treated = dict(tables)
        pseudonyms = Pseudonyms(self.secret)
        for place, treatment in self.columns.items():
            table, name = place.split(".", 1)
            if table not in treated or (table == LEDGER.name and not ledger):
                continue
            if treatment != "keep" and name in treated[table].schema.names:
                first = (first_rows or {}).get(table, 0)
                treated[table] = treated_column(treated[table], name, treatment, pseudonyms, first)
        return treated

    def further(
        self,
        mode: Mode,
        columns: Mapping[str, Treatment] | None,
        deals: pa.Schema,
        secret: Callable[[], bytes],
    ) -> Protection:
        """Combine this treatment with a further one; the stronger of the two holds.

        The secret is read only if there are new pseudonyms to make.

        Parameters
        ----------
        mode
            The further mode.
        columns
            Treatments of single columns that differ from the mode.
        deals
            The columns of deals, including assigned ones.
        secret
            Reads the secret.

        Raises
        ------
        SettingError
            If a mode or treatment is unknown, or the present pseudonyms were made with another secret.
        MissingColumnError
            If there is no such text column.
        """
        further = _requested(mode, columns, deals, self.assigned)
        combined: dict[str, Treatment] = {}
        for place in sorted({*self.columns, *further}):
            both = (self.columns.get(place, "keep"), further.get(place, "keep"))
            combined[place] = max(both, key=_TREATMENTS.index)
        combined = {place: treatment for place, treatment in combined.items() if treatment != "keep"}
        mode = max(mode, self.mode, key=_MODES.index)
        if any(each == "hash" and self.columns.get(place) != "hash" for place, each in combined.items()):
            found = secret()
            return Protection(mode, combined, fingerprint(found), self.assigned, self.unlocked(found).secret)
        return replace(self, mode=mode, columns=combined)

    def unlocked(self, secret: bytes) -> Protection:
        """Add the secret, which is needed for new pseudonyms.

        Raises
        ------
        SettingError
            If the present pseudonyms were made with another secret.
        """
        key = fingerprint(secret)
        if self.key not in (None, key):
            raise SettingError(
                f"the pseudonyms were made with secret {self.key}, but the secret on this computer is {key}: the same "
                "person would get two pseudonyms. Provide the first secret (WEGLY_SALT_FILE), or save with "
                "personal='drop'"
            )
        return replace(self, secret=secret)

    def without(self, columns: Collection[str]) -> Protection:
        """Return the treatment of the other columns; these columns of deals were assigned and are untreated."""
        assigned = {f"{DEALS.name}.{name}" for name in columns}
        left = {place: each for place, each in self.columns.items() if place not in assigned}
        return replace(self, columns=left, assigned=self.assigned.union(columns).intersection(DEALS.names))

    def rest(self, done: Protection) -> Protection:
        """Return the part of this treatment that is not yet done."""
        left = {
            place: treatment
            for place, treatment in self.columns.items()
            if done.columns.get(place) != treatment or place.startswith(f"{LEDGER.name}.")  # a refresh adds messages
        }
        return replace(self, columns=left)

    def marked(self, name: str, table: pa.Table) -> pa.Table:
        """Record the treatment in a table's metadata, for readers of a single file."""
        for n, column in enumerate(table.schema):
            treatment = self.columns.get(f"{name}.{column.name}")
            if treatment is not None:
                metadata = {**(column.metadata or {}), b"personal_mode": treatment.encode()}
                table = table.set_column(n, column.with_metadata(metadata), table.column(n))
        return table.replace_schema_metadata({**(table.schema.metadata or {}), b"personal_mode": self.mode.encode()})

    def without_values(self, filters: Iterable[str], columns: Iterable[str], before: Protection) -> tuple[str, ...]:
        """Return the texts of filters for a manifest: only those whose columns are all known and not treated.

        Parameters
        ----------
        filters
            The texts: `Filter`, or plain texts of a loaded snapshot.
        columns
            The columns of deals.
        before
            The treatment that the plain texts were published with.

        Examples
        --------
        >>> hashed = Protection("hash", {"deals.organization": "hash"})
        >>> hashed.without_values(["organization = Acme", "status = won"], ["organization", "status"], Protection())
        ('organization (value not shown)', 'status = won')
        """
        treated = self._treated_names()
        if not treated:
            return tuple(map(str, filters))
        shown = {*columns, *TAGS.names} - treated
        is_published = treated == before._treated_names()
        texts = []
        for text in filters:
            plain = None if isinstance(text, Filter) else _VALUES.match(text)
            names = text.columns if isinstance(text, Filter) else {plain[1]} if plain else set()
            if (names and names <= shown) or (is_published and not isinstance(text, Filter)):
                texts.append(str(text))
            else:
                known = sorted(names & {*columns, *TAGS.names})
                texts.append(f"{', '.join(known)} (value not shown)" if known else "(a filter, not shown)")
        return tuple(texts)

    def _treated_names(self) -> set[str]:
        places = (place.split(".", 1) for place, treatment in self.columns.items() if treatment != "keep")
        return {name for table, name in places if table in (DEALS.name, TAGS.name)}

    def treatments(self, names: Collection[str]) -> set[Treatment]:
        """Return what was done to columns of deals, or to tags, that are not as received."""
        places = (f"{DEALS.name}.{name}" for name in names)
        tag = {f"{TAGS.name}.tag"} if "tag" in names else set()
        return {self.columns[place] for place in {*places, *tag} if place in self.columns}

    def drift(self, seen: Drift) -> Drift:
        """Remove the names of undocumented fields, unless everything is kept: a key may hold a name, too."""
        if self.mode == "keep":
            return seen
        unknown: dict[str, list[Any]] = {}
        for path, (count, kind) in seen.unknown.items():
            parent = max((p for p in _OBJECTS if path.startswith(p)), key=len, default="")
            place = f"{parent}{_UNNAMED}"
            known, first = unknown.get(place, (0, kind))
            unknown[place] = [max(known, count), first]
        return replace(seen, unknown=unknown)


def _requested(
    mode: Mode, columns: Mapping[str, Treatment] | None, deals: pa.Schema, replaced: frozenset[str]
) -> dict[str, Treatment]:
    """Return the treatment of each column, or refuse what cannot be used. Assigned columns count as undeclared."""
    if mode not in _MODES:
        raise SettingError(f"personal={mode!r} is none of {', '.join(map(repr, get_args(Mode)))}")
    if columns is not None and not isinstance(columns, Mapping):
        raise SettingError(f"columns={columns!r}: give a dictionary such as {{'deals.title': 'keep'}}")
    assigned = {
        f"deals.{f.name}": UNDECLARED.treatment(mode)
        for f in deals
        if (f.name not in DEALS.names or f.name in replaced)
        and (pa.types.is_string(f.type) or pa.types.is_large_string(f.type))
    }
    texts = {f"{t.name}.{c.name}" for t in TABLES.values() for c in t.columns if c.kind is Kind.TEXT}
    texts = texts.union(assigned) - {f"{name}.{DEAL_ID.name}" for name in TABLES}
    for place, treatment in (columns or {}).items():
        if place not in texts:
            raise MissingColumnError("the list of text columns", str(place), sorted(texts))
        if treatment not in _CHOICES:
            raise SettingError(f"columns={{{place!r}: {treatment!r}}} is none of {', '.join(map(repr, _CHOICES))}")
    declared = {
        f"{t.name}.{c.name}": c.personal.treatment(mode)
        for t in (*TABLES.values(), LEDGER)
        for c in t.columns
        if c.personal
    }
    return declared | assigned | dict(columns or {})


def restored(saved: Mapping[str, Any]) -> Protection:
    """Read what `Protection.as_dict` returned.

    Raises
    ------
    ValueError
        If a mode or treatment is unknown.
    """
    columns = dict(saved["columns"])
    if saved["mode"] not in _MODES or not set(columns.values()) <= set(_TREATMENTS):
        raise ValueError(f"personal {saved!r}")
    assigned = frozenset(saved.get("assigned", ()))
    return Protection(saved["mode"], cast("dict[str, Treatment]", columns), saved["key"], assigned)
