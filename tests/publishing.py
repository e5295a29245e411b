"""What the tests of published folders share: two small tables and the manifest that describes them."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pyarrow as pa

from wegly_analytics.model.enums import OUTCOMES
from wegly_analytics.store import parquet
from wegly_analytics.store.manifest import Manifest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from wegly_analytics.store.manifest import PublishedTable

TABLES = {
    "deals": pa.table({"deal_id": ["a", "b"], "value": [1.0, 2.0]}),
    "tags": pa.table({"deal_id": pa.array([], pa.string())}),
}


def describe(published_at: datetime, tables: Mapping[str, PublishedTable]) -> Manifest:
    """Make a manifest of any tables."""
    return Manifest(
        taken_from=datetime(2026, 7, 1, tzinfo=UTC),
        taken_at=datetime(2026, 7, 1, tzinfo=UTC),
        published_at=published_at,
        completeness={"requested": 2, **dict.fromkeys(OUTCOMES, 0), "fetched": 2, "in_scope": 2},
        filters=(),
        personal={"mode": "keep", "columns": {}, "key": None},
        drift={},
        tables=tables,
    )


def signed(values: Mapping[str, object]) -> str:
    """Make a manifest of any values as JSON, with the hash that they have."""
    rest = {name: value for name, value in values.items() if name != "sha256"}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"))
    return json.dumps({**rest, "sha256": hashlib.sha256(text.encode()).hexdigest()})


def publish(root: Path | str) -> Path:
    """Publish the two tables."""
    return parquet.write(root, TABLES, describe)
