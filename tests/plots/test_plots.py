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
from wegly_analytics.i18n.texts import say

every_chart = pytest.mark.parametrize("metric", TABLES)
every_plot = pytest.mark.parametrize("metric", sorted({metric.split()[0] for metric in TABLES}))
WITH_DEALS = [company for company in COMPANIES if company not in ("no deals", "all nulls")]

WITH_GROUPS = [metric for metric in TABLES if "by source" in metric or metric.startswith(("win_rate", "loss_reasons"))]

# Pairwise: each metric on each company, in both languages, but one language for each pair.
# The number of groups matters only where there are groups.
CASES = [
    (metric, company, ("en", "pt")[(n + m) % 2])
    for n, metric in enumerate(TABLES)
    for m, company in enumerate(WITH_DEALS)
    if "group" not in company or metric in WITH_GROUPS
]
FACTS = {
    "en": ("as of Jul 1, 2026", "{n} of {n} requested deals received"),
    "pt": ("em 1 de jul. de 2026", "vieram {n} de {n} negócios pedidos"),
}


def draw(metric, table, **how):
    return getattr(plots, metric.split()[0])(table, **how)


def draw_small(metric, table, lang="en"):
    """Draw in axes that are given, 600 pixels wide."""
    with plots.style():
        figure = plt.figure(figsize=(6, 4), dpi=100)
        ax = draw(metric, table, lang=lang, ax=figure.add_subplot())
        figure.draw_without_rendering()
    return ax


def ticks(axis):
    """The names on an axis that are in view."""
    low, high = sorted(axis.get_view_interval())
    shown = zip(axis.get_ticklocs(), axis.get_ticklabels(), strict=True)
    return [label for place, label in shown if low <= place <= high and label.get_text().strip()]


def texts(ax):
    found = [*ax.texts, ax.title, ax._left_title, ax.xaxis.label, ax.yaxis.label]
    return [t for t in [*found, *ticks(ax.xaxis), *ticks(ax.yaxis)] if t.get_text().strip() and t.get_visible()]


def footnote(ax):
    return [artist for artist in ax.figure.artists if isinstance(artist, Annotation)][-1]


def boxes(labels):
    renderer = labels[0].figure.canvas.get_renderer()
    return [label.get_window_extent(renderer) for label in labels]


def check_layout(ax):
    """Nothing is cut at the left or right, no names of rows overlap, and the footnote is below everything."""
    shown = texts(ax)
    for label, box in zip(shown, boxes(shown), strict=True):
        assert box.x0 >= -2, label.get_text()
        assert box.x1 <= 602, label.get_text()
    if rows := ticks(ax.yaxis):
        for one, other in itertools.pairwise(sorted(boxes(rows), key=lambda b: b.y0)):
            assert one.y1 <= other.y0 + 1, "names of rows overlap"
    below = footnote(ax)
    assert boxes([below])[0].x1 <= 602, "the footnote is cut"
    others = [label for label in shown if label is not below]
    assert all(box.y0 >= boxes([below])[0].y1 - 1 for box in boxes(others)), "the footnote overlaps the chart"


@pytest.mark.parametrize(("metric", "company", "lang"), CASES)
def test_a_chart_is_drawn_whole_and_legible(metric, company, lang, table_of):
    table = table_of(metric, company)
    ax = draw_small(metric, table, lang)
    pd.testing.assert_frame_equal(table, table_of(metric, company))
    check_layout(ax)
    title = ax.get_title(loc="left")
    assert title
    assert plots.alt_text(ax).startswith(title.split("\n")[0][:20])
    below = footnote(ax).get_text().replace("\n", " ")
    rule = [say(sentence, lang) for sentence in table.attrs["rule"].split(" · ")]
    facts = [fact.format(n=len(COMPANIES[company])) for fact in FACTS[lang]]
    assert [part for part in (*rule, *facts) if part not in below] == []


@every_chart
def test_an_empty_chart_says_why(metric, table_of):
    lang = ["en", "pt"][list(TABLES).index(metric) % 2]
    nothing = {"en": "Nothing to draw", "pt": "Nada a desenhar"}[lang]
    ax = draw_small(metric, table_of(metric, "no deals"), lang)
    check_layout(ax)
    assert any(nothing in t.get_text() for t in ax.texts)
    assert not ax.get_yticks().size
    assert nothing in plots.alt_text(draw(metric, table_of(metric, "all nulls"), lang=lang))


@every_chart
def test_a_missing_column_is_named(metric, table_of):
    table = table_of(metric, "normal")
    drawn = [
        *("velocity", "part", "sent", "reached", "target", "weighted", "expected"),
        *("rate", "p50", "p_won", "typical_days", "deals"),
    ]
    lacking = table.drop(columns=next(name for name in drawn if name in table))
    with pytest.raises(MissingColumnError, match=r"the \w+ table has no column"):
        draw(metric, lacking)


@every_plot
def test_an_unknown_language_is_refused(metric, table_of):
    with pytest.raises(ValueError, match="lang='fr': use one of 'en', 'pt'"):
        draw(metric, table_of(metric, "normal"), lang="fr")


@every_plot
def test_a_chart_takes_the_axes_it_is_given_and_shows_nothing(metric, table_of, monkeypatch):
    monkeypatch.setattr(plt, "show", lambda *_: pytest.fail("a plot never shows"))
    figure, axes = plt.subplots(1, 2, layout="constrained")
    assert draw(metric, table_of(metric, "normal"), ax=axes[1]) is axes[1]
    assert not axes[0].texts
    assert plt.get_fignums() == [figure.number]


def test_dollar_signs_are_not_mathematics(table_of):
    with plots.style():
        ax = plots.loss_reasons(table_of("loss_reasons", "normal"))
    assert "Preço R\\$ 5 > R\\$ 3" in [t.get_text() for t in ax.get_yticklabels()]
    assert "Preço R$ 5 > R$ 3" in plots.alt_text(ax)


def test_long_names_take_two_lines(table_of):
    ax = plots.win_rate(table_of("win_rate", "long names"))
    names = [t.get_text() for t in ax.get_yticklabels()]
    assert any(name.startswith("Indicação de parceiros") and name.count("\n") == 1 and "…" in name for name in names)
    assert len(LONG) > 60


def test_dots_are_at_the_rates_and_small_samples_are_hollow(table_of):
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


def test_won_is_up_lost_is_down_and_an_unfinished_period_is_pale(table_of):
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


def test_groups_of_an_unfinished_period_are_dotted(table_of):
    table = table_of("win_loss by source", "normal")
    assert "not finished" not in plots.win_loss(table).get_xlabel()
    ax = plots.win_loss(table.assign(unfinished=table["period"] == table["period"].max()))
    styles = [line.get_linestyle() for line in ax.get_lines()]
    assert styles.count("-") == 3
    assert styles.count(":") >= 1
    assert "dotted: not finished" in ax.get_xlabel()
    assert len(ax.get_legend().get_texts()) == 3


@pytest.mark.parametrize(("unfinished", "note"), [([False, True], True), ([False, False], False)])
def test_coverage_of_an_unfinished_period_is_hatched(unfinished, note, table_of):
    table = table_of("coverage", "normal").assign(booked=1000.0, unfinished=unfinished)
    ax = plots.coverage(table)
    booked, is_open = ax.containers
    assert [bar.get_hatch() is not None for bar in booked] == unfinished
    assert {bar.get_hatch() for bar in is_open} == {None}
    assert ("hatched: not finished" in ax.get_xlabel()) == note


def test_velocity_mentions_an_unfinished_period_only_if_it_is_drawn(table_of):
    table = table_of("velocity by month", "normal")
    last = table["period"] == table["period"].max()
    table = table.assign(unfinished=last, velocity=table["velocity"].fillna(1.0))
    assert "dotted: not finished" in plots.velocity(table).get_xlabel()
    assert "not finished" not in plots.velocity(table.assign(velocity=table["velocity"].mask(last))).get_xlabel()


def test_groups_above_stages_are_translated(table_of):
    ax = plots.time_in_stage(table_of("time_in_stage by source", "normal"), lang="pt")
    assert any("(não informado)" in t.get_text() for t in ax.texts)
    assert not any("(not informed)" in t.get_text() for t in ax.texts)


@pytest.mark.parametrize("name", ["Implantação completa – Clínica Ipê-Amarelo e Filhos Ltda.", LONG, "x" * 200, "a b"])
def test_no_name_of_a_row_takes_more_than_two_lines(name):
    table = pd.DataFrame({"source": [name], "n": 50, "rate": 0.5, "low": 0.4, "high": 0.6})
    (label,) = plots.win_rate(table).get_yticklabels()
    assert label.get_text().count("\n") <= 1


def test_reasons_that_are_not_informed_are_grey(table_of):
    table = table_of("loss_reasons", "normal")
    ax = plots.loss_reasons(table)
    colors = [mpl.colors.to_hex(bar.get_facecolor()) for bar in ax.patches]
    assert [c == "#8c8c8c" for c in colors] == (table["loss_reason"] == "(not informed)").tolist()


def test_velocity_names_its_levers(table_of):
    ax = plots.velocity(table_of("velocity by month", "normal"), lang="pt")
    assert any(" negócios × " in t.get_text() for t in ax.texts)
    ax = plots.velocity(table_of("velocity by source", "normal"), ax=plt.figure().gca())
    assert sum(" deals × " in t.get_text() for t in ax.texts) == 3


def test_a_missing_velocity_keeps_its_row(table_of):
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
def test_a_style_ends_with_its_context(theme):
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
    assert {mpl.colors.to_hex(t.get_color()) for t in ax.texts} == {"#ffffff"}


def test_saving_a_chart_leaves_other_figures_unchanged(table_of, tmp_path):
    path = plots.save(plots.win_rate, table_of("win_rate", "normal"), tmp_path / "x.png", theme="dark", lang="pt")
    assert path.stat().st_size > 10_000
    assert plt.get_fignums() == []


def test_axes_without_a_figure_are_refused(table_of):
    ax = plt.figure().gca()
    ax.remove()
    with pytest.raises((ValueError, AttributeError)):
        plots.win_rate(table_of("win_rate", "normal"), ax=ax)


def test_two_long_names_with_the_same_beginning_stay_two_lines(table_of):
    ax = plots.win_loss(table_of("win_loss by source", "long names"))
    assert len(ax.get_lines()) == 3
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    assert len(set(names)) == 3
