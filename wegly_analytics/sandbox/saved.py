"""Saved deals in the company's place: a file that answers like the API."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from os import PathLike

_COMPRESSION: Final = {".gz": "gzip", ".zst": "zstd"}


class Saved:
    """Deals from a file of one JSON object per line, answered as they were saved, whatever the moment.

    Where a deal is in the file twice, the later line counts.

    Parameters
    ----------
    path
        NDJSON, plain or compressed (``.gz``, ``.zst``).

    Raises
    ------
    ValueError
        If a line is no JSON object, or has neither id nor code; or if the file does not unpack.
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

    def codes(self, at: datetime) -> range:  # noqa: ARG002 - a file has one moment
        """List the codes from 1 to the highest in the file, with the gaps among them.

        Parameters
        ----------
        at
            Not looked at: a file does not move on.
        """
        return range(1, self._last + 1)

    def answer(self, key: str, at: datetime) -> bytes | None:  # noqa: ARG002
        """Give the line of a deal as it was saved.

        Parameters
        ----------
        key
            The deal's code or id, as text.
        at
            Not looked at: a file does not move on.

        Returns
        -------
        bytes or None
            JSON, or None where the file has no such deal.
        """
        return self._bodies.get(_canonical(key))

    def answers(self, at: datetime) -> Iterator[tuple[int, bytes]]:
        """Every deal that has a code, in order of codes.

        Parameters
        ----------
        at
            Not looked at: a file does not move on.

        Yields
        ------
        tuple of int and bytes
            Code and JSON.
        """
        for code in self.codes(at):
            body = self.answer(str(code), at)
            if body is not None:
                yield code, body

    def _keep(self, number: int, line: bytes) -> None:
        place = f"{self.path}:{number}"
        try:
            deal: Any = json.loads(line)
        except ValueError as error:
            raise ValueError(f"{place}: no JSON ({error}); save one deal per line, without line breaks in it") from None
        if not isinstance(deal, dict):
            raise ValueError(f"{place}: a {type(deal).__name__} where a deal should be; save one JSON object per line")
        code, key = deal.get("code"), deal.get("id")
        names: list[str] = []
        if isinstance(code, int) and not isinstance(code, bool) and code > 0:
            names.append(str(code))
            self._last = max(self._last, code)
        if isinstance(key, str) and key:
            names.append(_canonical(key))
        if not names:
            raise ValueError(f"{place}: neither id nor code, so the deal cannot be requested; give it one")
        self._bodies.update(dict.fromkeys(names, line.strip()))


def _lines(path: Path) -> Iterator[bytes]:
    """Read lines, whole however long, unpacked if the name says so."""
    compression = _COMPRESSION.get(path.suffix)
    try:
        with pa.input_stream(str(path), compression=compression) as stream:
            content = stream.read()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ValueError(f"{path}: does not unpack as {compression} ({error}); save it again") from error
    yield from content.split(b"\n")


def _canonical(key: str) -> str:
    """Write codes and UUIDs in one way."""
    if key.isascii() and key.isdecimal():
        return key.lstrip("0")
    try:
        return str(uuid.UUID(key))
    except ValueError:
        return key
