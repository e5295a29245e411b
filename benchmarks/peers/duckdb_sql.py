"""Write the SQL with which DuckDB turns a file of deals into the nine tables, from the declarations of the tables.

The types are those of `wegly_analytics.model`, the columns and their names too. DuckDB reads the file once, into a
temporary table; unnests its lists; and copies each table to a Parquet file. It checks nothing, keeps no ledger, looks
for no drift, and replaces no personal data.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from wegly_analytics.model.schema import Kind, steps
from wegly_analytics.model.tables import READ, TABLES

if TYPE_CHECKING:
    from wegly_analytics.model.schema import Column, Table

SCALARS = {
    pa.string(): "VARCHAR",
    pa.int64(): "BIGINT",
    pa.float64(): "DOUBLE",
    pa.bool_(): "BOOLEAN",
}


def sql_type(type_: pa.DataType) -> str:
    """Write an Arrow type as DuckDB has it."""
    if pa.types.is_list(type_):
        return f"{sql_type(type_.value_type)}[]"
    if pa.types.is_struct(type_):
        return "STRUCT(" + ", ".join(f'"{field.name}" {sql_type(field.type)}' for field in type_) + ")"
    if pa.types.is_timestamp(type_):
        return "TIMESTAMPTZ"
    return SCALARS[type_]


def reading(file: Path) -> str:
    """Write the statement that reads the file."""
    columns = ", ".join(f"\"{field.name}\": '{sql_type(field.type)}'" for field in READ.json_type)
    return (
        "CREATE TEMP TABLE responses AS FROM read_json("
        f"'{file}', format = 'newline_delimited', columns = {{{columns}}});"
    )


def place(base: str, path: list[str]) -> str:
    """Write the access to a field of a struct, or a column of the responses if there is no base."""
    return ".".join(([base] if base else []) + [f'"{step}"' for step in path])


def value(column: Column, base: str, path: list[str]) -> str:
    """Write the value of a column."""
    found = place(base, path)
    match column.kind:
        case Kind.DAY:
            found = f"CAST({found} AT TIME ZONE 'UTC' AS DATE)"
        case Kind.ENUM:
            labels = column.labels or {}
            found = f"CASE {found} " + " ".join(f"WHEN {n} THEN '{label}'" for n, label in labels.items()) + " END"
    return f'{found} AS "{column.name}"'


def select(table: Table) -> str:
    """Write the query for a table: one subquery for each list that its rows are in."""
    source, base, above = "responses", "", ""
    done: list[str] = []
    columns = [c for c in table.columns if not c.path.startswith(table.rows) or not table.rows]
    hops = table.rows.split("[]")[:-1]
    for n, hop in enumerate(hops):
        here = [c for c in table.columns if c.path.startswith(above) and not c.path.startswith(f"{above}{hop}[]")]
        here = [c for c in here if c.name not in done]
        values = [value(c, base, steps(c.path[len(above) :])) for c in here]
        elements = place(base, steps(hop))
        if table.keep_empty and n == len(hops) - 1:
            elements = f"CASE WHEN len({elements}) > 0 THEN {elements} ELSE [NULL] END"
        carried = ", ".join([f'"{name}"' for name in done] + values)
        source = f"(SELECT {carried}, unnest({elements}) AS item FROM {source})"
        base, above = "item", f"{above}{hop}[]"
        done += [c.name for c in here]
    columns = [c for c in table.columns if c.name not in done]
    last = ", ".join([f'"{name}"' for name in done] + [value(c, base, steps(c.path[len(above) :])) for c in columns])
    order = ", ".join(f'"{c.name}"' for c in table.columns)
    return f"SELECT {order} FROM (SELECT {last} FROM {source})" if hops else f"SELECT {last} FROM {source}"


def script(file: Path) -> str:
    """Write all statements; what they write goes to the working folder."""
    copies = [f"COPY ({select(table)}) TO '{table.name}.parquet' (COMPRESSION zstd);" for table in TABLES.values()]
    # faster by a tenth of the CPU time; the rows are in any order then
    settings = ["SET TimeZone = 'UTC';", "SET preserve_insertion_order = false;"]
    return "\n".join([*settings, reading(file), *copies]) + "\n"


def main() -> None:
    """Print the SQL for a file, as JSON."""
    print(json.dumps({"sql": script(Path(sys.argv[1]).resolve())}))


if __name__ == "__main__":
    main()
