"""Figures: their own ones, those that were given, and files."""

import itertools

import matplotlib as mpl
import matplotlib.pyplot as plt
import pandas as pd
import pytest
from matplotlib.text import Annotation

from wegly_analytics import plots


def rates(n):
    return pd.DataFrame(
        {"source": [f"Source no. {k} of many" for k in range(n)], "n": 50, "rate": 0.5, "low": 0.4, "high": 0.6}
    )


def ticks(axis):
    """The numbers and names on an axis that are in view."""
    low, high = sorted(axis.get_view_interval())
    shown = zip(axis.get_ticklocs(), axis.get_ticklabels(), strict=True)
    return [label for place, label in shown if low <= place <= high]


def test_every_plot_makes_its_own_figure(table_of):
    first, second = plots.win_rate(rates(3)), plots.velocity(table_of("velocity by month", "normal"))
    assert first.figure is not second.figure
    assert first.figure.get_layout_engine() is not None


def test_a_plots_own_figure_grows_with_its_rows_and_a_given_one_does_not():
    few, many = plots.win_rate(rates(3)), plots.win_rate(rates(40))
    assert few.figure.get_figheight() == mpl.rcParams["figure.figsize"][1]
    assert many.figure.get_figheight() > 9
    given = plt.figure(figsize=(8, 4))
    plots.win_rate(rates(20), ax=given.add_subplot())
    assert given.get_figheight() == 4


@pytest.mark.parametrize(
    "metric", ["win_rate", "forecast by source", "velocity by month", "coverage by source", "funnel"]
)
def test_nothing_is_cut_in_a_file(metric, table_of):
    figure = getattr(plots, metric.split()[0])(table_of(metric, "long names")).figure
    figure.draw_without_rendering()
    inches = figure.get_tightbbox(figure.canvas.get_renderer())
    width, height = figure.get_size_inches()
    assert inches.x0 >= -0.02
    assert inches.y0 >= -0.02
    assert inches.x1 <= width + 0.02
    assert inches.y1 <= height + 0.02


def test_a_grid_of_four_charts_has_no_overlaps(table_of):
    figure, axes = plt.subplots(2, 2)
    for ax, metric in zip(axes.flat, ["win_rate", "velocity by month", "loss_reasons", "win_loss"], strict=True):
        getattr(plots, metric.split()[0])(table_of(metric, "normal"), ax=ax)
    figure.draw_without_rendering()
    footnotes = [each for each in figure.artists if isinstance(each, Annotation)]
    panels = [
        [*ax.texts, ax._left_title, ax.xaxis.label, ax.yaxis.label, *ticks(ax.xaxis), *ticks(ax.yaxis), below]
        for ax, below in zip(axes.flat, footnotes, strict=True)
    ]
    boxes = [[(t.get_text(), t.get_window_extent()) for t in panel if t.get_text().strip()] for panel in panels]
    for one, other in itertools.combinations(boxes, 2):
        for (a, box), (b, other_box) in itertools.product(one, other):
            assert not box.padded(-2).overlaps(other_box), (a, b)
    assert all(ax.get_window_extent().width > 150 for ax in axes.flat)


def test_the_footnote_can_be_omitted(table_of):
    table = table_of("win_rate", "normal")
    ax = plots.win_rate(table, footnote=False)
    assert not ax.figure.artists
    assert "requested deals received" in plots.alt_text(ax)
    assert len(repr(ax)) < 150


def test_the_footnote_names_the_filters(table_of):
    table = table_of("win_rate", "normal")
    table.attrs["filters"] = ("responsible = Ana", "pipeline = Vendas")
    assert "filters: responsible = Ana · pipeline = Vendas" in plots.alt_text(plots.win_rate(table))


def test_keywords_reach_matplotlib(table_of):
    ax = plots.win_rate(rates(2), color="black", ms=3)
    dots = [line for line in ax.lines if line.get_marker() == "o"]
    assert {(dot.get_color(), dot.get_markersize()) for dot in dots} == {("black", 3)}
    ax = plots.velocity(table_of("velocity by source", "normal"), fc="black", height=0.2)
    assert {mpl.colors.to_hex(bar.get_facecolor()) for bar in ax.patches} == {"#000000"}
    assert {round(bar.get_height(), 3) for bar in ax.patches} == {0.2}


def test_a_style_can_be_set_for_all_charts():
    with mpl.rc_context():
        plots.set_style("dark")
        assert mpl.rcParams["axes.facecolor"] == "#16191d"


def test_a_file_has_the_requested_size_and_kind(table_of, tmp_path):
    table = table_of("loss_reasons by source", "normal")
    small = plots.save(plots.loss_reasons, table, tmp_path / "a.png", size=(5, 4), footnote=False)
    bars = plots.save(plots.loss_reasons, table, str(tmp_path / "b.svg"), kind="bars", currency="USD")
    assert plt.imread(small).shape[1] < 5.5 * 160
    assert "<svg" in bars.read_text(encoding="utf-8")
