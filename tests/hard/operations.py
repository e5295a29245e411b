"""What a process does in the trials: one operation of the product on a folder, through the public names.

Each function prepares the operation and returns it as a call without arguments, so that a trial can begin with the
operation itself. What the call returns can be written as JSON.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import sys
import warnings

import wegly_analytics as wa
from wegly_analytics.cli import main as cli
from wegly_analytics.intake.build import SnapshotBuilder
from wegly_analytics.intake.response import Response
from wegly_analytics.sandbox import TAKEN_AT, TOKEN
from wegly_analytics.snapshot.save import Publisher

ARCHIVE = "data/responses.sqlite"
"""Where the archive of a folder is, below it."""

ROOT = "data/snapshots"
SECRET = "personal.key"
SAVED = "deals.ndjson"
"""Saved deals beside the folders of the trials."""

VARYING = {"fetched_at", "missed_at", "snapshot"}
"""Columns that differ between two runs of the same operation."""


def client(url, **options):
    return wa.Client(**{"token": TOKEN, "base_url": url, "per_second": None, "backoff": 0.01, "attempts": 2} | options)


def content(snap):
    """What a snapshot holds: a hash, without how the deals were received, and the version of each deal."""
    tables = {}
    for name, table in snap.tables.items():
        columns = [column for column in table.column_names if column not in VARYING]
        if name == "ledger":
            columns = ["requested", "deal_id", "http_status"]
        tables[name] = table.select(columns).to_pylist()
    text = json.dumps(tables, default=str, sort_keys=True)
    return {
        "deals": len(snap),
        "content": hashlib.sha256(text.encode()).hexdigest()[:16],
        "versions": {str(code): int(value) % 1000 for code, value in snap.deals[["code", "value"]].values.tolist()},
    }


def save(folder, url, personal="hash", **_):
    snap = wa.read(folder.parent / SAVED)
    return lambda: {"path": str(snap.save(folder / ROOT, personal=personal))}


def save_in_batches(folder, url, **_):
    """Publish in many small batches that are not in order, so that they are sorted on the disk."""
    lines = (folder.parent / SAVED).read_bytes().splitlines()

    def act():
        with Publisher(folder / ROOT, "hash") as publisher:
            builder = SnapshotBuilder(publisher, piece_rows=1, batch_rows=2)
            for n in (*range(1, len(lines), 2), *range(0, len(lines), 2)):
                body = lines[n]
                response = Response(f"{SAVED}:{n + 1}", "fetched", TAKEN_AT, None, None, body, check_id=False)
                builder.add(n, response)
            return {"path": str(publisher.publish(builder.summary(TAKEN_AT)))}

    return act


def fetch(folder, url, ids="1-12", workers=1, timeout=30.0, **_):
    api = client(url, timeout=timeout)
    return lambda: content(wa.fetch(ids, client=api, archive=folder / ARCHIVE, workers=workers, progress=False))


def refresh(folder, url, workers=1, archive=True, **_):
    api, kept = client(url), folder / ARCHIVE if archive else None

    def act():
        before = wa.load(folder / ROOT)
        after = wa.refresh(before, client=api, archive=kept, misses=3, workers=workers, progress=False)
        return {"path": str(after.save(folder / ROOT)), **content(after)}

    return act


def erase(folder, url, older_than="0s", **_):
    return lambda: command("archive", folder / ARCHIVE, "--erase-older-than", older_than, "--yes")


def load(folder, url, at=None, **_):
    return lambda: content(wa.load(folder / ROOT, at))


def read(folder, url, **_):
    return lambda: content(wa.read(folder / ARCHIVE))


def verify(folder, url, **_):
    def act():
        problems = wa.verify(folder / ROOT)
        return {"problems": problems["problem"].tolist(), "snapshots": problems.attrs["snapshots"]}

    return act


OPERATIONS = {each.__name__: each for each in (save, save_in_batches, fetch, refresh, erase, load, read, verify)}


def command(*words):
    """Run the command; the exit code, and what it printed."""
    sys.argv = ["wegly", *map(str, words)]
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            cli.main()
        except SystemExit as ended:
            return {"exit": ended.code or 0, "out": out.getvalue(), "err": err.getvalue()}
    return {"exit": 0, "out": out.getvalue(), "err": err.getvalue()}


def outcome(act):
    """Run an operation; what it returned or raised, and what it warned of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            report = {"result": act()}
        except (wa.errors.WeglyError, wa.errors.StoppedError) as error:
            notes = getattr(error, "__notes__", [])
            report = {"error": type(error).__name__, "message": " | ".join([str(error), *notes])}
    kinds = (ResourceWarning, DeprecationWarning)
    return report | {"warnings": [str(each.message) for each in caught if not issubclass(each.category, kinds)]}
