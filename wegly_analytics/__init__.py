"""Deals from the Wegly CRM as trustworthy tables, metrics and charts.

Ids go into an intake and a snapshot comes out; a snapshot goes into a metric and a table comes out; the table goes into
the plot of the same name. ``wegly_analytics/README.md`` is the map of the rooms.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wegly_analytics import errors, metrics, plots
    from wegly_analytics.client import Client
    from wegly_analytics.dimensions import custom_field
    from wegly_analytics.intake import fetch, read, refresh, walk
    from wegly_analytics.listing import ids_from, webhook_ids
    from wegly_analytics.sandbox.sampling import sample
    from wegly_analytics.snapshot import Snapshot
    from wegly_analytics.store import load, scan, snapshots, verify

__version__ = "0.1.0"

_WHERE = {
    "Client": "client",
    "Snapshot": "snapshot",
    "custom_field": "dimensions",
    "errors": "",
    "fetch": "intake",
    "ids_from": "listing",
    "load": "store",
    "metrics": "",
    "plots": "",
    "read": "intake",
    "refresh": "intake",
    "sample": "sandbox.sampling",
    "scan": "store",
    "snapshots": "store",
    "verify": "store",
    "walk": "intake",
    "webhook_ids": "listing",
}

__all__ = [
    "Client",
    "Snapshot",
    "custom_field",
    "errors",
    "fetch",
    "ids_from",
    "load",
    "metrics",
    "plots",
    "read",
    "refresh",
    "sample",
    "scan",
    "snapshots",
    "verify",
    "walk",
    "webhook_ids",
]


def __getattr__(name: str) -> Any:
    """Load a name when it is first used, so that importing the package costs next to nothing."""
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if not _WHERE[name]:
        return import_module(f"{__name__}.{name}")
    globals()[name] = value = getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
