import matplotlib as mpl
import matplotlib.pyplot as plt
import pandas as pd
import pytest

from wegly_analytics import plots


def reasons(rows, by=(), **attrs):
    table = pd.DataFrame(rows, columns=[*by, "loss_reason", "deals"])
    whole = table.groupby(list(by))["deals"].transform("sum") if by else table["deals"].sum()
    table["share"] = table["deals"] / whole
    table["cumulative"] = table["share"].cumsum()
    table.attrs = {"by": [name for name in by if name != "period"]} | attrs
    return table


BY_SOURCE = [("a", "x", 30), ("a", "y", 10), ("b", "x", 0), ("b", "y", 4)]


def cells(ax):
    """The cells of a heat map by position: whether they are filled, and their opacity."""
    return {
        (round(p.get_x() + 0.46), round(p.get_y() + 0.44)): (
            mpl.colors.to_rgba(p.get_facecolor())[3] > 0,
            p.get_alpha(),
        )
        for p in ax.patches
    }


def test_a_table_without_groups_is_a_pareto_chart():
    ax = plots.loss_reasons(reasons([("x", 6), ("(not informed)", 3), ("y", 1)]))
    assert [bar.get_width() for bar in ax.patches] == [6, 3, 1]
    assert ax.lines[0].get_xdata().tolist() == [6, 9, 10]
    assert [t.get_text() for t in ax.texts][1].startswith("3 (30%)   90% cumulative")
    ax = plots.loss_reasons(reasons([("x", 6)]), kind="bars", ax=plt.figure().gca())
    assert not ax.lines


def test_a_table_with_groups_is_a_heat_map_with_small_groups_hollow():
    ax = plots.loss_reasons(reasons(BY_SOURCE, by=["source"]))
    assert [t.get_text() for t in ax.get_xticklabels()] == ["a", "b"]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["x", "y"]
    found = cells(ax)
    assert {place: filled for place, (filled, _) in found.items()} == {
        (0, 0): True, (0, 1): True, (1, 0): False, (1, 1): False
    }  # fmt: skip
    assert found[0, 0][1] == 0.85
    assert found[0, 1][1] == pytest.approx(0.85 / 3)
    texts = [t.get_text() for t in ax.texts]
    for text in ("75%", "25%", "100%", "n=40", "n=4"):
        assert text in texts
    assert "fewer than 10" in ax.get_xlabel()


def test_the_smallest_of_many_groups_share_a_column():
    ax = plots.loss_reasons(reasons([(f"s{n:02}", "x", 50 - n) for n in range(14)], by=["source"]))
    names = [t.get_text() for t in ax.get_xticklabels()]
    assert names == [*(f"s{n:02}" for n in range(9)), "5 others"]
    assert "n=195" in [t.get_text() for t in ax.texts], "41 + 40 + 39 + 38 + 37"


def test_periods_run_from_left_to_right_and_an_unfinished_one_is_hollow():
    may, june = (pd.Timestamp(f"2026-{month}-01") for month in ("05", "06"))
    table = reasons(
        [(may, "x", 12), (may, "y", 12), (june, "x", 30), (june, "y", 0)],
        by=["period"], every="month", taken_at="2026-06-15T12:00:00+00:00",
    )  # fmt: skip
    ax = plots.loss_reasons(table)
    assert [t.get_text() for t in ax.get_xticklabels()] == ["May 26", "Jun 26"]
    assert [filled for _, (filled, _) in sorted(cells(ax).items())] == [True, True, False, False]
    assert "not finished" in ax.get_xlabel()


def test_over_time_and_by_group_shares_are_within_the_group():
    may = pd.Timestamp("2026-05-01")
    table = reasons(
        [(may, "a", "x", 30), (may, "a", "y", 10), (may, "b", "x", 20)], by=["period", "source"], every="month"
    )
    ax = plots.loss_reasons(table)
    assert [t.get_text() for t in ax.get_yticklabels()] == ["a · x", "b · x", "a · y"]
    assert [t.get_text() for t in ax.texts][:3] == ["75%", "100%", "25%"]


@pytest.mark.parametrize(("by", "kind"), [(["source"], "pareto"), (["source"], "pie")])
def test_a_kind_that_cannot_show_the_table_is_refused(by, kind):
    with pytest.raises(ValueError, match=f"kind='{kind}': a table by source can be drawn as 'bars' or 'heat'"):
        plots.loss_reasons(reasons(BY_SOURCE, by=by), kind=kind)
    over_time = reasons(BY_SOURCE, by=by).assign(period=pd.Timestamp("2026-05-01"))
    with pytest.raises(ValueError, match=f"kind='{kind}': a table over time can be drawn as 'heat'"):
        plots.loss_reasons(over_time, kind=kind)
