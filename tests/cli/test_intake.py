"""The command's ways of getting deals: walks, tables, webhooks, archives, refreshes."""

import hashlib
import hmac
import json
import os
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest
from server_side import Numbered, requested

from wegly_analytics.sandbox import TOKEN, faults
from wegly_analytics.snapshot.load import load

FETCH = ("fetch", "-q", "--per-second", 0)


def test_a_walk_needs_no_ids(wegly, serve, tmp_path):
    code, out, _ = wegly(*FETCH, "--walk", 1, "--misses", 12, server=serve(Numbered(25)))
    assert code == 0
    assert "23 of 37 requested deals received (62.2 %); 14 not found" in out
    assert len(load(tmp_path / "data/snapshots")) == 23


@pytest.mark.parametrize("words", [(), ("1", "--walk", 1), ("1", "--webhooks", "hooks.ndjson")])
def test_what_to_fetch_is_said_once(wegly, words):
    code, _, err = wegly(*FETCH, *words)
    assert (code, err) == (2, "error: say what to fetch: ids, --walk or --webhooks, and only one of them\n")


@pytest.mark.parametrize("ending", ["csv", "parquet", "xlsx"])
def test_ids_come_from_a_column_of_a_table(wegly, serve, tmp_path, ending):
    table = pd.DataFrame({"Negócio": ["a", "b", "c"], "Código": [3, 5, 5]})
    {"csv": table.to_csv, "parquet": table.to_parquet, "xlsx": table.to_excel}[ending](
        tmp_path / f"deals.{ending}", index=False
    )
    server = serve()
    assert wegly(*FETCH, f"deals.{ending}", server=server)[0] == 0
    assert wegly(*FETCH, f"deals.{ending}", "--column", "Código", server=server)[0] == 0
    assert sorted(requested(server)) == ["3", "3", "5", "5"]
    code, _, err = wegly(*FETCH, f"deals.{ending}", "--column", "Codigo", server=server)
    assert code == 1
    assert f"deals.{ending} has no column 'Codigo'; did you mean 'Código'?" in err


def hook(key, deal):
    return json.dumps({"event_key": key, "payload": {"id": deal}})


def test_captured_webhooks_say_what_to_fetch(wegly, serve, tmp_path, monkeypatch):
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
    assert "error: signed.ndjson, line 1: the signature does not match the body" in err


def test_machines_get_json(wegly, serve, tmp_path):
    code, out, err = wegly(*FETCH, "1-12", "--json", server=serve())
    summary = json.loads(out)
    assert (code, err) == (0, "")
    assert {name: summary[name] for name in ("requested", "fetched", "not_found", "received", "missing", "deals")} == {
        "requested": 12,
        "fetched": 11,
        "not_found": 1,
        "received": 11,
        "missing": 0,
        "deals": 11,
    }
    assert summary["taken_from"] <= summary["taken_at"]
    assert load(summary["snapshot"]).completeness.requested == 12


@pytest.mark.filterwarnings("default")
def test_a_snapshot_that_lacks_too_much_needs_a_word_to_be_published(wegly, serve, tmp_path):
    server = serve(faults={"2": faults.Status(418)})
    code, out, err = wegly(*FETCH, "1-3", "--json", server=server)
    assert code == 3
    assert (json.loads(out)["missing"], json.loads(out)["snapshot"]) == (1, None)
    assert "nothing was published" in err
    assert "on the command line that is --allow-incomplete" in err
    assert not (tmp_path / "data").exists()
    code, out, err = wegly(*FETCH, "1-3", "--allow-incomplete", server=server)
    assert (code, "snapshot  " in out) == (3, True)
    server = serve(faults={"2": faults.Status(418)})
    code, out, _ = wegly(*FETCH, "1-40", server=server)
    assert (code, "snapshot  " in out) == (3, True), "few missing deals are said, and published"


def test_the_same_command_again_asks_for_nothing(wegly, serve):
    server = serve()
    for _ in range(2):
        code, _, err = wegly(*FETCH, "1-12", "--archive", "raw", server=server)
        assert (code, err) == (0, "")
    assert len(server.requests) == 12


def test_a_refresh_brings_the_newest_snapshot_up_to_date(wegly, serve, tmp_path):
    server = serve(Numbered(12))
    wegly(*FETCH, "1-12", server=server)
    server.source.last = 14
    code, out, err = wegly("refresh", "-q", "--per-second", 0, "--misses", 3, server=server)
    assert (code, err) == (0, "")
    assert "13 of 17 requested deals received (76.5 %); 4 not found" in out
    assert len(load(tmp_path / "data/snapshots")) == 13
    code, _, err = wegly("refresh", "--recent", "soon", server=server)
    assert (code, "recent='soon'" in err) == (2, True)


def test_an_archive_is_read_described_and_erased(wegly, serve, tmp_path):
    server = serve()
    wegly(*FETCH, "1-12", "--archive", "raw", server=server)
    server.stop()
    code, out, err = wegly("read", "raw", "--root", "again")
    assert (code, err) == (0, "")
    assert "11 of 12 requested deals received" in out
    assert len(load(tmp_path / "again")) == 11
    code, out, _ = wegly("archive", "raw")
    assert code == 0
    assert "answers  12 about 12 ids in 1 files" in out
    code, out, _ = wegly("archive", "raw", "--erase-older-than", "0m")
    assert (code, out.startswith("erased   12 answers from before ")) == (0, True)
    code, _, err = wegly("archive", "raw")
    assert (code, err) == (2, "error: raw holds no archive\n")
    wegly(*FETCH, "1-3", "--archive", "raw", server=serve())
    code, _, err = wegly("archive", "raw", "--erase-older-than", "old")
    assert (code, err.startswith("error: --erase-older-than='old' is not a length of time")) == (2, True)


def test_a_damaged_archive_is_said_so(wegly, serve, tmp_path):
    wegly(*FETCH, "1-3", "--archive", "raw", server=serve())
    (segment,) = [path for path in (tmp_path / "raw").iterdir() if path.suffix == ".gz"]
    segment.write_bytes(segment.read_bytes()[:-8] + b"\xff" * 40)
    code, out, _ = wegly("archive", "raw")
    assert code == 0
    assert f"damaged  raw/{segment.name}: " in out


def test_personal_data_is_kept_only_if_so_said(wegly, serve, tmp_path):
    people = Numbered(3, participants=lambda code: [{"id": "x", "person": {"id": "y", "name": "Ana"}}])
    for mode, name in (("keep", "Ana"), ("drop", None)):
        assert wegly(*FETCH, "1-3", "--root", mode, "--personal", mode, server=serve(people))[0] == 0
        assert load(tmp_path / mode).participants["person"].replace({float("nan"): None}).tolist() == [name] * 3
    code, _, err = wegly(*FETCH, "1-3", "--personal", "hide", server=serve(people))
    assert (code, "personal='hide' is none of" in err) == (2, True)


def test_failures_stop_the_run_and_say_how_to_go_on(wegly, serve):
    server = serve(faults=lambda key: faults.Status(500))
    code, _, err = wegly(*FETCH, "1-200", "--attempts", 1, "--archive", "raw", server=server)
    assert code == 1
    assert "requests failed, more than max_failures=0.05 allows" in err
    assert "0 deals were received and are kept in raw; run the same line again to resume" in err


def test_ctrl_c_is_exit_code_130_and_a_sentence(serve, tmp_path):
    server = serve(Numbered(400), latency=0.02)
    command = [sys.executable, "-c", "from wegly_analytics.cli.main import main; main()"]
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
        said = process.stderr.read()
    assert "deals were received and are kept in raw; run the same line again to resume" in said
    assert "Traceback" not in said
    assert TOKEN not in " ".join(command)
