"""The outcome of one id, and the rows of the ledger that it becomes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from wegly_analytics.intake.crawl import outcome_of
from wegly_analytics.model.tables import LEDGER
from wegly_analytics.parsing.lines import Lines

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from wegly_analytics.intake.record import Record
    from wegly_analytics.parsing.flatten import Flat


@dataclass(frozen=True, slots=True)
class Response:
    """The outcome of one id.

    Parameters
    ----------
    requested
        The id as requested.
    outcome
        One of `enums.OUTCOMES`.
    fetched_at
        When the response was received.
    http_status
        The last HTTP status; None if there was no response.
    message
        What went wrong, or None.
    body
        The body, for outcome ``"fetched"``.
    check_id
        Whether the body must describe the deal that was requested.
    """

    requested: str
    outcome: str
    fetched_at: datetime
    http_status: int | None = None
    message: str | None = None
    body: bytes | None = None
    check_id: bool = True


@dataclass(frozen=True, eq=False)
class Piece:
    """Responses that are read together.

    Parameters
    ----------
    lines
        The bodies.
    ledger
        The rows of all responses, before the bodies are read.
    positions
        For each row of the ledger, its place in the order requested.
    with_body
        The rows of the ledger that have a body.
    wanted
        For each body, the deal that it must describe; None if it may describe any.
    """

    lines: Lines
    ledger: pa.Table
    positions: np.ndarray
    with_body: np.ndarray
    wanted: Sequence[str | None]

    @classmethod
    def of(cls, responses: Sequence[tuple[int, Response]]) -> Piece:
        """Take responses, each with its position, in the order of the positions."""
        every = [response for _, response in responses]
        columns: dict[str, list[object]] = {
            name: [getattr(response, name) for response in every]
            for name in ("requested", "outcome", "http_status", "message", "fetched_at")
        }
        return cls(
            Lines.of([response.body for response in every if response.body is not None]),
            _ledger(len(every), columns),
            np.array([position for position, _ in responses], np.int64),
            np.flatnonzero([response.body is not None for response in every]),
            [response.requested if response.check_id else None for response in every if response.body is not None],
        )

    @classmethod
    def of_file(cls, lines: Lines, label: str, first: int, fetched_at: datetime, position: int) -> Piece:
        """Take responses of a file, which are named by the file and their numbers, counted from 1.

        Parameters
        ----------
        lines
            The responses.
        label
            The name of the file.
        first
            The number of the first response.
        fetched_at
            When they were received.
        position
            The position of the first response.
        """
        n = len(lines)
        numbers = pa.array(np.arange(first, first + n)).cast(pa.string())
        columns = {
            "requested": pc.binary_join_element_wise(label, numbers, ":"),
            "outcome": pa.repeat("fetched", n),
            "fetched_at": pa.repeat(pa.scalar(fetched_at, LEDGER.schema.field("fetched_at").type), n),
        }
        return cls(lines, _ledger(n, columns), position + np.arange(n), np.arange(n), [None] * n)


def _ledger(n: int, columns: Mapping[str, Sequence[object] | pa.Array]) -> pa.Table:
    arrays = []
    for each in LEDGER.schema:
        values = columns.get(each.name)
        if each.name == "in_scope":
            values = pa.repeat(True, n)
        arrays.append(pa.nulls(n, each.type) if values is None else pa.array(values, each.type))
    return pa.Table.from_arrays(arrays, schema=LEDGER.schema)


def with_outcomes(ledger: pa.Table, with_body: np.ndarray, flat: Flat) -> pa.Table:
    """Add what reading the bodies has brought: the deals, what was refused, what was repaired.

    Parameters
    ----------
    ledger
        The rows of all responses.
    with_body
        The rows with a body, in the order in which they were flattened.
    flat
        The bodies, flattened.
    """
    deal_ids: list[str | None] = [None] * ledger.num_rows
    rows = with_body.tolist()
    for n, deal_id in flat.deal_ids.items():
        deal_ids[rows[n]] = deal_id
    changed = {"deal_id": deal_ids}
    if flat.refused or flat.notes:
        outcomes, messages = ledger.column("outcome").to_pylist(), ledger.column("message").to_pylist()
        for n, error in flat.refused.items():
            outcomes[rows[n]], messages[rows[n]] = "unreadable", str(error)
        for n in flat.notes.keys() - flat.refused.keys():
            messages[rows[n]] = "; ".join(flat.notes[n]) or None
        changed |= {"outcome": outcomes, "message": messages}
    for name, values in changed.items():
        at = ledger.schema.get_field_index(name)
        ledger = ledger.set_column(at, ledger.schema.field(at), pa.array(values, ledger.schema.field(at).type))
    return ledger


def response_of(record: Record, latest: datetime | None = None) -> Response:
    """Turn a record into a response for a snapshot; an archived one does not count as later than `latest`."""
    has_body = record.status == 200 and record.body is not None
    return Response(
        record.requested,
        "fetched" if has_body else outcome_of(record),
        record.at if latest is None else min(record.at, latest),
        record.status,
        record.message,
        record.body if has_body else None,
    )
