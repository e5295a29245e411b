from datetime import date

import numpy as np
import pytest
from strategies import days_ago

from wegly_analytics.errors import SettingError
from wegly_analytics.intake.build import Response, SnapshotBuilder
from wegly_analytics.metrics import discounts, proposals
from wegly_analytics.sandbox import TAKEN_AT, TRUTH, Company

OPEN, WON, LOST = 1, 2, 3


def offer(**more):
    return {"is_primary": True, "subtotal": 100.0, "total": 100.0, "created_at": days_ago(30)} | more


def closed(status, *rows):
    return {"status": status, "proposals": list(rows)}


def test_dates_decide_what_became_of_a_proposal_never_its_number(snapshot_of):
    rows = [
        offer(approved_at=days_ago(10), status=4),
        offer(rejected_at=days_ago(10), status=3),
        offer(approved_at=days_ago(5), rejected_at=days_ago(10)),
        offer(approved_at=days_ago(10), rejected_at=days_ago(5)),
        offer(archived_at=days_ago(20), approved_at=days_ago(25)),
        offer(archived_at=days_ago(20), valid_until=days_ago(15)),
        offer(valid_until=days_ago(1)),
        offer(valid_until=days_ago(-1)),
        offer(),
    ]
    row = proposals(snapshot_of({"status": OPEN, "proposals": rows}, {"status": OPEN})).iloc[0]
    counts = row[["deals", "with_proposal", "sent", "approved", "rejected", "withdrawn", "expired", "pending"]]
    assert counts.tolist() == [2, 1, 9, 3, 2, 1, 1, 2]
    assert row["approval_rate"] == 3 / 6
    assert row["versions"] == 9
    assert row["days_to_approval"] == 20, "the middle one of 5, 20 and 25 days"


def test_discounts_of_proposals_are_shares_of_money(snapshot_of):
    rows = [offer(subtotal=300.0, total=240.0), offer(), offer(subtotal=None), offer(subtotal=0.0, total=0.0)]
    table = proposals(snapshot_of({"status": OPEN, "proposals": rows}))
    assert table["discounted"].tolist() == [0.5]
    assert table["discount"].tolist() == [pytest.approx(0.15)]
    assert table.attrs["excluded"] == {"proposals without a price": 2}


def test_a_group_without_proposals_has_none_of_anything_and_no_rate(snapshot_of):
    deals = [{"deal_source": {"name": "a"}, "status": OPEN}, {"status": OPEN, "proposals": [offer()]}]
    table = proposals(snapshot_of(*deals), by="source").set_index("source")
    assert table.loc["a", ["deals", "sent", "pending"]].tolist() == [1, 0, 0]
    assert table.loc["a", ["approval_rate", "low", "high", "versions", "days_to_approval", "discount"]].isna().all()
    assert table.loc["(not informed)", "pending"] == 1


def test_bands_of_discount_hold_their_upper_end(snapshot_of):
    depths = [0, 5, 5.001, 10, 20, 20.5, 30, 31]
    deals = [closed(WON if n % 2 else LOST, offer(total=100.0 - depth)) for n, depth in enumerate(depths)]
    table = discounts(snapshot_of(*deals))
    bands = ["0 %", "0 to 5 %", "5 to 10 %", "10 to 20 %", "20 to 30 %", "above 30 %"]
    assert table["discount"].tolist() == bands
    assert table["n"].tolist() == [1, 1, 2, 1, 2, 1]
    assert table["won"].tolist() == [0, 1, 1, 0, 1, 1]
    assert table["rate"].tolist() == [0, 1, 0.5, 0, 0.5, 1]
    assert table["above"].fillna(-1).tolist() == [-1, 0, 0.05, 0.1, 0.2, 0.3]


def test_what_has_no_single_priced_proposal_is_in_no_band_and_counted(snapshot_of):
    deals = [
        closed(WON, offer(is_primary=False)),  # the only one is the main one
        closed(WON, offer(is_primary=False), offer(is_primary=None)),
        closed(WON, offer(), offer()),
        closed(WON),
        closed(LOST, offer(subtotal=None)),
        closed(LOST, offer(total=120.0)),
        closed(LOST, offer(is_primary=False, total=50.0), offer(total=90.0)),
        closed(OPEN, offer()),
    ]
    table = discounts(snapshot_of(*deals), edges=(0,))
    assert table[["won", "lost"]].values.tolist() == [[1, 0], [0, 1]]
    assert table.attrs["excluded"] == {
        "closed without a primary proposal": 3,
        "with a proposal without a price": 1,
        "total above the subtotal": 1,
    }
    assert table.attrs["n"] == 2


@pytest.mark.parametrize("edges", [(), (0.2, 0.1), (0.1, 0.1), (-0.1,), (0.5, 1.0), (5, 10)])
def test_edges_must_be_ascending_shares(snapshot_of, edges):
    with pytest.raises(SettingError, match="give ascending shares from 0 to below 1"):
        discounts(snapshot_of(), edges=edges)


def test_every_group_has_every_band(snapshot_of):
    deals = [closed(WON, offer()) | {"deal_source": {"name": "a"}}, closed(LOST, offer(total=50.0))]
    table = discounts(snapshot_of(*deals), by="source", edges=(0, 0.1))
    assert table["source"].tolist() == ["a"] * 3 + ["(not informed)"] * 3
    assert table["n"].tolist() == [1, 0, 0, 0, 0, 1]
    assert np.isnan(table["rate"][1])


@pytest.mark.hard
def test_the_effect_of_a_discount_is_found_in_the_sandbox():
    company, builder = Company(deals_per_month=400), SnapshotBuilder()
    for place, (code, body) in enumerate(company.responses(TAKEN_AT)):
        builder.add(place, Response(str(code), "fetched", TAKEN_AT, 200, body=body))
    # those made early enough to have come to their end, and the truth of the same months
    old = builder.snapshot(TAKEN_AT).where(created_at=lambda made: made < "2026-01-01")
    table = discounts(old, edges=(0, 0.08, 0.18), archived=True)
    truth = list(TRUTH.win_rate_by_discount(date(2025, 1, 1), date(2025, 12, 31)).values())
    assert table["n"].min() > 200
    assert ((table["low"] <= truth) & (truth <= table["high"])).all(), list(zip(truth, table["rate"], strict=True))
    assert table["rate"].idxmax() in (1, 2), "neither none nor the deepest wins most"
