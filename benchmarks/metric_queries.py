"""Each metric as hand-written SQL for DuckDB: what the metrics are measured against.

A query returns the figures of the metric of its name, called as in `CALLS`, with intervals, in one statement. It reads
the tables of a snapshot by their names. ``$now`` is the time of the snapshot and ``$today`` its day in São Paulo. What
SQL has no words for is left out on both sides: the simulation for the interval of a forecast (`CALLS` draws once), and
the counts of excluded deals.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from wegly_analytics import metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import duckdb
    import pandas as pd

    from wegly_analytics.snapshot.snapshot import Snapshot

PIPELINE: Final = "Vendas"
"""The pipeline of the funnel."""

CALLS: Final[dict[str, Callable[[Any], pd.DataFrame]]] = {
    "win_rate": lambda snap: metrics.win_rate(snap, by="source"),
    "win_loss": lambda snap: metrics.win_loss(snap, every="month"),
    "loss_reasons": lambda snap: metrics.loss_reasons(snap, by="source"),
    "velocity": lambda snap: metrics.velocity(snap, every="month"),
    "velocity_bridge": lambda snap: metrics.velocity_bridge(snap, every="month"),
    "time_to_close": lambda snap: metrics.time_to_close(snap, by="source"),
    "time_in_stage": lambda snap: metrics.time_in_stage(snap, by="source"),
    "funnel": lambda snap: metrics.funnel(snap, pipeline=PIPELINE, by="source"),
    "stalled": lambda snap: metrics.stalled(snap, by="source"),
    "pipeline_value": lambda snap: metrics.pipeline_value(snap, by="source"),
    "coverage": lambda snap: metrics.coverage(snap, target=1e6, by="source"),
    "forecast": lambda snap: metrics.forecast(snap, by="source", draws=1),
    "proposals": lambda snap: metrics.proposals(snap, by="source"),
    "discounts": lambda snap: metrics.discounts(snap, by="source"),
    "compare_rules": lambda snap: metrics.compare_rules(snap, by="source"),
    "quality": lambda snap: metrics.quality(snap),
}
"""The call of each metric that its query answers."""

SCOPE: Final = "(SELECT * FROM deals WHERE archived_at IS NULL AND status IN ('open', 'won', 'lost'))"
SOURCE: Final = "coalesce(source, '(not informed)')"
CLOSED_AT: Final = "CASE status WHEN 'won' THEN won_at WHEN 'lost' THEN lost_at END"
ZONE: Final = "AT TIME ZONE 'America/Sao_Paulo'"
DEPTH: Final = "1 - p.total / p.subtotal"
PRICED: Final = "p.subtotal > 0 AND p.total >= 0"
Z: Final = 1.959963984540054


def _wilson(k: str, n: str) -> str:
    """Wilson's interval of k among n, as two columns."""
    middle, below = f"({k} / {n} + {Z**2} / (2 * {n}))", f"(1 + {Z**2} / {n})"
    half = f"{Z} * sqrt(greatest({k} / {n} * (1 - {k} / {n}), 0) / {n} + {Z**2} / (4 * {n} ** 2))"
    return (
        f"CASE WHEN {n} > 0 THEN greatest(({middle} - {half}) / {below}, 0) END AS low, "
        f"CASE WHEN {n} > 0 THEN least(({middle} + {half}) / {below}, 1) END AS high"
    )


def _log_interval(share: str, variance: str) -> str:
    """Write the interval of a share on the scale of log(-log), as two columns; missing where the share is 0 or 1."""
    inside = f"CASE WHEN {share} > 1e-12 AND {share} < 1 - 1e-12 THEN"
    far = f"exp({Z} * sqrt(greatest({variance}, 0)) / ({share} * -ln({share})))"
    return f"{inside} {share} ** {far} END AS {share}_low, {inside} {share} ** (1 / {far}) END AS {share}_high"


_LEVERS: Final = f"""
    scope AS (
        SELECT *, ({CLOSED_AT}) AS closed_at, date_trunc('month', ({CLOSED_AT}) {ZONE}) AS closed_in,
            date_trunc('month', created_at {ZONE}) AS created_in
        FROM {SCOPE} WHERE status = 'open' OR ({CLOSED_AT}) IS NOT NULL),
    closing AS (
        SELECT closed_in AS period, count(*) AS closed, count(*) FILTER (status = 'won') AS won,
            avg(value) FILTER (status = 'won') AS value,
            avg(epoch_us(won_at) - epoch_us(created_at)) FILTER (status = 'won' AND won_at >= created_at)
                / 86400e6 AS days,
            count(*) FILTER (closed_at >= created_at) AS ended
        FROM scope WHERE status <> 'open' GROUP BY ALL),
    creating AS (
        SELECT created_in AS period, count(*) FILTER (status = 'open' OR closed_at >= created_at) AS opened
        FROM scope WHERE created_in IS NOT NULL GROUP BY ALL),
    levers AS (
        SELECT period, sum(coalesce(opened, 0) - coalesce(ended, 0)) OVER (ORDER BY period) AS deals,
            won / closed AS win_rate, value, days, deals * win_rate * value / days AS velocity
        FROM closing FULL JOIN creating USING (period))"""

_TIMES: Final = f"""
    times AS (
        SELECT {SOURCE} AS source, d.deal_id, t.stage_id, sum(t.seconds) AS seconds, max(t.stage) AS stage,
            any_value(d.status = 'open' AND coalesce(t.stage_id = d.stage_id, FALSE)) AS still_in
        FROM {SCOPE} d JOIN stage_durations t USING (deal_id) WHERE t.seconds > 0 GROUP BY ALL)"""

_STAGES: Final = f"""
    listed AS (
        SELECT d.pipeline, s.stage_id, s.stage, s.position, count(*) AS n
        FROM pipeline_stages s JOIN {SCOPE} d USING (deal_id) GROUP BY ALL),
    stages AS (SELECT stage_id, arg_max(COLUMNS(* EXCLUDE (stage_id, n)), n) FROM listed GROUP BY ALL)"""

_AGES: Final = f"""
    ages AS (
        SELECT {SOURCE} AS source, status, value,
            epoch_us(CASE status WHEN 'open' THEN $now ELSE {CLOSED_AT} END) - epoch_us(created_at) AS age
        FROM {SCOPE})"""

_RULES: Final = {
    "won without value": ("status = 'won' AND value IS NULL", "won_at"),
    "lost without reason": ("status = 'lost' AND loss_reason IS NULL", "lost_at"),
    "open past its expected close": ("status = 'open' AND expected_close < $today", "expected_close"),
    "silent for too long": (
        "status = 'open' AND coalesce(last_activity_at, created_at) < $now - INTERVAL 30 DAY",
        "last_activity_at",
    ),
    "won and lost dates both set": ("won_at IS NOT NULL AND lost_at IS NOT NULL", "lost_at"),
    "won without a date": ("status = 'won' AND won_at IS NULL", "lost_at"),
    "lost without a date": ("status = 'lost' AND lost_at IS NULL", "won_at"),
    "open with a closing date": ("status = 'open' AND coalesce(won_at, lost_at) IS NOT NULL", "won_at"),
    "closed before created": (f"({CLOSED_AT}) < created_at", "created_at"),
    "stage not in its pipeline": ("stage_id IS NOT NULL AND listed AND NOT found", "stage"),
    "proposals miscounted": ("n_proposals <> coalesce(n, 0)", "n_proposals"),
    "value not positive": ("value < 0 OR (status = 'won' AND value = 0)", "value"),
}
"""Where a rule of `quality` is broken, and the column that shows it."""

_BROKEN: Final = ", ".join(
    f"CASE WHEN {broken} THEN {{rule: '{rule}', detail: CAST({shown} AS VARCHAR)}} END"
    for rule, (broken, shown) in _RULES.items()
)

_STAYED: Final = """
    SELECT t.deal_id, sum(seconds) / 86400 AS stayed FROM stage_durations t
        SEMI JOIN pipeline_stages p ON p.deal_id = t.deal_id AND p.stage_id = t.stage_id
    WHERE seconds >= 0 GROUP BY ALL"""

QUERIES: Final[dict[str, str]] = {
    "win_rate": f"""
        WITH counted AS (
            SELECT {SOURCE} AS source, count(*) FILTER (status = 'won') AS won,
                count(*) FILTER (status = 'lost') AS lost, count(*) FILTER (status = 'open') AS open, won + lost AS n
            FROM {SCOPE} GROUP BY ALL)
        SELECT *, won / nullif(n, 0) AS rate, {_wilson("won", "n")} FROM counted ORDER BY n DESC""",
    "win_loss": f"""
        WITH closed AS (
            SELECT status, value, date_trunc('month', ({CLOSED_AT}) {ZONE}) AS period FROM {SCOPE}
            WHERE ({CLOSED_AT}) IS NOT NULL),
        periods AS (SELECT unnest(generate_series(min(period), max(period), INTERVAL 1 MONTH)) AS period FROM closed),
        counted AS (
            SELECT period, count(*) FILTER (status = 'won') AS won, count(*) FILTER (status = 'lost') AS lost,
                coalesce(sum(value) FILTER (status = 'won'), 0) AS won_value,
                coalesce(sum(value) FILTER (status = 'lost'), 0) AS lost_value, won + lost AS n
            FROM periods LEFT JOIN closed USING (period) GROUP BY ALL)
        SELECT *, won / nullif(n, 0) AS rate, {_wilson("won", "n")} FROM counted ORDER BY period""",
    "loss_reasons": f"""
        WITH lost AS (
            SELECT {SOURCE} AS source, coalesce(loss_reason, '(not informed)') AS loss_reason, count(*) AS deals,
                coalesce(sum(value) FILTER (value >= 0), 0) AS value
            FROM {SCOPE} WHERE status = 'lost' GROUP BY ALL)
        SELECT *, deals / sum(deals) OVER (PARTITION BY source) AS share,
            CASE WHEN loss_reason <> '(not informed)' THEN deals / sum(deals) FILTER (loss_reason <> '(not informed)')
                OVER (PARTITION BY source) END AS valid_share,
            sum(deals) OVER (PARTITION BY source ORDER BY deals DESC, loss_reason)
                / sum(deals) OVER (PARTITION BY source) AS cumulative,
            value / nullif(sum(value) OVER (PARTITION BY source), 0) AS value_share
        FROM lost ORDER BY source, deals DESC, loss_reason""",
    "velocity": f"WITH {_LEVERS} SELECT * FROM levers ORDER BY period",
    "velocity_bridge": f"""
        WITH {_LEVERS},
        pairs AS (
            SELECT b, a, (a.velocity - b.velocity) / ln(a.velocity / b.velocity) AS mean
            FROM levers b JOIN levers a ON a.period = b.period + INTERVAL 1 MONTH
            WHERE a.period + INTERVAL 1 MONTH <= $now {ZONE} ORDER BY a.period DESC LIMIT 1)
        SELECT mean * ln(a.deals / b.deals) AS deals, mean * ln(a.win_rate / b.win_rate) AS win_rate,
            mean * ln(a.value / b.value) AS value, -mean * ln(a.days / b.days) AS days FROM pairs""",
    "time_to_close": f"""
        WITH {_AGES},
        counted AS (
            SELECT source, age // 1000000 AS seconds, count(*) AS leaving, count(*) FILTER (status = 'won') AS won,
                count(*) FILTER (status = 'lost') AS lost
            FROM ages WHERE age >= 0 GROUP BY ALL),
        risk AS (
            SELECT *, sum(leaving) OVER (PARTITION BY source ORDER BY seconds DESC) AS at_risk, won + lost AS ended
            FROM counted),
        steps AS (
            SELECT *, exp(sum(ln(CASE WHEN ended < at_risk THEN 1 - ended / at_risk ELSE 1e-300 END)) OVER w) AS p_open,
                CASE WHEN ended < at_risk THEN ended / (at_risk * (at_risk - ended)) ELSE 0 END AS hazard
            FROM risk WHERE ended > 0 WINDOW w AS (PARTITION BY source ORDER BY seconds)),
        befores AS (SELECT *, lag(p_open, 1, 1) OVER (PARTITION BY source ORDER BY seconds) AS before FROM steps),
        shares AS (
            SELECT *, sum(before * won / at_risk) OVER w AS p_won, sum(before * lost / at_risk) OVER w AS p_lost,
                sum(hazard) OVER w AS greenwood
            FROM befores WINDOW w AS (PARTITION BY source ORDER BY seconds)),
        spreads AS (
            SELECT *, p_open ** 2 * greenwood AS open_variance,
                {", ".join(f'''
                p_{end} ** 2 * greenwood - 2 * p_{end} * sum(p_{end} * hazard) OVER w
                + sum(p_{end} ** 2 * hazard) OVER w + sum(before ** 2 * {end} * (at_risk - {end}) / at_risk ** 3) OVER w
                - 2 * (p_{end} * sum(before * {end} / at_risk ** 2) OVER w
                    - sum(p_{end} * before * {end} / at_risk ** 2) OVER w) AS {end}_variance'''
                    for end in ("won", "lost"))}
            FROM shares WINDOW w AS (PARTITION BY source ORDER BY seconds))
        SELECT source, seconds / 86400 AS days, at_risk, won, lost, p_won, p_lost, p_open,
            {", ".join(_log_interval(f"p_{end}", f"{end}_variance") for end in ("won", "lost", "open"))}
        FROM spreads ORDER BY source, seconds""",
    "time_in_stage": f"""
        WITH {_TIMES}, {_STAGES},
        counted AS (
            SELECT source, stage_id, seconds, count(*) AS n, count(*) FILTER (NOT still_in) AS ended
            FROM times GROUP BY ALL),
        risk AS (
            SELECT *, sum(n) OVER (PARTITION BY source, stage_id ORDER BY seconds DESC) AS at_risk FROM counted),
        curves AS (
            SELECT *, sum(ln(CASE WHEN ended < at_risk THEN 1 - ended / at_risk ELSE 1e-300 END))
                OVER (PARTITION BY source, stage_id ORDER BY seconds) AS log_left
            FROM risk WHERE ended > 0),
        quartiles AS (
            SELECT source, stage_id, sum(ended) AS "left",
                min(seconds) FILTER (log_left <= ln(0.75 + 1e-12)) / 86400 AS p25,
                min(seconds) FILTER (log_left <= ln(0.50 + 1e-12)) / 86400 AS p50,
                min(seconds) FILTER (log_left <= ln(0.25 + 1e-12)) / 86400 AS p75,
                sum(seconds * ended) / sum(ended) / 86400 AS mean_left
            FROM curves GROUP BY ALL),
        inside AS (
            SELECT {SOURCE} AS source, stage_id, count(*) AS still_in FROM {SCOPE} WHERE status = 'open' GROUP BY ALL)
        SELECT source, pipeline, stage, position, "left", coalesce(still_in, 0) AS still_in, p25, p50, p75, mean_left
        FROM quartiles LEFT JOIN stages USING (stage_id) LEFT JOIN inside USING (source, stage_id)
        ORDER BY source, pipeline, position""",
    "funnel": f"""
        WITH scope AS (FROM {SCOPE} WHERE pipeline = '{PIPELINE}'), {_STAGES},
        mine AS (SELECT * FROM stages WHERE pipeline = '{PIPELINE}'),
        furthest AS (
            SELECT t.deal_id, max(s.position) AS furthest
            FROM stage_durations t JOIN mine s USING (stage_id) WHERE t.seconds > 0 GROUP BY ALL),
        reached AS (
            SELECT {SOURCE} AS source, status, CASE WHEN status = 'won' THEN 1000000
                ELSE greatest(furthest, s.position) END AS furthest
            FROM scope d LEFT JOIN furthest USING (deal_id) LEFT JOIN mine s USING (stage_id)),
        paths AS (SELECT source, status, furthest, count(*) AS n FROM reached GROUP BY ALL),
        counted AS (
            SELECT source, stage, position, sum(n) AS reached,
                coalesce(sum(n) FILTER (status = 'won'), 0) AS won,
                coalesce(sum(n) FILTER (status = 'lost'), 0) AS lost, won + lost AS n
            FROM paths JOIN mine ON furthest >= position GROUP BY ALL)
        SELECT *, reached / first(reached) OVER w AS of_first, reached / lag(reached) OVER w AS of_previous,
            won / nullif(n, 0) AS win_rate, {_wilson("won", "n")}
        FROM counted WINDOW w AS (PARTITION BY source ORDER BY position) ORDER BY source, position""",
    "stalled": f"""
        WITH {_TIMES},
        marks AS (
            SELECT source, stage_id, quantile_disc(seconds, 0.9) AS mark
            FROM times WHERE NOT still_in AND stage_id IS NOT NULL GROUP BY ALL HAVING count(*) >= 5),
        found AS (
            SELECT source, deal_id, seconds / 86400 AS days, mark / 86400 AS typical_days
            FROM times JOIN marks USING (source, stage_id) WHERE still_in AND seconds > mark)
        SELECT f.*, title, responsible, stage, value, last_activity_at FROM found f JOIN deals USING (deal_id)
        ORDER BY value DESC NULLS LAST, days DESC, deal_id""",
    "pipeline_value": f"""
        WITH {_STAGES},
        history AS (
            SELECT t.stage_id, count(DISTINCT t.deal_id) AS closed,
                count(DISTINCT t.deal_id) FILTER (d.status = 'won') AS won
            FROM stage_durations t JOIN {SCOPE} d USING (deal_id) WHERE d.status <> 'open' AND t.seconds > 0
            GROUP BY ALL),
        waiting AS (
            SELECT {SOURCE} AS source, stage_id, count(*) AS deals, coalesce(sum(value), 0) AS value,
                count(*) FILTER (value IS NULL) AS no_value
            FROM {SCOPE} WHERE status = 'open' GROUP BY ALL)
        SELECT source, pipeline, stage, position, deals, value, no_value, won / closed AS win_rate, closed,
            value * won / closed AS weighted
        FROM waiting JOIN stages USING (stage_id) LEFT JOIN history USING (stage_id)
        ORDER BY source, pipeline, position""",
    "coverage": f"""
        WITH bounds AS (SELECT date_trunc('quarter', $now {ZONE}) AS first, first + INTERVAL 3 MONTH AS after),
        counted AS (
            SELECT {SOURCE} AS source, 1e6 AS target,
                coalesce(sum(value) FILTER (status = 'won' AND won_at <= $now AND won_at {ZONE} >= first
                    AND won_at {ZONE} < after), 0) AS booked,
                coalesce(sum(value) FILTER (status = 'open' AND expected_close >= $today AND expected_close < after), 0)
                    AS open,
                count(*) FILTER (value >= 0 AND recent) AS n,
                sum(value) FILTER (value >= 0 AND recent AND status = 'won') AS won_value,
                sum(value) FILTER (value >= 0 AND recent) AS closed_value
            FROM (SELECT *, ({CLOSED_AT}) > $now - INTERVAL 365 DAY AND ({CLOSED_AT}) <= $now AS recent FROM {SCOPE}),
                bounds
            GROUP BY ALL)
        SELECT *, open / nullif(greatest(target - booked, 0), 0) AS coverage, won_value / closed_value AS win_rate,
            1 / win_rate AS needed
        FROM counted ORDER BY source""",
    "forecast": f"""
        WITH {_AGES},
        counted AS (
            SELECT CAST(age // 86400000000 AS INTEGER) AS day, count(*) AS leaving,
                count(*) FILTER (status = 'won') AS won, count(*) FILTER (status = 'lost') AS lost
            FROM ages WHERE age >= 0 GROUP BY ALL),
        risk AS (SELECT *, sum(leaving) OVER (ORDER BY day DESC) AS at_risk FROM counted),
        steps AS (
            SELECT *, exp(sum(ln(CASE WHEN won + lost < at_risk THEN 1 - (won + lost) / at_risk ELSE 1e-300 END))
                OVER (ORDER BY day)) AS p_open
            FROM risk),
        befores AS (SELECT *, lag(p_open, 1, 1) OVER (ORDER BY day) AS before FROM steps),
        curve AS (SELECT day, p_open, sum(before * won / at_risk) OVER (ORDER BY day) AS p_won FROM befores),
        waiting AS (
            SELECT source, CAST(age // 86400000000 AS INTEGER) AS day, day + 90 AS then, count(*) AS open,
                sum(value) AS value
            FROM ages WHERE status = 'open' AND age >= 0 AND value IS NOT NULL GROUP BY ALL)
        SELECT source, sum(open) AS open, sum(value) AS value,
            sum(value * CASE WHEN here.p_open > 1e-12 THEN (there.p_won - here.p_won) / here.p_open ELSE 0 END)
                AS expected
        FROM waiting w ASOF JOIN curve here ON w.day >= here.day ASOF JOIN curve there ON w.then >= there.day
        GROUP BY source ORDER BY expected DESC""",
    "proposals": f"""
        WITH outcomes AS (
            SELECT p.*, p.approved_at IS NOT NULL AND (p.rejected_at IS NULL OR p.approved_at >= p.rejected_at)
                AS is_approved, p.approved_at IS NOT NULL OR p.rejected_at IS NOT NULL AS decided, {PRICED} AS priced
            FROM proposals p),
        counted AS (
            SELECT {SOURCE} AS source, count(DISTINCT d.deal_id) AS deals, count(DISTINCT p.deal_id) AS with_proposal,
                count(p.deal_id) AS sent, count(*) FILTER (is_approved) AS approved,
                count(*) FILTER (decided AND NOT is_approved) AS rejected,
                count(*) FILTER (NOT decided AND p.archived_at IS NOT NULL) AS withdrawn,
                count(*) FILTER (NOT decided AND p.archived_at IS NULL AND p.valid_until < $now) AS expired,
                sent - approved - rejected - withdrawn - expired AS pending,
                quantile_cont(epoch_us(p.approved_at) - epoch_us(p.created_at), 0.5)
                    FILTER (is_approved AND p.approved_at >= p.created_at) / 86400e6 AS days_to_approval,
                count(*) FILTER (priced AND {DEPTH} > 1e-9) / count(*) FILTER (priced) AS discounted,
                1 - sum(p.total) FILTER (priced) / sum(p.subtotal) FILTER (priced) AS discount,
                approved + rejected + expired AS n
            FROM {SCOPE} d LEFT JOIN outcomes p USING (deal_id) GROUP BY 1)
        SELECT *, approved / nullif(n, 0) AS approval_rate, {_wilson("approved", "n")}, sent / with_proposal AS versions
        FROM counted ORDER BY sent DESC""",
    "discounts": f"""
        WITH chosen AS (
            SELECT *, count(*) FILTER (is_primary) OVER w AS mains, count(*) OVER w AS ones FROM proposals
            WINDOW w AS (PARTITION BY deal_id)),
        counted AS (
            SELECT {SOURCE} AS source, list_sum([CAST({DEPTH} > e + 1e-9 AS INTEGER) FOR e IN [0, .05, .1, .2, .3]])
                AS band, count(*) FILTER (d.status = 'won') AS won, count(*) FILTER (d.status = 'lost') AS lost,
                won + lost AS n
            FROM {SCOPE} d JOIN chosen p USING (deal_id)
            WHERE d.status <> 'open' AND (p.is_primary AND mains = 1 OR ones = 1) AND {PRICED} AND {DEPTH} >= -1e-9
            GROUP BY ALL)
        SELECT *, won / n AS rate, {_wilson("won", "n")} FROM counted ORDER BY source, band""",
    "compare_rules": f"""
        WITH stays AS ({_STAYED}),
        days AS (
            SELECT {SOURCE} AS source, status, expected_close, stayed,
                (epoch_us({CLOSED_AT}) - epoch_us(created_at)) / 86400e6 AS lasted,
                CASE WHEN lasted >= 0 THEN lasted END AS age
            FROM {SCOPE} d LEFT JOIN stays USING (deal_id)),
        counted AS (
            SELECT source, count(*) FILTER (status = 'won') AS won, count(*) FILTER (status = 'lost') AS lost,
                count(*) FILTER (status = 'open' AND expected_close < $today) AS stale, count(*) AS created,
                {", ".join(f'''avg({it}) AS {name}, count({it}) AS n_{name},
                {Z} * stddev_samp({it}) / sqrt(count({it})) AS half_{name}'''
                    for name, it in (("winning", "CASE WHEN status = 'won' THEN age END"), ("closing", "age"),
                                     ("staying", "stayed")))}
            FROM days GROUP BY ALL),
        figures AS (
            {" UNION ALL ".join(
                [f'''SELECT source, {place} AS place, won / nullif({n}, 0) AS value, {n} AS n, {_wilson("won", n)}
                FROM counted''' for place, n in enumerate(("(won + lost)", "created", "(won + lost + stale)"))]
                + [f'''SELECT source, {place}, {name}, n_{name}, {name} - half_{name}, {name} + half_{name}
                FROM counted''' for place, name in enumerate(("winning", "closing", "staying"), 3)])})
        SELECT *, value - first(value) OVER (PARTITION BY source, place < 3 ORDER BY place) AS gap
        FROM figures ORDER BY source, place""",
    "quality": f"""
        WITH listed AS (
            SELECT d.deal_id, TRUE AS listed, bool_or(coalesce(s.stage_id = d.stage_id, FALSE)) AS found
            FROM pipeline_stages s JOIN deals d USING (deal_id) GROUP BY ALL),
        sent AS (SELECT deal_id, count(*) AS n FROM proposals GROUP BY ALL),
        checked AS (
            SELECT deal_id, title, list_filter([{_BROKEN}], lambda each: each IS NOT NULL) AS broken
            FROM {SCOPE} d LEFT JOIN listed USING (deal_id) LEFT JOIN sent USING (deal_id))
        SELECT deal_id, title, unnest(broken, recursive := TRUE) FROM checked WHERE len(broken) > 0 ORDER BY deal_id""",
}  # fmt: skip
"""One statement for each metric."""


def connected(connection: duckdb.DuckDBPyConnection, files: Mapping[str, Sequence[str]]) -> duckdb.DuckDBPyConnection:
    """Name the Parquet files of each table, as a view, so that the queries find them."""
    connection.execute("SET TimeZone = 'UTC'")
    for name, paths in files.items():
        listed = ", ".join(f"'{path}'" for path in paths)
        connection.execute(f"CREATE VIEW {name} AS FROM read_parquet([{listed}], hive_partitioning=false)")
    return connection


def answer(connection: duckdb.DuckDBPyConnection, name: str, snap: Snapshot) -> pd.DataFrame:
    """Run the query of a metric as of the time of a snapshot."""
    now = f"TIMESTAMPTZ '{snap.taken_at.isoformat()}'"
    today = f"CAST({now} {ZONE} AS DATE)"
    found: pd.DataFrame = connection.execute(QUERIES[name].replace("$now", now).replace("$today", today)).df()
    return found
