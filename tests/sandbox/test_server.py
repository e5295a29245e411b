"""The local server: it answers like the documented endpoint, and refuses what Wegly would refuse."""

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

from wegly_analytics.sandbox import MOMENT, TOKEN, Company, Server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

DEALS = "/integrations/external/deals/"
KEY = {"Authorization": f"Bearer {TOKEN}"}


class Few:
    """Three small deals, the first of which cannot be seen."""

    def answer(self, key: str, at: datetime) -> bytes | None:
        return json.dumps({"id": key, "at": str(at)}).encode() if key in ("2", "3") else None


@pytest.fixture(scope="module")
def company() -> Company:
    return Company()


@pytest.fixture
def server(company: Company) -> Iterator[Server]:
    with Server(company, clock=lambda: MOMENT) as server:
        yield server


def ask(server: Server, key: object, path: str = DEALS, **headers: str) -> requests.Response:
    return requests.get(f"{server.url}{path}{key}", headers=KEY | headers, timeout=10, allow_redirects=False)


def test_a_deal_is_answered_by_code_and_by_uuid_as_the_company_knows_it(server: Server, company: Company) -> None:
    by_code = ask(server, 17)
    assert by_code.status_code == 200
    assert by_code.headers["Content-Type"] == "application/json; charset=utf-8"
    assert by_code.content == company.answer("17", MOMENT)
    assert ask(server, by_code.json()["id"]).content == by_code.content
    assert ask(server, "17?lang=pt").content == by_code.content


@pytest.mark.parametrize("key", ["999999999", "0", "", "seventeen", "17/notes", "1" * 5_000, "%00"])
def test_an_unknown_or_malformed_id_is_not_found(server: Server, key: str) -> None:
    answer = ask(server, key)
    assert answer.status_code == 404
    assert answer.json()["statusCode"] == 404


def test_no_other_path_is_known(server: Server) -> None:
    assert ask(server, "", path="/").status_code == 404
    assert ask(server, 17, path="/deals/").status_code == 404


@pytest.mark.parametrize("key", ["", "Bearer", "Bearer wrong", TOKEN, f"Basic {TOKEN}"])
def test_a_wrong_key_is_refused(server: Server, key: str) -> None:
    answer = ask(server, 17, Authorization=key)
    assert (answer.status_code, answer.json()["message"]) == (401, "Unauthorized")


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
def test_where_the_key_has_a_domain_requests_must_come_from_it(
    company: Company, headers: dict[str, str], status: int
) -> None:
    with Server(company, clock=lambda: MOMENT, origin="https://crm.example.com/") as server:
        assert ask(server, 17, **headers).status_code == status


def test_the_clock_decides_how_much_has_happened(company: Company) -> None:
    moment = MOMENT
    with Server(company, clock=lambda: moment) as server:
        last = company.codes(MOMENT)[-1]
        before = ask(server, last + 20).status_code
        moment += timedelta(days=30)
        assert (before, ask(server, last + 20).status_code) == (404, 200)


def test_every_request_is_noted_in_order() -> None:
    with Server(Few(), clock=lambda: MOMENT) as server:
        for key in (1, 2, 3):
            ask(server, key)
        assert [(each.path, each.status) for each in server.requests] == [
            (f"{DEALS}1", 404),
            (f"{DEALS}2", 200),
            (f"{DEALS}3", 200),
        ]
        moments = [each.moment for each in server.requests]
        assert moments == sorted(moments)


def test_too_many_requests_are_told_to_wait_and_may_then_pass() -> None:
    with Server(Few(), clock=lambda: MOMENT, per_second=5) as server, requests.Session() as session:
        session.headers.update(KEY)
        start = time.monotonic()
        answers = [session.get(f"{server.url}{DEALS}2", timeout=10) for _ in range(8)]
        elapsed = time.monotonic() - start
        refused = [answer for answer in answers if answer.status_code == 429]
        assert 8 - 5 - 5 * elapsed <= len(refused) <= 3, "a slow machine regains five requests a second"
        assert not refused or {answer.headers["Retry-After"] for answer in refused} == {"1"}
        time.sleep(0.25)
        assert session.get(f"{server.url}{DEALS}2", timeout=10).status_code == 200


def test_a_slower_limit_asks_for_longer_waits() -> None:
    with Server(Few(), clock=lambda: MOMENT, per_second=0.25) as server:
        assert ask(server, 2).status_code == 200
        assert ask(server, 2).headers["Retry-After"] == "4"


def test_a_limit_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="per_second=-1"):
        Server(Few(), clock=lambda: MOMENT, per_second=-1)


def test_latency_delays_each_answer() -> None:
    with Server(Few(), clock=lambda: MOMENT, latency=0.1) as server:
        start = time.monotonic()
        assert ask(server, 2).status_code == 200
        assert 0.1 <= time.monotonic() - start < 2


def test_many_threads_get_their_own_answers_over_kept_connections(server: Server, company: Company) -> None:
    codes = list(range(1, 401))

    def ask_some(some: list[int]) -> dict[int, bytes | None]:
        with requests.Session() as session:
            session.headers.update(KEY)
            answers = {code: session.get(f"{server.url}{DEALS}{code}", timeout=10) for code in some}
        return {code: answer.content if answer.ok else None for code, answer in answers.items()}

    with ThreadPoolExecutor(8) as pool:
        found = {
            code: body for part in pool.map(ask_some, [codes[n::8] for n in range(8)]) for code, body in part.items()
        }
    assert found == {code: company.answer(str(code), MOMENT) for code in codes}
    assert len(server.requests) == len(codes)


def test_clients_that_go_away_do_no_harm(server: Server, capfd: pytest.CaptureFixture[str]) -> None:
    address = (urlsplit(server.url).hostname, urlsplit(server.url).port)
    request = f"GET {DEALS}17 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode()
    for sent in (b"", b"GET ", b"\r\n\r\n", b"\x16\x03\x01nonsense\r\n\r\n", request[:-2], request * 50):
        with socket.create_connection(address) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
            connection.sendall(sent)
    assert ask(server, 17).status_code == 200
    assert capfd.readouterr() == ("", "")


def test_a_client_may_ask_to_close_the_connection(server: Server) -> None:
    assert ask(server, 17, Connection="close").headers["Connection"] == "close"


def test_it_listens_on_this_machine_only(server: Server) -> None:
    assert urlsplit(server.url).hostname == "127.0.0.1"


def test_stopping_hangs_up_even_in_the_middle_of_a_wait() -> None:
    with ThreadPoolExecutor(1) as pool, Server(Few(), clock=lambda: MOMENT, latency=60) as server:
        waiting = pool.submit(ask, server, 2)
        time.sleep(0.1)
        start = time.monotonic()
        server.stop()
        assert time.monotonic() - start < 2
        with pytest.raises(requests.ConnectionError):
            waiting.result()
    with pytest.raises(requests.ConnectionError):
        ask(server, 2)


@pytest.mark.parametrize("started", [False, True])
def test_it_serves_until_it_is_stopped(started: bool) -> None:
    server = Server(Few(), clock=lambda: MOMENT)
    if started:
        server.start()
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    assert ask(server, 2).status_code == 200
    server.stop()
    serving.join(5)
    assert not serving.is_alive()
    assert repr(server) == f"Server({server.url!r})"


def test_a_taken_port_is_an_error_and_a_stopped_server_gives_its_port_back() -> None:
    first = Server(Few(), clock=lambda: MOMENT)
    port = urlsplit(first.url).port
    assert port
    with pytest.raises(OSError, match="in use"):
        Server(Few(), clock=lambda: MOMENT, port=port)
    first.stop()
    with Server(Few(), clock=lambda: MOMENT, port=port) as second:
        assert ask(second, 3).status_code == 200
