"""Personal data: no byte of it in what is published, unless somebody says so."""

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

from wegly_analytics.errors import MissingColumnError, SettingError
from wegly_analytics.intake.fetch import fetch
from wegly_analytics.intake.refresh import refresh
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
    """Every deal with one or both of two people."""

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
    """The ways a text may be written into a file."""
    for text in texts:
        for form in (text, json.dumps(text)[1:-1], *re.findall(r"\w{5,}", text)):
            yield form.encode()
            yield form.encode("utf-16-le")


def everything_below(folder):
    """Every byte of every file and name, and of what Parquet has compressed."""
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


@pytest.mark.parametrize("mode", ["hash", "drop"])
def test_no_name_phone_or_mail_is_in_any_published_file(snap, tmp_path, mode):
    assert found_in(snap.save(tmp_path / "keep", personal="keep"), *PLANTED), "the search finds what is there"
    snap.save(tmp_path / "root", personal=mode)
    assert found_in(tmp_path / "root", *PLANTED) == []
    assert bool(found_in(tmp_path / "root", REASON)) == (mode == "hash"), "loss analysis lives on the reasons"


def test_no_name_phone_or_mail_is_in_any_log_message_or_ledger(serve, tmp_path, caplog):
    """Also not where the answers with people in them are broken in every way there is."""
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
    said = [out.getvalue(), err.getvalue(), caplog.text, repr(snap), snap._repr_html_(), snap.drift.to_csv()]
    said += [str(warning.message) for warning in caught] + snap.ledger["message"].dropna().tolist()
    assert [needle for needle in needles(*PLANTED) if needle in "\0".join(said).encode()] == []
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
    assert hashed.deals["lost_reason_description"].eq(REASON).all()


def test_a_pseudonym_is_a_keyed_hash_that_others_can_compute_with_the_secret(snap, tmp_path, monkeypatch):
    secret = "ab" * 32
    (tmp_path / "key").write_text(secret)
    monkeypatch.setenv("WEGLY_SALT_FILE", str(tmp_path / "key"))
    hashed = load(snap.save(tmp_path / "root"))
    expected = hmac.new(bytes.fromhex(secret), NAMES[1].encode(), "sha256").hexdigest()[:32]
    assert expected in set(hashed.participants["person"])
    assert found_in(tmp_path / "root", secret) == []


def test_the_mode_stands_in_the_manifest_and_in_the_files(snap, tmp_path):
    for mode in ("hash", "drop", "keep"):
        folder = snap.save(tmp_path / mode, personal=mode)
        assert json.loads((folder / "_manifest.json").read_text())["personal"]["mode"] == mode
        schema = pq.read_schema(next(folder.glob("**/participants*/*.parquet")))
        assert schema.metadata[b"personal_mode"] == mode.encode()
        marked = schema.field("person").metadata.get(b"personal_mode")
        assert marked == (None if mode == "keep" else mode.encode())
        assert load(folder).personal.mode == mode


def test_a_user_can_say_otherwise_by_column(snap, tmp_path):
    chosen = {"participants.person": "keep", "deals.lost_reason_description": "drop", "tags.tag": "hash"}
    saved = load(snap.save(tmp_path, columns=chosen))
    assert set(saved.participants["person"]) == set(NAMES)
    assert saved.deals["lost_reason_description"].isna().all()
    assert saved.tags["tag"].str.fullmatch("[0-9a-f]{32}").all()
    assert saved.contacts["value"].nunique() == 4
    with pytest.raises(MissingColumnError, match="'participants.persn'; did you mean 'participants.person'"):
        snap.save(tmp_path, columns={"participants.persn": "keep"})
    with pytest.raises(MissingColumnError):
        snap.save(tmp_path, columns={"participants.deal_id": "drop"})
    with pytest.raises(SettingError, match="personal='hide' is none of 'hash', 'drop', 'keep'"):
        snap.save(tmp_path, personal="hide")


def test_what_was_done_cannot_be_undone_and_says_so(snap, tmp_path):
    hashed = load(snap.save(tmp_path / "one"))
    kept = load(hashed.save(tmp_path / "two", personal="keep"))
    assert kept.personal.mode == "hash"
    assert kept.participants["person"].tolist() == hashed.participants["person"].tolist(), "never hashed twice"
    dropped = load(kept.save(tmp_path / "three", personal="drop"))
    assert dropped.participants["person"].isna().all()
    assert load(dropped.save(tmp_path / "four")).personal.mode == "drop"


def test_pseudonyms_of_two_secrets_never_meet_in_one_snapshot(snap, serve, tmp_path, monkeypatch):
    server = serve()
    hashed = load(snap.save(tmp_path / "one"))
    monkeypatch.setenv("WEGLY_SALT_FILE", str(tmp_path / "other.key"))
    with pytest.raises(SettingError, match=r"made with secret \w{8}, here lies secret \w{8}.*WEGLY_SALT_FILE"):
        hashed.save(tmp_path / "two", columns={"tags.tag": "hash"})
    with pytest.raises(SettingError, match="made with secret"):
        refresh(hashed, client=client(server), progress=False)
    assert server.requests == []
    again = load(hashed.save(tmp_path / "two")).personal
    assert again == hashed.personal, "nothing new is made a pseudonym of, so no secret is needed"
    assert load(hashed.save(tmp_path / "two", personal="drop")).participants["person"].isna().all()


def test_the_secret_is_made_once_and_private(tmp_path):
    file = tmp_path / "deep" / "personal.key"
    secret = read_secret(file)
    assert len(secret) == 32
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert read_secret(file) == secret
    assert fingerprint(secret) not in secret.hex()


@pytest.mark.parametrize(
    ("content", "message"), [("hello", "it is no hexadecimal number"), ("abcd", "too short"), (None, "Is a directory")]
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
