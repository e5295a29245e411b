"""The streams of the command, which may be closed, broken or full: a run never ends because of one."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from wegly_analytics.errors import WeglyError
from wegly_analytics.intake.streams import Lenient

if TYPE_CHECKING:
    from collections.abc import Iterator


class OutputError(WeglyError):
    """Standard output cannot be written."""


class Output(Lenient):
    """Standard output; the command names a failure, and decides whether it matters."""

    def write(self, text: str) -> int:
        """Write a text.

        Raises
        ------
        OutputError
            If it cannot be written.
        """
        with self._failures():
            if self._stream is not None:
                return self._stream.write(text)
        raise OutputError("standard output is closed")

    def flush(self) -> None:
        """Pass on what was written.

        Raises
        ------
        OutputError
            If it cannot be written.
        """
        with self._failures():
            if self._stream is not None:
                self._stream.flush()

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError) as error:
            self._stream = None
            why = getattr(error, "strerror", None) or error
            raise OutputError(f"standard output cannot be written: {why}") from None


def protect() -> None:
    """Let standard error lose what cannot be written, and standard output say so.

    A closed descriptor is opened on the null device: else the next file that is opened would get its number, and what
    a library writes to standard error would be written into that file.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    if not isinstance(sys.stdout, Output):
        sys.stdout = Output(sys.stdout)
    if not isinstance(sys.stderr, Lenient):
        sys.stderr = Lenient(sys.stderr)
