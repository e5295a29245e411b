import base64
import json
import logging
import struct
import traceback
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
import requests
from server_side import client as local_client

from wegly_analytics.errors import (
    ApiError,
    AuthError,
    IdError,
    NotFoundError,
    OriginError,
    PayloadError,
    RateLimitError,
    SettingError,
)
from wegly_analytics.intake.client import MAX_BYTES, Client
from wegly_analytics.sandbox import TOKEN, Server
from wegly_analytics.sandbox.faults import FAULTS, Broken, Drip, Status, Times

client = partial(local_client, attempts=3)
UUID = "2bce2af3-fd3f-572f-a95b-aaabdbdb7cf3"


class Deals:
    """Deals 1 to 9 and one by UUID."""

    def response(self, key, at):
        return b'{"id": "%s"}' % key.encode() if key == UUID or int(key) < 10 else None


@pytest.fixture
def serve(serve):
    return lambda fault=None, **options: serve(Deals(), faults=(lambda _key: fault) if fault else None, **options)


def test_a_deal_is_returned_as_the_bytes_that_were_sent(serve):
    server = serve()
    assert client(server).deal(7) == b'{"id": "7"}'
    assert client(server).deal(UUID.upper()) == b'{"id": "%s"}' % UUID.encode()
    assert [r.path.rpartition("/")[2] for r in server.requests] == ["7", UUID]


def test_a_bad_id_is_refused_before_any_request(serve):
    server = serve()
    with pytest.raises(IdError, match="'7/../8' is .* deal id"):
        client(server).deal("7/../8")
    assert server.requests == []


def test_a_missing_deal_is_requested_once(serve):
    server = serve()
    with pytest.raises(NotFoundError, match=r"404 for …/deals/10: there is no such deal") as caught:
        client(server).deal(10)
    assert caught.value.status == 404
    assert len(server.requests) == 1


def test_a_wrong_token_is_sent_once_and_never_shown(serve):
    server = serve()
    with pytest.raises(AuthError, match=r"401 for …/deals/1: the token was refused") as caught:
        client(server, token="very-secret").deal(1)
    assert "very-secret" not in str(caught.value)
    assert len(server.requests) == 1


def test_an_origin_is_sent_and_a_missing_or_wrong_one_is_named(serve):
    server = serve(origin="https://crm.example.com")
    assert client(server, origin="https://crm.example.com/app").deal(1)
    with pytest.raises(AuthError, match=r"If it has an allowed domain, pass Client\(origin=") as caught:
        client(server).deal(1)
    assert not isinstance(caught.value, OriginError)
    with pytest.raises(OriginError, match="allowed domain may not be https://other.example"):
        client(server, origin="https://other.example").deal(1)


def test_missing_arguments_are_taken_from_the_environment(serve, monkeypatch):
    server = serve(origin="https://crm.example.com")
    monkeypatch.setenv("WEGLY_TOKEN", f" {TOKEN}\n")
    monkeypatch.setenv("WEGLY_BASE_URL", server.url + "/")
    monkeypatch.setenv("WEGLY_ORIGIN", "https://crm.example.com")
    assert Client().deal(1)
    assert repr(Client()) == f"Client('{server.url}', origin='https://crm.example.com', per_second=5.0)"


def test_a_client_without_a_usable_token_is_refused():
    with pytest.raises(AuthError, match="no token: set WEGLY_TOKEN"):
        Client()
    for broken in ("two words", "line\nbreak", "chavé"):
        with pytest.raises(AuthError, match="copy it again"):
            Client(broken)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"base_url": "http://api.wegly.com.br"}, "anyone on the way could read the token; use https"),
        ({"base_url": "http://127.0.0.1.evil.example"}, "use https"),
        ({"base_url": "api.wegly.com.br"}, "give scheme and host"),
        ({"base_url": "https://user:pw@api.wegly.com.br"}, "give scheme and host"),
        ({"base_url": "https://host:99999"}, "give scheme and host"),
        ({"origin": "crm.example.com"}, "origin 'crm.example.com': give scheme and host"),
        ({"attempts": 0}, "attempts=0: give 1 or more"),
        ({"timeout": 0}, "timeout=0: give a finite number above 0"),
        ({"per_second": -1}, "per_second=-1: give a finite number above 0"),
    ],
)
def test_settings_that_cannot_be_used_are_refused(options, message):
    with pytest.raises(SettingError, match=message):
        Client("token", **options)


@pytest.mark.parametrize(
    "url", ["http://localhost:1", "http://127.0.0.5", "http://[::1]:8080", "https://x.example/v1/"]
)
def test_plain_http_is_for_this_machine_only(url):
    assert Client("token", base_url=url).base_url == url.rstrip("/")


@pytest.mark.parametrize(
    "fault",
    [
        *(FAULTS[name] for name in ("error500", "reset", "short", "limited_zero", "limited_bare", "limited_rubbish")),
        Status(502),
        Status(503),
        Status(504),
    ],
)
def test_a_temporary_failure_is_tried_again(serve, fault):
    server = serve(Times(fault, 2))
    assert client(server).deal(1) == b'{"id": "1"}'
    assert len(server.requests) == 3


def test_a_permanent_failure_is_named_after_the_last_attempt(serve):
    with pytest.raises(ApiError, match=r"500 for …/deals/1: the server failed at every attempt") as caught:
        client(serve(FAULTS["error500"])).deal(1)
    assert caught.value.status == 500
    server = serve(Status(429, {"Retry-After": "0"}))
    with pytest.raises(RateLimitError, match="too many requests at every attempt"):
        client(server, attempts=2).deal(1)
    assert len(server.requests) == 2


@pytest.mark.parametrize("abrupt", [True, False])
def test_a_body_that_breaks_off_is_not_a_response(serve, abrupt):
    with pytest.raises(ApiError, match=r"no response from …/deals/1: ") as caught:
        client(serve(Broken(abrupt))).deal(1)
    assert caught.value.status is None
    assert "object at 0x" not in str(caught.value)


def test_a_server_that_does_not_listen_is_named(serve):
    server = serve()
    server.stop()
    with pytest.raises(
        ApiError, match=r"cannot connect to http://127.0.0.1:.*ConnectionError, .*[Cc]onnection refused"
    ):
        client(server).deal(1)


def test_a_retry_after_is_waited_out(serve):
    server = serve(Times(Status(429, {"Retry-After": "1"}), 1))
    assert client(server).deal(1)
    first, second = (r.time for r in server.requests)
    assert second - first >= 0.9


def test_a_retry_after_of_an_hour_is_an_error(serve):
    server = serve(Status(429, {"Retry-After": "3600"}))
    with pytest.raises(
        RateLimitError, match=r"429 for …/deals/1: the server requests a wait of 3600 s; run again after that"
    ):
        client(server).deal(1)
    assert len(server.requests) == 1


def test_a_retry_after_that_cannot_be_read_means_the_usual_backoff(serve):
    server = serve(Times(Status(503, {"Retry-After": "soon"}), 1))
    assert client(server).deal(1)


def test_redirects_are_not_followed(serve):
    elsewhere = serve()
    server = serve(Status(302, {"Location": f"{elsewhere.url}/integrations/external/deals/1"}))
    with pytest.raises(ApiError, match="302 for …/deals/1: redirected to another address"):
        client(server).deal(1)
    assert elsewhere.requests == []


def test_an_undocumented_status_is_an_error(serve):
    with pytest.raises(ApiError, match="418 for …/deals/1: a status that is not documented"):
        client(serve(Status(418))).deal(1)


@pytest.mark.parametrize("name", ["huge", "gzip_bomb"])
def test_an_endless_response_is_cut_off(serve, name):
    with pytest.raises(PayloadError, match=f"expected at most {MAX_BYTES >> 20} MiB, found more"):
        client(serve(FAULTS[name])).deal(1)


def test_a_response_that_takes_too_long_is_abandoned(serve):
    with pytest.raises(ApiError, match=r"not complete after 0.2 s|timed out"):
        client(serve(Drip(seconds=3)), timeout=0.2, attempts=1).deal(1)


def test_a_session_that_is_given_is_used(serve):
    session = requests.Session()
    seen = []
    session.hooks["response"].append(lambda response, **_: seen.append(response.status_code))
    with session:
        assert client(serve(), session=session).deal(1)
    assert seen == [200]
    assert "Authorization" not in session.headers


def test_a_netrc_file_does_not_replace_the_token(serve, monkeypatch, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login x password y")
    monkeypatch.setenv("NETRC", str(netrc))
    with requests.Session() as session:
        assert client(serve(), session=session).deal(1)


def test_the_token_is_in_no_log_and_no_repr(serve, caplog):
    server = serve()
    caplog.set_level(logging.DEBUG)
    api = client(server)
    api.deal(1)
    everything = caplog.text + repr(vars(api)) + repr(api)
    assert "/deals/1" in caplog.text
    assert f"Bearer {TOKEN}" not in everything
    assert repr(TOKEN) not in everything


def jwt(**claims):
    text = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"eyJhbGciOiJIUzI1NiJ9.{text}.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        (jwt(exp=1767225600), r"the token expired on 2026-01-01 at 00:00 UTC; make a new one"),
        (jwt(exp=9e9), r"the token was refused, although it does not expire before 2255-03-14"),
        (jwt(sub="x"), "the token was refused as unknown or expired"),
        (jwt(exp="soon"), "the token was refused as unknown or expired"),
        (jwt(exp=1e300), "the token was refused as unknown or expired"),
        ("no.jwt!.at.all", "the token was refused as unknown or expired"),
        ("plain", "the token was refused as unknown or expired"),
    ],
)
def test_the_error_of_a_refused_token_says_when_it_expired(serve, token, expected):
    with pytest.raises(AuthError, match=expected) as caught:
        client(serve(), token=token).deal(1)
    shown = "".join(traceback.format_exception(caught.value))
    assert token not in shown


@pytest.mark.parametrize("name", ["html", "truncated", "empty"])
def test_a_body_that_is_not_an_object_is_requested_again_and_returned_at_last(serve, name):
    server = serve(Times(FAULTS[name], 2))
    assert client(server).deal(1) == b'{"id": "1"}'
    assert len(server.requests) == 3
    server = serve(FAULTS[name])
    assert not client(server).deal(1).endswith(b"}")
    assert len(server.requests) == 3


def test_the_body_of_a_refusal_is_kept_but_never_shown(serve):
    remark = bytes.fromhex("646f206e6f742073686f77206d65")
    with pytest.raises(ApiError) as caught:
        client(serve(Status(403, body=remark))).deal(1)
    assert caught.value.body == remark == b"do not show" + b" me"
    assert "do not show me" not in "".join(traceback.format_exception(caught.value))


def test_a_long_body_of_a_refusal_is_not_read(serve):
    with pytest.raises(ApiError) as caught:
        client(serve(Status(403, body=b"x" * 100_000))).deal(1)
    assert caught.value.body == b""


def test_a_404_leaves_the_connection_usable(serve):
    server, session, used = serve(), requests.Session(), set()
    session.hooks["response"].append(lambda response, **_: used.add(response.raw.connection))
    api = client(server, session=session)
    for code in (10, 11, 12):
        with pytest.raises(NotFoundError):
            api.deal(code)
    assert api.deal(1)
    assert len(used) == 1


def test_a_429_is_not_a_failure_while_other_requests_succeed(serve):
    server = serve(per_second=10)
    api = client(server, attempts=2)
    with ThreadPoolExecutor(8) as pool:
        bodies = list(pool.map(api.deal, [1, 2, 3, 4, 5, 6, 7, 8, 9] * 3))
    assert len(bodies) == 27
    assert sum(request.status == 429 for request in server.requests) >= 1


def test_a_long_wait_on_a_503_is_of_that_deal(serve):
    with pytest.raises(ApiError, match="503 for …/deals/1: the server requests a wait of 3600 s") as caught:
        client(serve(Status(503, {"Retry-After": "3600"}))).deal(1)
    assert not isinstance(caught.value, RateLimitError)
    assert not hasattr(caught.value, "wait")


def test_a_long_wait_on_a_429_is_of_the_run_only_if_nothing_else_succeeds():
    long = Status(429, {"Retry-After": "3600"})
    with Server(Deals(), clock=lambda: None, faults=lambda key: long if int(key) > 5 else None) as server:
        api = client(server)
        waits = []
        for code in (1, 6, 2, 7, 3, 6, 7, 8):
            try:
                api.deal(code)
                waits.append("deal")
            except RateLimitError as error:
                waits.append(error.wait)
    assert waits == ["deal", None, "deal", None, "deal", None, None, 3600.0]


@pytest.mark.parametrize(
    "error",
    [ValueError, LookupError, struct.error, UnicodeError, AttributeError, RecursionError, OSError],
)
def test_any_exception_is_the_failure_of_its_deal(serve, error):
    def fail(response, **_):
        raise error("something unforeseen")

    session = requests.Session()
    session.hooks["response"].append(fail)
    with pytest.raises(ApiError, match=r"no response from …/deals/1: .*something unforeseen") as caught:
        client(serve(), session=session).deal(1)
    assert caught.value.__context__ is None


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, MemoryError])
def test_what_concerns_the_process_is_not_the_failure_of_a_deal(serve, error):
    def fail(response, **_):
        raise error

    session = requests.Session()
    session.hooks["response"].append(fail)
    with pytest.raises(error):
        client(serve(), session=session).deal(1)
