"""What a manifest accepts, and what it says about a value that is not valid."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wegly_analytics.errors import SnapshotError
from wegly_analytics.model.enums import OUTCOMES
from wegly_analytics.model.personal import Mode, Treatment
from wegly_analytics.store.manifest import NAME, Manifest, PublishedFile, PublishedTable

AT = datetime(2026, 7, 1, 12, tzinfo=UTC)
SHA = "0123456789abcdef" * 4
MANIFEST = Manifest(
    taken_from=AT,
    taken_at=AT + timedelta(hours=1),
    published_at=AT + timedelta(hours=2),
    completeness={"requested": 3, **dict.fromkeys(OUTCOMES, 0), "fetched": 2, "failed": 1, "in_scope": 2},
    filters=("source = Site",),
    personal={"mode": "hash", "columns": {"participants.person": "hash"}, "key": "0a1b2c3d"},
    drift={"looked_at": 2, "unknown": {"mood": [1, "int"]}, "seen": ["id"]},
    tables={"deals": PublishedTable(2, {"part-00000.parquet": PublishedFile(10, SHA)})},
)

names = st.text(st.characters(codec="utf-8", categories=["L", "N", "Pd"]), min_size=1, max_size=8)
zones = st.integers(-12, 14).map(lambda hours: timezone(timedelta(hours=hours)))
instants = st.datetimes(datetime(1990, 1, 1), datetime(2099, 1, 1), timezones=zones)
published_files = st.builds(PublishedFile, st.integers(0, 10**15), st.binary(min_size=32, max_size=32).map(bytes.hex))
published_tables = st.builds(
    PublishedTable, st.integers(0, 10**15), st.dictionaries(names, published_files, min_size=1, max_size=2)
)
modes, treatments = (st.sampled_from(get_args(kind)) for kind in (Mode, Treatment))


@st.composite
def manifests(draw):
    taken_from, taken_at = sorted([draw(instants), draw(instants)])
    counts = {name: draw(st.integers(0, 10**12)) for name in OUTCOMES}
    return Manifest(
        taken_from=taken_from,
        taken_at=taken_at,
        published_at=draw(instants),
        completeness={"requested": sum(counts.values()), **counts, "in_scope": draw(st.integers(0, 9))},
        filters=tuple(draw(st.lists(st.text(st.characters(codec="utf-8"), max_size=8), max_size=3))),
        personal={"mode": draw(modes), "columns": draw(st.dictionaries(names, treatments, max_size=2)), "key": None},
        drift={"looked_at": draw(st.integers(0, 9)), "unknown": {draw(names): [1, "str"]}, "seen": [draw(names)]},
        tables=draw(st.dictionaries(names, published_tables, max_size=3)),
    )


@given(manifests())
def test_what_is_read_is_what_was_written(manifest):
    assert Manifest.from_json(manifest.to_json()) == manifest


INVALID = {
    "taken backwards": ({"taken_at": "2026-07-01T11:59:59+00:00"}, "'taken_at' is 2026-07-01T11:59:59.*before"),
    "an instant without a zone": ({"taken_from": "2026-07-01T12:00:00"}, "'taken_from' is 2026.*without a time zone"),
    "a day for an instant": ({"published_at": "2026-07-01"}, "'published_at' is 2026-07-01T.*without a time zone"),
    "an instant in words": ({"taken_at": "soon"}, "'taken_at' is 'soon', not an instant such as 2026-11-23T"),
    "an instant as a number": ({"taken_at": 1}, "'taken_at' is 1, not an instant"),
    "a mode in words": ({"personal": {"mode": "hide", "columns": {}}}, "'personal.mode' is 'hide', not one of "),
    "no mode": ({"personal": {"columns": {}}}, "'personal.mode' is None"),
    "personal as a text": ({"personal": "hash"}, "'personal' is 'hash', not an object"),
    "columns as a list": ({"personal": {"mode": "hash", "columns": []}}, r"'personal.columns' is \[\], not an object"),
    "a column's mode": (
        {"personal": {"mode": "hash", "columns": {"tags.tag": 1}}}, "'personal.columns.tags.tag' is 1, not one of"
    ),
    "a key as a number": ({"personal": {"mode": "hash", "columns": {}, "key": 7}}, "'personal.key' is 7, not a text"),
    "version 0": ({"schema_version": 0}, "'schema_version' is 0, not a version up to 1"),
    "version true": ({"schema_version": True}, "'schema_version' is True, not a version"),
    "version as a text": ({"schema_version": "1"}, "'schema_version' is '1', not a version"),
    "a negative outcome": ({"completeness": {"fetched": -1}}, "'completeness': 'fetched' is -1, not a count"),
    "a count as a text": ({"completeness": {"failed": "1"}}, "'completeness': 'failed' is '1', not a count"),
    "half a deal": ({"completeness": {"in_scope": 1.5}}, "'completeness': 'in_scope' is 1.5, not a count"),
    "counts that do not add up": ({"completeness": {"requested": 4}}, "'requested' is 4, but its outcomes add up to 3"),
    "an unknown count": ({"completeness": {"lost": 0}}, "'completeness': 'lost' is an unknown key; known are req"),
    "filters as one text": ({"filters": "source = Site"}, "'filters' is 'source = Site', not a list of texts"),
    "filters that are numbers": ({"filters": [1]}, r"'filters' is \(1,\), not a list of texts"),
    "an unknown key": ({"taken_to": "2026"}, "'taken_to' is an unknown key; known are taken_from, taken_at"),
    "drift as a list": ({"drift": []}, r"'drift' is \[\], not an object"),
    "tables as a list": ({"tables": []}, r"'tables' is \[\], not an object"),
    "a table without rows": ({"tables": {"deals": {"files": {}}}}, "'tables.deals': 'rows' is missing"),
    "negative rows": ({"tables": {"deals": {"rows": -2}}}, "'tables.deals': 'rows' is -2, not a count"),
    "a table without files": ({"tables": {"deals": {"files": {}}}}, "'tables.deals'"),
    "a table above": ({"tables": {"..": {}}}, "'tables' has '..', which is not a plain name"),
}  # fmt: skip


def edited(changes):
    """The manifest as JSON, with some values replaced; those of `completeness` and of a table one by one."""
    values = json.loads(MANIFEST.to_json())
    for name, value in changes.items():
        if name == "completeness":
            values[name] |= value
        elif name == "tables" and value and "files" not in next(iter(value.values())):
            values[name] = {table: values[name]["deals"] | change for table, change in value.items()}
        else:
            values[name] = value
    return json.dumps(values)


@pytest.mark.parametrize(("changes", "message"), INVALID.values(), ids=INVALID)
def test_an_invalid_value_is_refused_with_file_key_and_remedy(changes, message, tmp_path):
    (tmp_path / NAME).write_text(edited(changes))
    with pytest.raises(SnapshotError, match=message) as caught:
        Manifest.read(tmp_path)
    assert str(caught.value).startswith(f"{tmp_path / NAME} is damaged: '")
    assert str(caught.value).endswith("; restore the folder from a copy, or delete it and publish the snapshot again")


@pytest.mark.parametrize("name", list(json.loads(MANIFEST.to_json())))
def test_no_key_may_be_missing(name, tmp_path):
    values = json.loads(MANIFEST.to_json())
    del values[name]
    (tmp_path / NAME).write_text(json.dumps(values))
    with pytest.raises(SnapshotError, match=f"is damaged: '{name}' is missing"):
        Manifest.read(tmp_path)


@pytest.mark.parametrize("name", ["../deals.parquet", "/etc/passwd", "..", "a/b.parquet", "a\\b", "a\0b", ""])
def test_a_file_is_one_of_the_table_s_own_folder(name):
    with pytest.raises(SnapshotError, match="'files' has .* which is not a plain name"):
        PublishedTable(1, {name: PublishedFile(1, SHA)})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PublishedFile(-1, SHA), "'bytes' is -1, not a count"),
        (lambda: PublishedFile(True, SHA), "'bytes' is True"),
        (lambda: PublishedFile(1, "abc"), "'sha256' is 'abc', not 64 hexadecimal digits"),
        (lambda: PublishedTable(1, {}), "'files' is empty"),
        (lambda: replace(MANIFEST, taken_at=AT.replace(tzinfo=None)), "'taken_at' .* without a time zone"),
        (lambda: replace(MANIFEST, filters="source = Site"), "'filters' is 'source = Site'"),
    ],
)
def test_an_invalid_value_is_refused_where_it_is_made_too(make, message):
    with pytest.raises(SnapshotError, match=message):
        make()


def test_a_newer_version_asks_for_an_update_whatever_else_it_holds(tmp_path):
    (tmp_path / NAME).write_text('{"schema_version": 2, "snapshot": {}}')
    with pytest.raises(SnapshotError, match="update wegly_analytics$") as caught:
        Manifest.read(tmp_path)
    assert "damaged" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000])
def test_what_is_not_an_object_of_json_is_refused(content, tmp_path):
    (tmp_path / NAME).write_bytes(content)
    with pytest.raises(SnapshotError, match=re.escape(f"{tmp_path / NAME} ")):
        Manifest.read(tmp_path)


def test_a_table_that_is_required_must_be_listed(tmp_path):
    (tmp_path / NAME).write_text(MANIFEST.to_json())
    assert Manifest.read(tmp_path, ["deals"]) == MANIFEST
    with pytest.raises(SnapshotError, match="'tables' lists deals, without 'tags'"):
        Manifest.read(tmp_path, ["deals", "tags"])


def test_a_folder_without_a_manifest_is_not_a_snapshot(tmp_path):
    with pytest.raises(SnapshotError, match="is not a snapshot: it has no _manifest.json"):
        Manifest.read(tmp_path)
