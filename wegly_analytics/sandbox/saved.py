"""Saved deals in place of the simulated company."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from wegly_analytics.parsing.decode import decode

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from os import PathLike

_COMPRESSION: Final = {".gz": "gzip", ".zst": "zstd"}


class Saved:
    """Deals from a file of one JSON object per line, served as they were saved, whatever the time.

    If a deal is in the file twice, the later line counts.

    Parameters
    ----------
    path
        NDJSON, plain or compressed (``.gz``, ``.zst``).

    Raises
    ------
    ValueError
        If a line is not a JSON object, or has neither id nor code; or if the file cannot be decompressed.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self.path = Path(path)
        self._bodies: dict[str, bytes] = {}
        self._last = 0
        for number, line in enumerate(_lines(self.path), 1):
            if line.strip():
                self._keep(number, line)

    def __repr__(self) -> str:
        return f"Saved({str(self.path)!r})"

    def codes(self, at: datetime) -> range:  # noqa: ARG002 - a file does not change
        """List the codes from 1 to the highest in the file, including gaps.

        Parameters
        ----------
        at
            Ignored: a file does not change.
        """
        return range(1, self._last + 1)

    def response(self, requested_id: str, at: datetime) -> bytes | None:  # noqa: ARG002
        """Return the line of a deal as it was saved.

        Parameters
        ----------
        requested_id
            The deal's code or id, as text.
        at
            Ignored: a file does not change.

        Returns
        -------
        bytes or None
            JSON, or None if the file has no such deal.
        """
        return self._bodies.get(_canonical(requested_id))

    def responses(self, at: datetime) -> Iterator[tuple[int, bytes]]:
        """Return every deal that has a code, in order of codes.

        Parameters
        ----------
        at
            Ignored: a file does not change.

        Yields
        ------
        tuple of int and bytes
            Code and JSON.
        """
        for code in self.codes(at):
            body = self.response(str(code), at)
            if body is not None:
                yield code, body

    def _keep(self, number: int, line: bytes) -> None:
        place = f"{self.path}:{number}"
        try:
            deal: Any = decode(line)
        except ValueError as error:
            raise ValueError(
                f"{place}: not JSON ({error}); save one deal per line, without line breaks in it"
            ) from None
        if not isinstance(deal, dict):
            raise ValueError(f"{place}: {type(deal).__name__} instead of a deal; save one JSON object per line")
        code, deal_id = deal.get("code"), deal.get("id")
        ids: list[str] = []
        if isinstance(code, int) and not isinstance(code, bool) and code > 0:
            ids.append(str(code))
            self._last = max(self._last, code)
        if isinstance(deal_id, str) and deal_id:
            ids.append(_canonical(deal_id))
        if not ids:
            raise ValueError(f"{place}: neither id nor code, so the deal cannot be requested; give it one")
        self._bodies.update(dict.fromkeys(ids, line.strip()))


def _lines(path: Path) -> Iterator[bytes]:
    """Read whole lines, decompressed if the suffix is that of a compressed file."""
    compression = _COMPRESSION.get(path.suffix)
    try:
        with pa.input_stream(str(path), compression=compression) as stream:
            content = stream.read()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ValueError(f"{path}: cannot be decompressed as {compression} ({error}); save it again") from error
    yield from content.split(b"\n")


def _canonical(requested_id: str) -> str:
    """Write codes and UUIDs in one way."""
    if requested_id.isascii() and requested_id.isdecimal():
        return requested_id.lstrip("0")
    try:
        return str(uuid.UUID(requested_id))
    except ValueError:
        return requested_id
