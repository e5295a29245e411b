"""The names that other tools are written against, and what importing them costs."""

import ast
import inspect
import subprocess
import sys

import pytest

import wegly_analytics as wa
from wegly_analytics import errors, metrics, plots


def test_all_that_is_promised_can_be_imported():
    for module in (wa, metrics, plots):
        assert sorted(module.__all__) == list(module.__all__)
        for name in module.__all__:
            assert getattr(module, name) is not None


def test_the_names_are_listed_once_for_people_and_type_checkers():
    tree = ast.parse(inspect.getsource(wa))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    found = {alias.asname: node.module for node in block.body for alias in node.names}
    expected = {name: f"wegly_analytics.{where}".strip(".") for name, where in wa._PUBLIC.items()}
    assert found == expected


def test_looking_at_the_names_imports_nothing():
    program = (
        "import sys, wegly_analytics as wa; names = dir(wa);"
        "assert names == sorted([*wa.__all__, '__version__']), names;"
        "found = {'pandas', 'pyarrow', 'matplotlib', 'narwhals'} & set(sys.modules); assert not found, found;"
        "assert callable(wa.between) and wa.metrics and dir(wa) == names"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_the_public_signatures_are_kept():
    assert str(inspect.signature(wa.Client)).startswith("(token: 'str | None' = None, *, base_url")
    for function, names in [
        (wa.fetch, ["ids", "client", "archive", "workers", "progress", "max_age", "max_failures"]),
        (wa.refresh, ["snap", "client", "archive", "recent", "misses", "workers", "progress", "max_failures"]),
        (wa.walk, ["start", "misses"]),
        (wa.load, ["root", "at", "check"]),
        (wa.scan, ["root", "engine", "at", "check"]),
        (wa.read, ["paths", "taken_at"]),
        (wa.snapshots, ["root"]),
        (wa.sample, []),
        (wa.between, ["low", "high"]),
        (wa.col, ["name"]),
        (wa.Snapshot.where, ["self", "conditions", "quality", "columns"]),
        (wa.Snapshot.frame, ["self", "name", "columns"]),
    ]:
        assert list(inspect.signature(function).parameters) == names
    for name in ("win_rate", "win_loss", "loss_reasons", "velocity", "time_in_stage"):
        assert list(inspect.signature(getattr(metrics, name)).parameters)[:2] == ["snap", "by"]
        assert list(inspect.signature(getattr(plots, name)).parameters)[:3] == ["table", "ax", "lang"]


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'fetsch'"):
        wa.fetsch  # noqa: B018


def test_every_error_of_ours_is_one_of_ours():
    ours = [e for e in vars(errors).values() if isinstance(e, type) and issubclass(e, Exception)]
    assert all(issubclass(e, errors.WeglyError | UserWarning) for e in ours)
    tree = errors.__doc__ or ""
    assert all(e.__name__ in tree for e in ours), "the docstring draws them all"


def test_importing_loads_nothing_heavy_and_changes_nothing():
    program = (
        "import sys, warnings, logging; import wegly_analytics;"
        "heavy = {'pandas', 'pyarrow', 'matplotlib', 'requests', 'narwhals', 'tqdm'} & set(sys.modules);"
        "assert not heavy, heavy; assert not logging.getLogger().handlers"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_metrics_come_without_network_and_charts():
    program = (
        "import sys; import wegly_analytics.metrics;"
        "found = {'matplotlib', 'requests'} & set(sys.modules); assert not found, found"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_missing_column_without_neighbours_lists_what_there_is():
    error = errors.MissingColumnError("deals", "xyzzy", ["source", "stage"])
    assert str(error) == "deals has no column 'xyzzy'; it has: source, stage"
    assert isinstance(error, KeyError)
