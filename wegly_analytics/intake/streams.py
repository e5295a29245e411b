"""Standard output and standard error that may be closed, broken or full."""

from __future__ import annotations

import io
import warnings
from contextlib import suppress
from typing import TextIO


class Lenient(io.TextIOBase):
    """A stream that may be closed, broken, full or None: what cannot be written is lost, and nothing is raised."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The encoding of the stream."""
        return getattr(self._stream, "encoding", None) or "utf-8"

    @property
    def errors(self) -> str:  # type: ignore[override]
        """What becomes of a character that the encoding does not have."""
        return getattr(self._stream, "errors", None) or "backslashreplace"

    def isatty(self) -> bool:
        """Tell whether it is a terminal."""
        try:
            return self._stream is not None and self._stream.isatty()
        except (OSError, ValueError):
            return False

    def writable(self) -> bool:
        """Tell that it can be written to."""
        return True

    def fileno(self) -> int:
        """Return the file descriptor."""
        if self._stream is None:
            raise OSError("there is no stream")
        return self._stream.fileno()

    def write(self, text: str) -> int:
        """Write a text, or lose it."""
        with suppress(OSError, ValueError):
            if self._stream is not None:
                self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Pass on what was written."""
        with suppress(OSError, ValueError):
            if self._stream is not None:
                self._stream.flush()


def emit(message: str, category: type[Warning], stacklevel: int) -> None:
    """Warn, as the caller of this would; a standard error that cannot be written ends nothing."""
    with suppress(OSError, ValueError):
        warnings.warn(message, category, stacklevel=stacklevel + 1)
