"""The commands that make snapshots: ids from everywhere, summaries, exit codes, resuming and refreshing."""

import hashlib
import hmac
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
import tracemalloc
from contextlib import closing

import pandas as pd
import pytest
from server_side import Numbered, requested

from wegly_analytics.sandbox import TOKEN, faults
from wegly_analytics.snapshot.load import load

FETCH = ("fetch", "-q", "--per-second", 0)


def test_fetch_publishes_a_snapshot_and_says_how_complete_it_is(wegly, serve, tmp_path):
    code, out, err = wegly(*FETCH, "1-12", server=serve())
    assert (code, err) == (0, "")
    assert "9 of 12 requested deals received (75.0 %); 3 not found" in out
    assert f"snapshot  {tmp_path}/data/snapshots/snapshot=" in out
    assert len(load(tmp_path / "data/snapshots").deals) == 9


def test_ids_come_from_words_files_and_standard_input(wegly, serve, tmp_path):
    (tmp_path / "ids.txt").write_text("4\n5 # five\n", encoding="utf-8-sig")
    server = serve()
    code, out, _ = wegly(*FETCH, "1", "2,3", "ids.txt", "-", server=server, stdin="6\n7-8\n")
    assert code == 0
    assert "8 of 8 requested deals" in out
    assert sorted(map(int, requested(server))) == list(range(1, 9))


@pytest.mark.parametrize("words", [(*FETCH, "-"), (*FETCH, "--webhooks", "others.ndjson"), ("read", "none.ndjson")])
def test_without_any_id_nothing_is_published(wegly, serve, tmp_path, words):
    (tmp_path / "others.ndjson").write_text('{"event_key": "contact.created", "payload": {"id": 1}}')
    (tmp_path / "none.ndjson").touch()
    code, out, err = wegly(*words, server=serve())
    assert (code, out) == (2, "")
    assert "nothing was published" in err
    assert not (tmp_path / "data" / "snapshots").exists()


def test_many_ids_need_a_confirmation(wegly, serve):
    server = serve()
    for words in (("1-9999999",), ("1-60000", "60001-120000")):
        code, _, err = wegly(*FETCH, *words, server=server)
        assert (code, server.requests) == (2, [])
        assert "more than 100,000 ids" in err
        assert "--yes" in err


def test_more_ids_than_a_run_takes_are_refused_in_little_memory_whatever_is_confirmed(wegly, serve):
    server = serve()
    for words, message in (
        (("1-99999999999",), "more than 10,000,000"),
        (("1-99999999999", "--yes"), "99,999,999,999 ids, more than 10,000,000"),
        (("1-9000000", "9000001-18000000", "--yes"), "more than 10,000,000 ids"),
        (("1-" + "9" * 30, "--yes"), "more than 18 digits"),
        (("9" * 5000, "--yes"), "is not a deal id"),
    ):
        tracemalloc.start()
        try:
            code, _, err = wegly(*FETCH, *words, server=server)
            assert tracemalloc.get_traced_memory()[1] < 20_000_000
        finally:
            tracemalloc.stop()
        assert (code, server.requests) == (2, [])
        assert message in err


def test_a_walk_needs_no_ids(wegly, serve, tmp_path):
    code, out, _ = wegly(*FETCH, "--walk", 1, "--misses", 12, server=serve(Numbered(25)))
    assert code == 0
    assert "23 of 37 requested deals received (62.2 %); 14 not found" in out
    assert len(load(tmp_path / "data/snapshots")) == 23


@pytest.mark.parametrize("ending", ["csv", "parquet", "xlsx"])
def test_ids_come_from_a_column_of_a_table(wegly, serve, tmp_path, ending):
    table = pd.DataFrame({"Negócio": ["a", "b", "c"], "Código": [3, 5, 5]})
    {"csv": table.to_csv, "parquet": table.to_parquet, "xlsx": table.to_excel}[ending](
        tmp_path / f"deals.{ending}", index=False
    )
    server = serve()
    words = (*FETCH, f"deals.{ending}", "--column")
    assert wegly(*words, "Código", server=server)[0] == 0
    assert sorted(requested(server)) == ["3", "5"]
    code, _, err = wegly(*words, "Codigo", server=server)
    assert (code, err) == (2, f"Error: deals.{ending} has no column 'Codigo'; did you mean 'Código'?\n")


def hook(key, deal):
    return json.dumps({"event_key": key, "payload": {"id": deal}})


def test_captured_webhooks_name_the_deals_to_fetch(wegly, serve, tmp_path, monkeypatch):
    bodies = [hook("deal.won", 3), hook("person.updated", 9), hook("deal.updated", 3), hook("deal.created", 4)]
    (tmp_path / "plain.ndjson").write_text("\n".join(bodies))
    server = serve()
    code, _, _ = wegly(*FETCH, "--webhooks", "plain.ndjson", server=server)
    assert (code, sorted(requested(server))) == (0, ["3", "4"])
    signed = [
        {"headers": {"X-Wegly-Signature": hmac.new(b"s3", b.encode(), hashlib.sha256).hexdigest()}, "body": b}
        for b in bodies
    ]
    (tmp_path / "signed.ndjson").write_text("\n".join(map(json.dumps, signed)))
    monkeypatch.setenv("WEGLY_WEBHOOK_SECRET", "s3")
    assert wegly(*FETCH, "--webhooks", "signed.ndjson", server=server)[0] == 0
    monkeypatch.setenv("WEGLY_WEBHOOK_SECRET", "another")
    code, _, err = wegly(*FETCH, "--webhooks", "signed.ndjson", server=server)
    assert code == 2
    assert "signed.ndjson, line 1" in err


def test_machines_get_json(wegly, serve):
    code, out, err = wegly(*FETCH, "1-12", "--json", server=serve(Numbered()))
    summary = json.loads(out)
    assert (code, err) == (0, "")
    expected = {"requested": 12, "fetched": 11, "not_found": 1, "received": 11, "missing": 0, "deals": 11}
    assert {name: summary[name] for name in expected} == expected
    assert summary["taken_from"] <= summary["taken_at"]
    assert "refresh" not in summary
    assert load(summary["snapshot"]).completeness.requested == 12


def test_missing_deals_are_exit_code_3_with_the_cause_of_each_kind(wegly, serve):
    server = serve(Numbered(60), faults={"2": faults.Status(418), "4": faults.Status(418), "5": faults.Status(403)})
    code, out, err = wegly(*FETCH, "1-60", "--max-failures", 1, "--allow-incomplete", server=server)
    assert (code, "snapshot  " in out) == (3, True)
    first, second = err.splitlines()
    assert first.startswith(f"failed: 2 at {server.url}, for example 2: 418 for …/deals/2: ")
    assert second.startswith(f"forbidden: 1 at {server.url}, for example 5: 403 for …/deals/5: ")


def test_a_snapshot_that_lacks_too_much_is_published_only_on_request(wegly, serve, tmp_path):
    code, out, err = wegly(*FETCH, "1-3", "--json", server=serve(faults={"2": faults.Status(418)}))
    assert code == 3
    assert (json.loads(out)["missing"], json.loads(out)["snapshot"]) == (1, None)
    assert "nothing was published" in err
    assert "--allow-incomplete" in err
    assert not (tmp_path / "data").exists()


def test_the_same_command_again_requests_nothing(wegly, serve):
    server = serve()
    for _ in range(2):
        code, _, err = wegly(*FETCH, "1-9", "--archive", "raw", server=server)
        assert (code, err) == (0, "")
    assert len(server.requests) == 9


def test_a_refresh_counts_what_it_brought(wegly, serve, tmp_path):
    status = {4: 2, 5: 3}  # won and lost long ago: not requested again
    company = Numbered(9, status=lambda code: status.get(code, 1), value=lambda code: values.get(code, 5))
    values = {}
    server = serve(company)
    wegly(*FETCH, "1-9", server=server)
    values[2] = 6
    company.last = 13
    server = serve(company, faults={"3": faults.Status(418), "1": faults.Status(404)})
    code, out, err = wegly("refresh", "-q", "--per-second", 0, "--misses", 2, "--json", server=server)
    assert json.loads(out)["refresh"] == {
        "requested": 13,  # 7 open deals, 10 to 15 as new codes
        "carried": 4,
        "new": 3,
        "changed": 1,
        "unchanged": 4,
        "not_found": 4,
        "failed": 1,
    }
    assert code == 3
    assert err.startswith(f"kept as before: 1 at {server.url}, for example 3: 418 for …/deals/3: ")
    assert len(load(tmp_path / "data/snapshots")) == 12
    code, out, err = wegly("refresh", "-q", "--per-second", 0, "--misses", 0, server=serve(company))
    assert (code, err) == (0, "")
    assert "refresh   10 requested: 0 new, 0 changed, 10 unchanged, 0 not found, 0 failed; 2 carried\n" in out


def test_an_archive_is_read_described_and_erased(wegly, serve, tmp_path):
    server = serve()
    wegly(*FETCH, "1-12", "--archive", "raw", server=server)
    server.stop()
    code, out, err = wegly("read", "raw", "--root", "again")
    assert (code, err) == (0, "")
    assert "9 of 12 requested deals received" in out
    assert len(load(tmp_path / "again")) == 9
    code, out, _ = wegly("archive", "raw")
    assert code == 0
    assert "responses  12 for 12 ids\n" in out
    code, out, err = wegly("archive", "raw", "--erase-older-than", "0m")
    assert (code, out, err) == (2, "", "Error: all 12 responses in raw would be erased: add --yes to do so\n")
    code, out, _ = wegly("archive", "raw", "--erase-older-than", "0m", "--yes")
    assert (code, out.startswith("erased     12 responses from before ")) == (0, True)
    assert "responses  0 for 0 ids\n" in out
    assert wegly("archive", "no") == (2, "", "Error: no is not an archive: `wegly fetch --archive no` creates one\n")


def test_a_damaged_archive_is_named_with_exit_code_1_until_the_damage_is_erased(wegly, serve, tmp_path):
    wegly(*FETCH, "1-3", "--archive", "raw", server=serve())
    with closing(sqlite3.connect(tmp_path / "raw")) as connection, connection:
        connection.execute("UPDATE response SET status = 404 WHERE requested = '2'")
    code, out, err = wegly("archive", "raw")
    assert (code, "responses  2 for 2 ids\n" in out) == (1, True)
    assert re.fullmatch(r"damaged: raw: record \d \(requested: '2'\): its checksum is wrong\n", err)
    code, out, err = wegly("archive", "raw", "--erase-older-than", "1d")
    assert (code, out.startswith("erased     1 responses"), err) == (0, True, "")


def test_what_is_not_an_archive_is_refused_before_the_first_request_and_left_as_it_is(wegly, serve, tmp_path):
    server = serve()
    (tmp_path / "words").write_text("words " * 200)
    (tmp_path / "folder").mkdir()
    for name, code, why in (
        ("words", 1, "file is not a database"),
        ("folder", 2, "folder is a folder, and an archive"),
    ):
        found, out, err = wegly(*FETCH, "1-3", "--archive", name, server=server)
        assert (found, out, why in err) == (code, "", True)
    assert (server.requests, (tmp_path / "words").read_text()) == ([], "words " * 200)


def test_personal_data_is_treated_as_requested(wegly, serve, tmp_path):
    people = Numbered(3, participants=lambda code: [{"id": "x", "person": {"id": "y", "name": "Ana"}}])
    for mode, name in (("keep", "Ana"), ("drop", None)):
        assert wegly(*FETCH, "1-3", "--root", mode, "--personal", mode, server=serve(people))[0] == 0
        assert load(tmp_path / mode).participants["person"].replace({float("nan"): None}).tolist() == [name] * 3


def test_too_many_failures_stop_the_run_with_cause_address_and_remedy(wegly, serve):
    server = serve(Numbered(), faults=lambda key: faults.Status(500))
    code, _, err = wegly(*FETCH, "1-200", "--attempts", 1, "--archive", "raw", server=server)
    assert code == 1
    assert "more than --max-failures 0.05" in err
    assert "kept in raw" in err
    assert f"the address was {server.url} (--base-url or WEGLY_BASE_URL)" in err


def test_a_server_that_is_down_is_named_with_its_error(wegly, serve, tmp_path):
    server = serve()
    server.stop()
    for ids in ("1-3", "1-200"):
        code, _, err = wegly(*FETCH, ids, "--attempts", 1, server=server)
        assert code == 1
        assert server.url in err
        assert "Connection refused" in err
    assert not (tmp_path / "data").exists()


def test_a_secret_that_cannot_be_read_is_refused_before_the_first_request(wegly, serve, tmp_path, monkeypatch):
    (tmp_path / "key").write_text("not a secret")
    (tmp_path / "key").chmod(0o600)
    monkeypatch.setenv("WEGLY_SALT_FILE", str(tmp_path / "key"))
    server = serve()
    code, _, err = wegly(*FETCH, "1", server=server)
    assert (code, server.requests) == (2, [])
    assert "WEGLY_SALT_FILE" in err


def test_the_nearest_env_file_is_used_below_a_project(wegly, serve, tmp_path):
    server = serve()
    (tmp_path / ".env").write_text(f"WEGLY_TOKEN={TOKEN}\nWEGLY_BASE_URL={server.url}\n")
    (tmp_path / "data").mkdir()
    (tmp_path / "notebooks").mkdir()
    assert wegly(*FETCH, "1-3", token=None, folder="notebooks")[0] == 0
    assert len(load(tmp_path / "data/snapshots")) == 3


def test_ctrl_c_is_exit_code_130_and_a_sentence(serve, tmp_path):
    server = serve(Numbered(400), latency=0.02)
    command = [sys.executable, "-m", "wegly_analytics.cli.main"]
    process = subprocess.Popen(
        [*command, *map(str, FETCH), "1-400", "--archive", "raw"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "WEGLY_TOKEN": TOKEN, "WEGLY_BASE_URL": server.url},
    )
    with process:
        while len(server.requests) < 30:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        begun = time.monotonic()
        assert process.wait(timeout=10) == 130
        assert time.monotonic() - begun < 2
        printed = process.stderr.read()
    assert "kept in raw" in printed
    assert "Traceback" not in printed
    assert TOKEN not in " ".join(command)


def test_the_command_names_the_cause_of_a_server_that_is_down_and_publishes_nothing(serve, wegly, tmp_path):
    server = serve()
    server.stop()
    code, out, err = wegly("fetch", "1-9", "--attempts", 1, "--root", "root", "--quiet", server=server)
    assert (code, out) == (1, "")
    assert f"cannot connect to {server.url}: " in err
    assert not (tmp_path / "root").exists()
