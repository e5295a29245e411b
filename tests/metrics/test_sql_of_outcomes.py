"""Metrics of closed deals and of records again, in hand-written SQL: the same figures, exactly."""

import pytest
from metrics.sql import CLOSED_AT, GROUP, LOCAL, SCOPE, agree, check, query

import wegly_analytics as wa
from wegly_analytics import metrics


@pytest.fixture(scope="module")
def sample():
    return wa.sample()


DENOMINATORS = {
    "closed": "status IN ('won', 'lost')",
    "created": "TRUE",
    "closed+stale": "status IN ('won', 'lost') OR (status = 'open' AND expected_close < $today)",
}


@pytest.mark.parametrize("count", DENOMINATORS)
def test_win_rate(count, sample):
    sql = f"""
        SELECT {GROUP} AS source, count(*) FILTER (status = 'won') AS won, count(*) FILTER (status = 'lost') AS lost,
            count(*) FILTER ({DENOMINATORS[count]}) AS n, won / nullif(n, 0) AS rate
        FROM {SCOPE} GROUP BY ALL"""
    check(lambda snap: agree(metrics.win_rate(snap, by="source", count=count), query(snap, sql), ["source"]), sample)


def test_win_rate_by_value(sample):
    sql = f"""
        SELECT {GROUP} AS source, coalesce(sum(value) FILTER (status = 'won'), 0) AS won_value,
            coalesce(sum(value) FILTER (status = 'lost'), 0) AS lost_value,
            won_value / nullif(won_value + lost_value, 0) AS rate,
            count(*) FILTER (status <> 'open' AND value IS NULL) / nullif(count(*) FILTER (status <> 'open'), 0)
            AS no_value
        FROM {SCOPE} GROUP BY ALL"""
    table = lambda snap: metrics.win_rate(snap, by="source", weight="value")  # noqa: E731
    check(lambda snap: agree(table(snap), query(snap, sql), ["source"], rtol=1e-12, atol=1e-9), sample)


def test_win_rate_by_tag(sample):
    sql = f"""
        WITH tagged AS (SELECT DISTINCT deal_id, tag FROM tags)
        SELECT coalesce(tag, '(not informed)') AS tag, count(*) FILTER (status = 'won') AS won,
            count(*) FILTER (status = 'lost') AS lost, count(*) FILTER (status = 'open') AS open
        FROM {SCOPE} LEFT JOIN tagged USING (deal_id) GROUP BY ALL"""
    agree(metrics.win_rate(sample, by="tag"), query(sample, sql), ["tag"])


@pytest.mark.parametrize("every", ["week", "month", "quarter", "year"])
def test_win_loss(every, sample):
    sql = f"""
        WITH closed AS (
            SELECT *, date_trunc('{every}', {LOCAL}) AS period FROM {SCOPE} WHERE ({CLOSED_AT}) IS NOT NULL),
        periods AS (
            SELECT unnest(generate_series(min(period), max(period), INTERVAL 1 {every})) AS period FROM closed)
        SELECT period, count(*) FILTER (status = 'won') AS won, count(*) FILTER (status = 'lost') AS lost,
            coalesce(sum(value) FILTER (status = 'won'), 0) AS won_value,
            coalesce(sum(value) FILTER (status = 'lost'), 0) AS lost_value, won / nullif(won + lost, 0) AS rate
        FROM periods LEFT JOIN closed USING (period) GROUP BY ALL"""
    check(lambda snap: agree(metrics.win_loss(snap, every=every), query(snap, sql), ["period"], rtol=1e-12), sample)


def test_loss_reasons(sample):
    sql = f"""
        WITH lost AS (
            SELECT {GROUP} AS source, coalesce(loss_reason, '(not informed)') AS loss_reason, count(*) AS deals,
                coalesce(sum(value), 0) AS value
            FROM {SCOPE} WHERE status = 'lost' GROUP BY ALL)
        SELECT *, deals / sum(deals) OVER (PARTITION BY source) AS share,
            CASE WHEN loss_reason <> '(not informed)' THEN deals / sum(deals) FILTER (loss_reason <> '(not informed)')
                OVER (PARTITION BY source) END AS valid_share,
            sum(deals) OVER (PARTITION BY source ORDER BY deals DESC, loss_reason)
                / sum(deals) OVER (PARTITION BY source) AS cumulative,
            value / nullif(sum(value) OVER (PARTITION BY source), 0) AS value_share
        FROM lost"""
    table = lambda snap: metrics.loss_reasons(snap, by="source")  # noqa: E731
    check(lambda snap: agree(table(snap), query(snap, sql), ["source", "loss_reason"], rtol=1e-12), sample)


def test_loss_reasons_by_month(sample):
    sql = f"""
        WITH lost AS (
            SELECT coalesce(loss_reason, '(not informed)') AS loss_reason, value,
                date_trunc('month', lost_at AT TIME ZONE 'America/Sao_Paulo') AS period
            FROM {SCOPE} WHERE status = 'lost' AND lost_at IS NOT NULL),
        periods AS (SELECT unnest(generate_series(min(period), max(period), INTERVAL 1 MONTH)) AS period FROM lost),
        counted AS (
            SELECT period, loss_reason, count(lost.period) AS deals, coalesce(sum(value), 0) AS value
            FROM (periods CROSS JOIN (SELECT DISTINCT loss_reason FROM lost)) LEFT JOIN lost
                USING (period, loss_reason) GROUP BY ALL)
        SELECT *, deals / nullif(sum(deals) OVER (PARTITION BY period), 0) AS share FROM counted"""
    table = lambda snap: metrics.loss_reasons(snap, every="month")  # noqa: E731
    check(lambda snap: agree(table(snap), query(snap, sql), ["period", "loss_reason"], rtol=1e-12), sample)


LEVERS = """
    count(*) FILTER (status = 'won') / nullif(count(*) FILTER (status <> 'open'), 0) AS win_rate,
    avg(value) FILTER (status = 'won') AS value,
    avg(epoch_us(won_at) - epoch_us(created_at)) FILTER (status = 'won' AND won_at >= created_at) / 86400e6 AS days"""


def test_velocity(sample):
    sql = f"""
        WITH levers AS (
            SELECT {GROUP} AS source, count(*) FILTER (status = 'open') AS deals, {LEVERS}
            FROM {SCOPE} WHERE status = 'open' OR ({CLOSED_AT}) IS NOT NULL GROUP BY ALL)
        SELECT *, deals * win_rate * value / nullif(days, 0) AS velocity FROM levers"""
    table = lambda snap: metrics.velocity(snap, by="source")  # noqa: E731
    check(lambda snap: agree(table(snap), query(snap, sql), ["source"], rtol=1e-9), sample)


def test_velocity_by_month(sample):
    """Open at a month's end: created before it, and open still, or closed after it; never if closed before created."""
    end = "((period + INTERVAL 1 MONTH) AT TIME ZONE 'America/Sao_Paulo')"
    sql = f"""
        WITH scope AS (
            SELECT *, ({CLOSED_AT}) AS closed_at, date_trunc('month', {LOCAL}) AS closed_in,
                date_trunc('month', created_at AT TIME ZONE 'America/Sao_Paulo') AS created_in
            FROM {SCOPE}),
        known AS (SELECT * FROM scope WHERE status = 'open' OR closed_at IS NOT NULL),
        periods AS (SELECT unnest(generate_series(
            (SELECT min(least(created_in, closed_in)) FROM known),
            (SELECT max(greatest(created_in, closed_in)) FROM known), INTERVAL 1 MONTH)) AS period),
        levers AS (SELECT closed_in AS period, {LEVERS} FROM known WHERE status <> 'open' GROUP BY ALL)
        SELECT period, win_rate, value, days,
            (SELECT count(*) FROM known WHERE created_at < {end}
                AND (status = 'open' OR created_at <= closed_at AND closed_at >= {end})) AS deals
        FROM periods LEFT JOIN levers USING (period)"""
    check(lambda snap: agree(metrics.velocity(snap, every="month"), query(snap, sql), ["period"], rtol=1e-9), sample)


BROKEN = {
    "won without value": "status = 'won' AND value IS NULL",
    "lost without reason": "status = 'lost' AND loss_reason IS NULL",
    "open past its expected close": "status = 'open' AND expected_close < $today",
    "silent for too long": "status = 'open' AND coalesce(last_activity_at, created_at) < $now - INTERVAL 45 DAY",
    "won and lost dates both set": "won_at IS NOT NULL AND lost_at IS NOT NULL",
    "won without a date": "status = 'won' AND won_at IS NULL",
    "lost without a date": "status = 'lost' AND lost_at IS NULL",
    "open with a closing date": "status = 'open' AND coalesce(won_at, lost_at) IS NOT NULL",
    "closed before created": f"({CLOSED_AT}) < created_at",
    "stage not in its pipeline": """
        EXISTS (FROM pipeline_stages p WHERE p.deal_id = d.deal_id)
        AND stage_id NOT IN (SELECT stage_id FROM pipeline_stages p WHERE p.deal_id = d.deal_id)""",
    "proposals miscounted": "n_proposals <> (SELECT count(*) FROM proposals p WHERE p.deal_id = d.deal_id)",
    "value not positive": "value < 0 OR (status = 'won' AND value = 0)",
}


def test_quality(sample):
    sql = " UNION ALL ".join(
        f"SELECT '{rule}' AS rule, deal_id, title FROM {SCOPE} d WHERE {broken}" for rule, broken in BROKEN.items()
    )
    check(lambda snap: agree(metrics.quality(snap, silent_days=45), query(snap, sql), ["rule", "deal_id"]), sample)


def test_compare_rules(sample):
    rates = " UNION ALL ".join(
        f"""SELECT {place} AS place, {GROUP} AS source,
            count(*) FILTER (status = 'won') / nullif(count(*) FILTER ({counted}), 0) AS value,
            count(*) FILTER ({counted}) AS n FROM {SCOPE} GROUP BY ALL"""
        for place, counted in enumerate(DENOMINATORS.values())
    )
    age = f"(epoch_us({CLOSED_AT}) - epoch_us(created_at)) / 86400e6"
    listed = "EXISTS (FROM pipeline_stages p WHERE p.deal_id = t.deal_id AND p.stage_id = t.stage_id)"
    sql = f"""
        WITH days AS (
            SELECT *, {GROUP} AS origin, CASE WHEN {age} >= 0 THEN {age} END AS age, (SELECT sum(seconds) / 86400
                FROM stage_durations t WHERE t.deal_id = d.deal_id AND seconds >= 0 AND {listed}) AS stayed
            FROM {SCOPE} d),
        figures AS ({rates}
            UNION ALL SELECT 3, origin, avg(age) FILTER (status = 'won'), count(age) FILTER (status = 'won')
                FROM days GROUP BY ALL
            UNION ALL SELECT 4, origin, avg(age), count(age) FROM days GROUP BY ALL
            UNION ALL SELECT 5, origin, avg(stayed), count(stayed) FROM days GROUP BY ALL)
        SELECT *, value - first(value) OVER (PARTITION BY source, place < 3 ORDER BY place) AS gap FROM figures"""

    def oracle(snap):
        table = metrics.compare_rules(snap, by="source")
        table["place"] = table.groupby("source", sort=False).cumcount()
        agree(table, query(snap, sql), ["source", "place"], rtol=1e-9, atol=1e-9)

    check(oracle, sample)


def test_time_to_close(sample):
    """The deals that end on each day, and those that are as old: what the curve is computed from."""
    sql = f"""
        WITH ages AS (
            SELECT {GROUP} AS source, status,
                epoch_us(CASE status WHEN 'open' THEN $now ELSE {CLOSED_AT} END) - epoch_us(created_at) AS age
            FROM {SCOPE}),
        whole AS (SELECT source, status, age // 1000000 AS seconds FROM ages WHERE age >= 0),
        ends AS (
            SELECT DISTINCT source, seconds FROM whole WHERE status <> 'open' UNION SELECT source, 0 FROM whole)
        SELECT source, ends.seconds / 86400 AS days, count(*) AS at_risk,
            count(*) FILTER (status = 'won' AND whole.seconds = ends.seconds) AS won,
            count(*) FILTER (status = 'lost' AND whole.seconds = ends.seconds) AS lost
        FROM ends JOIN whole USING (source) WHERE whole.seconds >= ends.seconds
        GROUP BY source, ends.seconds"""
    check(lambda s: agree(metrics.time_to_close(s, by="source"), query(s, sql), ["source", "days"], rtol=1e-12), sample)


def test_stalled(sample):
    sql = f"""
        WITH times AS (
            SELECT {GROUP} AS source, d.deal_id, value, t.stage_id, sum(seconds) AS seconds,
                d.status = 'open' AND coalesce(t.stage_id = d.stage_id, FALSE) AS waits
            FROM {SCOPE} d JOIN stage_durations t USING (deal_id)
            WHERE seconds >= 0 AND t.stage_id IS NOT NULL GROUP BY ALL),
        marks AS (
            SELECT source, stage_id, quantile_disc(seconds, 0.75) AS mark
            FROM times WHERE NOT waits GROUP BY ALL HAVING count(*) >= 5)
        SELECT source, deal_id, value, seconds / 86400 AS days, mark / 86400 AS typical_days
        FROM times JOIN marks USING (source, stage_id) WHERE waits AND seconds > mark"""
    table = lambda snap: metrics.stalled(snap, by="source", q=0.75)  # noqa: E731
    check(lambda snap: agree(table(snap), query(snap, sql), ["deal_id"], rtol=1e-12), sample)
