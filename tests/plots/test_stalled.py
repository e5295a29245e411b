import matplotlib as mpl
import matplotlib.pyplot as plt
import pandas as pd
import pytest

from wegly_analytics import plots


def stalled_table(n, **more):
    table = pd.DataFrame(
        {
            "deal_id": [f"deal-{k}" for k in range(n)],
            "title": [f"Title {k}" for k in range(n)],
            "responsible": "Ana",
            "stage": "Proposal",
            "days": [100.0 - k for k in range(n)],
            "typical_days": 30.0,
            "value": [5000.0 - k for k in range(n)],
            "last_activity_at": pd.Timestamp("2026-01-01", tz="UTC"),
        }
    ).assign(**more)
    table.attrs = {"q": 0.9}
    return table


def texts(ax):
    return [t.get_text() for t in ax.texts]


def test_a_bar_shows_the_days_in_stage_and_a_mark_the_typical_days():
    ax = plots.stalled(stalled_table(3))
    assert [bar.get_width() for bar in ax.patches] == [100, 99, 98]
    assert {mpl.colors.to_hex(bar.get_facecolor()) for bar in ax.patches} == {"#3d8fc9"}
    assert [marks.get_segments()[0][0][0] for marks in ax.collections] == [30, 30, 30]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["Title 0", "Title 1", "Title 2"]
    assert "100 d · R\\$5K · Proposal" in texts(ax)
    assert "mark: 90% had left by then" in texts(ax)
    assert ax.get_title(loc="left") == "Stalled deals (n=3)"


def test_the_twenty_most_valuable_deals_are_drawn_and_the_title_has_the_number_of_all():
    ax = plots.stalled(stalled_table(57))
    assert len(ax.patches) == 20
    assert ax.get_title(loc="left") == "Stalled deals (n=57)"
    assert any(text.endswith("· the 20 most valuable") for text in texts(ax))


@pytest.mark.parametrize("missing", [None, float("nan"), pd.NA])
def test_a_deal_without_title_has_its_id_and_a_missing_value_is_named(missing):
    ax = plots.stalled(stalled_table(1, title=missing, value=float("nan"), stage=missing))
    assert [t.get_text() for t in ax.get_yticklabels()] == ["deal-0"]
    assert "100 d · without value" in texts(ax)


def test_with_groups_the_group_is_written_beside_the_bar():
    table = stalled_table(2, source=["web", "(not informed)"])
    table.attrs["by"] = ["source"]
    ax = plots.stalled(table, lang="pt", ax=plt.figure().gca())
    assert ax.get_title(loc="left") == "Negócios parados, por origem (n=2)"
    assert any(text.endswith(" · (não informado)") for text in texts(ax))
    assert not any("Proposal" in text for text in texts(ax))


def test_a_deal_with_two_tags_counts_once_in_the_title():
    table = stalled_table(1)
    twice = pd.concat([table.assign(tag="a"), table.assign(tag="b")], ignore_index=True)
    twice.attrs = {"by": ["tag"]}
    ax = plots.stalled(twice)
    assert ax.get_title(loc="left") == "Stalled deals, by tag (n=1)"
    assert len(ax.patches) == 2
