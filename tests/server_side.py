"""Deals for a server in tests: few, plain, and told apart at a glance."""

from datetime import UTC, datetime

import pytest
from strategies import body

from wegly_analytics.intake.client import Client
from wegly_analytics.sandbox import TOKEN, Server


def uuid_of(code):
    return f"00000000-0000-0000-0000-{code:012}"


class Numbered:
    """Codes from 1 to `last`; every tenth is a gap."""

    def __init__(self, last=200, **fields):
        self.last = last
        self.fields = fields

    def response(self, key, at):
        code = int(key) if key.isdigit() else int(key[-12:])
        if code % 10 == 0 or code > self.last:
            return None
        deal = {"id": uuid_of(code), "code": code, "status": 1, "tags": [{"name": "x"}, {"name": "y"}]}
        return body(deal | {name: f(code) for name, f in self.fields.items()})


@pytest.fixture
def serve():
    """Start servers; they stop with the test."""
    servers = []

    def start(deals=None, **options):
        server = Server(deals or Numbered(), clock=lambda: datetime.now(UTC), **options)
        servers.append(server)
        server.start()
        return server

    yield start
    for server in servers:
        server.stop()


def client(server, **options):
    return Client(
        **{"token": TOKEN, "base_url": server.url, "per_second": None, "backoff": 0.01, "attempts": 2} | options
    )


def requested(server):
    """The ids that a server was requested, in order."""
    return [request.path.rpartition("/")[2] for request in server.requests]
