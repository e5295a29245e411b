"""The notebooks and the README's first session run from top to bottom, and are kept without their output."""

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SESSIONS = [
    block
    for block in re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.DOTALL)
    if "wa.sample()" in block
]
RESET = "%reset -f"  # all names are gone, so each notebook needs its own imports

pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # of the code that runs kernels; those of the notebook are errors
    pytest.mark.xdist_group("notebooks"),  # one worker runs the kernel, once
]


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """The cells of each notebook, and of the README's session as one cell, after one kernel has run them all."""
    cells = {path.stem: nbformat.read(path, as_version=4).cells for path in NOTEBOOKS}
    assert not any(cell.get("outputs") for each in cells.values() for cell in each), "run `make format`"
    cells["README"] = [new_code_cell(block) for block in SESSIONS[:1]]
    whole = [new_code_cell("import warnings; warnings.simplefilter('error')")]
    for each in cells.values():
        whole += [new_code_cell(RESET), *each]
    folder = str(tmp_path_factory.mktemp("notebooks"))
    NotebookClient(new_notebook(cells=whole), timeout=120, resources={"metadata": {"path": folder}}).execute()
    return cells


def outputs(cells):
    return [output for cell in cells for output in cell.get("outputs", [])]


def pictures(cells):
    return sum("image/png" in output.get("data", {}) for output in outputs(cells))


@pytest.mark.parametrize("name", [path.stem for path in NOTEBOOKS])
def test_a_notebook_runs_and_shows_its_charts(name, executed):
    cells = executed[name]
    assert pictures(cells) == sum("plots." in cell.source and "with plots.style" in cell.source for cell in cells) > 0
    assert not [output for output in outputs(cells) if output.get("name") == "stderr"]


@pytest.mark.parametrize("session", SESSIONS[:1], ids=["README"])
def test_the_readme_pasted_into_one_cell_shows_each_chart_on_a_figure_of_its_own(session, executed):
    charts = re.findall(r"^plots\.(?!set_style)\w+\(", session, flags=re.MULTILINE)
    assert pictures(executed["README"]) == len(charts) > 0
    assert not [output for output in outputs(executed["README"]) if output.get("name") == "stderr"]
    lines = [line for line in session.splitlines() if line.strip()]
    assert len(lines) <= 10
