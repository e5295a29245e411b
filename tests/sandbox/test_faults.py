"""The catalogue of faults: each does what its name says."""

from __future__ import annotations

import json
import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from wegly_analytics.parsing.decode import decode
from wegly_analytics.sandbox import TAKEN_AT, TOKEN, Server, faults

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

DEAL = {"id": "a", "code": 1, "title": "Licença", "value": 10, "tags": [], "stage": {"name": "Novo"}}
BODY = json.dumps(DEAL, ensure_ascii=False).encode()
SMALLER: dict[str, faults.Fault] = {
    "huge": faults.Huge(megabytes=3),
    "gzip_bomb": faults.Bomb(megabytes=3),
    "drip": faults.Drip(seconds=0.2, parts=4),
}


class OneDeal:
    def response(self, requested_id: str, at: datetime) -> bytes | None:
        return None if requested_id == "404" else BODY


def server_with(fault: faults.Fault) -> Server:
    return Server(OneDeal(), clock=lambda: TAKEN_AT, faults=lambda _: fault)


def get(server: Server, requested_id: object = 1) -> requests.Response:
    return requests.get(
        f"{server.url}/integrations/external/deals/{requested_id}",
        headers={"Authorization": f"Bearer {TOKEN}"},
        timeout=10,
        allow_redirects=False,
    )


def response_to(name: str) -> requests.Response:
    with server_with(SMALLER.get(name, faults.FAULTS[name])) as server:
        return get(server)


@pytest.mark.parametrize(
    ("name", "status", "header"),
    [
        ("error500", 500, None),
        ("error503", 503, ("Retry-After", "1")),
        ("limited", 429, ("Retry-After", "1")),
        ("limited_zero", 429, ("Retry-After", "0")),
        ("limited_bare", 429, ("Retry-After", None)),
        ("limited_rubbish", 429, ("Retry-After", "daqui a pouco")),
        ("unauthorized", 401, None),
        ("forbidden", 403, None),
        ("not_found", 404, None),
        ("redirect", 302, ("Location", "https://elsewhere.example.com/integrations/external/deals/1")),
    ],
)
def test_refusals_have_their_status_and_headers(name: str, status: int, header: tuple[str, str | None] | None) -> None:
    response = response_to(name)
    assert response.status_code == status
    if header:
        assert response.headers.get(header[0]) == header[1]


def test_retry_after_may_be_a_date() -> None:
    response = response_to("limited_date")
    until = parsedate_to_datetime(response.headers["Retry-After"]).timestamp()
    assert response.status_code == 429
    assert 0 < until - time.time() <= 2


@pytest.mark.parametrize(("name", "error"), [("reset", "reset by peer"), ("short", "IncompleteRead")])
def test_responses_that_break_off(name: str, error: str) -> None:
    with pytest.raises(requests.exceptions.ChunkedEncodingError, match=error):
        response_to(name)


def is_json(body: bytes) -> bool:
    try:
        decode(body)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize(
    "name", ["html", "empty", "truncated", "bad_utf8", "deep", "spaces", "two_objects", "gzip_inside"]
)
def test_responses_that_are_not_json(name: str) -> None:
    response = response_to(name)
    assert response.status_code == 200
    assert len(response.content) == int(response.headers["Content-Length"])
    assert not is_json(response.content)


CHANGES: dict[str, Callable[[dict[str, object]], bool]] = {
    "lone_surrogate": lambda deal: deal["title"] == "\ud800",
    "wrong_type": lambda deal: deal["value"] == "abc",
    "new_field": lambda deal: "mood" in deal,
    "huge": lambda deal: len(str(deal["padding"])) == 3 << 20,
    "drip": lambda deal: deal == DEAL,
    "duplicate_key": lambda deal: deal["status"] == 3,
    "gzip_bomb": lambda deal: deal == {},
    "no_id": lambda deal: deal["id"] is None,
    "many_keys": lambda deal: len(deal) == len(DEAL) + 100_000,
    "repeated_keys": lambda deal: len(deal) == len(DEAL) + 30_000,
    "surrogate_key": lambda deal: "\ud800" in deal,
    "nulls": lambda deal: set(deal["tags"]) == {None},  # type: ignore[call-overload]
    "infinity": lambda deal: deal["value"] == float("inf"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_responses_with_changed_json(name: str) -> None:
    assert CHANGES[name](response_to(name).json())


def test_a_key_may_occur_twice() -> None:
    body = faults.FAULTS["duplicate_key"]
    with Server(OneDeal(), clock=lambda: TAKEN_AT, faults={"1": body}) as server:
        assert get(server).content.startswith(b'{"status": 3, "id"')


def test_a_drip_is_slow() -> None:
    start = time.monotonic()
    response_to("drip")
    assert 0.2 <= time.monotonic() - start < 3


def test_a_gzip_bomb_is_small_when_sent() -> None:
    response = response_to("gzip_bomb")
    assert int(response.headers["Content-Length"]) * 500 < len(response.content)


def test_no_fault_breaks_the_server() -> None:
    plan = {str(code): SMALLER.get(name, fault) for code, (name, fault) in enumerate(faults.FAULTS.items(), 1)}
    with Server(OneDeal(), clock=lambda: TAKEN_AT, faults=plan) as server:
        for requested_id in plan:
            try:
                get(server, requested_id)
            except requests.RequestException:
                continue
        assert get(server, 99).content == BODY
        assert len(server.requests) == len(plan) + 1


def test_a_fault_may_be_temporary_and_gaps_stay_gaps() -> None:
    with server_with(faults.Times(faults.FAULTS["error500"], 2)) as server:
        assert [get(server, 7).status_code for _ in range(4)] == [500, 500, 200, 200]
        assert get(server, 8).status_code == 500
        assert get(server, 404).status_code == 404


@pytest.mark.parametrize(
    ("path", "value", "found"),
    [
        ("value", "abc", "abc"),
        ("stage.name", 7, {"name": 7}),
        ("stage.pipeline.id", 7, {"name": "Novo", "pipeline": {"id": 7}}),
        ("tags", "none", "none"),
        ("tags[]", 7, [7]),
        ("tags[].color", 7, [{"color": 7}]),
        ("participants[].person.contacts[].type", "x", [{"person": {"contacts": [{"type": "x"}]}}]),
    ],
)
def test_any_value_can_be_sent_at_any_path(path: str, value: object, found: object) -> None:
    with server_with(faults.wrong_type(path, value)) as server:
        deal = get(server).json()
    name = path.partition(".")[0].removesuffix("[]")
    assert deal == DEAL | {name: found}


@given(rate=st.floats(0, 1), seed=st.integers())
def test_a_share_of_ids_meets_a_fault_always_the_same_ids(rate: float, seed: int) -> None:
    ids = [str(code) for code in range(400)]
    choose, again = (faults.at_random(rate, faults.FAULTS["empty"], seed) for _ in range(2))
    met = [each for each in ids if choose(each)]
    assert met == [each for each in ids if again(each)]
    assert abs(len(met) / len(ids) - rate) < 0.15


def test_faults_are_chosen_by_text() -> None:
    ids = [str(code) for code in range(2_000)]
    assert {faults.parse("reset")(each) for each in ids} == {faults.FAULTS["reset"]}
    some = [faults.parse("reset:0.1, error500*2:0.5")(each) for each in ids]
    assert 150 < some.count(faults.FAULTS["reset"]) < 250
    assert 800 < some.count(faults.Times(faults.FAULTS["error500"], 2)) < 1_000
    assert 800 < some.count(None) < 1_000
