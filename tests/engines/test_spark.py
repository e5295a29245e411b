"""Every metric on Spark. `make test-spark` runs these tests; only they need Java and the extra `spark`.

The time zone of the session is New York, whose clock changes on other days, and every query runs in several partitions.
"""

import os
import shutil
import warnings

import pandas as pd
import pytest
from scanning import EVERY, published, same

import wegly_analytics as wa
from wegly_analytics import metrics
from wegly_analytics.errors import EmptyScopeWarning
from wegly_analytics.snapshot.sources import ALL_TABLES

pytestmark = pytest.mark.spark


@pytest.fixture(scope="module")
def spark():
    missing = [name for name, there in (("Java", shutil.which("java")), ("pyspark", _has_pyspark())) if not there]
    if missing:
        reason = f"{' and '.join(missing)} not installed: make test-spark installs pyspark; install Java 17 yourself"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    from pyspark.sql import SparkSession

    settings = {
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.sql.adaptive.enabled": "false",  # planning costs more than it saves for so few deals
        "spark.sql.codegen.factoryMode": "NO_CODEGEN",
        "spark.sql.codegen.wholeStage": "false",
        "spark.sql.session.timeZone": "America/New_York",
        "spark.sql.shuffle.partitions": "3",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Spark warns about versions of other packages
        session = SparkSession.builder.master("local[2]").config(map=settings).getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    yield session
    session.stop()


def _has_pyspark():
    from importlib.util import find_spec

    return find_spec("pyspark") is not None


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return published(tmp_path_factory.mktemp("spark"))


@pytest.mark.parametrize("metric", EVERY.values(), ids=EVERY)
def test_a_metric_gives_the_same_table(metric, spark, root):
    same(metric(wa.scan(root, spark)), metric(wa.load(root)))


def test_a_filter_stays_on_spark_and_keeps_the_same_deals(spark, root):
    scope = {"pipeline": "Vendas", "source": ["Indicação", None], "quality": "won without value"}
    scanned, expected = wa.scan(root, spark).where(**scope), wa.load(root).where(**scope)
    assert (scanned.filters, scanned.completeness, scanned.rows) == (
        expected.filters,
        expected.completeness,
        expected.rows,
    )
    same(metrics.velocity(scanned, by="tag"), metrics.velocity(expected, by="tag"))
    assert scanned == expected
    with pytest.warns(EmptyScopeWarning, match="did you mean 'Vendas'"):
        assert len(wa.scan(root, spark).where(pipeline="Vendsa")) == 0


def test_an_empty_snapshot_is_typed_on_spark_too(spark, root, tmp_path):
    with pytest.warns(EmptyScopeWarning):
        path = wa.load(root).where(code=-1).save(tmp_path)
    scanned = wa.scan(path, spark)
    assert all(rows == 0 for name, rows in scanned.rows.items() if name != "ledger")
    assert set(scanned.rows) == set(ALL_TABLES)
    same(metrics.velocity(scanned, by="source"), metrics.velocity(wa.load(path), by="source"))


def test_instants_are_compared_whatever_the_time_zone_of_the_session(spark, snapshot_of, tmp_path):
    """Months end in São Paulo while the clock of New York does not change, springs forward and falls back."""
    spring = ["2026-03-01T02:59:59Z", "2026-03-01T03:00:00Z", "2026-03-08T06:59:59Z", "2026-03-08T07:00:00Z"]
    autumn = ["2025-11-01T02:59:59Z", "2025-11-01T03:00:00Z", "2025-11-02T05:30:00Z", "2025-11-02T06:30:00Z"]
    instants = pd.to_datetime([*spring, *autumn])
    snap = snapshot_of(
        *(
            {"status": 2, "value": 10, "created_at": a.isoformat(), "won_date": b.isoformat()}
            for a in instants
            for b in instants
        )
    )
    path = snap.save(tmp_path)
    scanned = wa.scan(path, spark)
    same(metrics.velocity(scanned, every="week"), metrics.velocity(wa.load(path), every="week"))
    same(metrics.win_loss(scanned), metrics.win_loss(wa.load(path)))
    hour = scanned.where(created_at=instants[6], won_at=instants[7])
    assert len(hour) == 1, "an hour that occurs twice in New York"
    assert metrics.velocity(hour)["days"].item() == pytest.approx(1 / 24, rel=1e-9)
    assert spark.conf.get("spark.sql.session.timeZone") == "America/New_York", "the session is not changed"
