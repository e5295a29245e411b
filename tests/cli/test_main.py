import os
import subprocess
import sys

import pytest
from server_side import Numbered
from strategies import body
from typer.testing import CliRunner

from wegly_analytics.cli import main as cli
from wegly_analytics.errors import IdError, SettingError
from wegly_analytics.sandbox import faults
from wegly_analytics.snapshot.load import load


@pytest.fixture
def serve(serve):
    return lambda **options: serve(Numbered(9), **options)


def test_fetch_publishes_a_snapshot_and_says_how_complete_it_is(wegly, serve, tmp_path):
    code, out, err = wegly("fetch", "1-12", "-q", "--per-second", 0, server=serve())
    assert code == 0
    assert "9 of 12 requested deals received (75.0 %); 3 not found" in out
    assert f"snapshot  {tmp_path}/data/snapshots/snapshot=" in out
    assert err == ""
    assert len(load(tmp_path / "data/snapshots").deals) == 9


def test_ids_come_from_words_files_and_standard_input(wegly, serve, tmp_path):
    (tmp_path / "ids.txt").write_text("4\n5 # five\n", encoding="utf-8-sig")
    server = serve()
    code, out, _ = wegly("fetch", "1", "2,3", "ids.txt", "-", "-q", "--per-second", 0, server=server, stdin="6\n7-8\n")
    assert code == 0
    assert "8 of 8 requested deals" in out
    assert sorted(int(r.path.rpartition("/")[2]) for r in server.requests) == list(range(1, 9))


@pytest.mark.filterwarnings("default")
def test_missing_deals_are_exit_code_3_and_a_warning(wegly, serve):
    code, out, err = wegly("fetch", "1-3", "-q", server=serve(faults={"2": faults.Status(418)}))
    assert code == 3
    assert "2 of 3 requested deals" in out
    assert "warning: 2 of 3 requested deals received (66.7 %); 1 failed: see snap.ledger" in err


@pytest.mark.parametrize("word", ["abc", "0", "5-1"])
def test_a_bad_id_is_wrong_usage(wegly, serve, word):
    server = serve()
    code, _, err = wegly("fetch", "1", word, server=server)
    assert code == 2
    assert f"error: {word!r} is no deal id, no range such as 1-500, and no file" in err
    assert server.requests == []


def test_a_refused_key_is_exit_code_1_and_one_sentence(wegly, serve):
    code, _, err = wegly("fetch", "1-2000", "-q", server=serve(), token="wrong")
    assert code == 1
    assert err.startswith("error: AuthError: 401 for …/deals/1")
    assert "Traceback" not in err
    code, _, err = wegly("fetch", "1-2000", "-q", token="")
    assert code == 1


def test_without_a_key_the_variable_is_named(wegly, monkeypatch):
    monkeypatch.delenv("WEGLY_TOKEN", raising=False)
    code, _, err = wegly("fetch", "1", token=None)
    assert code == 1
    assert "no token: set WEGLY_TOKEN" in err


def test_an_unwritable_root_is_exit_code_1(wegly, serve, tmp_path):
    (tmp_path / "file").write_text("")
    code, _, err = wegly("fetch", "1", "-q", "--root", "file/x", server=serve())
    assert code == 1
    assert "SnapshotError: cannot write a snapshot" in err


def test_snapshots_are_listed(wegly, serve, tmp_path):
    (tmp_path / "data/snapshots").mkdir(parents=True)
    assert wegly("snapshots") == (0, "data/snapshots holds no snapshot yet\n", "")
    wegly("fetch", "1-12", "-q", server=serve())
    code, out, _ = wegly("snapshots")
    assert code == 0
    assert "taken_at" in out
    assert out.count("\n") == 2
    code, _, err = wegly("snapshots", "elsewhere")
    assert code == 1
    assert "elsewhere is no folder of snapshots" in err


def test_without_words_it_explains_itself(wegly):
    code, out, _ = wegly()
    assert code == 2
    assert "fetch" in out
    assert wegly("fetch")[0] == 2


def test_the_demo_does_the_whole_job_twice(wegly, tmp_path):
    for n in (1, 2):
        code, out, err = wegly("demo", "-q", "--lang", "en" if n == 1 else "pt")
        assert code == 0, err
        assert "nothing leaves this machine" in out
        assert "requested deals received" in out
        assert len(list((tmp_path / "data/snapshots").iterdir())) == n
    pictures = sorted(p.name for p in (tmp_path / "data/charts").iterdir())
    assert pictures == ["loss_reasons.png", "time_in_stage.png", "velocity.png", "win_loss.png", "win_rate.png"]
    assert all(p.stat().st_size > 10_000 for p in (tmp_path / "data/charts").iterdir())


def test_the_sandbox_serves_and_stops(tmp_path):
    (tmp_path / "deals.ndjson").write_bytes(body({"id": "x", "code": 3}) + b"\n")
    command = [sys.executable, "-c", "from wegly_analytics.cli.main import main; main()", "sandbox", "--port", "0"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        [*command, "--from", str(tmp_path / "deals.ndjson"), "--fault", "error500:0"],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    with process:
        lines = [process.stdout.readline() for _ in range(3)]
        process.send_signal(2)
        assert process.wait(timeout=10) == 0
    assert lines[0].startswith("codes 1 to 3 at http://127.0.0.1:")
    assert "curl -H" in lines[1]


def test_a_sandbox_that_cannot_be_is_wrong_usage(tmp_path):
    runner = CliRunner()
    for words, message in [(["--fault", "sleepy"], "sleepy"), (["--from", "none.ndjson"], "none.ndjson")]:
        result = runner.invoke(cli.app, ["sandbox", *words])
        assert isinstance(result.exception, SettingError)
        assert message in str(result.exception)
    assert issubclass(IdError, SettingError)
