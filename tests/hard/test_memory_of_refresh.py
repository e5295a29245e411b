"""`wegly refresh` never holds the whole of a table: four times the deals take hardly more memory."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from server_side import uuid_of
from strategies import body

from wegly_analytics import load
from wegly_analytics.sandbox import TOKEN

pytestmark = pytest.mark.hard
N, FACTOR, OPEN = 40_000, 4, 20
OLD = (datetime.now(UTC) - timedelta(days=300)).isoformat()


class Company:
    """Deals with some text each; only the first few are open."""

    def response(self, key, at):
        code = int(key) if key.isdigit() else int(key[-12:])
        return body(self.deal(code)) if code <= FACTOR * N else None

    def deal(self, code):
        closed = {} if code <= OPEN else {"status": 2, "won_date": OLD}
        rows = {
            "tags": [{"name": f"tag {code} {n}"} for n in range(8)],
            "proposals": [{"id": f"p{code}-{n}", "total": 5} for n in range(4)],
            "custom_fields": [
                {"field_id": f"f{n}", "field_name": f"Field {n}", "answers": [{"value": f"answer {code} to {n}"}]}
                for n in range(8)
            ],
        }
        return (
            {"id": uuid_of(code), "code": code, "status": 1, "title": f"Deal {code}", "updated_at": OLD} | closed | rows
        )


COMMAND = """
import atexit, sys
from hard.process import peak_memory
from wegly_analytics.cli.main import main
atexit.register(lambda: print(peak_memory(), file=sys.stderr))
main()
"""
"""The command, which prints at its end the most memory that it had; what wait4 returns may be that of the parent."""


def peak_memory(*words, **settings):
    """Run a command, and return the most memory that it had, in bytes."""
    words = [sys.executable, "-c", COMMAND, *map(str, words)]
    settings |= {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(words, env=os.environ | settings, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return int(done.stderr.split()[-1])


def in_memory(root):
    """The bytes of all tables together."""
    return sum(table.nbytes for table in load(root).tables.values())


def refreshed(folder, server, n):
    """Refresh a snapshot of so many deals; return the bytes of its tables, and the most memory that it took."""
    file, root = folder / f"{n}.ndjson", folder / f"root-{n}"
    company = Company()
    file.write_bytes(b"".join(body(company.deal(code)) + b"\n" for code in range(1, n + 1)))
    peak_memory("read", file, "--root", root, "--personal", "keep")
    words = ("--personal", "keep", "--per-second", 0, "--misses", 0, "-q")
    memory = peak_memory("refresh", "--root", root, *words, WEGLY_BASE_URL=server.url, WEGLY_TOKEN=TOKEN)
    assert len(list(root.iterdir())) == 2
    assert sorted(each.name for each in folder.iterdir() if each.is_dir() and str(n) in each.name) == [root.name]
    return in_memory(root), memory


def test_four_times_the_deals_take_hardly_more_memory(serve, folder):
    server = serve(Company())
    (one, memory), (four, memory_4) = (refreshed(folder, server, n) for n in (N, FACTOR * N))
    assert len(server.requests) == 2 * OPEN
    told = f"tables of {one >> 20} and {four >> 20} MB took {memory >> 20} and {memory_4 >> 20} MB"
    assert memory_4 - memory < (four - one) / 2, told
