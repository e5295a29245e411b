import base64
import json
import logging
import traceback
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
import requests
from server_side import client as asking

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
from wegly_analytics.sandbox import TOKEN
from wegly_analytics.sandbox.faults import FAULTS, Broken, Drip, Status, Times

client = partial(asking, attempts=3)
UUID = "2bce2af3-fd3f-572f-a95b-aaabdbdb7cf3"


class Deals:
    """Deals 1 to 9 and one by UUID."""

    def response(self, key, at):
        return b'{"id": "%s"}' % key.encode() if key == UUID or int(key) < 10 else None


@pytest.fixture
def serve(serve):
    return lambda fault=None, **options: serve(Deals(), faults=(lambda _key: fault) if fault else None, **options)


def test_a_deal_comes_as_the_bytes_that_were_sent(serve):
    server = serve()
    assert client(server).deal(7) == b'{"id": "7"}'
    assert client(server).deal(UUID.upper()) == b'{"id": "%s"}' % UUID.encode()
    assert [r.path.rpartition("/")[2] for r in server.requests] == ["7", UUID]


def test_a_bad_id_is_refused_before_anything_is_asked(serve):
    server = serve()
    with pytest.raises(IdError, match="'7/../8' is no deal id"):
        client(server).deal("7/../8")
    assert server.requests == []


def test_a_missing_deal_is_asked_for_once(serve):
    server = serve()
    with pytest.raises(NotFoundError, match=r"404 for …/deals/10: there is no such deal") as caught:
        client(server).deal(10)
    assert caught.value.status == 404
    assert len(server.requests) == 1


def test_a_wrong_key_is_asked_with_once_and_never_shown(serve):
    server = serve()
    with pytest.raises(AuthError, match=r"401 for …/deals/1: the key was refused") as caught:
        client(server, token="very-secret").deal(1)
    assert "very-secret" not in str(caught.value)
    assert len(server.requests) == 1


def test_an_origin_is_sent_and_its_absence_or_error_named(serve):
    server = serve(origin="https://crm.example.com")
    assert client(server, origin="https://crm.example.com/app").deal(1)
    with pytest.raises(AuthError, match=r"If it has an allowed domain, pass Client\(origin=") as caught:
        client(server).deal(1)
    assert not isinstance(caught.value, OriginError)
    with pytest.raises(OriginError, match="allowed domain may not be https://other.example"):
        client(server, origin="https://other.example").deal(1)


def test_settings_come_from_the_environment_where_they_are_not_given(serve, monkeypatch):
    server = serve(origin="https://crm.example.com")
    monkeypatch.setenv("WEGLY_TOKEN", f" {TOKEN}\n")
    monkeypatch.setenv("WEGLY_BASE_URL", server.url + "/")
    monkeypatch.setenv("WEGLY_ORIGIN", "https://crm.example.com")
    assert Client().deal(1)
    assert repr(Client()) == f"Client('{server.url}', origin='https://crm.example.com', per_second=5.0)"


def test_without_a_key_nothing_is_asked():
    with pytest.raises(AuthError, match="no key: set WEGLY_TOKEN"):
        Client()
    for broken in ("two words", "line\nbreak", "chavé"):
        with pytest.raises(AuthError, match="copy it again"):
            Client(broken)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"base_url": "http://api.wegly.com.br"}, "the key would travel readable; use https"),
        ({"base_url": "http://127.0.0.1.evil.example"}, "use https"),
        ({"base_url": "api.wegly.com.br"}, "give scheme and host"),
        ({"base_url": "https://user:pw@api.wegly.com.br"}, "give scheme and host"),
        ({"base_url": "https://host:99999"}, "give scheme and host"),
        ({"origin": "crm.example.com"}, "origin 'crm.example.com': give scheme and host"),
        ({"attempts": 0}, "must be more than 0"),
        ({"timeout": 0}, "must be more than 0"),
        ({"per_second": -1}, "must be more than 0"),
    ],
)
def test_settings_that_cannot_be_used_are_refused(options, message):
    with pytest.raises(SettingError, match=message):
        Client("key", **options)


@pytest.mark.parametrize(
    "url", ["http://localhost:1", "http://127.0.0.5", "http://[::1]:8080", "https://x.example/v1/"]
)
def test_plain_http_is_for_this_machine_only(url):
    assert Client("key", base_url=url).base_url == url.rstrip("/")


@pytest.mark.parametrize(
    "name", ["error500", "error503", "reset", "short", "limited_zero", "limited_bare", "limited_rubbish"]
)
def test_what_may_pass_is_tried_again(serve, name):
    server = serve(Times(FAULTS[name], 2))
    assert client(server).deal(1) == b'{"id": "1"}'
    assert len(server.requests) == 3


def test_what_does_not_pass_is_named_after_the_last_attempt(serve):
    with pytest.raises(ApiError, match=r"500 for …/deals/1: the server failed at every attempt") as caught:
        client(serve(FAULTS["error500"])).deal(1)
    assert caught.value.status == 500
    server = serve(Status(429, {"Retry-After": "0"}))
    with pytest.raises(RateLimitError, match="too many requests at every attempt"):
        client(server, attempts=2).deal(1)
    assert len(server.requests) == 2


@pytest.mark.parametrize("abrupt", [True, False])
def test_half_an_answer_is_no_answer(serve, abrupt):
    with pytest.raises(ApiError, match=r"no answer from …/deals/1: ") as caught:
        client(serve(Broken(abrupt))).deal(1)
    assert caught.value.status is None
    assert "object at 0x" not in str(caught.value)


def test_nobody_there_is_named(serve):
    server = serve()
    server.stop()
    with pytest.raises(ApiError, match=r"no answer from …/deals/1: ConnectionError, .*[Cc]onnection refused"):
        client(server).deal(1)


def test_waiting_times_that_are_asked_for_are_kept(serve):
    server = serve(Times(Status(429, {"Retry-After": "1"}), 1))
    assert client(server).deal(1)
    first, second = (r.time for r in server.requests)
    assert second - first >= 0.9


def test_nobody_waits_for_hours(serve):
    server = serve(Status(429, {"Retry-After": "3600"}))
    with pytest.raises(
        RateLimitError, match=r"429 for …/deals/1: the server asks to wait 3600 s; run again after that"
    ):
        client(server).deal(1)
    assert len(server.requests) == 1


def test_a_rubbish_waiting_time_means_back_off(serve):
    server = serve(Times(Status(503, {"Retry-After": "soon"}), 1))
    assert client(server).deal(1)


def test_redirects_are_not_followed(serve):
    elsewhere = serve()
    server = serve(Status(302, {"Location": f"{elsewhere.url}/integrations/external/deals/1"}))
    with pytest.raises(ApiError, match="302 for …/deals/1: sent to another address"):
        client(server).deal(1)
    assert elsewhere.requests == []


def test_other_answers_are_not_documented(serve):
    with pytest.raises(ApiError, match="418 for …/deals/1: not an answer that is documented"):
        client(serve(Status(418))).deal(1)


@pytest.mark.parametrize("name", ["huge", "gzip_bomb"])
def test_an_endless_answer_is_cut_off(serve, name):
    with pytest.raises(PayloadError, match=f"expected at most {MAX_BYTES >> 20} MiB, found more"):
        client(serve(FAULTS[name])).deal(1)


def test_a_dripping_answer_is_given_up(serve):
    with pytest.raises(ApiError, match=r"not complete after 0.2 s|timed out"):
        client(serve(Drip(seconds=3)), timeout=0.2, attempts=1).deal(1)


def test_a_session_of_the_users_is_used(serve):
    session = requests.Session()
    seen = []
    session.hooks["response"].append(lambda response, **_: seen.append(response.status_code))
    with session:
        assert client(serve(), session=session).deal(1)
    assert seen == [200]
    assert "Authorization" not in session.headers


def test_a_netrc_does_not_take_the_keys_place(serve, monkeypatch, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login x password y")
    monkeypatch.setenv("NETRC", str(netrc))
    with requests.Session() as session:
        assert client(serve(), session=session).deal(1)


def test_the_key_is_in_no_log_and_no_repr(serve, caplog):
    server = serve()
    caplog.set_level(logging.DEBUG)
    asking = client(server)
    asking.deal(1)
    everything = caplog.text + repr(vars(asking)) + repr(asking)
    assert "/deals/1" in caplog.text
    assert f"Bearer {TOKEN}" not in everything
    assert repr(TOKEN) not in everything


def jwt(**claims):
    text = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"eyJhbGciOiJIUzI1NiJ9.{text}.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    ("token", "said"),
    [
        (jwt(exp=1767225600), r"the key expired on 2026-01-01 at 00:00 UTC; make a new one"),
        (jwt(exp=9e9), r"the key was refused, though it is not to expire before 2255-03-14"),
        (jwt(sub="x"), "the key was refused as unknown or expired"),
        (jwt(exp="soon"), "the key was refused as unknown or expired"),
        (jwt(exp=1e300), "the key was refused as unknown or expired"),
        ("no.jwt!.at.all", "the key was refused as unknown or expired"),
        ("plain", "the key was refused as unknown or expired"),
    ],
)
def test_a_refused_key_says_when_it_expired_if_it_carries_that(serve, token, said):
    with pytest.raises(AuthError, match=said) as caught:
        client(serve(), token=token).deal(1)
    shown = "".join(traceback.format_exception(caught.value))
    assert token not in shown


@pytest.mark.parametrize("name", ["html", "truncated", "empty"])
def test_a_body_that_is_no_object_is_asked_for_again_and_handed_over_at_last(serve, name):
    server = serve(Times(FAULTS[name], 2))
    assert client(server).deal(1) == b'{"id": "1"}'
    assert len(server.requests) == 3
    server = serve(FAULTS[name])
    assert not client(server).deal(1).endswith(b"}")
    assert len(server.requests) == 3


def test_what_a_refusal_says_is_kept_but_never_shown(serve):
    remark = bytes.fromhex("646f206e6f742073686f77206d65")
    with pytest.raises(ApiError) as caught:
        client(serve(Status(403, body=remark))).deal(1)
    assert caught.value.body == remark == b"do not show" + b" me"
    assert "do not show me" not in "".join(traceback.format_exception(caught.value))


def test_a_long_refusal_is_not_read(serve):
    with pytest.raises(ApiError) as caught:
        client(serve(Status(403, body=b"x" * 100_000))).deal(1)
    assert caught.value.body == b""


def test_a_gap_leaves_the_connection_fit_for_use(serve):
    server, session, used = serve(), requests.Session(), set()
    session.hooks["response"].append(lambda response, **_: used.add(response.raw.connection))
    asking = client(server, session=session)
    for code in (10, 11, 12):
        with pytest.raises(NotFoundError):
            asking.deal(code)
    assert asking.deal(1)
    assert len(used) == 1


def test_the_limit_at_work_is_no_failure_while_others_are_let_pass(serve):
    server = serve(per_second=20)
    asking = client(server, attempts=2)
    with ThreadPoolExecutor(8) as pool:
        bodies = list(pool.map(asking.deal, [1, 2, 3, 4, 5, 6, 7, 8, 9] * 6))
    assert len(bodies) == 54
    assert sum(request.status == 429 for request in server.requests) >= 1
