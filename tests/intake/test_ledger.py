"""The ledger after a refresh, what is due and what changed: columns agree with a loop over rows, on any ledger."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from wegly_analytics.errors import IdError
from wegly_analytics.intake.changes import Changes
from wegly_analytics.intake.due import due
from wegly_analytics.intake.ledger import renewed_ledger
from wegly_analytics.model.enums import OUTCOMES, RECEIVED
from wegly_analytics.model.ids import deal_key
from wegly_analytics.model.tables import LEDGER, TABLES
from wegly_analytics.snapshot.snapshot import Snapshot

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
IDS = [f"00000000-0000-0000-0000-{n:012}" for n in range(1, 5)]
REQUESTED = [*"1234567", *IDS, "deals.json:1", "deals.json:2"]

times = st.sampled_from([NOW - timedelta(hours=n) for n in (1, 2, 3)])
deal_ids = st.sampled_from(IDS)


@st.composite
def ledgers(draw, outcomes=tuple(OUTCOMES), requested=tuple(REQUESTED)):
    """Rows with ids that are requested once, and a deal where one was received."""
    rows = []
    for id_ in draw(st.lists(st.sampled_from(requested), unique=True, max_size=9)):
        outcome = draw(st.sampled_from(outcomes))
        values = {
            "requested": id_,
            "outcome": outcome,
            "deal_id": draw(deal_ids if outcome in RECEIVED else st.none() | deal_ids),
            "http_status": draw(st.sampled_from([None, 200, 404, 500])),
            "message": draw(st.none() | st.sampled_from(["404 for it", "no response"])),
            "fetched_at": draw(st.none() | times),
            "missed_at": draw(st.none() | times),
            "in_scope": True,
        }
        rows.append(values)
    return rows


def table(rows):
    return pa.Table.from_pylist(rows, LEDGER.schema)


def expected_ledger(rows, news):
    by_deal = {row["deal_id"]: updated(row, news[row["requested"]]) for row in rows if row["requested"] in news}
    received = {row["deal_id"] for row in news.values() if row["outcome"] in RECEIVED}
    names = {row["requested"] for row in rows}
    ledger = []
    for row in rows:
        requested, deal_id = row["requested"], row["deal_id"]
        update = news.get(requested) if deal_id is None else by_deal.get(deal_id)
        if update is None:
            ledger.append(row | {"outcome": "carried"} if row["outcome"] in RECEIVED else row)
            continue
        is_another = deal_id is not None and update["deal_id"] not in (None, deal_id)
        if is_another and deal_id not in received:
            if deal_id not in names or requested == deal_id:
                ledger.append(displaced(row, update))
            if requested == deal_id:
                continue
        ledger.append(row | {name: update[name] for name in LEDGER.names if name != "requested"})
    return ledger + [row for requested, row in news.items() if requested not in names]


def displaced(old, new):
    message = f"{new['requested']} is now the code of deal {new['deal_id']}; kept as it was"
    update = {"requested": old["deal_id"], "outcome": "carried", "message": message, "missed_at": new["fetched_at"]}
    return old | update


def updated(old, new):
    if old["outcome"] not in RECEIVED or new["outcome"] in RECEIVED:
        return new
    if new["outcome"] == "not_found" and old["missed_at"] and old["http_status"] == 404:
        return new
    message = f"{new['message']}; kept as it was"
    update = {"outcome": "carried", "http_status": new["http_status"], "message": message}
    return old | update | {"missed_at": new["fetched_at"]}


@settings(max_examples=50)
@given(old=ledgers(), fresh=ledgers(requested=tuple(REQUESTED[:-2])), data=st.data())
def test_a_ledger_is_updated_as_row_by_row(old, fresh, data):
    files = [row["requested"] for row in old if ":" in row["requested"]]
    known = {row["requested"] for row in old}
    by_uuid = [row["requested"] for row in fresh if row["requested"] in IDS and row["requested"] not in known]
    wanted = dict(zip(by_uuid, files, strict=False))  # a line of a file is requested by the id of its deal
    news = {wanted.get(row["requested"], row["requested"]): row for row in fresh}
    assert renewed_ledger(table(old), table(fresh), wanted).to_pylist() == expected_ledger(old, news)


def snapshot(rows, deals):
    """A snapshot of a ledger and some columns of deals."""
    tables = {name: declared.schema.empty_table() for name, declared in TABLES.items()}
    tables["deals"] = pa.Table.from_pylist(deals, TABLES["deals"].schema)
    return Snapshot(tables=tables | {LEDGER.name: table(rows)}, taken_from=NOW - timedelta(1), taken_at=NOW)


def expected_due(rows, deals, since):
    changing = {
        deal["deal_id"]
        for deal in deals
        if deal.get("status") not in ("won", "lost")
        or any(deal.get(name, NOW - timedelta(999)) >= since for name in WHEN)
    }
    wanted, seen = {}, set()
    for row in rows:
        deal_id, outcome = row["deal_id"], row["outcome"]
        if outcome in RECEIVED:
            if deal_id in seen or not (deal_id in changing or row["missed_at"]):
                continue
            seen.add(deal_id)
        elif outcome == "not_found":
            continue
        if id_ := key(row["requested"]) or key(deal_id):
            wanted.setdefault(id_, row["requested"])
    return wanted


def key(value):
    try:
        return deal_key(value)
    except IdError:
        return None


WHEN = ["won_at", "lost_at", "updated_at", "last_activity_at", "archived_at"]
deals = st.fixed_dictionaries(
    {"deal_id": deal_ids},
    optional={"status": st.sampled_from(["open", "won", "lost"])}
    | {name: st.sampled_from([NOW - timedelta(days=n) for n in (5, 30, 31)]) for name in WHEN},
)


@settings(max_examples=50)
@given(rows=ledgers(), held=st.lists(deals, unique_by=lambda deal: deal["deal_id"]))
def test_what_is_due_is_found_as_row_by_row(rows, held):
    wanted = due(snapshot(rows, held), timedelta(days=30))
    assert list(wanted.items()) == list(expected_due(rows, held, NOW - timedelta(days=30)).items())


def expected_changes(then, now, known):
    def seen(row):
        return row.get("fetched_at"), row.get("missed_at")

    before = {row["requested"]: row for row in then}
    requested = {
        row["deal_id"] or row["requested"]: row for row in now if seen(row) != seen(before.get(row["requested"], {}))
    }
    received = {key for key, row in requested.items() if row["outcome"] == "fetched"}
    not_found = sum(row["http_status"] == 404 for row in requested.values())
    return Changes(
        requested=len(requested),
        carried=len({row["deal_id"] for row in now if row["outcome"] == "carried"}),
        new=len(received - known),
        changed=0,
        not_found=not_found,
        failed=len(requested) - len(received) - not_found,
    )


@settings(max_examples=50)
@given(then=ledgers(), now=ledgers(), held=st.sets(deal_ids))
def test_what_a_refresh_requested_is_counted_as_row_by_row(then, now, held):
    deals = [{"deal_id": id_} for id_ in held]
    before = snapshot(then, deals)
    after = replace(before, tables=before.tables | {LEDGER.name: table(now)})
    assert Changes.between(before, after) == expected_changes(then, now, held)
