"""The goals of "fast on one machine": each work beside its peer, in one table.

Every work runs in a process of its own, in turn with what it is compared with. A time is the median of the runs, and
the least in brackets; the ratio is that of the least, because other programs only ever add time. Without another load
both agree. All other sizes follow from ``--deals``, so a short run is ``--deals 10000``.

    python benchmarks/run.py
    python benchmarks/run.py --deals 10000 --only read chart
    python benchmarks/run.py --dlt-python dlt-venv/bin/python --work /tmp/inputs
    python benchmarks/run.py --only read metrics --beside ../other-checkout
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import sys
import tempfile
import time
from pathlib import Path

from bench import Bench
from goals import GOALS
from measure import FailedError

PACKAGES = ("pyarrow", "pandas", "numpy", "narwhals", "matplotlib", "requests", "duckdb")
HEAD = ("", "| work | wegly_analytics | peer | ratio | goal | |", "| --- | --- | --- | --- | --- | --- |")


def main() -> None:
    """Measure, and print each row as soon as it is known."""
    options = arguments()
    failed = False
    with tempfile.TemporaryDirectory(prefix="wegly-benchmark-") as temporary:
        folder = (options.work or Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        bench = Bench(folder, options.deals, options.runs, options.dlt_python, options.beside)
        print("\n".join([*conditions(options), *HEAD]), flush=True)
        for name in options.only or [name for name in GOALS if name != "scan"]:
            try:
                for row in GOALS[name](bench):
                    print(f"| {' | '.join(row.cells())} |", flush=True)
            except FailedError as error:
                failed = True
                bench.notes.append(f"- {name}: **failed**: {error}")
    print("\n".join(["", *bench.notes]))
    sys.exit(failed)


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--deals", type=int, default=100_000, help="a fifth of it, ten times it … where a goal says so")
    parser.add_argument("--runs", type=int, default=3, help="of each work")
    parser.add_argument("--only", nargs="+", choices=GOALS, help="all but scan, which writes some 6 GB, by default")
    parser.add_argument("--work", type=Path, help="a folder in which the files of deals are kept for the next run")
    parser.add_argument("--dlt-python", type=Path, help="the Python of an environment that has dlt[parquet]")
    parser.add_argument("--beside", type=Path, help="another checkout, measured in turn with this one")
    return parser.parse_args()


def conditions(options: argparse.Namespace) -> list[str]:
    """Write what the figures depend on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)
    load = os.getloadavg()[0]
    machine = f"{platform.machine()}, {os.cpu_count()} cores, {memory:.0f} GB; {platform.system()} {platform.release()}"
    return [
        f"{time.strftime('%Y-%m-%d %H:%M', time.gmtime())} UTC; {options.deals:,} deals, {options.runs} runs in turn",
        f"{machine}; load before {load:.1f}",
        f"Python {platform.python_version()}, {versions}",
    ]


if __name__ == "__main__":
    main()
