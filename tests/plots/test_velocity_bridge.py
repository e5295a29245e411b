import matplotlib as mpl
import matplotlib.pyplot as plt
import pandas as pd
import pytest

from wegly_analytics import plots


def bridge(parts):
    levers = ["deals", "win_rate", "value", "days"]
    return pd.DataFrame({"lever": levers, "from": [10, 0.5, 100, 10], "to": [20, 0.25, 100, 10], "part": parts})


def test_a_waterfall_goes_from_the_earlier_to_the_later_velocity():
    ax = plots.velocity_bridge(bridge([40.0, -40.0, 0.0, 0.0]))
    bars = [(bar.get_x(), bar.get_width()) for bar in sorted(ax.patches, key=lambda bar: bar.get_y())]
    assert bars == [(0, 50), (50, 40), (90, -40), (50, 0), (50, 0), (0, 50)]
    assert [t.get_text() for t in ax.get_yticklabels()][::5] == ["earlier", "later"]
    texts = [t.get_text() for t in ax.texts]
    assert any(text.startswith("−R\\$40") and text.endswith("(50% → 25%)") for text in texts)
    colors = {round(bar.get_y() + 0.3): mpl.colors.to_hex(bar.get_facecolor()) for bar in ax.patches}
    assert (colors[1], colors[2]) == ("#009e73", "#d55e00"), "gains and losses"


def test_few_deals_are_drawn_hollow():
    table = bridge([40.0, -40.0, 0.0, 0.0])
    table.attrs = {"n": 9}
    ax = plots.velocity_bridge(table)
    assert sum(mpl.colors.to_rgba(bar.get_facecolor())[3] == 0 for bar in ax.patches) == 4
    assert ax.get_xlabel() == "money per day (9 deals closed in both periods)\n(hollow: fewer than 10)"


def test_gains_and_losses_of_each_group_are_stacked():
    table = pd.concat([bridge([1.0, -3.0, 2.0, 0.0]).assign(source="a"), bridge([float("nan")] * 4).assign(source="b")])
    table.attrs = {"by": ["source"]}
    ax = plots.velocity_bridge(table, ax=plt.figure().gca())
    reach = [(bar.get_x(), bar.get_width()) for bar in ax.patches]
    assert reach == [(0, 1), (0, -3), (1, 2), (3, 0)]
    assert [line.get_xdata()[0] for line in ax.lines if line.get_marker() == "D"] == [pytest.approx(0)]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["a", "b"]
    assert "—" in [t.get_text() for t in ax.texts]
