"""Proposals, discounts, funnel, value, coverage and forecast again, in hand-written SQL."""

import pytest
from metrics.sql import GROUP, SCOPE, agree, check, query

import wegly_analytics as wa
from wegly_analytics import metrics


@pytest.fixture(scope="module")
def sample():
    return wa.sample()


def test_proposals(sample):
    decided = "(p.approved_at IS NOT NULL OR p.rejected_at IS NOT NULL)"
    approved = "(p.approved_at IS NOT NULL AND (p.rejected_at IS NULL OR p.approved_at >= p.rejected_at))"

    def oracle(snap):
        expected = query(
            snap,
            f"""
            SELECT {GROUP} AS source, count(DISTINCT d.deal_id) AS deals, count(DISTINCT p.deal_id) AS with_proposal,
                count(p.deal_id) AS sent, count(*) FILTER ({approved}) AS approved,
                count(*) FILTER ({decided} AND NOT {approved}) AS rejected,
                count(*) FILTER (p.deal_id IS NOT NULL AND NOT {decided} AND p.archived_at IS NOT NULL) AS withdrawn,
                count(*) FILTER (NOT {decided} AND p.archived_at IS NULL AND p.valid_until < $now) AS expired,
                1 - sum(p.total) FILTER (p.subtotal > 0 AND p.total >= 0)
                    / sum(p.subtotal) FILTER (p.subtotal > 0 AND p.total >= 0) AS discount,
                quantile_cont(epoch(p.approved_at) - epoch(p.created_at), 0.5)
                    FILTER ({approved} AND p.approved_at >= p.created_at) / 86400 AS days_to_approval
            FROM {SCOPE} d LEFT JOIN proposals p USING (deal_id) GROUP BY 1
            """,
        )
        agree(metrics.proposals(snap, by="source"), expected, ["source"], atol=1e-4)

    check(oracle, sample)


def test_discounts(sample):
    depth = "1 - p.total / p.subtotal"

    def oracle(snap):
        expected = query(
            snap,
            f"""
            WITH chosen AS (
                SELECT *, count(*) FILTER (is_primary) OVER w AS mains, count(*) OVER w AS ones FROM proposals
                WINDOW w AS (PARTITION BY deal_id)
            )
            SELECT CASE WHEN {depth} <= 1e-9 THEN 0 WHEN {depth} <= 0.1 + 1e-9 THEN 1 ELSE 2 END AS band,
                count(*) FILTER (d.status = 'won') AS won, count(*) FILTER (d.status = 'lost') AS lost
            FROM {SCOPE} d JOIN chosen p USING (deal_id)
            WHERE d.status <> 'open' AND (p.is_primary AND mains = 1 OR ones = 1) AND p.subtotal > 0 AND p.total >= 0
                AND {depth} >= -1e-9
            GROUP BY 1
            """,
        )
        table = metrics.discounts(snap, edges=(0, 0.1))
        agree(table[table["n"] > 0].assign(band=table.index[table["n"] > 0]), expected, ["band"])

    check(oracle, sample)


def test_pipeline_value(sample):
    def oracle(snap):
        expected = query(
            snap,
            f"""
            WITH listed AS (
                SELECT DISTINCT s.stage_id FROM pipeline_stages s JOIN {SCOPE} d USING (deal_id)
                WHERE s.position IS NOT NULL AND s.stage_id IS NOT NULL
            ), history AS (
                SELECT t.stage_id, count(DISTINCT t.deal_id) AS closed,
                    count(DISTINCT t.deal_id) FILTER (d.status = 'won') AS won
                FROM stage_durations t JOIN {SCOPE} d USING (deal_id) WHERE d.status <> 'open' AND t.seconds > 0
                GROUP BY 1
            ), waiting AS (
                SELECT stage_id, count(*) AS deals, coalesce(sum(value), 0) AS value,
                    count(*) FILTER (value IS NULL) AS no_value
                FROM {SCOPE} WHERE status = 'open' GROUP BY 1
            )
            SELECT coalesce(deals, 0) AS deals, coalesce(value, 0) AS value, coalesce(no_value, 0) AS no_value,
                coalesce(closed, 0) AS closed, coalesce(value, 0) * won / closed AS weighted
            FROM listed LEFT JOIN waiting USING (stage_id) LEFT JOIN history USING (stage_id)
            """,
        )
        keys = ["closed", "deals", "no_value", "value"]
        agree(metrics.pipeline_value(snap), expected, keys, rtol=1e-9)

    check(oracle, sample)


def test_coverage(sample):
    # the snapshots are of 1 July 2026: the year is that, the quarter begins at midnight in São Paulo, 3:00 UTC
    begins, ends = "TIMESTAMPTZ '2026-07-01 03:00:00+00'", "TIMESTAMPTZ '2026-10-01 03:00:00+00'"

    year = "$now - INTERVAL 365 DAY"
    won, lost = (f"status = '{end}' AND {end}_at > {year} AND {end}_at <= $now" for end in ("won", "lost"))
    recent = f"({won} OR {lost})"

    def oracle(snap):
        expected = query(
            snap,
            f"""
            SELECT {GROUP} AS source,
                coalesce(sum(value) FILTER (status = 'won' AND won_at >= {begins} AND won_at < {ends}
                    AND won_at <= $now), 0) AS booked,
                coalesce(sum(value) FILTER (status = 'open' AND expected_close >= DATE '2026-07-01'
                    AND expected_close < DATE '2026-10-01'), 0) AS open,
                count(*) FILTER (value >= 0 AND {recent}) AS n,
                coalesce(sum(value) FILTER (value >= 0 AND status = 'won' AND {recent}), 0)
                    / nullif(sum(value) FILTER (value >= 0 AND {recent}), 0) AS win_rate
            FROM {SCOPE} GROUP BY 1
            """,
        )
        agree(metrics.coverage(snap, target=10_000, by="source"), expected, ["source"], rtol=1e-9)

    check(oracle, sample)


@pytest.mark.parametrize("rule", ["reached", "visited", "strict"])
def test_funnel(sample, rule):
    got = {
        "reached": "d.status = 'won' OR furthest >= s.position",
        "visited": "list_contains(been, s.position)",
        "strict": "len(list_filter(been, lambda p: p <= s.position)) = s.place",
    }[rule]

    def oracle(snap):
        snap = snap.where(pipeline="Vendas") if "Vendas" in set(snap.deals["pipeline"].dropna()) else snap
        expected = query(
            snap,
            f"""
            WITH stages AS (
                SELECT s.stage_id, any_value(s.position) AS position,
                    row_number() OVER (ORDER BY any_value(s.position)) AS place
                FROM pipeline_stages s JOIN {SCOPE} d USING (deal_id) GROUP BY 1
            ), visits AS (
                SELECT deal_id, stage_id FROM stage_durations WHERE seconds > 0
                UNION SELECT deal_id, stage_id FROM deals
            ), paths AS (
                SELECT deal_id, max(position) AS furthest, list(DISTINCT position) AS been
                FROM visits JOIN stages USING (stage_id) GROUP BY 1
            )
            SELECT s.position, count(*) FILTER ({got}) AS reached,
                count(*) FILTER (({got}) AND d.status = 'won') AS won,
                count(*) FILTER (({got}) AND d.status = 'lost') AS lost
            FROM {SCOPE} d CROSS JOIN stages s LEFT JOIN paths USING (deal_id) GROUP BY 1
            """,
        )
        agree(metrics.funnel(snap, rule=rule), expected, ["position"])

    check(oracle, sample)


def test_forecast_of_what_is_open(sample):
    def oracle(snap):
        expected = query(
            snap,
            f"""
            SELECT {GROUP} AS source, count(*) AS open, sum(value) AS value FROM {SCOPE}
            WHERE status = 'open' AND value IS NOT NULL AND created_at <= $now GROUP BY 1
            """,
        )
        agree(metrics.forecast(snap, by="source", draws=2), expected, ["source"], rtol=1e-9)

    check(oracle, sample)
