import matplotlib as mpl

from wegly_analytics import plots


def test_a_weight_from_few_closed_deals_is_hollow(table_of):
    table = table_of("pipeline_value", "normal")
    table["value"], table["weighted"] = [100.0, 200.0], [50.0, 80.0]
    table["deals"], table["closed"] = [30, 30], [60, 9]
    ax = plots.pipeline_value(table)
    weights = ax.containers[1]
    assert [bar.get_width() for bar in weights] == [50, 80]
    assert [mpl.colors.to_hex(bar.get_facecolor(), keep_alpha=True)[-2:] for bar in weights] == ["ff", "00"]
    assert "fewer than 10 closed deals" in ax.get_xlabel()
    table["closed"] = [60, 10]
    assert "hollow" not in plots.pipeline_value(table, ax=mpl.figure.Figure().add_subplot()).get_xlabel()


def test_coverage_names_the_number_of_deals_behind_the_needed_coverage(table_of):
    table = table_of("coverage", "normal").iloc[:1].assign(booked=0.0, n=7)
    ax = plots.coverage(table)
    assert any(t.get_text().endswith("(n=7)") for t in ax.texts)
    ax = plots.coverage(table.assign(booked=table["target"]), ax=mpl.figure.Figure().add_subplot())
    assert any(t.get_text() == "target met" for t in ax.texts)
