"""One file of an archive: gzip-compressed lines, each handed to the system as soon as it is written."""

from __future__ import annotations

import os
import time
import zlib
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_GZIP: Final = 31
"""zlib's number for a gzip stream with the largest window."""

_LEVEL: Final = 3
"""Of nine: half the time of zlib's default, for a tenth more bytes."""

_CHUNK: Final = 1 << 16
_SYNC_EVERY: Final = 1.0
"""Seconds between two syncs to the disk."""


class Segment:
    """A file to which one run appends lines.

    Parameters
    ----------
    path
        The file, which must not exist; it is private to the user.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        self._compressor = zlib.compressobj(_LEVEL, wbits=_GZIP)
        self._synced = time.monotonic()
        self._is_whole = True

    def write(self, line: bytes) -> None:
        """Add a line, and hand it to the system."""
        if not self._is_whole:
            raise OSError("the disk was full before")
        self._put(self._compressor.compress(line) + self._compressor.flush(zlib.Z_SYNC_FLUSH))
        if time.monotonic() - self._synced > _SYNC_EVERY:
            os.fsync(self._file)
            self._synced = time.monotonic()

    def close(self) -> None:
        """End the stream and sync the file."""
        try:
            if self._is_whole:
                self._put(self._compressor.flush(zlib.Z_FINISH))
                os.fsync(self._file)
        finally:
            os.close(self._file)

    def _put(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            self._is_whole = False  # until all of it is written: nothing may follow half a block
            view = view[os.write(self._file, view) :]
        self._is_whole = True


def read_lines(file: Any) -> Iterator[bytes]:
    """Decompress a file that may be cut off at its end, or damaged; the lines before the damage are read.

    Raises
    ------
    zlib.error
        At the damage.
    """
    decompressor, rest = zlib.decompressobj(_GZIP), b""
    while chunk := file.read(_CHUNK):
        while chunk:
            before = decompressor.copy()
            try:
                text = decompressor.decompress(chunk)
            except zlib.error:
                *lines, _ = (rest + _until_damage(before, chunk)).split(b"\n")
                yield from lines
                raise
            *lines, rest = (rest + text).split(b"\n")
            yield from lines
            chunk = decompressor.unused_data
            if decompressor.eof:  # segments may have been joined into one file
                decompressor = zlib.decompressobj(_GZIP)
    # what follows the last line break is a record that was not written to its end


def _until_damage(decompressor: Any, chunk: bytes) -> bytes:
    """Decompress byte by byte: a larger piece that is refused loses what it held before the damage."""
    text = bytearray()
    with suppress(zlib.error):
        for n in range(len(chunk)):
            text += decompressor.decompress(chunk[n : n + 1])
    return bytes(text)
