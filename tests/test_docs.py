"""The metric that docs/adding-a-metric.md adds is a whole one: it runs, agrees on every engine, and is drawn."""

import ast
import doctest
import inspect
import re
import shutil
import sys
from pathlib import Path
from types import ModuleType

import matplotlib.pyplot as plt
import pytest
from scanning import same

import wegly_analytics as wa
from wegly_analytics import metrics, plots
from wegly_analytics.errors import EmptyScopeWarning, MissingColumnError
from wegly_analytics.i18n import catalogs
from wegly_analytics.plots import tables

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "adding-a-metric.md").read_text(encoding="utf-8")
PIECES = dict(re.findall(r"```python\n# (\S+)\.py\n(.*?)```", PAGE, flags=re.DOTALL))
MESSAGES = "".join(re.findall(r"```po\n(.*?)```", PAGE, flags=re.DOTALL))


@pytest.fixture
def piece(monkeypatch, tmp_path_factory):
    """The pieces of the page, as if they had been put where it says."""

    def install(path):
        module = ModuleType(path.replace("/", "."))
        monkeypatch.setitem(sys.modules, module.__name__, module)
        exec(compile(PIECES[path], f"{path}.py", "exec"), vars(module))
        return module

    folder = tmp_path_factory.mktemp("i18n") / "locale"
    shutil.copytree(catalogs.FOLDER, folder)
    for path in (folder / "wegly.pot", folder / "pt_BR" / "LC_MESSAGES" / "wegly.po"):
        path.write_text(path.read_text(encoding="utf-8") + "\n" + MESSAGES, encoding="utf-8")
    monkeypatch.setattr(catalogs, "FOLDER", folder)
    names = {"SHAPES": {}, "Shape": tables.Shape}
    exec(PIECES["wegly_analytics/plots/tables"], names)
    monkeypatch.setitem(tables.SHAPES, "followed", names["SHAPES"]["followed"])
    install("wegly_analytics/metrics/_followed")
    install("wegly_analytics/plots/_followed")
    return install


def followed(of):
    return sys.modules[f"wegly_analytics.{of}._followed"].followed


def test_the_page_has_the_expected_pieces_and_no_other_code():
    assert list(PIECES) == [
        "wegly_analytics/metrics/_followed",
        "wegly_analytics/plots/tables",
        "wegly_analytics/plots/_followed",
        "tests/metrics/test_followed",
    ]
    assert PAGE.count("```python") == len(PIECES)
    assert PAGE.count("```po") == 1
    assert MESSAGES.count("msgid") == MESSAGES.count("msgstr") == 5


def test_its_metric_works_on_every_engine(piece, tmp_path):
    metric, snap = followed("metrics"), wa.sample()
    table = metric(snap, by="source")
    assert table["n"].sum() == table.attrs["n"] == metrics.win_rate(snap, count="created")["n"].item()
    assert ((table["low"] < table["rate"]) & (table["rate"] < table["high"])).all()
    assert 0 < table["followed"].sum() < table["n"].sum()
    snap.save(tmp_path)
    for engine in ("duckdb", "polars"):
        same(metric(wa.scan(tmp_path, engine), by=["tag", "source"]), metric(wa.load(tmp_path), by=["tag", "source"]))
    with pytest.raises(MissingColumnError, match="did you mean 'source'"):
        metric(snap, by="sorce")


@pytest.mark.parametrize("lang", ["en", "pt"])
def test_its_plot_is_drawn(piece, lang):
    metric, plot, snap = followed("metrics"), followed("plots"), wa.sample()
    with plots.style():
        text = plots.alt_text(plot(metric(snap, by="source"), lang=lang))
        with pytest.warns(EmptyScopeWarning):
            nothing = metric(snap.where(code=-1), by="source")
        plt.figure()
        empty = plots.alt_text(plot(nothing, lang=lang))
    assert {"en": "Followed deals by source", "pt": "Negócios seguidos por origem"}[lang] in text
    assert {"en": "there are no deals", "pt": "não há negócios"}[lang] in empty
    plt.close("all")


def test_its_tests_pass(piece, snapshot_of):
    tests = inspect.getmembers(piece("tests/metrics/test_followed"), inspect.isfunction)
    tests = [test for name, test in tests if name.startswith("test_")]
    assert len(tests) == 2
    for test in tests:
        test(snapshot_of)


def test_its_examples_hold(piece):
    module = sys.modules["wegly_analytics.metrics._followed"]
    assert doctest.testmod(module).attempted == 3
    assert doctest.testmod(module).failed == 0


def test_files_and_targets_named_on_the_page_exist():
    for path in re.findall(r"`([\w/.-]+\.(?:py|md))`", PAGE):
        is_there = any((ROOT / folder / path).exists() for folder in ("", "wegly_analytics/plots"))
        assert is_there or "followed" in path or path == "__init__.py", path
    for target in re.findall(r"^make ([\w-]+)|`make ([\w-]+)", PAGE):
        assert f"\n{''.join(target)}:" in (ROOT / "Makefile").read_text(encoding="utf-8")
    for path, code in PIECES.items():
        assert ast.parse(code).body, path
        assert all(len(line) <= 120 for line in code.splitlines()), path
