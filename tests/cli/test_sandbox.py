"""The local server, run as a command."""

import subprocess
import sys

from strategies import body


def test_the_sandbox_serves_until_ctrl_c(tmp_path):
    (tmp_path / "deals.ndjson").write_bytes(body({"id": "x", "code": 3}) + b"\n")
    command = [sys.executable, "-u", "-m", "wegly_analytics.cli.main", "sandbox", "--port", "0"]
    process = subprocess.Popen(
        [*command, "--from", str(tmp_path / "deals.ndjson"), "--fault", "error500:0"],
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        lines = [process.stdout.readline() for _ in range(3)]
        process.send_signal(2)
        assert process.wait(timeout=10) == 0
    assert lines[0].startswith("codes 1 to 3 at http://127.0.0.1:")
    assert "curl -H" in lines[1]
