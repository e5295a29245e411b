"""Deals from the Wegly CRM as trustworthy tables, metrics and charts.

Ids go into an intake and a snapshot comes out; a snapshot goes into a metric and a table comes out; the table goes into
the plot of the same name. ``wegly_analytics/README.md`` is the map of the rooms.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wegly_analytics import errors, metrics, plots
    from wegly_analytics.intake.client import Client
    from wegly_analytics.intake.fetch import fetch, read, refresh, walk
    from wegly_analytics.intake.id_sources import ids_from, webhook_ids
    from wegly_analytics.sandbox.sampling import sample
    from wegly_analytics.snapshot.custom_fields import custom_field
    from wegly_analytics.snapshot.load import load, scan, snapshots, verify
    from wegly_analytics.snapshot.snapshot import Snapshot

__version__ = "0.1.0"

_WHERE = {
    "Client": "intake.client",
    "Snapshot": "snapshot.snapshot",
    "custom_field": "snapshot.custom_fields",
    "errors": "",
    "fetch": "intake.fetch",
    "ids_from": "intake.id_sources",
    "load": "snapshot.load",
    "metrics": "",
    "plots": "",
    "read": "intake.fetch",
    "refresh": "intake.fetch",
    "sample": "sandbox.sampling",
    "scan": "snapshot.load",
    "snapshots": "snapshot.load",
    "verify": "snapshot.load",
    "walk": "intake.fetch",
    "webhook_ids": "intake.id_sources",
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
