"""The token goes to the API only: planted, and searched for in every message, frame, log, file and proxy."""

import base64
import contextlib
import html
import http.client
import itertools
import json
import logging
import traceback
import urllib.parse

import pytest
import requests
from hostile_responses import sized
from raw_server import RawServer
from requests.adapters import HTTPAdapter

import wegly_analytics as wa
from wegly_analytics.errors import ApiError, AuthError, SettingError
from wegly_analytics.intake.address import checked_base_url
from wegly_analytics.intake.client import Client

TOKEN = "eyJhbGciOiJIUzI1NiJ9.cGxhbnRlZC9zZWNyZXQ.planted-Secret/+\"&'signature"
ENCODED = {
    "as it is": TOKEN,
    "json": json.dumps(TOKEN)[1:-1],
    "json with slashes": json.dumps(TOKEN)[1:-1].replace("/", r"\/"),
    "json in json": json.dumps(json.dumps(TOKEN))[1:-1],
    "json, every character": "".join(f"\\u{ord(c):04X}" for c in TOKEN),
    "url": urllib.parse.quote(TOKEN, safe=""),
    "url twice": urllib.parse.quote(urllib.parse.quote(TOKEN)),
    "html": html.escape(TOKEN),
    "html, every character": "".join(f"&#x{ord(c):x};" for c in TOKEN),
    "hexadecimal": TOKEN.encode().hex(),
    **{f"base64 after {n}": base64.b64encode(b"x" * n + f"Bearer {TOKEN}".encode()).decode() for n in range(3)},
    "base64 of a pair": base64.urlsafe_b64encode(f"user:{TOKEN}:x".encode()).decode(),
}
PARTS = [TOKEN, "planted-Secret", base64.b64encode(TOKEN.encode()).decode()[8:40], TOKEN.encode().hex()[8:60]]


def shown(text, parts=PARTS):
    return [part for part in parts if part in text]


def frames_of(error):
    """All local variables of all frames of an error and of the errors before it, as a debugger shows them."""
    found, seen = [], set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        found.append(repr(error) + str(error) + repr(getattr(error, "body", b"")))
        for frame, _ in traceback.walk_tb(error.__traceback__):
            if "/tests/" not in frame.f_code.co_filename:
                for value in frame.f_locals.values():
                    with contextlib.suppress(AttributeError):  # what is half built has no repr
                        found += [repr(getattr(value, "__dict__", "")), repr(value)]
        error = error.__cause__ or error.__context__
    return "\n".join(found)


@pytest.fixture
def serve():
    servers = []

    def start(respond):
        servers.append(RawServer(respond if callable(respond) else lambda _: respond))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def work(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    return tmp_path


def client(server, **options):
    settings = {"base_url": server.url, "per_second": None, "attempts": 1, "timeout": 1.0}
    return Client(TOKEN, **settings | options)


def test_the_token_is_sent(serve):
    server = serve(sized())
    client(server).deal(1)
    assert f"\r\nAuthorization: Bearer {TOKEN}\r\n".encode() in server.requests[0]
    assert server.requests[0].count(TOKEN.encode()) == 1


@pytest.mark.parametrize("form", ENCODED)
def test_a_token_that_a_server_echoes_is_in_no_body_and_no_message(serve, form):
    text = ENCODED[form].encode()
    body = b'{"id": "1", "title": "%s"}' % text
    split = [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"]
    split += [b"1\r\n%c\r\n" % byte for byte in body] + [b"0\r\n\r\n"]
    for response in (sized(body=body), split):
        found = client(serve(lambda _, response=response: response)).deal(1)
        assert text not in found
        assert b"[token removed]" in found
        assert json.loads(found)["id"] == "1"
    for response in (
        sized(body=body, status=b"HTTP/1.1 403 " + text),
        sized(b"X: " + text, b"Retry-After: " + text, body=text, status=b"HTTP/1.1 500 X"),
        b"HTTP/1.1 " + text + b" X\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: " + text + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: 1\r\n" + text + b"\r\n\r\n",
        text,
    ):
        with pytest.raises(ApiError) as caught:
            client(serve(response)).deal(1)
        assert not shown(frames_of(caught.value), [ENCODED[form], ENCODED[form].replace("\\", "\\\\")])


def test_an_echoed_token_is_in_no_file_of_a_fetch(serve, tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    echo = TOKEN.encode()
    answers = itertools.cycle([
        sized(body=b'{"id": "a", "code": 1, "title": %s, "new": "Bearer x"}' % json.dumps(TOKEN).encode()),
        sized(body=b"denied: " + echo, status=b"HTTP/1.1 403 " + echo),
        b"HTTP/1.1 " + echo + b"\r\n\r\n",
        sized(echo + b": 1", b"Set-Cookie: " + echo, echo, body=echo),
    ])  # fmt: skip
    with pytest.warns((wa.errors.IncompleteWarning, wa.errors.DriftWarning)):
        snap = wa.fetch(
            range(1, 9), client=client(serve(lambda _: next(answers))), archive=tmp_path / "archive", workers=1,
            progress=False, max_failures=1.0,
        )  # fmt: skip
    snap.save(tmp_path / "root", personal="keep", allow_incomplete=True)
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert len(files) > 5
    texts = [file.read_bytes() for file in files]
    texts += [repr(table.to_dict()).encode() for table in (snap.deals, snap.ledger)]
    texts.append(caplog.text.encode())
    assert not [part for part in PARTS[:2] for text in texts if part.encode() in text]


@pytest.mark.parametrize("level", [0, 1])
def test_no_frame_log_or_output_shows_the_token(serve, caplog, capsys, monkeypatch, level):
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(http.client.HTTPConnection, "debuglevel", level)
    stopped = []

    def interrupt(response, **_):
        raise KeyboardInterrupt

    session = requests.Session()
    session.hooks["response"].append(interrupt)
    for attempt in (
        lambda: client(serve(b"")).deal(1),
        lambda: client(serve(sized(b"Content-Length: x"))).deal(1),
        lambda: client(serve(sized()), session=session).deal(1),
        lambda: client(serve([9]), timeout=0.1).deal(1),
        lambda: Client(TOKEN.encode()),
        lambda: Client(f"{TOKEN} é"),
        lambda: Client(TOKEN, timeout=0),
        lambda: Client(TOKEN, base_url="x"),
        lambda: Client(TOKEN, base_url="http://127.0.0.1:1").deal("not an id"),
        lambda: Client(TOKEN, base_url="http://127.0.0.1:1", attempts=1).deal(1),
    ):
        with pytest.raises(BaseException) as caught:  # noqa: PT011
            attempt()
        stopped.append(type(caught.value).__name__)
        assert not shown(frames_of(caught.value)), stopped
    assert stopped.count("KeyboardInterrupt") == 1
    output = capsys.readouterr()
    assert not shown(caplog.text + output.out + output.err)
    assert "header:" not in output.out


def test_no_proxy_sees_the_token_in_plain(serve, work, monkeypatch):
    proxy, server = serve(sized()), serve(sized())
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, proxy.url)
    by_hand = requests.Session()
    by_hand.proxies = {"http": proxy.url, "all": proxy.url}
    address = server.url.removeprefix("http://127.0.0.1")
    for url in (f"HTTP://127.0.0.1{address}", f"hTTp://LOCALHOST{address}", server.url):
        for session in (None, requests.Session(), by_hand):
            assert client(server, base_url=url, session=session).deal(1)
    assert len(server.requests) == 9
    assert proxy.requests == []
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    with pytest.raises(ApiError):
        client(server, base_url="https://api.example.test").deal(1)
    assert proxy.requests
    assert TOKEN.encode() not in b"".join(proxy.requests)


def test_an_adapter_of_the_user_sends_the_token_and_still_shows_it_in_no_repr(serve):
    class Own(HTTPAdapter):
        def send(self, request, **options):
            seen.append(repr(request.headers))
            return super().send(request, **options)

    session, seen, server = requests.Session(), [], serve(sized())
    session.mount("http://", Own())
    assert client(server, session=session).deal(1)
    assert TOKEN.encode() in server.requests[0]
    assert not shown("".join(seen))


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1.evil.example", "http://127.1", "http://0x7f.1", "http://2130706433", "http://0177.0.0.1",
        "http://user:planted-Secret@127.0.0.1", "http://@127.0.0.1", "http://127.0.0.1@evil.example",
        "http://127.0.0.1\\@evil.example", "http://127.0.0.1\\.evil.example", "http://127.0.0.1\n.evil.example",
        "http://localhost.evil.example", "http://evil.example#@localhost", "http://localhost%2eevil.example",
        "http://[::1]evil.example", "http://[::1%25eth0]", "http://[::ffff:1.2.3.4]", "http://0.0.0.0", "http://[::]",
        "https://\u0430pi.wegly.com.br", "https://api\u3002wegly.com.br", "https://api.wegly.com.br\u2044x.evil",
        "https://user:planted-Secret@api.wegly.com.br", "https://api.wegly.com.br/?x=1", "https://api.wegly.com.br/a b",
        "https://", "https:///x", "file:///etc/passwd", "//api.wegly.com.br", "https://api.wegly.com.br:0",
    ],
)  # fmt: skip
def test_an_address_that_is_not_what_it_seems_is_refused(url):
    with pytest.raises(SettingError, match="base_url") as caught:
        checked_base_url(url)
    assert "planted-Secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("HTTP://127.0.0.1:80/", "http://127.0.0.1:80"),
        ("HTTPS://API.Wegly.com.br/V1/", "https://api.wegly.com.br/V1"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("https://xn--80ak6aa92e.com", "https://xn--80ak6aa92e.com"),
    ],
)
def test_an_address_is_used_as_it_was_checked(url, expected):
    assert checked_base_url(url) == expected


@pytest.mark.parametrize(("name", "argument"), [("WEGLY_BASE_URL", "base_url"), ("WEGLY_ORIGIN", "origin")])
def test_a_file_decides_only_for_the_token_that_it_holds(work, monkeypatch, name, argument):
    value = "https://evil.example"
    (work / ".env").write_text(f"{name}={value}\n")
    with pytest.raises(SettingError, match=rf"\.env sets {name}=.*the token is from Client\(token=") as caught:
        Client(TOKEN)
    assert not shown(frames_of(caught.value))
    monkeypatch.setenv("WEGLY_TOKEN", TOKEN)
    with pytest.raises(SettingError, match=rf"the token is from WEGLY_TOKEN in the environment.*set {name} in"):
        Client()
    assert getattr(Client(**{argument: "https://mine.example"}), argument) == "https://mine.example"
    monkeypatch.setenv(name, "https://mine.example")
    assert getattr(Client(), argument) == "https://mine.example"
    monkeypatch.delenv(name)
    monkeypatch.delenv("WEGLY_TOKEN")
    (work / ".env").write_text(f"{name}={value}\nWEGLY_TOKEN={TOKEN}\n")
    assert getattr(Client(), argument) == value
    with pytest.raises(SettingError, match="the token is from Client"):
        Client("another-token")


def test_the_default_address_may_stand_in_any_file(work):
    (work / ".env").write_text("WEGLY_BASE_URL=https://api.wegly.com.br\n")
    assert Client(TOKEN).base_url == "https://api.wegly.com.br"


def test_a_client_without_a_token_says_so(work):
    (work / ".env").write_text("WEGLY_BASE_URL=https://evil.example\n")
    with pytest.raises((AuthError, SettingError), match="token"):
        Client()
