import itertools

import matplotlib as mpl
import matplotlib.pyplot as plt
import pandas as pd
import pytest

from wegly_analytics import plots
from wegly_analytics.metrics.survival import aalen_johansen


def curve(*args):
    table = aalen_johansen(*args)
    table.attrs = {"n": int(table["at_risk"].iloc[:1].sum())}
    return table


def texts(ax):
    return [t.get_text() for t in ax.texts]


def color(line):
    return mpl.colors.to_hex(line.get_color())


def test_won_is_green_lost_is_orange_and_the_steps_are_those_of_the_table():
    table = curve([2, 4, 9, 9], [1, 2, 1, 0], [10, 10, 10, 20])
    won, lost = plots.time_to_close(table).lines
    assert (color(won), color(lost)) == ("#009e73", "#d55e00")
    assert won.get_drawstyle() == "steps-post"
    assert won.get_xdata().tolist()[:-1] == table["days"].tolist()
    assert won.get_ydata().tolist()[:-1] == table["p_won"].tolist()
    assert lost.get_ydata().tolist()[:-1] == table["p_lost"].tolist()


def test_the_bands_are_the_intervals():
    table = curve([2, 4, 9, 9], [1, 2, 1, 0], [10, 10, 10, 20])
    ax = plots.time_to_close(table)
    for band, name in zip(ax.collections, ("p_won", "p_lost"), strict=True):
        heights = set(band.get_paths()[0].vertices[:, 1].round(9))
        assert {*table[f"{name}_low"].round(9), *table[f"{name}_high"].round(9)} <= heights


def test_with_few_deals_at_risk_the_curve_continues_dotted():
    table = curve([2, 4, 9], [1, 1, 1], [5, 4, 5])  # 14, then 9, then 5 at risk
    line, dots = plots.time_to_close(table).lines[:2]
    assert (line.get_linestyle(), dots.get_linestyle()) == ("-", ":")
    assert line.get_xdata().tolist() == [0, 2, 4]
    assert dots.get_xdata().tolist()[:3] == [4, 4, 9]
    assert dots.get_ydata()[0] == line.get_ydata()[-1]
    ax = plots.time_to_close(curve([5], [2], [3]), ax=plt.figure().gca())
    assert {line.get_linestyle() for line in ax.lines} == {":"}
    assert "fewer than 10 at risk" in ax.get_xlabel()


def test_the_number_at_risk_is_written_below_the_days():
    ax = plots.time_to_close(curve([10, 20, 30, 30], [1, 2, 1, 0], [20, 30, 10, 5]))
    at_risk = {t.xy[0]: t.get_text() for t in ax.texts if t.get_text().isdigit()}
    assert list(at_risk) == ax.get_xticks().tolist() == [0, 6, 12, 18, 24, 30]
    assert list(at_risk.values()) == ["65", "65", "45", "45", "15", "15"]
    assert "at risk" in texts(ax)


def grouped(names):
    by_name = [curve([5, 9], [1, 0], [30 - n, 2]).assign(source=name) for n, name in enumerate(names)]
    table = pd.concat(by_name, ignore_index=True)
    table.attrs = {"by": ["source"]}
    return table


def test_the_largest_of_many_groups_are_drawn_and_the_others_are_named():
    ax = plots.time_to_close(grouped("abcdefgh"))
    assert len(ax.lines) == 6
    assert len({color(line) for line in ax.lines}) == 6
    assert "share of deals won · the 6 largest of 8 groups" in texts(ax)
    assert "not drawn: g, h" in plots.alt_text(ax)
    assert {"a", "f"} <= set(texts(ax))
    assert "g" not in texts(ax)


def test_after_the_end_of_a_curve_the_number_at_risk_has_a_bound():
    table = grouped("ab")
    table.loc[table["source"] == "a", "days"] *= 10
    ax = plots.time_to_close(table)
    assert "≤2" in texts(ax), "both open deals of b were watched beyond its last end, nobody knows here how far"


def test_shares_written_beside_the_ends_do_not_overlap():
    with plots.style():
        figure = plt.figure(figsize=(6, 4), dpi=100)
        ax = plots.time_to_close(grouped("abcdef"), ax=figure.add_subplot())
        ax.figure.draw_without_rendering()
    ends = [t for t in ax.texts if t.get_text().endswith("%")]
    assert len(ends) == 6
    boxes = sorted((t.get_window_extent() for t in ends), key=lambda box: box.y0)
    assert all(one.y1 <= other.y0 + 1.5 for one, other in itertools.pairwise(boxes))


@pytest.mark.parametrize("args", [([], [], []), ([3, 4], [0, 0], [5, 5])])
def test_without_closed_deals_the_chart_says_so(args):
    ax = plots.time_to_close(curve(*args))
    assert any("Nothing to draw: no deal was closed." in text for text in texts(ax))
