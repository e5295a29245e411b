"""`json.loads` and `pandas.json_normalize` make the nine tables in memory: a call for the deals, one for each list."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pandas as pd
from measure import report

LISTS: dict[str, list[str]] = {
    "pipeline_stages": ["pipeline_stages"],
    "stage_durations": ["stage_durations"],
    "proposals": ["proposals"],
    "participants": ["participants"],
    "contacts": ["participants", "person", "contacts"],
    "custom_fields": ["custom_fields", "answers"],
    "tags": ["tags"],
    "followers": ["followers"],
}


def normalize(file: Path) -> dict[str, pd.DataFrame]:
    """Read a file and make the tables."""
    with file.open("rb") as lines:
        deals = [json.loads(line) for line in lines]
    for deal in deals:  # json_normalize stops at a missing or null list
        for name, path in LISTS.items():
            deal[name if name in deal else path[0]] = deal.get(path[0]) or []
        for participant in deal["participants"]:
            participant["person"] = participant.get("person") or {}
            participant["person"]["contacts"] = participant["person"].get("contacts") or []
        for custom in deal["custom_fields"]:
            custom["answers"] = custom.get("answers") or []
    lists = {path[0] for path in LISTS.values()}
    tables = {"deals": pd.json_normalize([{k: v for k, v in deal.items() if k not in lists} for deal in deals])}
    for name, path in LISTS.items():
        tables[name] = pd.json_normalize(deals, record_path=path, meta=["id"], meta_prefix="deal_")
    return tables


def main() -> None:
    """Print what it took."""
    file = Path(sys.argv[1])
    report(lambda: {"rows": {name: len(table) for name, table in normalize(file).items()}, "version": pd.__version__})


if __name__ == "__main__":
    main()
