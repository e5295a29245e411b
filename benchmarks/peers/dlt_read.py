"""dlt turns a file of deals into tables: one for the deals, and one for each list, which dlt unfolds itself.

It runs in an environment of its own (``--dlt-python``), because it is not a dependency of the project. Two processes
normalize, as many as the smallest machine has cores.
"""

from __future__ import annotations

import json
import os
import sys
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

os.environ.update(
    {
        "RUNTIME__DLTHUB_TELEMETRY": "false",
        "RUNTIME__LOG_LEVEL": "ERROR",
        "DATA_WRITER__FILE_MAX_ITEMS": "5000",  # several files, so that two processes have work
        "NORMALIZE__WORKERS": "2",
    }
)

import dlt

BATCH = 1_000


def main() -> None:
    """Load the deals of a file, and print the rows of each table."""
    file, destination = Path(sys.argv[1]), sys.argv[2]
    folder = Path.cwd()

    @dlt.resource(name="deals", write_disposition="replace")
    def deals() -> Iterator[list[dict[str, Any]]]:
        with file.open("rb") as lines:
            while batch := list(islice(lines, BATCH)):
                yield [json.loads(line) for line in batch]

    target: Any = dlt.destinations.filesystem((folder / "out").as_uri())
    if destination == "duckdb":
        target = dlt.destinations.duckdb(str(folder / "out.duckdb"))
    pipeline = dlt.pipeline("benchmark", destination=target, dataset_name="wegly", pipelines_dir=str(folder / "dlt"))
    pipeline.run(deals(), loader_file_format="parquet")
    counts = pipeline.last_trace.last_normalize_info.row_counts
    rows = {name: n for name, n in counts.items() if not name.startswith("_dlt")}
    print(json.dumps({"rows": rows, "version": dlt.__version__}))


if __name__ == "__main__":
    main()
