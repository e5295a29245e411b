"""Tables in the shapes that plots must cope with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
from strategies import TAKEN_AT

from wegly_analytics import metrics

if TYPE_CHECKING:
    from collections.abc import Callable

LONG = "Indicação de parceiros e integradores certificados da região Sul e Sudeste"


def deal(n: int, status: int, source: str | None, **more: Any) -> dict[str, Any]:
    """A closed or open deal of 2026."""
    created = pd.Timestamp(TAKEN_AT) - pd.Timedelta(days=170 - n % 90)
    closed = created + pd.Timedelta(days=20 + n % 60)
    stages = [{"id": "s1", "name": "Novo lead", "position": 0}, {"id": "s2", "name": LONG, "position": 1}]
    when = f"{closed:%Y-%m-%dT%H:%M:%SZ}"
    return {
        "status": status,
        "value": 1000.0 * (1 + n % 7),
        "created_at": f"{created:%Y-%m-%dT%H:%M:%SZ}",
        "won_date": when if status == 2 else None,
        "lost_date": when if status == 3 else None,
        "deal_source": {"name": source},
        "crm_loss_reason": {"name": [LONG, "Preço R$ 5 > R$ 3", None][n // 3 % 3]} if status == 3 else None,
        "stage": {"id": "s2", "pipeline": {"id": "p", "name": "Vendas $A$"}},
        "pipeline_stages": stages,
        "expected_close_date": f"{created + pd.Timedelta(days=200):%Y-%m-%d}T00:00:00Z",
        "proposals": [
            {"id": f"p{n}", "is_primary": True, "subtotal": 100.0, "total": 100.0 - n % 40, "created_at": when}
            | {"approved_at": when if n % 3 == 1 else None, "rejected_at": when if n % 7 == 2 else None}
        ],
        "stage_durations": [
            {"stage_id": "s1", "stage_name": "Novo lead", "total_seconds": 86_400.0 * (1 + n % 9)},
            {"stage_id": "s2", "stage_name": LONG, "total_seconds": 86_400.0 * (1 + n % 11)},
        ],
    } | more


COMPANIES: dict[str, list[dict[str, Any]]] = {
    "normal": [deal(n, 1 + n % 3, ["Busca", "Eventos", None][n % 5 % 3]) for n in range(90)],
    "long names": [deal(n, 1 + n % 3, [LONG, f"{LONG} II", "$x$ e $y$"][n % 5 % 3]) for n in range(60)],
    "one group": [deal(n, 2 + n % 2, "Busca") for n in range(5)],
    "thirty groups": [
        deal(n, 1 + n % 3, f"Origem {n % 30} com um nome longo", crm_loss_reason={"name": f"Motivo {n % 30}"})
        for n in range(240)
    ],
    "no deals": [],
    "nothing lost": [deal(n, 1 + n % 2, "Busca", value=None, stage_durations=None) for n in range(20)],
    "all nulls": [{"status": None}, {"status": 1}],
}

TABLES: dict[str, Callable[..., pd.DataFrame]] = {
    "win_rate": lambda snap: metrics.win_rate(snap, by="source"),
    "win_rate of all": metrics.win_rate,
    "win_rate by value": lambda snap: metrics.win_rate(snap, by="source", weight="value"),
    "win_loss": metrics.win_loss,
    "win_loss by source": lambda snap: metrics.win_loss(snap, by="source"),
    "win_loss by week": lambda snap: metrics.win_loss(snap, every="week"),
    "loss_reasons": metrics.loss_reasons,
    "loss_reasons by source": lambda snap: metrics.loss_reasons(snap, by="source"),
    "loss_reasons by month": lambda snap: metrics.loss_reasons(snap, every="month"),
    "loss_reasons by week and source": lambda snap: metrics.loss_reasons(snap, every="week", by="source"),
    "velocity": metrics.velocity,
    "velocity by source": lambda snap: metrics.velocity(snap, by="source"),
    "velocity by month": lambda snap: metrics.velocity(snap, every="month"),
    "velocity by month and source": lambda snap: metrics.velocity(snap, every="month", by="source"),
    "velocity_bridge": metrics.velocity_bridge,
    "velocity_bridge by source": lambda snap: metrics.velocity_bridge(snap, by="source"),
    "time_in_stage": metrics.time_in_stage,
    "time_in_stage by source": lambda snap: metrics.time_in_stage(snap, by="source"),
    "time_to_close": metrics.time_to_close,
    "time_to_close by source": lambda snap: metrics.time_to_close(snap, by="source"),
    "proposals": metrics.proposals,
    "proposals by source": lambda snap: metrics.proposals(snap, by="source"),
    "discounts": metrics.discounts,
    "discounts by source": lambda snap: metrics.discounts(snap, by="source", edges=(0, 0.2)),
    "pipeline_value": metrics.pipeline_value,
    "pipeline_value by source": lambda snap: metrics.pipeline_value(snap, by="source"),
    "coverage": lambda snap: metrics.coverage(snap, target=500_000, periods=2),
    "coverage by source": lambda snap: metrics.coverage(snap, target=90_000, by="source"),
    "funnel": metrics.funnel,
    "funnel by source": lambda snap: metrics.funnel(snap, by="source"),
    "forecast": lambda snap: metrics.forecast(snap, draws=100),
    "forecast by source": lambda snap: metrics.forecast(snap, by="source", draws=100),
    "stalled": lambda snap: metrics.stalled(snap, q=0.5),
    "stalled by source": lambda snap: metrics.stalled(snap, by="source", q=0.5),
}
