"""The works of `wegly_analytics` that are measured, by its public names; each runs in a process of its own.

``python works.py NAME ARGUMENT...`` does one and prints what it took, as JSON. `run` starts them.
"""

from __future__ import annotations

import io
import sys
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from measure import report

import wegly_analytics as wa
from wegly_analytics import metrics, plots

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import duckdb

    from wegly_analytics.snapshot.snapshot import Snapshot

RATE = 200.0
"""Requests a second of a refresh."""


class Direct(wa.Client):
    """A client that needs no network: it writes the deals itself."""

    def __init__(self) -> None:
        super().__init__("benchmark", base_url="http://127.0.0.1:9", per_second=None)
        from server import templates

        self.found = templates("sandbox")

    def deal(self, id: str | int) -> bytes:  # noqa: A002
        """Write a deal."""
        from server import deal

        return deal(self.found, int(id))


class Silent(wa.Client):
    """A client of which nothing may be requested."""

    def deal(self, id: str | int) -> bytes:  # noqa: A002
        """Refuse."""
        raise AssertionError(f"{id} was requested, although it is in the archive")


def read(file: str) -> None:
    """Read a file of deals into memory."""
    report(lambda: {"rows": {name: table.num_rows for name, table in wa.read(file).tables.items()}})


def table(root: str, file: str) -> None:
    """Write the table of the first chart to a file, for the peer that only draws it."""
    metrics.win_rate(wa.load(root), by="source").to_pickle(file)


def chart(root: str) -> None:
    """Load a snapshot, compute a metric and draw it, as the first cell of a notebook does."""
    import matplotlib.pyplot  # noqa: F401 - both sides have imported what they need

    def work() -> dict[str, Any]:
        begun = time.perf_counter()
        computed = metrics.win_rate(wa.load(root), by="source")
        between = time.perf_counter()
        plots.win_rate(computed).figure.savefig(io.BytesIO(), format="png")
        return {"parts": {"load and metric": between - begun, "drawing": time.perf_counter() - between}}

    report(work)


def metric_times(file: str, runs: str) -> None:
    """Compute every metric on a file of deals in memory, so many times each."""
    import metric_queries

    snap = wa.read(file)
    _print_times({name: lambda call=call: call(snap) for name, call in _calls(metric_queries).items()}, int(runs))


def scan_times(root: str, runs: str) -> None:
    """Compute every metric on a scanned snapshot, so many times each."""
    import metric_queries

    snap = wa.scan(root, "duckdb")
    _print_times({name: lambda call=call: call(snap) for name, call in _calls(metric_queries).items()}, int(runs))


def scan_once(root: str, name: str) -> None:
    """Compute one metric on a scanned snapshot, whose files are not compared with their checksums again."""
    import metric_queries

    call = _calls(metric_queries)[name]
    report(lambda: {"rows": len(call(wa.scan(root, "duckdb", check=False)))})


def names() -> None:
    """Print the names of the calls."""
    import metric_queries

    report(lambda: {"names": list(_calls(metric_queries))})


def tile(root: str, to: str, times: str) -> None:
    """Write a snapshot of so many times the deals."""
    import tiling

    report(lambda: {"rows": tiling.tiled(Path(root), Path(to), int(times))})


def sql_times(file: str, runs: str) -> None:
    """Answer the query of every metric on the same deals, in tables of DuckDB in memory."""
    import duckdb
    import metric_queries

    snap = wa.read(file)
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    for name, each in snap.tables.items():
        connection.register("given", each)
        connection.execute(f"CREATE TABLE {name} AS FROM given")
        connection.unregister("given")
    _print_times(_queries(metric_queries, connection, snap), int(runs))


def sql_scan_times(root: str, runs: str) -> None:
    """Answer the query of every metric on the files of a snapshot."""
    import duckdb
    import metric_queries

    snap = wa.load(root)
    folder = Path(wa.snapshots(root)["path"].iloc[-1])
    files = {name: sorted(map(str, (folder / name).glob("*.parquet"))) for name in snap.tables}
    connection = metric_queries.connected(duckdb.connect(), files)
    _print_times(_queries(metric_queries, connection, snap), int(runs))


def archive(file: str, ids: str) -> None:
    """Write an archive of so many responses."""
    report(lambda: {"deals": len(wa.fetch(f"1-{ids}", client=Direct(), archive=file, progress=False))})


def resume(file: str, ids: str) -> None:
    """Fetch again what is in the archive: nothing is requested."""
    client = Silent("benchmark", base_url="http://127.0.0.1:9")
    report(lambda: {"deals": len(wa.fetch(f"1-{ids}", client=client, archive=file, progress=False))})


def refresh(deals: str) -> None:
    """Refresh a snapshot of so many deals, all of which may have changed, from a server."""
    from server import served

    n = int(deals)
    before = wa.fetch(f"1-{n}", client=Direct(), progress=False)
    with served("sandbox", n) as url:
        client = wa.Client("benchmark", base_url=url, per_second=RATE)
        report(
            lambda: {
                "deals": len(wa.refresh(before, client=client, recent="3650d", misses=10, workers=16, progress=False)),
                "requests": n + 10,
            }
        )


def _calls(module: Any) -> dict[str, Callable[[Snapshot], Any]]:
    """Return every call that has a query, and the forecast with its interval, for which SQL has no words."""
    return {**module.CALLS, "forecast, 1,000 draws": lambda snap: metrics.forecast(snap, by="source")}


def _queries(module: Any, connection: duckdb.DuckDBPyConnection, snap: Snapshot) -> dict[str, Callable[[], Any]]:
    return {name: lambda name=name: module.answer(connection, name, snap) for name in module.QUERIES}


def _print_times(calls: Mapping[str, Callable[[], Any]], runs: int) -> None:
    """Print the seconds of each call; the first one, which imports, is left out."""

    def seconds(call: Callable[[], Any]) -> list[float]:
        times = []
        for _ in range(runs + 1):
            begun = time.perf_counter()
            call()
            times.append(time.perf_counter() - begun)
        return times[1:]

    report(lambda: {"calls": {name: seconds(call) for name, call in calls.items()}})


def main() -> None:
    """Do the work that is named."""
    warnings.simplefilter("ignore")  # caveats of simulated deals
    name, *arguments = sys.argv[1:]
    globals()[name](*arguments)


if __name__ == "__main__":
    main()
