"""Personal data: a published snapshot holds exactly what the declarations keep, in every mode."""

import hmac
import io
import json
import logging
import re
import stat
from contextlib import redirect_stderr, redirect_stdout

import pyarrow.parquet as pq
import pytest
from server_side import Numbered, client, uuid_of

from wegly_analytics import metrics, settings
from wegly_analytics.errors import SettingError, SnapshotError
from wegly_analytics.intake.fetch import fetch
from wegly_analytics.intake.refresh import refresh
from wegly_analytics.model.schema import Kind
from wegly_analytics.model.tables import DOCUMENTED, TABLES
from wegly_analytics.sandbox import faults
from wegly_analytics.snapshot.load import load
from wegly_analytics.snapshot.privacy import fingerprint, read_secret

NAMES = ["Maria Aparecida da Conceição", "João Öztürk-Nuñez"]
PHONES = ["+55 11 98765-4321", "(21) 3333-0001"]
EMAILS = ["maria.aparecida@plantedmail.test", "joao@plantedmail.test"]
NOTES = ["Maria prefers to be called after six", "João's brother knows the director"]
REASON = "rudezaextrema"
PLANTED = [*NAMES, *PHONES, *EMAILS, *NOTES]


def person(n):
    contacts = [{"id": f"c{n}", "value": v, "type": 1} for v in (PHONES[n], EMAILS[n])]
    return {"id": f"p{n}", "notes": NOTES[n], "person": {"id": f"q{n}", "name": NAMES[n], "contacts": contacts}}


class People(Numbered):
    """Deals with one or both of two people."""

    def __init__(self):
        super().__init__(
            30,
            participants=lambda code: [person(0), person(1)] if code % 2 else [person(1)],
            followers=lambda code: [{"notes": NOTES[0], "user": {"id": "u", "name": "Seller"}}],
            status=lambda code: 3,
            lost_date=lambda code: "2026-01-01T12:00:00Z",
            lost_reason_description=lambda code: REASON,
        )


@pytest.fixture
def snap(serve):
    return fetch(range(1, 31), client=client(serve(People())), progress=False)


def needles(*texts):
    """The ways in which a file may hold a text."""
    for text in texts:
        for form in (text, json.dumps(text)[1:-1], *re.findall(r"\w{5,}", text)):
            yield form.encode()
            yield form.encode("utf-16-le")


def everything_below(folder):
    """Every byte of every file and name, and of the contents of compressed Parquet."""
    for path in folder.rglob("*"):
        yield str(path).encode()
        if path.is_file():
            yield path.read_bytes()
        if path.suffix == ".parquet":
            table = pq.read_table(path, partitioning=None)
            yield str(table.schema).encode()
            yield repr(table.schema.metadata).encode()
            yield json.dumps(table.to_pylist(), default=str, ensure_ascii=False).encode()


def found_in(folder, *texts):
    haystack = b"\0".join(everything_below(folder))
    return [needle for needle in needles(*texts) if needle in haystack]


@pytest.mark.parametrize("mode", ["hash", "hash-all", "drop"])
def test_no_customer_is_in_any_published_file(snap, tmp_path, mode):
    assert found_in(snap.save(tmp_path / "keep", personal="keep"), *PLANTED), "the search works"
    snap.save(tmp_path / "root", personal=mode)
    assert found_in(tmp_path / "root", *PLANTED) == []
    assert found_in(tmp_path / "root", REASON) == [], "an owner's note on a loss may name the customer"


def test_no_name_phone_or_mail_is_in_any_log_message_or_ledger(serve, tmp_path, caplog):
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
        snap = fetch(range(1, 31), client=client(server), max_failures=1, archive=tmp_path / "raw")
    snap.save(tmp_path / "root", allow_incomplete=True)
    assert snap.completeness.missing > 10
    texts = [out.getvalue(), err.getvalue(), caplog.text, repr(snap), snap._repr_html_(), snap.drift.to_csv()]
    texts += [str(warning.message) for warning in caught] + snap.ledger["message"].dropna().tolist()
    assert [needle for needle in needles(*PLANTED) if needle in "\0".join(texts).encode()] == []
    assert found_in(tmp_path / "root", *PLANTED) == []


def test_equal_people_stay_equal_and_different_ones_different(snap, tmp_path):
    hashed = load(snap.save(tmp_path))
    people = hashed.participants["person"]
    assert people.nunique() == 2
    assert people.str.fullmatch("[0-9a-f]{32}").all()
    assert people.value_counts().tolist() == snap.participants["person"].value_counts().tolist()
    assert hashed.contacts["value"].nunique() == 4
    again = load(snap.save(tmp_path))
    assert again.participants["person"].tolist() == people.tolist(), "also in the next snapshot"
    assert hashed.participants["notes"].isna().all()
    assert hashed.followers["notes"].isna().all()
    assert hashed.deals["lost_reason_description"].isna().all()


def test_a_pseudonym_is_a_keyed_hash_that_others_can_compute_with_the_secret(snap, tmp_path, monkeypatch):
    secret = "ab" * 32
    (tmp_path / "key").write_text(secret)
    monkeypatch.setenv("WEGLY_SALT_FILE", str(tmp_path / "key"))
    hashed = load(snap.save(tmp_path / "root"))
    expected = hmac.new(bytes.fromhex(secret), NAMES[1].encode(), "sha256").hexdigest()[:32]
    assert expected in set(hashed.participants["person"])
    assert found_in(tmp_path / "root", secret) == []


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


def test_a_stronger_treatment_cannot_be_undone(snap, tmp_path):
    hashed = load(snap.save(tmp_path / "one"))
    kept = load(hashed.save(tmp_path / "two", personal="keep"))
    assert kept.personal.mode == "hash"
    assert kept.participants["person"].tolist() == hashed.participants["person"].tolist(), "never hashed twice"
    dropped = load(kept.save(tmp_path / "three", personal="drop"))
    assert dropped.participants["person"].isna().all()
    assert load(dropped.save(tmp_path / "four")).personal.mode == "drop"


def test_a_snapshot_never_mixes_pseudonyms_of_two_secrets(snap, serve, tmp_path, monkeypatch):
    server = serve()
    hashed = load(snap.save(tmp_path / "one"))
    monkeypatch.setenv("WEGLY_SALT_FILE", str(tmp_path / "other.key"))
    with pytest.raises(SettingError, match=r"secret \w{8}, but the secret on this computer is \w{8}.*WEGLY_SALT_FILE"):
        hashed.save(tmp_path / "two", columns={"tags.tag": "hash"})
    with pytest.raises(SettingError, match="made with secret"):
        refresh(hashed, client=client(server), progress=False)
    assert server.requests == []
    again = load(hashed.save(tmp_path / "two")).personal
    assert again == hashed.personal, "no new pseudonyms, so no secret is needed"
    assert load(hashed.save(tmp_path / "two", personal="drop")).participants["person"].isna().all()


def test_the_secret_is_created_once_and_is_private(tmp_path):
    file = tmp_path / "deep" / "personal.key"
    secret = read_secret(file)
    assert len(secret) == 32
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert read_secret(file) == secret
    assert fingerprint(secret) not in secret.hex()


@pytest.mark.parametrize(
    ("content", "message"),
    [("hello", "it is not a hexadecimal number"), ("abcd", "too short"), (None, "Is a directory")],
)
def test_a_secret_that_cannot_be_read_names_the_file_and_the_remedy(snap, tmp_path, monkeypatch, content, message):
    file = tmp_path / "key"
    file.mkdir() if content is None else file.write_text(content)
    monkeypatch.setenv("WEGLY_SALT_FILE", str(file))
    with pytest.raises(SettingError, match=message) as caught:
        snap.save(tmp_path / "root")
    assert str(file) in str(caught.value)
    assert not (tmp_path / "root").exists()
    snap.save(tmp_path / "root", personal="drop")


def test_missing_names_stay_missing(serve, tmp_path):
    nobody = Numbered(3, participants=lambda code: [{"id": uuid_of(code), "person": {"name": None}}, {"id": "x"}])
    saved = load(fetch([1, 2, 3], client=client(serve(nobody)), progress=False).save(tmp_path))
    assert saved.participants["person"].isna().all()


LEAVES = {leaf.path: f"Planted{n:03}Silva" for n, leaf in enumerate(DOCUMENTED.leaves()) if leaf.kind is Kind.TEXT}
"""A recognisable name for every text that a response may hold."""


def planted(node):
    """A response with a recognisable name in every text."""
    if node.kind:
        return LEAVES.get(node.path)
    return [planted(node.item)] if node.item else {name: planted(child) for name, child in node.fields.items()}


@pytest.mark.parametrize("mode", ["keep", "hash", "hash-all", "drop"])
def test_a_published_snapshot_holds_exactly_the_names_that_the_declarations_keep(snapshot_of, tmp_path, mode):
    snap = snapshot_of(planted(DOCUMENTED) | {"code": 1})
    saved = load(snap.save(tmp_path / "root", personal=mode))
    secret = read_secret(settings.salt_file())
    kept = set()
    for table in TABLES.values():
        for column in table.columns:
            if column.kind is not Kind.TEXT:
                continue
            name = LEAVES[column.path]
            treatment = column.personal.treatment(mode) if column.personal else "keep"
            if treatment == "keep":
                kept.add(name)
            pseudonym = hmac.new(secret, name.encode(), "sha256").hexdigest()[:32]
            expected = {"keep": name, "hash": pseudonym, "drop": None}[treatment]
            assert saved.tables[table.name].column(column.name).to_pylist() == [expected], (table.name, column.name)
            recorded = saved.personal.columns.get(f"{table.name}.{column.name}", "keep")
            assert recorded == treatment
    everything = b"\0".join(everything_below(tmp_path / "root"))
    assert {name for name in LEAVES.values() if name.encode() in everything} == kept


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


def test_metrics_group_by_the_pseudonyms_of_staff(snapshot_of, tmp_path):
    won, lost = {"status": 2, "won_date": "2026-05-01"}, {"status": 3, "lost_date": "2026-05-01"}
    ana, rui = {"responsible": {"id": "u1", "name": "Ana Lima"}}, {"responsible": {"id": "u2", "name": "Rui Paz"}}
    snap = snapshot_of(won | ana, won | ana, lost | ana, lost | rui)
    hashed = load(snap.save(tmp_path, personal="hash-all"))
    columns = ["won", "lost", "rate"]
    found, expected = (metrics.win_rate(s, by="responsible") for s in (hashed, snap))
    assert found["responsible"].str.fullmatch("[0-9a-f]{32}").all()
    assert sorted(found[columns].values.tolist()) == sorted(expected[columns].values.tolist())


@pytest.mark.parametrize("mode", ["hash", "hash-all"])
def test_a_refresh_gives_the_same_people_the_same_pseudonyms(serve, tmp_path, mode):
    staff = {"responsible": lambda code: {"id": "u1", "name": "Ana Lima"}}
    people = Numbered(5, participants=lambda code: [person(0)], **staff)
    first = fetch(range(1, 4), client=client(serve(people)), progress=False)
    hashed = load(first.save(tmp_path / "one", personal=mode))
    both = refresh(hashed, client=client(serve(people)), progress=False)
    assert len(both.deals) == 5
    assert both.participants["person"].unique().tolist() == hashed.participants["person"].unique().tolist()
    assert both.participants["person_id"].nunique() == 1
    assert both.deals["responsible"].unique().tolist() == hashed.deals["responsible"].unique().tolist()
    assert (both.deals["responsible"] == "Ana Lima").all() == (mode == "hash")
    both.save(tmp_path / "two", personal=mode)
    assert found_in(tmp_path / "two", *PLANTED) == []


def test_the_stronger_mode_holds_when_a_snapshot_is_saved_again(snap, tmp_path):
    strength = ["keep", "hash", "hash-all", "drop"]
    for old in strength:
        once = load(snap.save(tmp_path / old, personal=old))
        for new in strength:
            assert load(once.save(tmp_path / f"{old}-{new}", personal=new)).personal.mode == max(
                old, new, key=strength.index
            )


def test_columns_that_an_older_snapshot_left_in_clear_are_treated_when_it_is_saved_again(snap, tmp_path):
    older = load(snap.save(tmp_path / "older", columns={"participants.person": "keep", "participants.notes": "keep"}))
    assert found_in(tmp_path / "older", *NAMES)
    again = load(older.save(tmp_path / "again"))
    assert found_in(tmp_path / "again", *PLANTED) == []
    assert again.participants["person"].tolist() == load(snap.save(tmp_path / "new")).participants["person"].tolist()


def test_the_treatment_of_an_unmarked_or_assigned_column_is_remembered(snap, tmp_path):
    with_owner = snap.assign(owner=lambda deals: "Ana Lima")
    assert found_in(with_owner.save(tmp_path / "clear"), "Ana Lima"), "assigned columns are kept unless told otherwise"
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
    with pytest.raises(
        SnapshotError, match=r"_manifest\.json is damaged: 'personal\.mode' is 'hidden', not one of hash, hash-all"
    ):
        load(folder)
