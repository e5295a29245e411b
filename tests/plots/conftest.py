"""What the tests of plots need."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import pytest
from plot_tables import COMPANIES, TABLES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pandas as pd

_SNAPSHOTS: dict[str, Any] = {}
_TABLES: dict[tuple[str, str], pd.DataFrame] = {}


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    plt.close("all")


@pytest.fixture
def table_of(snapshot_of: Callable[..., Any]) -> Callable[[str, str], pd.DataFrame]:
    """A copy of the table of a metric on a company, both by name; each is computed once."""

    def table(metric: str, company: str) -> pd.DataFrame:
        if company not in _SNAPSHOTS:
            _SNAPSHOTS[company] = snapshot_of(*COMPANIES[company])
        if (metric, company) not in _TABLES:
            _TABLES[metric, company] = TABLES[metric](_SNAPSHOTS[company])
        return _TABLES[metric, company].copy(deep=True)

    return table
