"""Saved deals in the company's place."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
import requests

from wegly_analytics.sandbox import MOMENT, TOKEN, Company, Saved, Server

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PACKED: dict[str, Callable[[bytes], bytes]] = {
    "deals.ndjson": lambda content: content,
    "deals.ndjson.gz": gzip.compress,
    "deals.ndjson.zst": lambda content: pa.compress(content, codec="zstd", asbytes=True),
}
UUID = "19647680-cb9f-5dbf-82ec-75a76e2f61e2"


def saved(folder: Path, content: str) -> Saved:
    path = folder / "deals.ndjson"
    path.write_text(content, encoding="utf-8")
    return Saved(path)


@pytest.mark.parametrize("name", PACKED)
def test_a_saved_company_answers_as_it_did(tmp_path: Path, name: str) -> None:
    company = Company()
    answers = dict(list(company.answers(MOMENT))[:200])
    path = tmp_path / name
    path.write_bytes(PACKED[name](b"\n".join(answers.values())))
    deals = Saved(path)
    assert deals.codes(MOMENT) == range(1, max(answers) + 1)
    assert dict(deals.answers(MOMENT)) == answers
    assert deals.answer("0", MOMENT) is None
    with Server(deals, clock=lambda: MOMENT) as server:
        url = f"{server.url}/integrations/external/deals/2"
        assert requests.get(url, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=10).content == answers[2]


def test_lines_come_back_verbatim(tmp_path: Path) -> None:
    line = f'{{ "value":1.50,"code" : 12, "id":"{UUID}", "title": "Ação \\u00e9" }}'
    deals = saved(tmp_path, f"\n{line}\r\n\n")
    for key in ("12", "012", UUID, UUID.upper()):
        assert deals.answer(key, MOMENT) == line.encode()
    assert deals.answer("13", MOMENT) is None
    assert repr(deals) == f"Saved({str(tmp_path / 'deals.ndjson')!r})"


def test_an_id_or_a_code_is_enough(tmp_path: Path) -> None:
    deals = saved(tmp_path, '{"id": "lead-7"}\n{"code": 3, "id": null}\n')
    assert deals.answer("lead-7", MOMENT) == b'{"id": "lead-7"}'
    assert deals.answer("3", MOMENT) == b'{"code": 3, "id": null}'


def test_the_later_of_two_lines_counts(tmp_path: Path) -> None:
    deals = saved(tmp_path, '{"code": 1, "value": 1}\n{"code": 1, "value": 2}\n')
    assert deals.answer("1", MOMENT) == b'{"code": 1, "value": 2}'


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("{", "no JSON"),
        ("[1]", "a list where a deal should be"),
        ("17", "a int where a deal should be"),
        ("{}", "neither id nor code"),
        ('{"code": true, "id": ""}', "neither id nor code"),
        ('{"code": "12"}', "neither id nor code"),
    ],
)
def test_a_line_that_is_no_deal_is_named(tmp_path: Path, line: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=rf"deals\.ndjson:2: {complaint}"):
        saved(tmp_path, f'{{"code": 1}}\n{line}\n')


@pytest.mark.parametrize("name", ["deals.ndjson.gz", "deals.ndjson.zst"])
def test_a_file_that_does_not_unpack_is_named(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b'{"code": 1}\n')
    with pytest.raises(ValueError, match="does not unpack"):
        Saved(path)


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Saved(tmp_path / "deals.ndjson")
