"""Pseudonyms: equal for equal people, in every snapshot, and only with the secret."""

import hmac
import stat

import pytest
from planted_people import NAMES, PLANTED, People, found_in, person
from server_side import Numbered, client, uuid_of

from wegly_analytics import metrics
from wegly_analytics.errors import SettingError
from wegly_analytics.intake.fetch import fetch
from wegly_analytics.intake.refresh import refresh
from wegly_analytics.plots.footnote import sentences
from wegly_analytics.snapshot.load import load
from wegly_analytics.snapshot.pseudonyms import fingerprint
from wegly_analytics.snapshot.secret import read_secret


@pytest.fixture
def snap(serve):
    return fetch(range(1, 31), client=client(serve(People())), progress=False)


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
    (tmp_path / "key").chmod(0o600)
    monkeypatch.setenv("WEGLY_SALT_FILE", str(tmp_path / "key"))
    hashed = load(snap.save(tmp_path / "root"))
    expected = hmac.new(bytes.fromhex(secret), NAMES[1].encode(), "sha256").hexdigest()[:32]
    assert expected in set(hashed.participants["person"])
    assert found_in(tmp_path / "root", secret) == []


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
    file.chmod(0o700 if content is None else 0o600)
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


def test_metrics_group_by_the_pseudonyms_of_staff(snapshot_of, tmp_path):
    won, lost = {"status": 2, "won_date": "2026-05-01"}, {"status": 3, "lost_date": "2026-05-01"}
    ana, rui = {"responsible": {"id": "u1", "name": "Ana Lima"}}, {"responsible": {"id": "u2", "name": "Rui Paz"}}
    snap = snapshot_of(won | ana, won | ana, lost | ana, lost | rui)
    hashed = load(snap.save(tmp_path, personal="hash-all"))
    columns = ["won", "lost", "rate"]
    found, expected = (metrics.win_rate(s, by="responsible") for s in (hashed, snap))
    assert found["responsible"].str.fullmatch("[0-9a-f]{32}").all()
    assert sorted(found[columns].values.tolist()) == sorted(expected[columns].values.tolist())
    assert found.attrs["caveats"] == ["grouped by pseudonyms, which replaced the values when the snapshot was saved"]
    assert expected.attrs["caveats"] == []


def test_groups_by_a_column_that_was_emptied_say_so_also_in_the_chart(snapshot_of, tmp_path):
    snap = snapshot_of({"title": "A", "status": 2, "tags": [{"id": "t", "name": "vip"}]}, {"title": "B", "status": 3})
    emptied = "grouped by a column that was emptied when the snapshot was saved: its values are all missing"
    assert metrics.win_rate(load(snap.save(tmp_path / "hash")), by="title").attrs["caveats"] == [emptied]
    assert metrics.win_rate(load(snap.save(tmp_path / "hash")), by=["source", "tag"]).attrs["caveats"] == []
    dropped = metrics.win_rate(load(snap.save(tmp_path / "drop", personal="drop")), by=["source", "tag"])
    assert dropped.attrs["caveats"] == [emptied]
    assert emptied in sentences(dropped, "en")
    assert not {emptied, *sentences(dropped, "en")[:1]} & set(sentences(dropped, "pt"))


def test_a_refresh_of_a_snapshot_without_personal_data_adds_none(serve, tmp_path):
    first = fetch(range(1, 11), client=client(serve(People())), progress=False)
    dropped = load(first.save(tmp_path / "one", personal="drop"))
    both = refresh(dropped, client=client(serve(People())), progress=False)
    assert len(both.deals) == 27
    for name in ("participants.person", "contacts.value", "followers.user", "deals.lost_reason_description"):
        table, column = name.split(".")
        assert both.tables[table].num_rows
        assert both.tables[table].column(column).null_count == both.tables[table].num_rows
    assert load(both.save(tmp_path / "two")).personal.mode == "drop"
    assert found_in(tmp_path / "two", *PLANTED) == []


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


@pytest.mark.parametrize("old", ["keep", "hash", "hash-all", "drop"])
def test_the_stronger_mode_holds_when_a_snapshot_is_saved_again(snap, tmp_path, old):
    strength = ["keep", "hash", "hash-all", "drop"]
    directly = {mode: load(snap.save(tmp_path / mode, personal=mode)) for mode in strength}
    for new in strength:
        again = load(directly[old].save(tmp_path / f"{old}-{new}", personal=new))
        stronger = directly[max(old, new, key=strength.index)]
        assert again.personal.mode == stronger.personal.mode
        assert again.personal.columns == stronger.personal.columns
        assert all(again.tables[name].equals(table) for name, table in stronger.tables.items())
        assert again.drift_seen == stronger.drift_seen


def test_columns_that_an_older_snapshot_left_in_clear_are_treated_when_it_is_saved_again(snap, tmp_path):
    older = load(snap.save(tmp_path / "older", columns={"participants.person": "keep", "participants.notes": "keep"}))
    assert found_in(tmp_path / "older", *NAMES)
    again = load(older.save(tmp_path / "again"))
    assert found_in(tmp_path / "again", *PLANTED) == []
    assert again.participants["person"].tolist() == load(snap.save(tmp_path / "new")).participants["person"].tolist()
