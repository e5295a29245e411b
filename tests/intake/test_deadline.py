"""With `timeout=0.5` nothing takes longer than that, however the time is spent."""

import itertools
import socket
import ssl
import subprocess
import time
from datetime import UTC, datetime

import pytest
import requests
from hostile_responses import DEAL, GZIP, chunked, ok, sized
from raw_server import RawServer
from requests.adapters import HTTPAdapter
from server_side import Numbered, client

from wegly_analytics.errors import ApiError
from wegly_analytics.intake.client import Client
from wegly_analytics.sandbox import Server

SECONDS = 0.3
LATEST = SECONDS + 0.3
TICK = 0.1


def slowly(before, part, after=b""):
    """Send a part again and again, each time shortly before a timeout for a single read would end."""
    return lambda _: itertools.chain(
        [before], itertools.chain.from_iterable(itertools.repeat((TICK, part), 60)), [after]
    )


SLOW = {
    "status line": slowly(b"HTTP/1.1 200 ", b"O"),
    "header": slowly(b"HTTP/1.1 200 OK\r\nX: ", b"x"),
    "headers": slowly(b"HTTP/1.1 200 OK\r\n", b"X: 1\r\n"),
    "continue": slowly(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "early hints in headers": slowly(b"HTTP/1.1 100 Continue\r\n", b"X: 1\r\n"),
    "body": slowly(ok(b"Content-Length: 57", body=b""), b"{"),
    "body without length": slowly(ok(body=DEAL), b" "),
    "chunks": slowly(chunked(b""), b"1\r\n{\r\n"),
    "chunk size": slowly(chunked(b""), b"0"),
    "chunk extension": slowly(chunked(b"39;"), b"x"),
    "chunk": slowly(chunked(b"39\r\n"), b"{"),
    "trailers": slowly(chunked(b"39\r\n" + DEAL + b"\r\n0\r\n"), b"X: 1\r\n"),
    "trailer": slowly(chunked(b"39\r\n" + DEAL + b"\r\n0\r\nX: "), b"x"),
    "gzip": slowly(ok(b"Content-Encoding: gzip", b"Content-Length: 9999", body=GZIP[:10]), b"\x00"),
    "body of an error": slowly(ok(b"Content-Length: 57", body=b"", status=b"HTTP/1.1 500 X"), b"{"),
    "nothing": slowly(b"", b""),
    "silence in the body": lambda _: [ok(b"Content-Length: 57", body=DEAL[:9]), 9],
    "silence in the headers": lambda _: [b"HTTP/1.1 200 OK\r\n", 9],
}


@pytest.fixture
def serve():
    servers = []

    def start(respond, **options):
        servers.append(RawServer(respond, **options))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-keyout", folder / "key.pem", "-out", folder / "cert.pem", "-subj", "/CN=127.0.0.1",
         "-addext", "subjectAltName=IP:127.0.0.1"],
        check=True, capture_output=True,
    )  # fmt: skip
    return folder


@pytest.fixture
def tls(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    return context


def seconds_of(url, session=None):
    api = Client("planted-secret-token", base_url=url, timeout=SECONDS, attempts=1, per_second=None, session=session)
    begun = time.monotonic()
    with pytest.raises(ApiError) as caught:
        api.deal(1)
    return time.monotonic() - begun, str(caught.value)


@pytest.mark.parametrize("name", SLOW)
def test_a_slow_response_is_abandoned_at_the_deadline(serve, name):
    seconds, message = seconds_of(serve(SLOW[name]).url)
    assert seconds < LATEST
    assert message.startswith(
        ("no response from …/deals/1: it was not complete after 0.3 s (timeout)", "500 for …/deals/1: ")
    )


@pytest.mark.parametrize("name", ["header", "continue", "body", "chunk size", "trailers"])
def test_also_with_tls(serve, tls, certificate, name):
    session = requests.Session()
    session.trust_env = False  # else REQUESTS_CA_BUNDLE comes before `verify`
    session.verify = str(certificate / "cert.pem")
    server = serve(SLOW[name], tls=tls)
    seconds, message = seconds_of(server.url, session)
    assert seconds < LATEST
    assert "it was not complete" in message
    assert len(server.requests) == 1


def test_also_during_the_handshake(serve, certificate):
    session = requests.Session()
    session.trust_env = False  # else REQUESTS_CA_BUNDLE comes before `verify`
    session.verify = str(certificate / "cert.pem")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        seconds, message = seconds_of(f"https://127.0.0.1:{silent.getsockname()[1]}", session)
    assert seconds < LATEST
    assert "0.3 s" in message or "timed out" in message


def test_also_before_a_connection():
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = [socket.socket() for _ in range(3)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(full.getsockname())
        seconds, message = seconds_of(f"http://127.0.0.1:{full.getsockname()[1]}")
        assert seconds < LATEST
        assert "cannot connect" in message
        for each in waiting:
            each.close()


@pytest.mark.parametrize("name", ["status line", "headers", "header"])
def test_also_while_a_proxy_is_slow(serve, name):
    session = requests.Session()
    session.proxies = {"https": serve(SLOW[name]).url}
    assert seconds_of("https://api.example.test", session)[0] < LATEST


@pytest.mark.parametrize("name", ["body", "chunks", "chunk size", "trailers", "silence in the headers"])
def test_the_body_of_a_users_own_adapter_ends_at_the_deadline_too(serve, name):
    class Own(HTTPAdapter):
        pass

    session = requests.Session()
    session.mount("http://", own := Own())
    before = dict(vars(own))
    assert seconds_of(serve(SLOW[name]).url, session)[0] < LATEST
    assert vars(own) == before
    assert session.get_adapter("http://x") is own


def test_a_session_that_is_given_is_not_changed(serve):
    session = requests.Session()
    adapters = dict(session.adapters)
    server = serve(lambda _: sized(b"Set-Cookie: a=b"))
    assert Client("planted-secret-token", base_url=server.url, session=session).deal(1) == DEAL
    assert dict(session.adapters) == adapters
    assert not session.cookies
    assert "Authorization" not in session.headers


def test_a_connection_is_used_again_with_a_new_deadline():
    with Server(Numbered(), clock=lambda: datetime.now(UTC), latency=0.1) as server:
        api = client(server, timeout=SECONDS, attempts=1)
        assert all(api.deal(code) for code in (1, 2, 3, 4))
