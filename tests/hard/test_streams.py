"""Standard output and standard error that cannot be written never end a run."""

import json
import os
import subprocess
import sys

import pytest

from wegly_analytics.sandbox import TOKEN
from wegly_analytics.snapshot.load import load

pytestmark = pytest.mark.hard


def run(redirection, *words, server, folder):
    """Run `wegly fetch` in a shell; a pipe without a reader is standard input's, as 9."""
    reader, writer = os.pipe()
    os.close(reader)
    command = f"{sys.executable} -m wegly_analytics.cli.main fetch 1-9 --per-second 0 {' '.join(words)} {redirection}"
    try:
        return subprocess.run(
            ["bash", "-c", command.replace("PIPE", str(writer))],
            cwd=folder,
            pass_fds=[writer],
            capture_output=True,
            text=True,
            timeout=60,
            env={**os.environ, "WEGLY_TOKEN": TOKEN, "WEGLY_BASE_URL": server.url, "PYTHONWARNINGS": "default"},
        )
    finally:
        os.close(writer)


@pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full", "2>&PIPE", ">&- 2>&-"])
def test_a_standard_error_that_cannot_be_written_changes_nothing(serve, tmp_path, redirection):
    server = serve()
    done = run(redirection, "--archive", "responses.sqlite", server=server, folder=tmp_path)
    assert done.returncode == 0
    assert len(load(tmp_path / "data/snapshots")) == 9


@pytest.mark.parametrize("redirection", [">&-", ">/dev/full", ">&PIPE"])
def test_a_summary_that_cannot_be_printed_is_a_failure_only_for_a_machine(serve, tmp_path, redirection):
    server = serve()
    for words, code in (((), 0), (("--json",), 1)):
        done = run(redirection, *words, server=server, folder=tmp_path)
        assert done.returncode == code, done.stderr
        assert "standard output" in done.stderr
        assert "Traceback" not in done.stderr
        path = next((tmp_path / "data/snapshots").iterdir())
        assert "the snapshot was published: " in done.stderr
        assert path.name[:9] in done.stderr
        assert len(load(tmp_path / "data/snapshots")) == 9


def test_streams_that_can_be_written_are_written(serve, tmp_path):
    done = run("", "--json", server=serve(), folder=tmp_path)
    assert done.returncode == 0
    assert json.loads(done.stdout)["deals"] == 9


@pytest.mark.parametrize("action", ["sys.stderr.close()", "sys.stderr = None"])
def test_a_script_with_a_closed_standard_error_gets_its_snapshot_in_spite_of_warnings(serve, tmp_path, action):
    server = serve()
    script = f"""
import sys
from datetime import UTC, datetime
import wegly_analytics as wa
from wegly_analytics.intake.archive import Archive
from wegly_analytics.intake.record import Record
with Archive("a.sqlite") as archive:
    for id_, at in (("1", datetime(2020, 1, 1, tzinfo=UTC)), ("2", datetime(2099, 1, 1, tzinfo=UTC))):
        archive.write(Record(id_, 200, at, f'{{{{"id": "deal-{{id_}}", "code": {{id_}}, "status": 1}}}}'.encode()))
{action}
client = wa.Client({TOKEN!r}, base_url={server.url!r}, per_second=None)
print(len(wa.fetch("1-9", client=client, archive="a.sqlite")))
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout.strip()) == (0, "9")
