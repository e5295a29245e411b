"""How fast responses become tables, beside `json.loads` and `pandas.json_normalize` doing the same job.

Both sides get the same 20,000 deals of the simulated company as bytes, in turn, in one run; the ratio is what counts,
for machines differ. Run ``make benchmark``.
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pandas as pd

from wegly_analytics.parsing.drift import Drift
from wegly_analytics.parsing.flatten import flatten
from wegly_analytics.sandbox import Company

if TYPE_CHECKING:
    from collections.abc import Callable

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


def normalize(bodies: list[bytes]) -> dict[str, pd.DataFrame]:
    """Do it the usual way: one call for the deals, and one for each list."""
    deals = [json.loads(body) for body in bodies]
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


def bulk(bodies: list[bytes]) -> dict[str, Any]:
    """Do it our way."""
    flat = flatten(bodies)
    assert not flat.refused
    return flat.tables


def bulk_with_drift(bodies: list[bytes]) -> dict[str, Any]:
    """Do it our way, and look for drift as an intake does."""
    from wegly_analytics.intake.build import LOOK_AT_ALL, LOOK_AT_EVERY

    drift = Drift()
    for n, body in enumerate(bodies):
        if n < LOOK_AT_ALL or n % LOOK_AT_EVERY == 0:
            drift.look(body)
    return bulk(bodies)


def seconds(work: Callable[[list[bytes]], Any], bodies: list[bytes]) -> float:
    """Time one run, with nothing left over from the one before."""
    gc.collect()
    start = time.perf_counter()
    work(bodies)
    return time.perf_counter() - start


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--deals", type=int, default=20_000)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()

    company = Company(deals_per_month=options.deals / 17)
    bodies = [body for _, body in company.responses(datetime(2026, 7, 1, tzinfo=UTC))][: options.deals]
    megabytes = sum(map(len, bodies)) / 1e6
    print(f"{len(bodies):,} deals, {megabytes:.0f} MB; {options.runs} runs each, in turn; medians")
    ours, theirs = bulk(bodies), normalize(bodies)
    for name, table in theirs.items():
        print(f"  {name:16} {ours[name].num_rows:>9,} rows, json_normalize {len(table):>9,}")
    del ours, theirs, table
    works = {"json_normalize": normalize, "flatten": bulk, "flatten and drift": bulk_with_drift}
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(options.runs):
        for name, work in works.items():
            times[name].append(seconds(work, bodies))
    base = statistics.median(times["json_normalize"])
    for name, took in times.items():
        middle = statistics.median(took)
        print(f"{name:18} {middle:7.2f} s {len(bodies) / middle:9,.0f} deals/s {base / middle:6.1f} times as fast")


if __name__ == "__main__":
    main()
