"""What the tests of plots need."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import pytest
from plot_tables import COMPANIES, TABLES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pandas as pd


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    plt.close("all")


@pytest.fixture
def table_of(snapshot_of: Callable[..., Any]) -> Callable[[str, str], pd.DataFrame]:
    """The table of a metric on a company, both by name."""
    return lambda metric, company: TABLES[metric](snapshot_of(*COMPANIES[company]))
