"""A simulated company with known truth, and a local server that answers like Wegly.

Nothing here needs a key or a network. `Company` is the company: what it answers depends on its seed and on the moment,
and `Truth` says which rates it was made with, so that a metric can be held against them. `Server` answers over HTTP on
this machine, and misbehaves as `faults` declares. `Saved` puts deals from a file in the company's place.
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

MOMENT: Final = datetime(2026, 7, 1, 12, tzinfo=UTC)
"""The moment at which the sample is taken."""

TOKEN: Final = "sandbox"  # noqa: S105 - opens nothing but the sandbox
"""The key that a server accepts unless told otherwise."""

__all__ = ["MOMENT", "TOKEN", "TRUTH", "Company", "Saved", "Server", "Truth", "faults"]
