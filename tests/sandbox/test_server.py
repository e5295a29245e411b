"""The local server: it responds like the documented endpoint, and refuses what Wegly would refuse."""

from __future__ import annotations

import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
import requests

from wegly_analytics.sandbox import TAKEN_AT, TOKEN, Company, Server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

DEALS = "/integrations/external/deals/"
AUTHORIZED = {"Authorization": f"Bearer {TOKEN}"}


class Few:
    """Two small deals, 2 and 3."""

    def response(self, requested_id: str, at: datetime) -> bytes | None:
        return json.dumps({"id": requested_id, "at": str(at)}).encode() if requested_id in ("2", "3") else None


@pytest.fixture(scope="module")
def company() -> Company:
    return Company()


@pytest.fixture
def server(company: Company) -> Iterator[Server]:
    with Server(company, clock=lambda: TAKEN_AT) as server:
        yield server


def get(server: Server, requested_id: object, path: str = DEALS, **headers: str) -> requests.Response:
    return requests.get(
        f"{server.url}{path}{requested_id}", headers=AUTHORIZED | headers, timeout=10, allow_redirects=False
    )


def test_a_deal_can_be_requested_by_code_and_by_uuid(server: Server, company: Company) -> None:
    by_code = get(server, 17)
    assert by_code.status_code == 200
    assert by_code.headers["Content-Type"] == "application/json; charset=utf-8"
    assert by_code.content == company.response("17", TAKEN_AT)
    assert get(server, by_code.json()["id"]).content == by_code.content
    assert get(server, "17?lang=pt").content == by_code.content


@pytest.mark.parametrize("requested_id", ["999999999", "0", "", "seventeen", "17/notes", "1" * 5_000, "%00"])
def test_an_unknown_or_malformed_id_is_not_found(server: Server, requested_id: str) -> None:
    response = get(server, requested_id)
    assert response.status_code == 404
    assert response.json()["statusCode"] == 404


def test_no_other_path_is_known(server: Server) -> None:
    assert get(server, "", path="/").status_code == 404
    assert get(server, 17, path="/deals/").status_code == 404


@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer wrong", TOKEN, f"Basic {TOKEN}"])
def test_a_wrong_token_is_refused(server: Server, authorization: str) -> None:
    response = get(server, 17, Authorization=authorization)
    assert (response.status_code, response.json()["message"]) == (401, "Unauthorized")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 403),
        ({"Origin": "https://crm.example.com"}, 200),
        ({"Referer": "https://CRM.example.com/deals?page=2"}, 200),
        ({"Origin": "http://crm.example.com"}, 403),
        ({"Origin": "https://crm.example.com.evil.example"}, 403),
        ({"Origin": "https://["}, 403),
    ],
)
def test_a_token_with_an_allowed_domain_needs_requests_from_it(
    company: Company, headers: dict[str, str], status: int
) -> None:
    with Server(company, clock=lambda: TAKEN_AT, origin="https://crm.example.com/") as server:
        assert get(server, 17, **headers).status_code == status


def test_the_clock_decides_how_much_has_happened(company: Company) -> None:
    now = TAKEN_AT
    with Server(company, clock=lambda: now) as server:
        last = company.codes(TAKEN_AT)[-1]
        before = get(server, last + 20).status_code
        now += timedelta(days=30)
        assert (before, get(server, last + 20).status_code) == (404, 200)


def test_every_request_is_recorded_in_order() -> None:
    with Server(Few(), clock=lambda: TAKEN_AT) as server:
        for code in (1, 2, 3):
            get(server, code)
        assert [(each.path, each.status) for each in server.requests] == [
            (f"{DEALS}1", 404),
            (f"{DEALS}2", 200),
            (f"{DEALS}3", 200),
        ]
        times = [each.time for each in server.requests]
        assert times == sorted(times)


def test_too_many_requests_get_429_and_pass_later() -> None:
    with Server(Few(), clock=lambda: TAKEN_AT, per_second=5) as server, requests.Session() as session:
        session.headers.update(AUTHORIZED)
        start = time.monotonic()
        responses = [session.get(f"{server.url}{DEALS}2", timeout=10) for _ in range(8)]
        elapsed = time.monotonic() - start
        refused = [response for response in responses if response.status_code == 429]
        assert 8 - 5 - 5 * elapsed <= len(refused) <= 3, "a slow machine regains five requests a second"
        assert not refused or {response.headers["Retry-After"] for response in refused} == {"1"}
        time.sleep(0.25)
        assert session.get(f"{server.url}{DEALS}2", timeout=10).status_code == 200


def test_a_lower_limit_needs_longer_waits() -> None:
    with Server(Few(), clock=lambda: TAKEN_AT, per_second=0.25) as server:
        assert get(server, 2).status_code == 200
        assert get(server, 2).headers["Retry-After"] == "4"


def test_latency_delays_each_response() -> None:
    with Server(Few(), clock=lambda: TAKEN_AT, latency=0.1) as server:
        start = time.monotonic()
        assert get(server, 2).status_code == 200
        assert 0.1 <= time.monotonic() - start < 2


def test_many_threads_get_their_own_responses_over_kept_connections(server: Server, company: Company) -> None:
    codes = list(range(1, 161))

    def get_all(some: list[int]) -> dict[int, bytes | None]:
        with requests.Session() as session:
            session.headers.update(AUTHORIZED)
            responses = {code: session.get(f"{server.url}{DEALS}{code}", timeout=10) for code in some}
        return {code: response.content if response.ok else None for code, response in responses.items()}

    with ThreadPoolExecutor(8) as pool:
        found = {
            code: body for part in pool.map(get_all, [codes[n::8] for n in range(8)]) for code, body in part.items()
        }
    assert found == {code: company.response(str(code), TAKEN_AT) for code in codes}
    assert len(server.requests) == len(codes)


def test_clients_that_disconnect_do_not_disturb_others(server: Server, capfd: pytest.CaptureFixture[str]) -> None:
    address = (urlsplit(server.url).hostname, urlsplit(server.url).port)
    request = f"GET {DEALS}17 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode()
    for sent in (b"", b"GET ", b"\r\n\r\n", b"\x16\x03\x01nonsense\r\n\r\n", request[:-2], request * 50):
        with socket.create_connection(address) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
            connection.sendall(sent)
    assert get(server, 17).status_code == 200
    assert capfd.readouterr() == ("", "")


def test_a_client_may_have_the_connection_closed(server: Server) -> None:
    assert get(server, 17, Connection="close").headers["Connection"] == "close"


def test_it_listens_on_loopback_only(server: Server) -> None:
    assert urlsplit(server.url).hostname == "127.0.0.1"


def test_stopping_closes_connections_even_during_a_wait() -> None:
    with ThreadPoolExecutor(1) as pool, Server(Few(), clock=lambda: TAKEN_AT, latency=60) as server:
        waiting = pool.submit(get, server, 2)
        time.sleep(0.1)
        start = time.monotonic()
        server.stop()
        assert time.monotonic() - start < 2
        with pytest.raises(requests.ConnectionError):
            waiting.result()
    with pytest.raises(requests.ConnectionError):
        get(server, 2)


@pytest.mark.parametrize("started", [False, True])
def test_it_serves_until_it_is_stopped(started: bool) -> None:
    server = Server(Few(), clock=lambda: TAKEN_AT)
    if started:
        server.start()
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    assert get(server, 2).status_code == 200
    server.stop()
    serving.join(5)
    assert not serving.is_alive()
    assert repr(server) == f"Server({server.url!r})"


def test_a_taken_port_is_an_error_and_a_stopped_server_releases_its_port() -> None:
    first = Server(Few(), clock=lambda: TAKEN_AT)
    port = urlsplit(first.url).port
    assert port
    with pytest.raises(OSError, match="in use"):
        Server(Few(), clock=lambda: TAKEN_AT, port=port)
    first.stop()
    with Server(Few(), clock=lambda: TAKEN_AT, port=port) as second:
        assert get(second, 3).status_code == 200
