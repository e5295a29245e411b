"""`pandas.read_parquet` of the columns that the first chart uses, and the drawing of a table that was computed before.

Nothing is computed, and nothing compared with a checksum.
"""

from __future__ import annotations

import io
import sys
import time
from pathlib import Path
from typing import Any

import matplotlib.pyplot  # noqa: F401 - both sides have imported what they need
import pandas as pd
from measure import report

from wegly_analytics import plots

COLUMNS = ["source", "status", "archived_at"]


def main() -> None:
    """Print what it took."""
    folder, table = Path(sys.argv[1]), pd.read_pickle(sys.argv[2])
    files = sorted(folder.glob("snapshot=*/deals/*.parquet"))

    def work() -> dict[str, Any]:
        begun = time.perf_counter()
        deals = pd.read_parquet(files, columns=COLUMNS)
        between = time.perf_counter()
        plots.win_rate(table).figure.savefig(io.BytesIO(), format="png")
        parts = {"read_parquet": between - begun, "drawing": time.perf_counter() - between}
        return {"parts": parts, "rows": {"deals": len(deals)}, "version": pd.__version__}

    report(work)


if __name__ == "__main__":
    main()
