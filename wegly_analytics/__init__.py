"""Deals from the Wegly CRM as trustworthy tables, metrics and charts.

`fetch` takes ids and returns a snapshot; a metric takes a snapshot and returns a table; the plot of the same name draws
that table. ``wegly_analytics/README.md`` describes the folders.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the same names for type checkers; "as" says that they are public
    from wegly_analytics import errors as errors
    from wegly_analytics import metrics as metrics
    from wegly_analytics import plots as plots
    from wegly_analytics.intake.client import Client as Client
    from wegly_analytics.intake.fetch import fetch as fetch
    from wegly_analytics.intake.frontier import walk as walk
    from wegly_analytics.intake.id_sources import ids_from as ids_from
    from wegly_analytics.intake.read import read as read
    from wegly_analytics.intake.refresh import refresh as refresh
    from wegly_analytics.intake.webhooks import webhook_ids as webhook_ids
    from wegly_analytics.sandbox.sampling import sample as sample
    from wegly_analytics.snapshot.custom_fields import custom_field as custom_field
    from wegly_analytics.snapshot.expressions import col as col
    from wegly_analytics.snapshot.filters import between as between
    from wegly_analytics.snapshot.load import load as load
    from wegly_analytics.snapshot.load import scan as scan
    from wegly_analytics.snapshot.load import snapshots as snapshots
    from wegly_analytics.snapshot.load import verify as verify
    from wegly_analytics.snapshot.snapshot import Snapshot as Snapshot

__version__ = "0.1.0"

_PUBLIC = {
    "Client": "intake.client",
    "Snapshot": "snapshot.snapshot",
    "between": "snapshot.filters",
    "col": "snapshot.expressions",
    "custom_field": "snapshot.custom_fields",
    "errors": "",
    "fetch": "intake.fetch",
    "ids_from": "intake.id_sources",
    "load": "snapshot.load",
    "metrics": "",
    "plots": "",
    "read": "intake.read",
    "refresh": "intake.refresh",
    "sample": "sandbox.sampling",
    "scan": "snapshot.load",
    "snapshots": "snapshot.load",
    "verify": "snapshot.load",
    "walk": "intake.frontier",
    "webhook_ids": "intake.webhooks",
}
"""Every public name and the module that holds it; empty for a module of that name."""

__all__ = list(_PUBLIC)


def __getattr__(name: str) -> Any:
    """Load a name when it is first used, so that importing the package is fast."""
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if not _PUBLIC[name]:
        return import_module(f"{__name__}.{name}")
    globals()[name] = value = getattr(import_module(f"{__name__}.{_PUBLIC[name]}"), name)
    return value


def __dir__() -> list[str]:
    """List the public names, and the version."""
    return [*__all__, "__version__"]
