"""One rate of requests for all threads together."""

from __future__ import annotations

import time
from threading import Event, Lock


class Budget:
    """One rate of requests, shared by every thread.

    Parameters
    ----------
    per_second
        Requests per second; None for no limit.
    """

    def __init__(self, per_second: float | None) -> None:
        self._step = 0.0 if per_second is None else 1.0 / per_second
        self._next = 0.0
        self._lock = Lock()
        self._stopped = Event()

    def wait(self) -> None:
        """Wait for this thread's turn.

        Raises
        ------
        InterruptedError
            If `stop` was called.
        """
        with self._lock:
            now = time.monotonic()
            turn = max(now, self._next)
            self._next = turn + self._step
        self.sleep(turn - now)

    def pause(self, seconds: float) -> None:
        """Let no turn begin within so many seconds."""
        with self._lock:
            self._next = max(self._next, time.monotonic() + seconds)

    def sleep(self, seconds: float) -> None:
        """Sleep, but wake when `stop` is called, and raise `InterruptedError` then."""
        if self._stopped.wait(seconds) if seconds > 0 else self._stopped.is_set():
            raise InterruptedError("the run was stopped")

    def stop(self) -> None:
        """Wake every waiting thread; no further turn begins."""
        self._stopped.set()

    def resume(self) -> None:
        """Allow turns again."""
        self._stopped.clear()
