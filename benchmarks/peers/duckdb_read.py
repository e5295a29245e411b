"""DuckDB does what `wegly read` does, without contract, ledger and checks; `duckdb_sql` writes the SQL."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import duckdb


def main() -> None:
    """Run the SQL in a file, and print the rows of each table."""
    for statement in Path(sys.argv[1]).read_text().splitlines():
        if statement:
            duckdb.execute(statement)
    counted = {file.stem: duckdb.read_parquet(str(file)).aggregate("count(*)") for file in Path().glob("*.parquet")}
    rows = {name: count.fetchall()[0][0] for name, count in counted.items()}
    print(json.dumps({"rows": rows, "version": duckdb.__version__}))


if __name__ == "__main__":
    main()
