"""What people naturally pass wrongly to a plot, and the errors; no figure is left open."""

import io

import matplotlib.pyplot as plt
import pandas as pd
import pytest
from plot_tables import COMPANIES, TABLES

import wegly_analytics as wa
from wegly_analytics import metrics, plots
from wegly_analytics.errors import MissingColumnError, SettingError


def rates(**more):
    table = pd.DataFrame(
        {"source": ["a", "b"], "n": [20, 30], "rate": [0.4, 0.5], "low": [0.2, 0.3], "high": [0.6, 0.7]}
    )
    return table.assign(**more)


def monthly(**more):
    starts = pd.to_datetime(["2026-01-01", "2026-02-01"])
    return pd.DataFrame({"period": starts, "won": [1, 2], "lost": [3, 4], "rate": [0.25, 0.33]}).assign(**more)


MISTAKES = {
    "the snapshot": (
        lambda: plots.win_rate(wa.sample()),
        SettingError,
        r"plots\.win_rate\(metrics\.win_rate\(snap\)\)",
    ),
    "the metric itself": (lambda: plots.win_rate(metrics.win_rate), SettingError, "takes a table, not a function"),
    "a file name": (lambda: plots.win_rate("rates.csv"), SettingError, r"pandas\.read_csv"),
    "a dict": (lambda: plots.win_rate({"rate": [1]}), SettingError, "takes a pandas DataFrame, not dict"),
    "a column": (lambda: plots.win_rate(rates()["rate"]), SettingError, "not Series"),
    "the table of another metric": (
        lambda: plots.win_rate(metrics.velocity(wa.sample())),
        SettingError,
        r"metrics\.velocity: draw it with plots\.velocity",
    ),
    "the table of another metric without attrs": (lambda: plots.velocity(monthly()), SettingError, r"plots\.win_loss"),
    "the table of another metric with the columns of this one": (
        lambda: plots.win_rate(monthly(n=5, low=0.1, high=0.9)),
        SettingError,
        r"draw it with plots\.win_loss",
    ),
    "the table of a metric without a plot": (
        lambda: plots.win_rate(metrics.quality(wa.sample())),
        SettingError,
        r"metrics\.quality, for which there is no plot",
    ),
    "a merge with suffixes": (
        lambda: plots.win_rate(rates().merge(rates(), on="source")),
        MissingColumnError,
        "no column 'n'|no column 'rate'",
    ),
    "a renamed figure": (
        lambda: plots.win_rate(rates().rename(columns={"rate": "rates"})),
        MissingColumnError,
        "did you mean 'rates'",
    ),
    "concatenated tables": (
        lambda: plots.win_rate(pd.concat([rates(), rates()])),
        SettingError,
        r"a\.assign\(team='A'\)",
    ),
    "concatenated totals": (
        lambda: plots.win_rate(pd.concat([rates().iloc[:1], rates().iloc[1:]]).drop(columns="source")),
        SettingError,
        "have no group",
    ),
    "rows by different columns": (
        lambda: plots.win_rate(pd.concat([rates(), rates().rename(columns={"source": "team"})])),
        SettingError,
        "rows by 'source' and rows by 'team' are two charts",
    ),
    "an added column of fractions": (
        lambda: plots.win_rate(rates(gap=[0.1, 0.2])),
        SettingError,
        "'gap' holds fractions",
    ),
    "percentages as text": (lambda: plots.win_rate(rates(rate=["40%", "50%"])), SettingError, "'rate' .* holds '40%'"),
    "decimal commas": (lambda: plots.win_rate(rates(rate=["0,4", "0,5"])), SettingError, "decimal=','"),
    "a CSV file with semicolons": (
        lambda: plots.win_rate(pd.read_csv(io.StringIO("source;n;rate;low;high\na;20;0,4;0,2;0,6"))),
        SettingError,
        r"pandas\.read_csv\(\.\.\., sep=';'\)",
    ),
    "periods that are not dates": (
        lambda: plots.win_loss(monthly(period=["Jan", "x"])),
        SettingError,
        "'period' .* holds",
    ),
    "weeks and months in one table": (
        lambda: plots.win_loss(monthly(every=["month", "week"])),
        SettingError,
        "month and week",
    ),
    "another language": (lambda: plots.win_rate(rates(), lang="fr"), SettingError, "lang='fr': use one of 'en', 'pt'"),
    "a currency's sign": (lambda: plots.win_rate(rates(), currency="R$"), SettingError, "'BRL' or 'USD'"),
    "an array of axes": (lambda: plots.win_rate(rates(), ax=[1, 2]), SettingError, r"ax=axes\[0\]"),
    "axes by number": (lambda: plots.win_rate(rates(), ax=1), SettingError, "takes matplotlib Axes, not int"),
    "a size": (lambda: plots.win_rate(rates(), figsize=(8, 4)), SettingError, "no figsize="),
    "a misspelt keyword": (lambda: plots.win_rate(rates(), colour="k"), SettingError, r"did you mean color="),
    "an unknown kind": (
        lambda: plots.loss_reasons(TABLES["loss_reasons"](wa.sample()), kind="pie"),
        SettingError,
        "'pareto' or 'bars' or 'heat'",
    ),
    "an unknown theme": (lambda: plots.set_style("pink"), SettingError, "theme='pink'"),
    "a plot by name": (lambda: plots.save("win_rate", rates(), "x.png"), SettingError, r"plots\.save\(plots\.win_rate"),
    "a file without ending": (
        lambda: plots.save(plots.win_rate, rates(), "x"),
        SettingError,
        "the suffix is the format",
    ),
    "a folder that does not exist": (
        lambda: plots.save(plots.win_rate, rates(), "/nowhere/x.png"),
        SettingError,
        "no folder /nowhere",
    ),
    "one number as size": (
        lambda: plots.save(plots.win_rate, rates(), "x.png", size=8),
        SettingError,
        "width and height",
    ),
    "the description of a table": (lambda: plots.alt_text(rates()), SettingError, "that a plot returned"),
}


@pytest.mark.parametrize(("call", "error", "message"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_named_with_its_remedy(call, error, message):
    with pytest.raises(error, match=message):
        call()
    assert plt.get_fignums() == []


@pytest.mark.parametrize("name", sorted({metric.split()[0] for metric in TABLES}))
def test_every_plot_names_the_metric_of_a_snapshot(name):
    with pytest.raises(SettingError, match=rf"metrics\.{name}\(snap\)"):
        getattr(plots, name)(wa.sample())


def test_a_figure_instead_of_axes():
    with pytest.raises(SettingError, match=r"ax=figure\.add_subplot"):
        plots.win_rate(rates(), ax=plt.figure())


def test_axes_that_were_removed(snapshot_of):
    table = TABLES["win_rate"](snapshot_of(*COMPANIES["normal"]))
    ax = plt.figure().gca()
    ax.remove()
    with pytest.raises(SettingError, match="removed from its figure"):
        plots.win_rate(table, ax=ax)
