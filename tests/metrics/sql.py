"""Hand-written SQL on a snapshot's tables, to compare the metrics with."""

import duckdb
import pandas as pd
import pytest
from hypothesis import given, settings
from metrics.companies import companies, snapshot

SCOPE = "(SELECT * FROM deals WHERE archived_at IS NULL AND status IN ('open', 'won', 'lost'))"
GROUP = "coalesce(source, '(not informed)')"
CLOSED_AT = "CASE status WHEN 'won' THEN won_at WHEN 'lost' THEN lost_at END"
DATABASE = duckdb.connect()
LOCAL = f"(({CLOSED_AT}) AT TIME ZONE 'America/Sao_Paulo')"


def query(snap, sql):
    """Run SQL on the snapshot's tables; `now` and `today` are its time, and the day in São Paulo."""
    now = f"TIMESTAMPTZ '{snap.taken_at.isoformat()}'"
    today = f"CAST({now} AT TIME ZONE 'America/Sao_Paulo' AS DATE)"
    with DATABASE.cursor() as db:
        db.execute("SET TimeZone = 'UTC'")
        for name, table in snap.tables.items():
            if name in sql:
                db.register(name, table)
        return db.sql(sql.replace("$now", now).replace("$today", today)).to_arrow_table().to_pandas()


def agree(table, expected, keys, rtol=0.0, atol=0.0):
    """The same rows, in any order, and the same figures in the columns that SQL returns."""
    table, expected = (each.sort_values(keys, ignore_index=True) for each in (table, expected))
    assert len(table) == len(expected)
    for name in expected:
        mine, theirs = table[name], expected[name]
        if pd.api.types.is_numeric_dtype(theirs):
            assert mine.astype(float).tolist() == pytest.approx(
                theirs.astype(float).tolist(), rel=rtol, abs=atol, nan_ok=True
            ), name
        else:
            assert mine.astype(str).tolist() == theirs.astype(str).tolist(), name


def check(oracle, sample):
    """On the simulated company, and on small ones full of gaps and ties."""
    oracle(sample)
    settings(max_examples=5)(given(company=companies(min_size=3))(lambda company: oracle(snapshot(company))))()
