"""What the README shows, works."""

import re
import warnings
from pathlib import Path

import duckdb
import matplotlib.pyplot as plt
import pytest

import wegly_analytics as wa
from wegly_analytics.cli.main import app
from wegly_analytics.model.personal import Personal

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


def test_the_python_blocks_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    session = "".join(re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL))
    session = re.sub(r"wa\.fetch\(range\(1, 2001\), archive=.*?\)", "wa.sample()", session)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        exec(compile(session, "README.md", "exec"), {})
    assert len(wa.snapshots("data/snapshots")) == 1
    plt.close("all")
    queries = re.findall(r"```sql\n(.*?)```", README, flags=re.DOTALL)
    assert queries
    for query in queries:
        assert len(duckdb.sql(query).fetchall()) > 1


def test_the_two_lines_come_first():
    assert re.search(r"make demo.*\nmake test", README)
    assert README.index("make demo") < README.index("```python")


@pytest.mark.parametrize("command", re.findall(r"^\| `wegly (\w+)", README, flags=re.MULTILINE))
def test_the_commands_exist(command):
    assert command in {c.callback.__name__ for c in app.registered_commands}


def test_the_readme_says_what_each_mode_does_with_personal_data():
    words = {"hash": "pseudonyms", "drop": "emptied", "keep": "stay", "ids": "only ids stay"}
    modes = ("hash", "hash-all", "drop", "keep")
    rows = re.findall(
        r"^\| \*\*(.+?)\*\*.*? \| ([\w ]+) \| ([\w ]+) \| ([\w ]+) \| ([\w ]+) \|$", README, flags=re.MULTILINE
    )
    declared = [(each.whose, *(words[each.treatment(mode)] for mode in modes)) for each in Personal]
    assert rows == [*declared, ("all other columns", *["stay"] * 4)]
    assert "Pseudonymised data is personal data" in README
