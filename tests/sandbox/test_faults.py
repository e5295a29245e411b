"""The catalogue of misbehaviour: each fault does what its name says."""

from __future__ import annotations

import json
import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from wegly_analytics.sandbox import MOMENT, TOKEN, Server, faults

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

DEAL = {"id": "a", "code": 1, "title": "Licença", "value": 10, "tags": [], "stage": {"name": "Novo"}}
HONEST = json.dumps(DEAL, ensure_ascii=False).encode()
SMALLER: dict[str, faults.Fault] = {
    "huge": faults.Huge(megabytes=3),
    "gzip_bomb": faults.Bomb(megabytes=3),
    "drip": faults.Drip(seconds=0.2, drops=4),
}


class OneDeal:
    def answer(self, key: str, at: datetime) -> bytes | None:
        return None if key == "404" else HONEST


def served(fault: faults.Fault) -> Server:
    return Server(OneDeal(), clock=lambda: MOMENT, faults=lambda _: fault)


def ask(server: Server, key: object = 1) -> requests.Response:
    return requests.get(
        f"{server.url}/integrations/external/deals/{key}",
        headers={"Authorization": f"Bearer {TOKEN}"},
        timeout=10,
        allow_redirects=False,
    )


def answer_to(name: str) -> requests.Response:
    with served(SMALLER.get(name, faults.FAULTS[name])) as server:
        return ask(server)


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
def test_refusals(name: str, status: int, header: tuple[str, str | None] | None) -> None:
    answer = answer_to(name)
    assert answer.status_code == status
    if header:
        assert answer.headers.get(header[0]) == header[1]


def test_a_wait_may_be_given_as_a_date() -> None:
    answer = answer_to("limited_date")
    until = parsedate_to_datetime(answer.headers["Retry-After"]).timestamp()
    assert answer.status_code == 429
    assert 0 < until - time.time() <= 2


@pytest.mark.parametrize(("name", "error"), [("reset", "reset by peer"), ("short", "IncompleteRead")])
def test_answers_that_break_off(name: str, error: str) -> None:
    with pytest.raises(requests.exceptions.ChunkedEncodingError, match=error):
        answer_to(name)


def is_json(body: bytes) -> bool:
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        return False
    return True


@pytest.mark.parametrize("name", ["html", "empty", "truncated", "bad_utf8", "deep"])
def test_answers_that_no_parser_takes(name: str) -> None:
    answer = answer_to(name)
    assert answer.status_code == 200
    assert len(answer.content) == int(answer.headers["Content-Length"])
    assert not is_json(answer.content)


CHANGES: dict[str, Callable[[dict[str, object]], bool]] = {
    "lone_surrogate": lambda deal: deal["title"] == "\ud800",
    "wrong_type": lambda deal: deal["value"] == "abc",
    "new_field": lambda deal: "mood" in deal,
    "huge": lambda deal: len(str(deal["padding"])) == 3 << 20,
    "drip": lambda deal: deal == DEAL,
    "duplicate_key": lambda deal: deal["status"] == 3,
    "gzip_bomb": lambda deal: deal == {},
}


@pytest.mark.parametrize("name", CHANGES)
def test_answers_that_are_json_of_another_kind(name: str) -> None:
    assert CHANGES[name](answer_to(name).json())


def test_a_key_may_come_twice() -> None:
    body = faults.FAULTS["duplicate_key"]
    with Server(OneDeal(), clock=lambda: MOMENT, faults={"1": body}) as server:
        assert ask(server).content.startswith(b'{"status": 3, "id"')


def test_a_drip_takes_its_time() -> None:
    start = time.monotonic()
    answer_to("drip")
    assert 0.2 <= time.monotonic() - start < 3


def test_a_bomb_is_small_on_the_way() -> None:
    answer = answer_to("gzip_bomb")
    assert int(answer.headers["Content-Length"]) * 500 < len(answer.content)


def test_every_fault_in_the_catalogue_leaves_the_server_fit() -> None:
    plan = {str(code): SMALLER.get(name, fault) for code, (name, fault) in enumerate(faults.FAULTS.items(), 1)}
    with Server(OneDeal(), clock=lambda: MOMENT, faults=plan) as server:
        for key in plan:
            try:
                ask(server, key)
            except requests.RequestException:
                continue
        assert ask(server, 99).content == HONEST
        assert len(server.requests) == len(plan) + 1


def test_faults_can_pass_and_gaps_stay_gaps() -> None:
    with served(faults.Times(faults.FAULTS["error500"], 2)) as server:
        assert [ask(server, 7).status_code for _ in range(4)] == [500, 500, 200, 200]
        assert ask(server, 8).status_code == 500
        assert ask(server, 404).status_code == 404


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
def test_any_value_can_stand_at_any_path(path: str, value: object, found: object) -> None:
    with served(faults.wrong_type(path, value)) as server:
        deal = ask(server).json()
    name = path.partition(".")[0].removesuffix("[]")
    assert deal == DEAL | {name: found}


@given(rate=st.floats(0, 1), seed=st.integers())
def test_a_share_of_keys_is_met_always_the_same(rate: float, seed: int) -> None:
    keys = [str(code) for code in range(400)]
    choose, again = (faults.at_random(rate, faults.FAULTS["empty"], seed) for _ in range(2))
    met = [key for key in keys if choose(key)]
    assert met == [key for key in keys if again(key)]
    assert abs(len(met) / len(keys) - rate) < 0.15


def test_text_chooses_faults() -> None:
    keys = [str(code) for code in range(2_000)]
    assert {faults.parse("reset")(key) for key in keys} == {faults.FAULTS["reset"]}
    some = [faults.parse("reset:0.1, error500*2:0.5")(key) for key in keys]
    assert 150 < some.count(faults.FAULTS["reset"]) < 250
    assert 800 < some.count(faults.Times(faults.FAULTS["error500"], 2)) < 1_000
    assert 800 < some.count(None) < 1_000


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("resett", "no fault is called 'resett'; there are error500, "),
        ("", "no fault is called ''"),
        ("reset:often", "'reset:often': write name"),
        ("reset:1.5", "share from 0 to 1"),
        ("reset*twice", "write name"),
    ],
)
def test_text_that_names_no_fault_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint.replace("*", r"\*")):
        faults.parse(text)
