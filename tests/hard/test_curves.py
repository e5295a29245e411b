"""The curves of `benchmarks/scale.py` are drawn, from small sizes, so that it does not rot."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.hard

SCALE = Path(__file__).parent.parent.parent / "benchmarks" / "scale.py"


def test_each_curve_becomes_a_picture(tmp_path):
    words = [sys.executable, SCALE, "--most", "300", "--pictures", tmp_path]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "win_rate: exponent" in done.stdout
    drawn = sorted(file.name for file in tmp_path.iterdir())
    assert drawn == ["children.png", "deals.png", "groups.png", "snapshots.png"]
