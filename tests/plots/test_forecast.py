import pandas as pd
import pytest

from wegly_analytics import plots


@pytest.fixture
def unlikely():
    """One deal that is most likely not won: in 80 % of simulations it brings nothing."""
    return pd.DataFrame({"open": [1], "value": [1000.0], "expected": [30.0], "low": [0.0], "high": [0.0]})


def test_the_expected_money_is_in_view_even_beyond_the_interval(unlikely):
    ax = plots.forecast(unlikely)
    (dot,) = (line for line in ax.lines if line.get_marker() == "o")
    low, high = ax.get_xlim()
    assert low <= dot.get_xdata()[0] <= high
    assert dot.get_markerfacecolor() == "none", "one deal is few"
    (text,) = (t for t in ax.texts if "n=1" in t.get_text())
    assert text.xy[0] == 30, "the text is to the right of the dot"
