"""Responses as text with one on each line, as the bulk reader takes them.

If every line that is not blank begins with a brace and ends with one, and the reader finds as many objects as there are
such lines, then each line is one object: a line break can stand between the tokens of an object only, and no object
continues with an opening brace after a closing one. So nothing has to be added to a response to find its row again.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, BinaryIO, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PIECE_BYTES: Final = 2 << 20
"""The bytes that are read at once: few enough for the processor's caches, and for inference."""

PIECE_ROWS: Final = 500
"""The responses that are read at once, at most."""

_LINE_FEED, _RETURN, _OPENING, _CLOSING = b"\n\r{}"
_BLANK: Final = b" \t\r\v\f"

_BRACKET: Final = 0x5B
_NOT_CASE: Final = 0xDF
"""An opening bracket and an opening brace differ in one bit."""


@dataclass(frozen=True, eq=False)
class Lines:
    r"""Responses, one on each line that is not blank.

    Parameters
    ----------
    text
        The lines, each with its line feed.
    bodies
        The responses as received, if they were not lines of a file.

    Examples
    --------
    >>> lines = Lines(b'{"id": "a"}\n\n{"id": "b", "tags": [{}]}\n')
    >>> len(lines), lines.are_objects, lines.openings.tolist()
    (2, True, [1, 3])
    """

    text: bytes
    bodies: Sequence[bytes] | None = None

    @classmethod
    def of(cls, bodies: Sequence[bytes]) -> Lines:
        """Write each body on a line; tabs replace line breaks.

        Between values they mean the same, and inside a text the reader refuses both.
        """
        text = b"\n".join(_on_one_line(body) for body in bodies)
        return cls(text, bodies)

    @cached_property
    def _characters(self) -> np.ndarray:
        return np.frombuffer(self.text, np.uint8)

    @cached_property
    def _bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Where lines that are not blank begin and end, without the characters of the line end."""
        ends = np.flatnonzero(self._characters == _LINE_FEED)
        if self.text and not self.text.endswith(b"\n"):
            ends = np.append(ends, len(self.text))
        starts = np.append(0, ends[:-1] + 1)[: len(ends)]
        filled = ends > starts
        starts, ends = starts[filled], ends[filled]
        ends = ends - (self._characters[ends - 1] == _RETURN)
        is_blank = np.zeros(len(starts), np.bool_)
        for n in np.flatnonzero(np.isin(self._characters[starts], list(_BLANK))):
            is_blank[n] = not self.text[starts[n] : ends[n]].strip()
        return starts[~is_blank], ends[~is_blank]

    def __len__(self) -> int:
        return len(self._bounds[0] if self.bodies is None else self.bodies)

    def __iter__(self) -> Iterator[bytes]:
        if self.bodies is not None:
            return iter(self.bodies)
        starts, ends = self._bounds
        return (self.text[start:end] for start, end in zip(starts.tolist(), ends.tolist(), strict=True))

    @cached_property
    def sizes(self) -> np.ndarray:
        """The bytes of each response."""
        if self.bodies is not None:
            return np.fromiter(map(len, self.bodies), np.int64)
        starts, ends = self._bounds
        sizes: np.ndarray = ends - starts
        return sizes

    @cached_property
    def are_objects(self) -> bool:
        """Whether each response is a line that begins with an opening brace and ends with a closing one."""
        starts, ends = self._bounds
        characters = self._characters
        return len(starts) == len(self) and bool(
            (characters[starts] == _OPENING).all() and (characters[ends - 1] == _CLOSING).all()
        )

    @cached_property
    def openings(self) -> np.ndarray:
        """The number of opening braces and brackets in each line: it is nested no deeper than that."""
        found = np.flatnonzero((self._characters & _NOT_CASE) == _BRACKET)
        starts, ends = self._bounds
        return np.searchsorted(found, ends) - np.searchsorted(found, starts)


def pieces(stream: BinaryIO, size: int = PIECE_BYTES) -> Iterator[Lines]:
    """Cut a stream of lines into pieces; a line is never cut.

    Parameters
    ----------
    stream
        The lines.
    size
        The bytes that are read at once. A piece is no longer, unless it has a long line.
    """
    begun: list[bytes] = []
    while block := stream.read(size):
        end = block.rfind(b"\n") + 1
        if end:
            yield from _cut(b"".join([*begun, block[:end]]))
            begun = []
        begun.append(block[end:])
    yield from _cut(b"".join(begun))


def _cut(text: bytes) -> Iterator[Lines]:
    """Cut lines into pieces of at most `PIECE_ROWS`."""
    if text.count(b"\n") <= PIECE_ROWS:
        yield Lines(text)
        return
    ends = np.flatnonzero(np.frombuffer(text, np.uint8) == _LINE_FEED)[PIECE_ROWS - 1 :: PIECE_ROWS] + 1
    for start, end in pairwise([0, *ends.tolist(), len(text)]):
        yield Lines(text[start:end])


def _on_one_line(body: bytes) -> bytes:
    if b"\n" in body or b"\r" in body:
        return body.replace(b"\n", b"\t").replace(b"\r", b"\t")
    return body
