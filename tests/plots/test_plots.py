"""What holds for every chart, in both languages, for every shape of table."""

import itertools

import matplotlib as mpl
import matplotlib.pyplot as plt
import pandas as pd
import pytest
from matplotlib.text import Annotation
from plot_tables import COMPANIES, LONG, TABLES

from wegly_analytics import plots
from wegly_analytics.errors import MissingColumnError

every_chart = pytest.mark.parametrize("metric", TABLES)
every_company = pytest.mark.parametrize("company", COMPANIES)


def draw(metric, table, **how):
    return getattr(plots, metric.split()[0])(table, **how)


def ticks(axis):
    """The names on an axis that are in view."""
    low, high = sorted(axis.get_view_interval())
    shown = zip(axis.get_ticklocs(), axis.get_ticklabels(), strict=True)
    return [label for place, label in shown if low <= place <= high and label.get_text().strip()]


def texts(ax):
    ax.figure.canvas.draw()
    found = [*ax.texts, ax.title, ax._left_title, ax.xaxis.label, ax.yaxis.label]
    return [t for t in [*found, *ticks(ax.xaxis), *ticks(ax.yaxis)] if t.get_text().strip() and t.get_visible()]


def footnote(ax):
    return [artist for artist in ax.figure.artists if isinstance(artist, Annotation)][-1]


def boxes(labels):
    renderer = labels[0].figure.canvas.get_renderer()
    return [label.get_window_extent(renderer) for label in labels]


@every_chart
@pytest.mark.parametrize(
    ("company", "lang"),
    [*((company, "en") for company in COMPANIES), *((company, "pt") for company in COMPANIES if " " in company)],
)
def test_a_chart_is_drawn_whole_and_legible(metric, company, lang, table_of):
    table = table_of(metric, company)
    before = table.copy(deep=True)
    with plots.style():
        figure = plt.figure(figsize=(6, 4), dpi=100)  # 600 pixels wide
        ax = draw(metric, table, lang=lang, ax=figure.add_subplot())
        shown = texts(ax)
    pd.testing.assert_frame_equal(table, before)
    assert ax.get_title(loc="left")
    for label, box in zip(shown, boxes(shown), strict=True):
        assert box.x0 >= -2, label.get_text()
        assert box.x1 <= 602, label.get_text()
    if rows := ticks(ax.yaxis):
        for one, other in itertools.pairwise(sorted(boxes(rows), key=lambda b: b.y0)):
            assert one.y1 <= other.y0 + 1, "names of rows overlap"
    below = footnote(ax)
    others = [label for label in shown if label is not below]
    assert all(box.y0 >= boxes([below])[0].y1 - 1 for box in boxes(others)), "the footnote stands below everything"
    said = plots.alt_text(ax)
    assert said.startswith(ax.get_title(loc="left").split("\n")[0][:20])


@every_chart
@pytest.mark.parametrize("company", ["no deals", "all nulls"])
def test_where_there_is_nothing_the_chart_says_so(metric, company, table_of):
    ax = draw(metric, table_of(metric, company))
    assert any("Nothing to draw" in t.get_text() for t in ax.texts)
    assert "Nothing to draw" in plots.alt_text(ax)
    assert not ax.get_yticks().size


@every_chart
def test_a_chart_says_rule_moment_and_completeness(metric, table_of):
    table = table_of(metric, "normal")
    text = footnote(draw(metric, table)).get_text().replace("\n", " ")
    for part in ("archived deals excluded", "as of Jul 1, 2026", "90 of 90 requested deals received"):
        assert part in text
    text = footnote(draw(metric, table, lang="pt", ax=plt.figure().gca())).get_text().replace("\n", " ")
    for part in ("sem os arquivados", "em 1 de jul. de 2026", "vieram 90 de 90 negócios pedidos"):
        assert part in text


@every_chart
def test_a_table_of_ones_own_is_drawn_with_less_said(metric, table_of):
    table = table_of(metric, "normal")
    table.attrs = {"by": table.attrs["by"]}
    assert draw(metric, table).get_title(loc="left")


@every_chart
def test_a_missing_column_is_named(metric, table_of):
    table = table_of(metric, "normal")
    drawn = [
        "velocity",
        "part",
        "sent",
        "reached",
        "target",
        "weighted",
        "expected",
        "rate",
        "p50",
        "p_won",
        "typical_days",
    ]
    lacking = table.drop(columns=next(name for name in [*drawn, "deals"] if name in table))
    with pytest.raises(MissingColumnError, match=r"the \w+ table has no column"):
        draw(metric, lacking)


@every_chart
def test_an_unknown_language_is_refused(metric, table_of):
    with pytest.raises(ValueError, match="lang='fr': there are 'en', 'pt'"):
        draw(metric, table_of(metric, "normal"), lang="fr")


@every_chart
def test_a_chart_takes_the_axes_it_is_given_and_shows_nothing(metric, table_of, monkeypatch):
    monkeypatch.setattr(plt, "show", lambda *_: pytest.fail("a plot never shows"))
    figure, axes = plt.subplots(1, 2, layout="constrained")
    assert draw(metric, table_of(metric, "normal"), ax=axes[1]) is axes[1]
    figure.canvas.draw()
    assert not axes[0].texts
    assert plt.get_fignums() == [figure.number]


def test_dollars_are_no_mathematics(table_of):
    with plots.style():
        ax = plots.loss_reasons(table_of("loss_reasons", "normal"))
        ax.figure.canvas.draw()
    assert "Preço R\\$ 5 > R\\$ 3" in [t.get_text() for t in ax.get_yticklabels()]
    assert "Preço R$ 5 > R$ 3" in plots.alt_text(ax)


def test_long_names_take_two_lines(table_of):
    ax = plots.win_rate(table_of("win_rate", "long names"))
    names = [t.get_text() for t in ax.get_yticklabels()]
    assert any(name.startswith("Indicação de parceiros") and name.count("\n") == 1 and "…" in name for name in names)
    assert len(LONG) > 60


def test_rates_stand_where_they_belong_and_small_samples_are_hollow(table_of):
    table = table_of("win_rate", "normal").assign(n=[50, 9, 20])
    ax = plots.win_rate(table)
    dots = [line for line in ax.lines if line.get_marker() == "o"]
    assert [dot.get_xdata()[0] for dot in dots] == table["rate"].tolist()
    assert [dot.get_markerfacecolor() == "none" for dot in dots] == [False, True, False]
    assert "fewer than 10" in ax.get_xlabel()


def test_a_group_without_a_rate_keeps_its_row(table_of):
    table = table_of("win_rate", "normal")
    table.loc[1, ["rate", "low", "high", "n"]] = [float("nan")] * 3 + [0]
    ax = plots.win_rate(table)
    assert len(ax.get_yticklabels()) == 3
    assert "n=0" in [t.get_text() for t in ax.texts]


def test_won_is_up_and_lost_is_down_and_the_unfinished_pale(table_of):
    table = table_of("win_loss", "normal")
    table["unfinished"] = table["period"] == table["period"].iloc[-1]
    ax = plots.win_loss(table)
    won, lost = ax.containers
    assert [bar.get_height() for bar in won] == table["won"].tolist()
    assert [-bar.get_height() for bar in lost] == table["lost"].tolist()
    assert won[0].get_alpha() == 1
    assert won[-1].get_alpha() < 0.5
    assert mpl.colors.to_hex(won[0].get_facecolor()) == "#009e73"
    assert "not finished" in ax.get_xlabel()


def test_the_uninformed_are_grey(table_of):
    table = table_of("loss_reasons", "normal")
    ax = plots.loss_reasons(table)
    colors = [mpl.colors.to_hex(bar.get_facecolor()) for bar in ax.patches]
    assert [c == "#8c8c8c" for c in colors] == (table["loss_reason"] == "(not informed)").tolist()


def test_velocity_says_its_levers(table_of):
    ax = plots.velocity(table_of("velocity by month", "normal"), lang="pt")
    assert any(" negócios × " in t.get_text() for t in ax.texts)
    ax = plots.velocity(table_of("velocity by source", "normal"), ax=plt.figure().gca())
    assert sum(" deals × " in t.get_text() for t in ax.texts) == 3


def test_a_velocity_that_cannot_be_told_keeps_its_row(table_of):
    table = table_of("velocity by source", "normal")
    table.loc[0, "velocity"] = float("nan")
    assert "—" in [t.get_text() for t in plots.velocity(table).texts]


def test_a_quartile_that_was_not_reached_is_open(table_of):
    table = table_of("time_in_stage", "normal")
    table.loc[0, ["p50", "p75"]] = float("nan")
    table.loc[1, ["p25", "p50", "p75"]] = float("nan")
    whole = table_of("time_in_stage", "normal")
    table = pd.concat([table.assign(team="A"), whole.assign(team="B")], ignore_index=True)
    ax = plots.time_in_stage(table)
    assert any("more than half still in" in t.get_text() for t in ax.texts)
    assert [line.get_marker() for line in ax.lines if line.get_marker() == ">"] == [">"]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_style_is_gone_after_its_context(theme):
    before = dict(mpl.rcParams)
    with plots.style(theme):
        assert mpl.rcParams["text.color"] != mpl.rcParams["axes.facecolor"]
    assert dict(mpl.rcParams) == before


def test_an_unknown_theme_is_refused():
    with pytest.raises(ValueError, match="theme='pink'"), plots.style("pink"):
        pass


def test_the_users_own_dark_style_is_respected(table_of):
    with plt.style.context("dark_background"):
        ax = plots.velocity(table_of("velocity by month", "normal"))
        ax.figure.canvas.draw()
    assert {mpl.colors.to_hex(t.get_color()) for t in ax.texts} == {"#ffffff"}


def test_a_picture_is_saved_without_touching_other_figures(table_of, tmp_path):
    path = plots.save(plots.win_rate, table_of("win_rate", "normal"), tmp_path / "x.png", theme="dark", lang="pt")
    assert path.stat().st_size > 10_000
    assert plt.get_fignums() == []


def test_axes_without_a_figure_are_refused(table_of):
    ax = plt.figure().gca()
    ax.remove()
    with pytest.raises((ValueError, AttributeError)):
        plots.win_rate(table_of("win_rate", "normal"), ax=ax)


def test_two_long_names_that_begin_alike_stay_two_lines(table_of):
    ax = plots.win_loss(table_of("win_loss by source", "long names"))
    assert len(ax.get_lines()) == 3
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    assert len(set(names)) == 3
