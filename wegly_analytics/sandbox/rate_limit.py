"""The rate limit of the sandbox's server."""

from __future__ import annotations

import math
import threading
import time


class RateLimit:
    """A number of requests per second; the requests of one second may come at once.

    Parameters
    ----------
    per_second
        The number.
    """

    def __init__(self, per_second: float) -> None:
        self._rate = per_second
        self._capacity = max(per_second, 1.0)
        self._available = self._capacity
        self._updated = time.monotonic()
        self._lock = threading.Lock()

    def wait_for(self) -> int:
        """Take one request; 0 if it may pass, otherwise the whole seconds to wait."""
        with self._lock:
            now = time.monotonic()
            self._available = min(self._available + (now - self._updated) * self._rate, self._capacity)
            self._updated = now
            if self._available >= 1:
                self._available -= 1
                return 0
            return max(math.ceil((1 - self._available) / self._rate), 1)
