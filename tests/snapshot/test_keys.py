"""Joining by key gives in memory what it gives on an engine."""

import duckdb
import narwhals as nw
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import wegly_analytics as wa
from wegly_analytics.snapshot.keys import joined, matching, numbers_of, summed, tallied

ENGINES = {
    "arrow": lambda table: table,
    "polars": lambda table: pl.from_arrow(table).lazy(),
    "duckdb": duckdb.from_arrow,
}
keys = st.lists(st.none() | st.integers(0, 5), max_size=12)


def frames(*tables):
    """The tables on every engine."""
    return [[nw.from_native(engine(table)).lazy() for table in tables] for engine in ENGINES.values()]


def rows(frame):
    table = frame.collect("pyarrow").to_native().to_pandas().astype(object)
    table = table.where(table.notna(), None)
    return sorted(table[sorted(table)].to_numpy().tolist(), key=repr)


@given(left=keys, right=st.lists(st.integers(0, 5), unique=True), how=st.sampled_from(["inner", "left"]))
def test_a_join_by_key_is_the_same_on_every_engine(left, right, how):
    rows_of_deals = pa.table({"deal": pa.array(left, pa.int32()), "place": pa.array(range(len(left)), pa.int32())})
    deals = pa.table({"deal": pa.array(right, pa.int32()), "name": pa.array([f"n{n}" for n in right], pa.string())})
    arrow, *others = [rows(joined(*pair, how=how)) for pair in frames(rows_of_deals, deals)]
    assert all(other == arrow for other in others)


@given(left=st.lists(st.tuples(st.integers(0, 2), st.sampled_from(["a", "b", None]))), right=keys)
def test_rows_that_match_in_two_columns_are_the_same_on_every_engine(left, right):
    schema = pa.schema([("deal", pa.int32()), ("stage_id", pa.string())])
    mine = pa.Table.from_pylist([{"deal": deal, "stage_id": stage} for deal, stage in left], schema=schema)
    others = pa.Table.from_pylist(
        [{"deal": n, "stage_id": "ab"[n % 2] if n else None} for n in right if n is not None], schema=schema
    )
    arrow, *engines = [rows(matching(*pair, ["deal", "stage_id"])) for pair in frames(mine, others)]
    assert all(engine == arrow for engine in engines)


visits = st.lists(
    st.tuples(
        st.integers(0, 3) | st.none(), st.sampled_from(["a", "b", None]), st.sampled_from([-5, 0, 7, 2**40]) | st.none()
    ),
    max_size=12,
)
VISITS = pa.schema([("deal", pa.int32()), ("stage_id", pa.string()), ("seconds", pa.int64())])


@given(visits=visits)
def test_combinations_of_values_are_counted_the_same_on_every_engine(visits):
    table = pa.Table.from_pylist([dict(zip(VISITS.names, row, strict=True)) for row in visits], schema=VISITS)
    arrow, *engines = [rows(tallied(frame, *VISITS.names)) for (frame,) in frames(table)]
    assert all(engine == arrow for engine in engines)
    assert sum(row[1] for row in arrow) == len(visits)


@given(visits=visits)
def test_several_rows_of_a_deal_in_a_stage_are_summed_the_same_on_every_engine(visits):
    table = pa.Table.from_pylist([dict(zip(VISITS.names, row, strict=True)) for row in visits], schema=VISITS)
    table = table.append_column("stage", table.column("stage_id"))
    keys = ["deal", "stage_id"]
    arrow, *engines = [
        rows(summed(frame.filter(nw.col("seconds") >= 0), keys, "seconds", ["stage"])) for (frame,) in frames(table)
    ]
    assert all(engine == arrow for engine in engines)
    assert len(arrow) == len({row[:2] for row in visits if (row[2] or -1) >= 0 or row[2] == 0})


def test_more_combinations_than_there_are_numbers_are_counted_all_the_same():
    distinct = pa.array(range(2**16)).cast(pa.string())
    table = pa.table([distinct] * 4, names=list("abcd"))
    counted = tallied(nw.from_native(table).lazy(), *table.column_names).collect("pyarrow").to_native()
    assert counted.num_rows == table.num_rows
    assert set(counted.column("n").to_pylist()) == {1}


@pytest.mark.parametrize("ids", [["b", "a", "b", "b", "c"], [], ["a"]])
def test_each_row_knows_the_row_of_its_deal_in_any_order(ids):
    table = pa.table({"deal_id": pa.array(ids, pa.string())})
    assert numbers_of(table, pa.array(["a", "b", "c"])).to_pylist() == ["abc".index(each) for each in ids]


def test_deals_keep_their_keys_when_a_column_is_assigned_and_get_new_ones_when_some_are_excluded():
    snap = wa.sample()
    for derived in (snap.assign(size=1), snap.where(status="won")):
        tags = derived.keyed("tags", "tag", "deal_id").collect("pandas").to_native()
        deals = derived.keyed("deals", "deal_id").collect("pandas").to_native()
        merged = tags.merge(deals, on="deal", how="left")
        pd.testing.assert_series_equal(merged["deal_id_x"], merged["deal_id_y"], check_names=False)
