"""The runner of the benchmarks works on a few deals, so that it does not rot."""

import subprocess
import sys
from pathlib import Path

RUNNER = Path(__file__).parent.parent / "benchmarks" / "run.py"


def test_the_runner_prints_a_row_for_each_goal_of_reading(tmp_path):
    words = [sys.executable, RUNNER, "--deals", "200", "--runs", "1", "--only", "read", "--work", tmp_path]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [line.split(" | ") for line in done.stdout.splitlines() if line.startswith("| ")]
    assert [row[0].strip("| ") for row in rows[2:]] == [
        "200 deals, NDJSON to published snapshot, beside DuckDB",
        "peak memory of it",
        "1 % refused responses, beside none",
    ]
    assert "unreadable of the refused ones: 2\n" in done.stdout
    assert "the peer's tables have the same rows" in done.stdout
