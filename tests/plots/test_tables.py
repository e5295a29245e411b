"""Tables that were merged, concatenated or read back from a file."""

import io

import pandas as pd
import pytest
from plot_tables import TABLES

from wegly_analytics import plots
from wegly_analytics.plots.order import scale
from wegly_analytics.plots.tables import read


def reread(table, **how):
    return pd.read_csv(io.StringIO(table.to_csv(**how)))


def ticks(ax):
    return [t.get_text() for t in ax.get_yticklabels()]


@pytest.mark.parametrize("metric", TABLES)
def test_a_table_read_back_from_csv_has_the_same_groups(metric, table_of):
    table = table_of(metric, "normal")
    name = metric.split()[0]
    shown, groups = read(name, reread(table))
    assert groups == table.attrs["by"]
    assert len(shown) == len(table)
    ax = getattr(plots, name)(reread(table, index=False))
    assert ax.get_title(loc="left")
    assert "Nothing to draw" not in plots.alt_text(ax)


def test_periods_read_back_are_periods_again(table_of):
    ax = plots.win_loss(reread(table_of("win_loss", "normal")))
    labels = [t.get_text() for t in ax.get_xticklabels()]
    assert labels
    assert all(label[-2:] == "26" and label[0].isupper() for label in labels)


def test_a_renamed_group_is_still_a_group(table_of):
    table = table_of("win_rate", "normal").rename(columns={"source": "channel"})
    assert "Win rate by channel" in plots.win_rate(table).get_title(loc="left")


def test_a_merged_column_names_the_rows_as_well(table_of):
    table = table_of("win_rate", "normal")
    regions = pd.DataFrame({"source": table["source"], "region": ["N", "S", "W"]})
    merged = table.merge(regions, on="source")
    merged.attrs = {}
    assert ticks(plots.win_rate(merged)) == [f"{s} · {r}" for s, r in zip(table["source"], "NSW", strict=True)]


def test_concatenated_tables_with_a_column_that_distinguishes_them_have_their_own_rows(table_of):
    table = table_of("win_rate of all", "normal")
    both = pd.concat([table.assign(year="2025"), table.assign(year="2026")])
    assert ticks(plots.win_rate(both)) == ["2025", "2026"]


def test_groups_in_the_index_are_groups(table_of):
    table = table_of("win_rate", "normal")
    assert ticks(plots.win_rate(table.set_index("source"))) == table["source"].tolist()


def test_periods_are_sorted_and_missing_ones_leave_a_gap_in_their_line(table_of):
    table = table_of("win_loss by source", "normal")
    first = ticks(plots.win_loss(table))
    assert ticks(plots.win_loss(table.iloc[::-1])) == first
    last = table[table["period"] == table["period"].max()]
    lines = plots.win_loss(pd.concat([table[table["source"] == "Busca"], last[last["source"] != "Busca"]])).get_lines()
    places = sorted(len(line.get_xdata()) for line in lines)
    assert places == [1, 1, table["period"].nunique()]
    assert {line.get_xdata()[-1] for line in lines} == {table["period"].nunique() - 1}


def test_an_unfinished_period_is_read_from_its_column(table_of):
    table = table_of("win_loss", "normal").drop(columns="unfinished", errors="ignore")
    table.attrs = {}
    last = [False] * (len(table) - 1) + [True]
    ax = plots.win_loss(reread(table.assign(unfinished=last, every="month")))
    assert [bar.get_alpha() < 0.5 for bar in ax.containers[0]] == last


@pytest.mark.parametrize(
    ("metric", "column", "value", "text"),
    [
        ("forecast", "days", 30, "Forecast for 30 days"),
        ("forecast", "level", 0.9, "90% of simulations"),
        ("stalled", "q", 0.75, "75% had left"),
        ("funnel", "pipeline", "Parcerias", "Parcerias"),
    ],
)
def test_settings_come_from_columns(metric, column, value, text, table_of):
    table = table_of(metric, "normal").assign(**{column: value})
    table.attrs = {}
    ax = getattr(plots, metric)(table)
    shown = [t.get_text() for t in ax.texts]
    assert any(text in each for each in [ax.get_title(loc="left"), ax.get_xlabel(), *shown])


@pytest.mark.parametrize(
    "ordered",
    [
        [1, 2, 3, 4, 5],
        ["1", "2", "10", "(not informed)"],
        ["2025-Q4", "2026-Q1", "2026-Q2"],
        ["Q1 25", "Q4 25", "Q1 26"],
        ["2025-12", "2026-01"],
        ["low", "mid", "high", "(not informed)"],
        ["frio", "morno", "quente"],
        ["(0, 10]", "(10, 200]", "(200, 1000]"],
    ],
)
def test_ordinal_groups_keep_their_order(ordered):
    n = len(ordered)
    table = pd.DataFrame({"grade": ordered, "n": range(n, 0, -1), "rate": 0.5, "low": 0.4, "high": 0.6})
    assert ticks(plots.win_rate(table.iloc[::-1])) == [str(each) for each in ordered]


def test_an_ordered_categorical_keeps_its_order():
    sizes = pd.Categorical(["S", "L", "M"], ["S", "M", "L"], ordered=True)
    table = pd.DataFrame({"size": sizes, "n": 20, "rate": 0.5, "low": 0.4, "high": 0.6})
    assert ticks(plots.win_rate(table)) == ["S", "M", "L"]


@pytest.mark.parametrize("names", [["web", "Ana", "low"], [True, False], ["Q1", "web"], []])
def test_other_names_have_no_order(names):
    assert scale(pd.Series(names, dtype=object)) is None
