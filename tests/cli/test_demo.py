"""The demo, from nothing to charts."""

import pytest

from wegly_analytics.demo import draw, run
from wegly_analytics.errors import SettingError


def test_the_demo_publishes_a_snapshot_and_draws_charts(wegly, tmp_path):
    code, out, err = wegly("demo", "-q", "--lang", "pt")
    assert code == 0, err
    assert "nothing leaves this machine" in out
    assert "requested deals received" in out
    assert len(list((tmp_path / "data/snapshots").iterdir())) == 1
    charts = {path.name: path.stat().st_size for path in (tmp_path / "data/charts").iterdir()}
    assert sorted(charts) == ["loss_reasons.png", "time_in_stage.png", "velocity.png", "win_loss.png", "win_rate.png"]
    assert min(charts.values()) > 10_000


def test_an_unknown_language_is_refused_before_the_demo_begins(tmp_path):
    lines = run(tmp_path / "root", tmp_path / "charts", now=None, lang="fr", progress=False)
    with pytest.raises(SettingError, match="lang='fr' is unknown; use one of 'en', 'pt'"):
        next(lines)


def test_charts_need_a_folder(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingError, match="the folder of charts .*file/charts cannot be created: Not a directory"):
        draw(None, tmp_path / "file/charts")
