"""What `wegly read` holds of each deal is little, however large the deal is."""

import json
import subprocess
import sys
import uuid

import pytest

pytestmark = pytest.mark.hard

RUN = """
import resource, sys
from wegly_analytics.cli.main import main
sys.argv = ["wegly", "read", sys.argv[1], "--root", sys.argv[2]]
try:
    main()
except SystemExit as ended:
    assert not ended.code, ended.code
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def written(file, n, *, versions=1):
    """Deals of some 500 bytes; with several versions of each, the newer ones follow all others, in another order."""
    texts = [f"{k} " * 50 for k in range(10)]
    deals = [
        {
            "id": str(uuid.UUID(int=k)),
            "title": texts[k % 10],
            "tags": [{"id": str(uuid.UUID(int=k + t)), "name": texts[t]} for t in range(3)],
        }
        for k in range(n)
    ]
    with file.open("w") as lines:
        for version in range(versions):
            for deal in deals[:: -1 if version else 1]:
                lines.write(json.dumps(deal | {"updated_at": f"2026-0{version + 1}-01T00:00:00Z"}) + "\n")
    return file.stat().st_size


def peak(tmp_path, n, **how):
    """Megabytes of a process that reads a file, and of the file."""
    size = written(tmp_path / f"{n}.ndjson", n, **how)
    done = subprocess.run(
        [sys.executable, "-c", RUN, tmp_path / f"{n}.ndjson", tmp_path / "root"],
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout.split()[-1]) / 1024, size / 2**20


@pytest.mark.parametrize("versions", [1, 2])
def test_a_deal_that_was_read_takes_its_id_and_times_not_its_tables(tmp_path, versions):
    small, size = peak(tmp_path, 60_000, versions=versions)
    large, size_of_large = peak(tmp_path, 180_000, versions=versions)
    assert size_of_large - size > 70
    per_deal = (large - small) * 2**20 / 120_000
    assert per_deal < 900, (small, large)
