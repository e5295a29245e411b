"""What is shown while deals are fetched: a bar in a terminal or a notebook, elsewhere a line a minute."""

from __future__ import annotations

import sys
import time
from collections import Counter
from typing import TYPE_CHECKING, Final, Self, TextIO

from tqdm.auto import tqdm

from wegly_analytics.intake.streams import Lenient

if TYPE_CHECKING:
    from collections.abc import Callable

_KINDS: Final = {"fetched": "found", "not_found": "missing"}
_LINE_EVERY: Final = 60.0
"""Seconds between two lines where there is no bar."""

_BAR: Final = "{n_fmt}/{total_fmt}{postfix} |{bar}| {remaining} left, {rate_noinv_fmt}"
"""The counts stand first: a narrow terminal cuts off the end."""


class Progress:
    """The counts found, missing and failed, the rate, and the estimated time left.

    Parameters
    ----------
    total
        How many ids there are; None if that is not known yet.
    show
        Whether to show anything.
    done
        How many of the ids need not be requested.
    stream
        Where it is written; standard error if not given.
    clock
        Seconds that never go back.
    """

    def __init__(
        self,
        total: int | None,
        show: bool,
        done: int = 0,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        written = Lenient(stream or sys.stderr)
        self._total = None if total is None else total - done
        self._counts: Counter[str] = Counter(dict.fromkeys(("found", "missing", "failed"), 0))
        is_notebook = any(base.__module__ == "tqdm.notebook" for base in tqdm.__mro__)
        self._has_bar = show and (is_notebook or written.isatty())
        self._stream = written if show and not self._has_bar else None
        self._clock = clock
        self._begun = self._last_line = clock()
        self._bar = tqdm(
            total=total,
            initial=done,
            unit="",
            bar_format=_BAR,
            disable=not self._has_bar,
            dynamic_ncols=True,
            file=None if is_notebook else written,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()
        if self._last_line > self._begun:  # a run that has written lines writes how it ended
            self._write_line()

    def count(self, outcome: str) -> None:
        """Count one response by its outcome."""
        self._counts[_KINDS.get(outcome, "failed")] += 1
        if self._has_bar:
            self._bar.set_postfix(self._counts, refresh=False)
            self._bar.update()
        elif self._stream and self._clock() - self._last_line >= _LINE_EVERY:
            self._write_line()

    def _write_line(self) -> None:
        self._last_line = self._clock()
        done, seconds = self._counts.total(), self._last_line - self._begun
        rate = done / seconds if seconds else 0.0
        counts = ", ".join(f"{n:,} {kind}" for kind, n in self._counts.items())
        of, left = "", ""
        if self._total is not None:
            of = f" of {self._total:,}"
            if rate and self._total > done:
                left = f", about {tqdm.format_interval((self._total - done) / rate)} left"
        if self._stream:
            self._stream.write(f"Fetching: {done:,}{of} requested, {rate:.1f} a second{left}; {counts}\n")
            self._stream.flush()
