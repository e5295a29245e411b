"""What a server sends costs one deal at most, and is never taken for a deal it is not."""

import pytest
import requests
from hostile_responses import DEAL, odd_but_true, responses
from raw_server import RawServer

import wegly_analytics as wa
from wegly_analytics.errors import RateLimitError
from wegly_analytics.intake.client import Client

HOSTILE = responses()
REFUSALS = [name for name in HOSTILE if name.startswith("retry 429")]
OTHERS = [name for name in HOSTILE if name not in REFUSALS]


@pytest.fixture
def serve():
    """Start servers that send raw bytes; they stop with the test."""
    servers = []

    def start(respond, **options):
        servers.append(RawServer(respond, **options))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


def client(server, **options):
    settings = {"base_url": server.url, "per_second": None, "attempts": 2, "timeout": 0.5, "backoff": 0.001}
    return Client("planted-secret-token", **settings | options)


def bytes_of(response):
    return response() if callable(response) else response


def deal_of(code):
    return DEAL.replace(b"000000000001", b"%012d" % code).replace(b'"code": 1', b'"code": %d' % code)


def test_there_are_many():
    assert len(HOSTILE) >= 150


@pytest.fixture(scope="module")
def ledger():
    """One run over all hostile responses, among deals that are whole."""
    names = dict(enumerate(OTHERS, 1001))

    def respond(key):
        code = int(key)
        if code in names:
            return bytes_of(HOSTILE[names[code]])
        body = deal_of(code)
        return b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)

    server = RawServer(respond)
    with pytest.warns(wa.errors.IncompleteWarning):
        snap = wa.fetch([*range(1, 101), *names], client=client(server), workers=16, progress=False, max_failures=1.0)
    server.stop()
    found = snap.ledger.set_index("requested")
    assert len(found) == 100 + len(names)
    assert set(found["outcome"][:100]) == {"fetched"}, found[:100][found["outcome"][:100] != "fetched"].to_string()
    return {name: found.loc[str(code)] for code, name in names.items()}


@pytest.mark.parametrize("name", OTHERS)
def test_a_hostile_response_costs_one_deal(ledger, name):
    row = ledger[name]
    assert row["outcome"] in ("failed", "unreadable", "not_found"), name
    assert (row["outcome"] == "not_found") == (str(row["http_status"]) == "404")
    if row["outcome"] != "not_found":
        assert row["message"].isprintable()
        assert 20 < len(row["message"]) < 600, "a cause is named"


@pytest.mark.parametrize("name", REFUSALS)
def test_a_hostile_refusal_costs_one_deal(serve, name):
    with pytest.raises(RateLimitError, match="429 for …/deals/1: ") as caught:
        client(serve(lambda _: HOSTILE[name])).deal(1)
    assert caught.value.wait is None or caught.value.wait > 600


@pytest.mark.parametrize("name", odd_but_true())
def test_a_response_that_is_strange_but_whole_is_a_deal(serve, name):
    session = requests.Session()
    server = serve(lambda _: odd_but_true()[name])
    for api in (client(server), client(server, session=session)):
        assert api.deal(1) == DEAL
    assert not session.cookies
