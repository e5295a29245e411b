"""Personal data: a published snapshot holds exactly what the declarations keep, in every mode."""

import hmac
import io
import json
import logging
from contextlib import redirect_stderr, redirect_stdout
from datetime import UTC, datetime

import narwhals as nw
import pyarrow.parquet as pq
import pytest
from planted_people import EMAILS, NAMES, PHONES, PLANTED, REASON, People, everything_below, found_in, needles
from server_side import client, uuid_of

import wegly_analytics as wa
from wegly_analytics import settings
from wegly_analytics.errors import IncompleteWarning, SnapshotError
from wegly_analytics.intake.fetch import fetch
from wegly_analytics.intake.refresh import refresh
from wegly_analytics.model.schema import Kind
from wegly_analytics.model.tables import DOCUMENTED, TABLES
from wegly_analytics.sandbox import faults
from wegly_analytics.snapshot.load import load, scan
from wegly_analytics.snapshot.secret import read_secret


@pytest.fixture
def snap(serve):
    return fetch(range(1, 31), client=client(serve(People())), progress=False)


@pytest.mark.parametrize("mode", ["hash", "hash-all", "drop"])
def test_no_customer_is_in_any_published_file(snap, tmp_path, mode):
    assert found_in(snap.save(tmp_path / "keep", personal="keep"), *PLANTED), "the search works"
    snap.save(tmp_path / "root", personal=mode)
    assert found_in(tmp_path / "root", *PLANTED) == []
    assert found_in(tmp_path / "root", REASON) == [], "an owner's note on a loss may name the customer"


def test_no_customer_is_in_any_log_message_or_ledger(serve, tmp_path, caplog):
    """Not even if the responses are broken in every way."""
    caplog.set_level(logging.DEBUG)
    below = "participants[].person.name", "participants[].person", "participants[].notes", "participants"
    broken = [faults.wrong_type(path, value) for path in below for value in (NAMES[0], [EMAILS[0]], {"x": PHONES[0]})]
    broken += [faults.FAULTS[name] for name in ("truncated", "short", "reset", "duplicate_key", "bad_utf8")]
    broken += [faults.Changed(lambda honest: b"[" + honest), faults.Changed(lambda honest: honest[1:-1])]
    broken += [faults.Changed(lambda honest: json.dumps(NAMES[0]).encode()), faults.Status(418, body=NAMES[0].encode())]
    keys = [str(code) for code in range(1, 30) if code % 10]
    server = serve(People(), faults=dict(zip(keys, broken, strict=False)))
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err), pytest.warns() as caught:
        snap = fetch(range(1, 31), client=client(server), max_failures=1, archive=tmp_path / "a.sqlite")
    snap.save(tmp_path / "root", allow_incomplete=True)
    assert snap.completeness.missing > 10
    texts = [out.getvalue(), err.getvalue(), caplog.text, repr(snap), snap._repr_html_(), snap.drift.to_csv()]
    texts += [str(warning.message) for warning in caught] + snap.ledger["message"].dropna().tolist()
    assert [needle for needle in needles(*PLANTED) if needle in "\0".join(texts).encode()] == []
    assert found_in(tmp_path / "root", *PLANTED) == []


def test_the_manifest_and_the_files_record_the_mode(snap, tmp_path):
    for mode in ("hash", "hash-all", "drop", "keep"):
        folder = snap.save(tmp_path / mode, personal=mode)
        assert json.loads((folder / "_manifest.json").read_text())["personal"]["mode"] == mode
        schema = pq.read_schema(next(folder.glob("**/participants*/*.parquet")))
        assert schema.metadata[b"personal_mode"] == mode.encode()
        marked = schema.field("person").metadata.get(b"personal_mode")
        assert marked == {"keep": None, "hash-all": b"hash"}.get(mode, mode.encode())
        assert load(folder).personal.mode == mode


def test_a_single_column_can_be_treated_differently(snap, tmp_path):
    chosen = {"participants.person": "keep", "deals.lost_reason_description": "keep", "tags.tag": "hash"}
    saved = load(snap.save(tmp_path, columns=chosen))
    assert set(saved.participants["person"]) == set(NAMES)
    assert saved.deals["lost_reason_description"].eq(REASON).all()
    assert saved.tags["tag"].str.fullmatch("[0-9a-f]{32}").all()
    assert saved.contacts["value"].nunique() == 4


LEAVES = {leaf.path: f"Planted{n:03}Silva" for n, leaf in enumerate(DOCUMENTED.leaves()) if leaf.kind is Kind.TEXT}
"""A recognisable name for every text that a response may hold."""


UNKNOWN = ["PlantedKeySilva", "PlantedNestedKeySilva", "PlantedValueSilva"]
"""Names in the keys and values of fields that are not documented."""

LISTS = {
    "deals": "pipeline stage source loss_reason lead_source pipeline_id stage_id source_id loss_reason_id "
    "lead_source_id creative_id deal_id",
    "pipeline_stages": "stage deal_id pipeline_id stage_id",
    "stage_durations": "stage deal_id stage_id",
    "proposals": "deal_id proposal_id",
    "participants": "role deal_id role_id",
    "contacts": "deal_id",
    "custom_fields": "field deal_id field_id answer_id option_id",
    "tags": "color deal_id tag_id",
    "followers": "role deal_id role_id",
}
LABELS = {
    "deals": "campaign ad_set content displayed_on conversion_tool creative",
    "custom_fields": "option",
    "tags": "tag",
}
STAFF = {
    "deals": "responsible_id responsible created_by_id created_by",
    "proposals": "created_by_id created_by approved_by_id approved_by",
    "followers": "user_id user",
}
STAYS = {"hash": [LISTS, LABELS, STAFF], "hash-all": [LISTS, LABELS], "drop": [LISTS]}
"""Written by hand, independently of the declarations: the columns that stay readable in each mode."""


def planted(node):
    """A response with a recognisable name in every text, and fields that are not documented in every object."""
    if node.kind:
        return LEAVES.get(node.path)
    if node.item:
        return [planted(node.item)]
    key, nested, value = UNKNOWN
    return {name: planted(child) for name, child in node.fields.items()} | {key: {nested: [value, {value: value}]}}


@pytest.mark.parametrize("mode", ["keep", "hash", "hash-all", "drop"])
def test_a_published_snapshot_holds_exactly_the_names_that_the_declarations_keep(snapshot_of, tmp_path, mode):
    snap = snapshot_of(planted(DOCUMENTED) | {"code": 1})
    saved = load(snap.save(tmp_path / "root", personal=mode))
    secret = read_secret(settings.salt_file())
    kept, stays = set(), set()
    for table in TABLES.values():
        for column in table.columns:
            if column.kind is not Kind.TEXT:
                continue
            name = LEAVES[column.path]
            treatment = column.personal.treatment(mode)
            if treatment == "keep":
                kept.add(name)
                stays.add((table.name, column.name))
            pseudonym = hmac.new(secret, name.encode(), "sha256").hexdigest()[:32]
            expected = {"keep": name, "hash": pseudonym, "drop": None}[treatment]
            assert saved.tables[table.name].column(column.name).to_pylist() == [expected], (table.name, column.name)
            recorded = saved.personal.columns.get(f"{table.name}.{column.name}", "keep")
            assert recorded == treatment
    everything = b"\0".join(everything_below(tmp_path / "root"))
    assert {name for name in LEAVES.values() if name.encode() in everything} == kept
    in_clear = {name for name in UNKNOWN if name.encode() in everything}
    assert in_clear == ({UNKNOWN[0]} if mode == "keep" else set()), "drift names a field that is not documented"
    assert saved.drift_seen.looked_at == 1
    assert saved.drift_seen.unknown
    if mode != "keep":
        by_hand = {(table, name) for group in STAYS[mode] for table, names in group.items() for name in names.split()}
        assert stays == by_hand


@pytest.mark.parametrize("mode", ["keep", "hash", "hash-all", "drop"])
def test_a_message_of_the_ledger_is_published_only_if_everything_is_kept(snapshot_of, tmp_path, mode):
    quoted = "2026-02-30"
    snap = snapshot_of({"won_date": quoted}, {"proposals": [{"code": ["Silva, Planted"]}]}, {})
    assert snap.ledger["message"].notna().sum() == 2, "in memory it says what went wrong"
    saved = load(snap.save(tmp_path / "root", personal=mode, allow_incomplete=True))
    assert saved.ledger["message"].notna().sum() == (2 if mode == "keep" else 0)
    assert saved.ledger["outcome"].tolist() == snap.ledger["outcome"].tolist()
    assert bool(found_in(tmp_path / "root", quoted)) == (mode == "keep")
    again = load(saved.save(tmp_path / "again", personal=mode, allow_incomplete=True))
    assert again.ledger.equals(saved.ledger)


def test_filters_on_treated_columns_are_published_without_their_values(snapshot_of, tmp_path):
    deals = [{"organization": {"name": "Acme Ltda"}, "responsible": {"name": "Ana Lima"}, "status": 2}]
    snap = snapshot_of(*deals).where(organization="Acme Ltda", responsible="Ana Lima", status="won")
    assert load(snap.save(tmp_path / "hash")).filters == (
        "organization (value not shown)", "responsible = Ana Lima", "status = won",
    )  # fmt: skip
    assert found_in(tmp_path / "hash", "Acme Ltda") == []
    snap.save(tmp_path / "all", personal="hash-all")
    assert found_in(tmp_path / "all", "Acme Ltda", "Ana Lima") == []
    assert load(snap.save(tmp_path / "keep", personal="keep")).filters == snap.filters


@pytest.mark.parametrize("source", [load, lambda root: scan(root, "duckdb")])
def test_a_filter_is_published_only_if_all_its_columns_are_known_and_not_treated(snapshot_of, tmp_path, source):
    dates = {"created_at": "2026-01-05", "won_date": "2026-02-01"}
    snap = snapshot_of({"organization": {"name": "Acme Ltda"}, "title": "Acme Ltda", "status": 2, "value": 5} | dates)
    snap.save(tmp_path / "whole", personal="keep")
    snap = source(tmp_path / "whole").assign(**{"the (firm)": nw.col("title"), "a_very_" + "long_" * 20 + "name": 1})
    acme, value = "Acme Ltda", wa.col("value")
    conditions = [
        (value > 1) & (value < 1000) & ~value.is_null() & (value != 123456789) & (wa.col("organization") == acme),
        (wa.col("organization") == acme) & (value > 1) & (value < 1000) & ~value.is_null() & (value != 123456789),
        (wa.col("status") == "won") & (wa.col("the (firm)") == acme),
        (wa.col("status") == "won") & nw.any_horizontal(nw.col("title", "organization") == acme, ignore_nulls=True),
        value > 4,
    ]
    filtered = snap.where(*conditions, quality="clean", status="won", created_at="2026")
    assert len(filtered) == 1
    assert sum(acme in text for text in filtered.filters) >= 3, "in memory they are shown"
    filtered.save(tmp_path / "root")
    assert found_in(tmp_path / "root", acme) == []
    published = load(next((tmp_path / "root").iterdir())).filters
    assert published == (
        *["organization, value (value not shown)"] * 2, *["(a filter, not shown)"] * 2, "value > 4", "status = won",
        "created_at = 2026", filtered.filters[-1],
    )  # fmt: skip
    kept = load(next((tmp_path / "root").iterdir())).save(tmp_path / "again")
    assert load(kept).filters == published


def test_a_filter_of_a_snapshot_that_kept_everything_is_checked_when_it_is_saved_again(snapshot_of, tmp_path):
    snap = snapshot_of({"organization": {"name": "Acme Ltda"}, "status": 2})
    snap = snap.where(wa.col("organization") == "Acme Ltda", organization="Acme Ltda", status="won")
    kept = load(snap.save(tmp_path / "keep", personal="keep"))
    assert kept.filters == snap.filters
    again = load(kept.save(tmp_path / "hash"))
    assert again.filters == ("(a filter, not shown)", "organization (value not shown)", "status = won")


@pytest.mark.parametrize("mode", ["hash", "hash-all", "drop"])
def test_what_is_assigned_to_a_declared_column_is_protected_like_any_other_assigned_column(snapshot_of, tmp_path, mode):
    snap = snapshot_of({"stage": {"id": "s", "name": "New"}, "status": 2})
    names = dict.fromkeys(["stage", "source", "status", "title", "extra"], "Ana Planted")
    snap.save(tmp_path / "clean")
    snap.assign(**names).save(tmp_path / "kept", personal="keep")
    worlds = {
        "memory": snap.assign(**names),
        "loaded": load(tmp_path / "clean").assign(**names),
        "scanned": scan(tmp_path / "clean", "polars").assign(**names),
        "expression": snap.assign(**dict.fromkeys(names, nw.lit("Ana Planted"))),
        "saved and loaded": load(tmp_path / "kept"),
        "saved and scanned": scan(tmp_path / "kept", "duckdb"),
    }
    for name, world in worlds.items():
        folder = tmp_path / name
        world.where(stage="Ana Planted").save(folder, personal=mode)
        assert found_in(folder, "Ana Planted") == [], name
    clear = snap.assign(**names).save(tmp_path / "chosen", personal=mode, columns={"deals.stage": "keep"})
    assert load(clear).deals["stage"].tolist() == ["Ana Planted"]


@pytest.mark.parametrize("mode", ["keep", "hash", "hash-all", "drop"])
def test_the_name_of_a_file_in_the_ledger_is_replaced_and_ids_stay(snapshot_of, tmp_path, mode):
    named = tmp_path / "João Plantado.json"
    named.write_text(json.dumps([{"id": uuid_of(1), "code": 1}, {"id": uuid_of(2), "code": 2}, "broken"]))
    with pytest.warns(IncompleteWarning):
        snap = wa.read(named)
    assert snap.ledger["requested"].tolist() == [f"{named.name}:{n}" for n in (1, 2, 3)]
    saved = load(snap.save(tmp_path / "root", personal=mode, allow_incomplete=True))
    expected = snap.ledger["requested"].tolist() if mode == "keep" else ["row 1", "row 2", "row 3"]
    assert saved.ledger["requested"].tolist() == expected
    assert bool(found_in(tmp_path / "root", "João Plantado")) == (mode == "keep")
    assert saved.ledger["deal_id"].tolist()[:2] == [uuid_of(1), uuid_of(2)]
    again = load(saved.save(tmp_path / "again", personal=mode, allow_incomplete=True))
    assert again.ledger.equals(saved.ledger)
    fetched = load(snapshot_of({}, {}).save(tmp_path / "ids", personal=mode))
    assert fetched.ledger["requested"].tolist() == ["1", "2"]


def test_a_snapshot_of_files_is_refreshed_after_their_names_are_replaced(serve, tmp_path):
    named = tmp_path / "João Plantado.json"
    named.write_text(json.dumps([{"id": uuid_of(code), "code": code} for code in (1, 2)]))
    saved = load(wa.read(named, taken_at=datetime(2026, 1, 1, tzinfo=UTC)).save(tmp_path / "root", personal="drop"))
    both = refresh(saved, client=client(serve(People())), progress=False, misses=3)
    assert len(both.deals) == 27
    assert both.ledger["requested"].is_unique
    both.save(tmp_path / "root", personal="drop")
    assert found_in(tmp_path / "root", "João Plantado", *PLANTED) == []


def test_the_treatment_of_an_unmarked_or_assigned_column_is_remembered(snap, tmp_path):
    with_owner = snap.assign(owner="Ana Lima")
    with_owner.save(tmp_path / "default")
    assert found_in(tmp_path / "default", "Ana Lima") == [], "an assigned column is protected unless it is named"
    assert found_in(with_owner.save(tmp_path / "clear", columns={"deals.owner": "keep"}), "Ana Lima")
    with_owner.save(tmp_path / "drop", personal="drop")
    assert found_in(tmp_path / "drop", "Ana Lima") == []
    chosen = {"deals.owner": "hash", "followers.role": "drop"}
    once = load(with_owner.save(tmp_path / "one", columns=chosen))
    twice = load(once.save(tmp_path / "two"))
    assert {name: twice.personal.columns.get(name) for name in chosen} == chosen
    assert twice.deals["owner"].tolist() == once.deals["owner"].tolist()
    assert found_in(tmp_path / "two", "Ana Lima") == []


def test_a_manifest_with_an_unknown_mode_is_refused(snap, tmp_path):
    folder = snap.save(tmp_path)
    manifest = folder / "_manifest.json"
    manifest.write_text(manifest.read_text().replace('"mode": "hash"', '"mode": "hidden"'))
    with pytest.raises(SnapshotError, match=r"_manifest\.json is damaged"):
        load(folder)


def test_a_column_that_was_assigned_after_loading_is_treated_when_it_is_saved_again(snap, tmp_path):
    hashed = load(snap.save(tmp_path / "one"))
    named = hashed.assign(organization="Acme Ltda", title="Acme Ltda")
    named.save(tmp_path / "two")
    assert found_in(tmp_path / "two", "Acme Ltda") == []
