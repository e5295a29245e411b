"""How well the intake uses what a server allows: its limit, its latency, and the requests of a refresh.

The sandbox's server stands in for the API, in a process of its own. Figures are shares of what the server allows in
the same run, because machines differ. Run ``make benchmark``.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import wegly_analytics as wa
from wegly_analytics.sandbox import TOKEN, Company, Server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection

NOW = datetime(2026, 7, 1, tzinfo=UTC)
SETTLED = 5.0
"""Seconds after which a limit should be known."""


class Same:
    """The same small deal under every code: only the requests are measured."""

    def response(self, key: str, at: datetime) -> bytes:  # noqa: ARG002
        """Return it."""
        return b'{"id": "deal-%s", "code": %s, "status": 1}' % (key.encode(), key.encode())


class Aged:
    """A company of so many deals, of which a share is open; the rest was closed long ago."""

    def __init__(self, deals: int, share_open: float) -> None:
        self.deals = deals
        self.every = round(1 / share_open)
        self.old = (NOW - timedelta(days=200)).isoformat()

    def response(self, key: str, at: datetime) -> bytes | None:  # noqa: ARG002
        """Return the response for one deal."""
        code = int(key)
        if code > self.deals:
            return None
        state = '"status": 1' if code % 20 < 20 / self.every else f'"status": 2, "won_date": "{self.old}"'
        tags = '[{"name": "a"}, {"name": "b"}]'
        return f'{{"id": "deal-{code}", "code": {code}, "updated_at": "{self.old}", "tags": {tags}, {state}}}'.encode()


def _serve(source: Any, options: dict[str, Any], line: Connection) -> None:
    with Server(source, clock=lambda: NOW, **options) as server:
        line.send(server.url)
        while line.recv() != "stop":
            line.send([(request.time, request.status) for request in server.requests])
            server.requests.clear()


@contextlib.contextmanager
def served(source: Any, **options: Any) -> Iterator[tuple[str, Connection]]:
    """Serve from another process, so that the server's work does not slow the client down."""
    line, other = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=_serve, args=(source, options, other), daemon=True)
    process.start()
    try:
        yield line.recv(), line
    finally:
        line.send("stop")
        process.join(5)


def responses(line: Connection) -> list[tuple[float, int]]:
    """Take from the server its responses: time and status."""
    line.send("requests")
    return line.recv()


def client(url: str, per_second: float | None = None) -> wa.Client:
    """Make a client of that server."""
    return wa.Client(TOKEN, base_url=url, per_second=per_second)


def limit(per_second: float, requested: float | None, seconds: float) -> str:
    """Fetch from a server that allows so many requests a second."""
    n = round(per_second * (seconds + 1))
    with served(Same(), per_second=per_second) as (url, line):
        wa.fetch(range(1, n + 1), client=client(url, requested), workers=8, progress=False)
        seen = responses(line)
    begun = seen[0][0]
    passed = [at - begun for at, status in seen if status == 200]
    later = [at for at in passed if at >= SETTLED]
    share = (len(later) - 1) / (later[-1] - later[0]) / per_second
    refused = [at - begun for at, status in seen if status == 429]
    early = sum(at < SETTLED for at in refused)
    overall = n / (passed[-1] * per_second)
    wanted = "no cap" if requested is None else f"{requested:g}/s"
    return (
        f"  {per_second:5g}/s {wanted:>8} {overall:9.1%} {share:12.1%} {early:8} {len(refused) - early:8}"
        f"   of {len(seen):,} requests"
    )


def latency(seconds: float, workers: int, n: int) -> str:
    """Fetch from a server without a limit, whose every response takes so long."""
    with served(Same(), latency=seconds) as (url, line):
        wa.fetch(range(1, n + 1), client=client(url), workers=workers, progress=False)
        times = [at for at, _ in responses(line)]
    rate, ceiling = n / (times[-1] - times[0] + seconds), workers / seconds
    return f"  {seconds * 1e3:.0f} ms x {workers} workers: {rate:.0f} of {ceiling:.0f} requests/s, {rate / ceiling:.1%}"


def refreshed(deals: int, share_open: float) -> str:
    """Fetch a company once, then refresh it."""
    with served(Aged(deals, share_open)) as (url, line):
        full = wa.fetch(range(1, deals + 1), client=client(url), progress=False)
        before = len(responses(line))
        again = wa.refresh(full, client=client(url), progress=False)
        after = len(responses(line))
    is_open = (full.deals["status"] == "open").mean()
    assert len(again) == len(full) == deals
    assert len(again.tags) == len(full.tags)
    return f"  {deals:,} deals, {is_open:.0%} open: {after:,} of {before:,} requests, {after / before:.1%}"


def simulated() -> str:
    """Refresh the sandbox's company a week later, after deals were created, changed and closed."""
    company = Company()
    now = NOW
    with Server(company, clock=lambda: now) as server:
        codes = company.codes(now)
        full = wa.fetch(range(codes.start, codes.stop), client=client(server.url), progress=False)
        before = len(server.requests)
        now += timedelta(days=7)
        wa.refresh(full, client=client(server.url), progress=False)
        after = len(server.requests) - before
    is_open = (full.deals["status"] == "open").mean()
    return f"  the sandbox's company a week later, {is_open:.0%} open: {after:,} of {before:,}, {after / before:.1%}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30.0, help="how long each limited fetch lasts")
    parser.add_argument("--deals", type=int, default=20_000, help="how many deals are refreshed")
    options = parser.parse_args()

    print(
        "a server's limit: the share of it that is reached in all, and after the first 5 s; refusals before and after"
    )
    print("    limit requested    in all  after 5 s    before    after")
    for per_second, requested in ((20, None), (20, 100), (50, None), (50, 200), (100, None)):
        print(limit(per_second, requested, options.seconds), flush=True)
    print("latency")
    print(latency(0.05, 32, 10_000), flush=True)
    print("refresh: its requests, as a share of a full fetch")
    print(refreshed(options.deals, 0.15), flush=True)
    print(simulated(), flush=True)


if __name__ == "__main__":
    main()
