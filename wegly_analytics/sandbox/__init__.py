"""A simulated company with known true rates, and a local server that responds like Wegly.

Nothing here needs a token or a network. The responses of a `Company` depend on its seed and on the time; its `Truth`
declares the rates of the simulation, so a metric can be compared with them. A `Server` sends the responses over HTTP on
this machine, with the faults that `faults` declares. `Saved` serves deals from a file instead.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from wegly_analytics.sandbox import faults
from wegly_analytics.sandbox.company import Company
from wegly_analytics.sandbox.default_company import TRUTH
from wegly_analytics.sandbox.saved import Saved
from wegly_analytics.sandbox.server import Server
from wegly_analytics.sandbox.truth import Truth

TAKEN_AT: Final = datetime(2026, 7, 1, 12, tzinfo=UTC)
"""When the sample snapshot is taken."""

TOKEN: Final = "sandbox"  # noqa: S105 - opens nothing but the sandbox
"""The token that a server accepts by default."""

__all__ = ["TAKEN_AT", "TOKEN", "TRUTH", "Company", "Saved", "Server", "Truth", "faults"]
