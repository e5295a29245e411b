"""Small companies full of gaps and ties, on every engine, and the metrics that are tested on them."""

import duckdb
import narwhals as nw
import pandas as pd
import polars as pl
import pytest
from hypothesis import strategies as st
from strategies import TAKEN_AT, body

from wegly_analytics import metrics
from wegly_analytics.intake.build import Response, SnapshotBuilder
from wegly_analytics.snapshot.snapshot import Snapshot


def funnel(snap, **options):
    """The funnel of the pipeline with most closed deals."""
    names = [name for name in metrics.win_rate(snap, by="pipeline")["pipeline"] if name != "(not informed)"]
    return metrics.funnel(snap, pipeline=names[0] if names else None, **options)


METRICS = {
    "win_rate": metrics.win_rate,
    "win_rate created": lambda s, **k: metrics.win_rate(s, count="created", **k),
    "win_rate stale": lambda s, **k: metrics.win_rate(s, count="closed+stale", **k),
    "win_rate by value": lambda s, **k: metrics.win_rate(s, weight="value", **k),
    "win_loss": lambda s, **k: metrics.win_loss(s, every="year", **k),
    "loss_reasons": metrics.loss_reasons,
    "loss_reasons by year": lambda s, **k: metrics.loss_reasons(s, every="year", **k),
    "velocity": metrics.velocity,
    "velocity by year": lambda s, **k: metrics.velocity(s, every="year", **k),
    "velocity created": lambda s, **k: metrics.velocity(s, every="quarter", count="created", **k),
    "time_in_stage": metrics.time_in_stage,
    "time_to_close": metrics.time_to_close,
    "stalled": lambda s, **k: metrics.stalled(s, q=0.5, **k),
    "proposals": metrics.proposals,
    "discounts": metrics.discounts,
    "pipeline_value": metrics.pipeline_value,
    "coverage": lambda s, **k: metrics.coverage(s, target=1000, every="year", periods=2, **k),
    "funnel": funnel,
    "funnel visited": lambda s, **k: funnel(s, rule="visited", **k),
    "funnel strict": lambda s, **k: funnel(s, rule="strict", **k),
    "forecast": lambda s, **k: metrics.forecast(s, draws=20, **k),
    "compare_rules": metrics.compare_rules,
    "velocity_bridge": lambda s, **k: metrics.velocity_bridge(s, every="year", **k),
}
every_metric = pytest.mark.parametrize("metric", METRICS.values(), ids=list(METRICS))

few = st.sampled_from(["a", "b", None])
money = st.none() | st.integers(0, 1000)


@st.composite
def companies(draw, min_size=0, max_size=25):
    """Deals with few names, so that groups and ties are common, and dates around the time of the snapshot."""
    company = []
    stages = [{"id": f"s{n}", "name": f"Stage {n}", "position": n} for n in range(3)]
    for n in range(draw(st.integers(min_size, max_size))):
        day = st.none() | st.integers(0, 900).map(lambda d: pd.Timestamp(TAKEN_AT) - pd.Timedelta(days=d))
        created, won, lost, expected, archived = (draw(day) for _ in range(5))
        company.append(
            {
                "id": f"deal-{n}",
                "code": n + 1,
                "status": draw(st.sampled_from([1, 2, 3, None])),
                "value": draw(money),
                "created_at": created,
                "won_date": won,
                "lost_date": lost,
                "expected_close_date": expected,
                "archived_at": archived if draw(st.integers(0, 4)) == 0 else None,
                "deal_source": {"name": draw(few)},
                "crm_loss_reason": {"name": draw(few)},
                "stage": {"id": draw(st.sampled_from(["s0", "s1", "s9"])), "pipeline": {"id": "p", "name": "P"}},
                "pipeline_stages": stages,
                "proposals": [
                    {
                        "id": f"p{n}-{m}",
                        "is_primary": draw(st.sampled_from([True, False, None])),
                        "subtotal": draw(money),
                        "total": draw(money),
                        "created_at": plain({"at": created})["at"],
                        **plain({f"{name}_at": draw(day) for name in ("approved", "rejected", "archived")}),
                        "valid_until": plain({"at": draw(day)})["at"],
                    }
                    for m in range(draw(st.integers(0, 2)))
                ],
                "stage_durations": [
                    {"stage_id": s, "stage_name": s, "total_seconds": draw(st.none() | st.integers(0, 10**6))}
                    for s in draw(st.lists(st.sampled_from(["s0", "s1", "s2", "s9"]), unique=True))
                ],
            }
        )
    return company


def plain(deal):
    return {k: v.strftime("%Y-%m-%dT%H:%M:%SZ") if isinstance(v, pd.Timestamp) else v for k, v in deal.items()}


def snapshot(company):
    builder = SnapshotBuilder()
    for place, deal in enumerate(company):
        builder.add(place, Response(str(place + 1), "fetched", TAKEN_AT, 200, body=body(plain(deal)), check_id=False))
    return builder.snapshot(TAKEN_AT)


class Elsewhere(Snapshot):
    """The same snapshot, its frames on another engine."""

    def frame(self, name, columns=None):
        table = self.tables[name] if columns is None else self.tables[name].select(columns)
        return nw.from_native(self.engine(table)).lazy()


class OnPolars(Elsewhere):
    engine = staticmethod(lambda table: pl.from_arrow(table).lazy())


class OnDuckDB(Elsewhere):
    engine = staticmethod(lambda table: duckdb.from_arrow(table))


class OnPandas(Elsewhere):
    engine = staticmethod(lambda table: table.to_pandas(types_mapper=pd.ArrowDtype))


def on(kind, snap):
    return kind(snap.tables, snap.taken_from, snap.taken_at, snap.drift_seen, snap.filters)


def same(one, other, **how):
    pd.testing.assert_frame_equal(one, other, rtol=1e-9, atol=1e-9, **how)
