"""Responses become nine Arrow tables, in bulk.

`bulk` reads pieces of some hundred responses, which are independent of each other; `unfolded` then checks whose
responses they are and makes the tables of many pieces at once, with Arrow kernels.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from wegly_analytics.errors import PayloadError
from wegly_analytics.model.tables import CODE, DEAL_ID, UPDATED_AT
from wegly_analytics.parsing.lines import PIECE_BYTES, PIECE_ROWS, Lines
from wegly_analytics.parsing.reader import ROW, SCHEMA, Reader
from wegly_analytics.parsing.unfold import in_range, levels_of, oversized, unfold

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from wegly_analytics.parsing.reader import Rows

_MAX_ID: Final = 200
"""The most characters of a deal's id; a UUID has 36."""

_UUID: Final = re.compile(r"[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}", re.ASCII | re.IGNORECASE)

_PLAIN_ID: Final = rf"\A[0-9A-Za-z][0-9A-Za-z_-]{{0,{_MAX_ID - 1}}}\z"
"""An id that needs no further check."""


@dataclass(frozen=True)
class Flat:
    """A batch of responses as tables.

    Attributes
    ----------
    tables
        The nine tables by name, each with its declared schema.
    deal_ids
        The deal of each response that was read, by number. If several responses are versions of one deal, the tables
        hold only the newest.
    kept
        The numbers of the responses that the rows of deals come from.
    refused
        The refused responses, by number.
    notes
        The repairs, and the values read as missing, of responses that were kept; by number.
    """

    tables: dict[str, pa.Table] = field(default_factory=dict)
    deal_ids: dict[int, str] = field(default_factory=dict)
    kept: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    refused: dict[int, PayloadError] = field(default_factory=dict)
    notes: dict[int, list[str]] = field(default_factory=dict)


def flatten(bodies: Sequence[bytes], requested: Sequence[str | None] | None = None) -> Flat:
    """Turn responses into the nine tables.

    Parameters
    ----------
    bodies
        One deal's JSON each, as received.
    requested
        For each, the requested id, as `ids.deal_key` writes it; a response with another deal is refused.

    Returns
    -------
    Flat
        The tables and the outcomes: every number below ``len(bodies)`` is in `deal_ids` or in `refused`.

    Examples
    --------
    >>> flat = flatten([b'{"id": "a", "tags": [{"name": "vip"}]}', b"<html>"])
    >>> flat.tables["tags"].column("tag").to_pylist()
    ['vip']
    >>> print(flat.refused[1])
    response: expected a JSON object, found '<…', probably an HTML page, Expecting value at 0
    """
    reader = Reader()
    pieces = [reader.read(lines, first) for first, lines in pieces_of(bodies)]
    return unfolded(pieces, requested)


def pieces_of(bodies: Sequence[bytes]) -> Iterator[tuple[int, Lines]]:
    """Split responses into pieces, each with the number of its first response."""
    piece: list[bytes] = []
    size, first = 0, 0
    for n, body in enumerate(bodies):
        if piece and (size + len(body) >= PIECE_BYTES or len(piece) == PIECE_ROWS):
            yield first, Lines.of(piece)
            piece, size, first = [], 0, n
        piece.append(body)
        size += len(body) + 1
    if piece:
        yield first, Lines.of(piece)


def unfolded(
    pieces: Sequence[Rows], requested: Sequence[str | None] | None = None, places: Sequence[int] | None = None
) -> Flat:
    """Turn responses that were read into the nine tables.

    Parameters
    ----------
    pieces
        The responses; they are numbered on from piece to piece.
    requested
        As for `flatten`.
    places
        The place of each response in the order that decides between equal versions of a deal, if not its number.
    """
    first, tables, flat = 0, [SCHEMA.empty_table()], Flat()
    for piece in pieces:
        numbers = pc.add(piece.table.column(ROW), first)
        tables.append(piece.table.set_column(0, SCHEMA.field(0), numbers))
        flat.refused.update((first + n, error) for n, error in piece.refused.items())
        flat.notes.update((first + n, notes) for n, notes in piece.notes.items())
        first += len(piece.sizes)
    rows = _identified(pa.concat_tables(tables), requested, flat)
    levels = levels_of(rows)
    refused = oversized(levels, np.concatenate([np.zeros(0), *(piece.sizes for piece in pieces)]))
    for n, error in refused.items():
        flat.refused[n] = error
        del flat.deal_ids[n]
        flat.notes.pop(n, None)
    kept = _newest(_without(rows, refused), places, flat)
    if kept.num_rows < rows.num_rows:
        levels = levels_of(kept)
    flat.tables.update(unfold(levels, flat.notes))
    return replace(flat, kept=kept.column(ROW).to_numpy())


def _identified(rows: pa.Table, requested: Sequence[str | None] | None, flat: Flat) -> pa.Table:
    """Refuse responses without an id or with another deal."""
    numbers = rows.column(ROW).to_numpy()
    ids, codes = rows.column(DEAL_ID.path), rows.column(CODE.path)
    wanted = pa.nulls(len(ids), pa.string())
    if requested is not None:
        wanted = pa.array(requested, pa.string()).take(rows.column(ROW).combine_chunks())
    is_code = pc.match_substring_regex(wanted, r"\A[0-9]+\z")
    is_right = pc.if_else(
        is_code,
        pc.fill_null(pc.equal(codes.cast(pa.string()), wanted), True),
        pc.equal(pc.ascii_lower(ids), wanted),
    )
    is_fine = pc.and_(pc.match_substring_regex(ids, _PLAIN_ID), pc.fill_null(is_right, pc.is_null(wanted)))
    refused: dict[int, PayloadError] = {}
    for n in np.flatnonzero(~np.asarray(pc.fill_null(is_fine, False))).tolist():
        if error := _mistaken(ids[n].as_py(), codes[n].as_py(), wanted[n].as_py()):
            refused[int(numbers[n])] = error
    flat.refused.update(refused)
    for n in flat.refused.keys() & flat.notes.keys():
        del flat.notes[n]
    rows = _without(rows, refused)
    flat.deal_ids.update(zip(rows.column(ROW).to_pylist(), rows.column(DEAL_ID.path).to_pylist(), strict=True))
    return rows


def _newest(rows: pa.Table, places: Sequence[int] | None, flat: Flat) -> pa.Table:
    """Of several versions of one deal, keep the newest."""
    ids = rows.column(DEAL_ID.path)
    if pc.count_distinct(ids).as_py() == rows.num_rows:
        return rows
    updated = in_range(rows.column(UPDATED_AT.path)).cast(pa.int64()).fill_null(-(2**63)).to_pylist()
    newest: dict[str, tuple[int, int, int]] = {}
    for (n, deal_id), updated_at in zip(flat.deal_ids.items(), updated, strict=True):
        version = (updated_at, n if places is None else places[n], n)
        newest[deal_id] = max(version, newest.get(deal_id, version))
    kept = {n for _, _, n in newest.values()}
    return _without(rows, [n for n in flat.deal_ids if n not in kept])


def _without(rows: pa.Table, numbers: Collection[int]) -> pa.Table:
    """Leave out responses, by number, without a copy of the others."""
    if not numbers:
        return rows
    left_out = np.flatnonzero(np.isin(rows.column(ROW).to_numpy(), list(numbers))).tolist()
    ends = [*left_out, rows.num_rows]
    starts = [0, *(n + 1 for n in left_out)]
    return pa.concat_tables([rows.slice(start, end - start) for start, end in zip(starts, ends, strict=True)])


def _mistaken(deal_id: str | None, code: int | None, wanted: str | None) -> PayloadError | None:
    """Compare the id of a response with the requested one."""
    if not (deal_id and deal_id.strip()):
        return PayloadError(DEAL_ID.path, "the deal's id", "nothing")
    if len(deal_id) > _MAX_ID:
        return PayloadError(DEAL_ID.path, "the deal's id", f"a text of {len(deal_id):,} characters")
    if not deal_id.isprintable() or "\N{REPLACEMENT CHARACTER}" in deal_id:  # two such ids could become equal
        return PayloadError(DEAL_ID.path, "the deal's id", "characters that cannot be printed")
    if wanted and wanted.isdigit() and code not in (None, int(wanted)):
        return PayloadError(CODE.path, f"deal {wanted}, as requested", f"deal {code}")
    if wanted and not wanted.isdigit() and deal_id.lower() != wanted:
        found = f"deal {deal_id}" if _UUID.fullmatch(deal_id) else "another id"
        return PayloadError(DEAL_ID.path, f"deal {wanted}, as requested", found)
    return None
