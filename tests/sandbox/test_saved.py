"""Saved deals in place of the simulated company."""

from __future__ import annotations

import gzip
import itertools
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
import requests

from wegly_analytics.sandbox import TAKEN_AT, TOKEN, Company, Saved, Server

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
def test_saved_deals_are_served_as_they_were(tmp_path: Path, name: str) -> None:
    bodies = dict(itertools.islice(Company().responses(TAKEN_AT), 50))
    path = tmp_path / name
    path.write_bytes(PACKED[name](b"\n".join(bodies.values())))
    deals = Saved(path)
    assert deals.codes(TAKEN_AT) == range(1, max(bodies) + 1)
    assert dict(deals.responses(TAKEN_AT)) == bodies
    assert deals.response("0", TAKEN_AT) is None
    with Server(deals, clock=lambda: TAKEN_AT) as server:
        url = f"{server.url}/integrations/external/deals/2"
        assert requests.get(url, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=10).content == bodies[2]


def test_lines_are_served_unchanged(tmp_path: Path) -> None:
    line = f'{{ "value":1.50,"code" : 12, "id":"{UUID}", "title": "Ação \\u00e9" }}'
    deals = saved(tmp_path, f"\n{line}\r\n\n")
    for requested_id in ("12", "012", UUID, UUID.upper()):
        assert deals.response(requested_id, TAKEN_AT) == line.encode()
    assert deals.response("13", TAKEN_AT) is None
    assert repr(deals) == f"Saved({str(tmp_path / 'deals.ndjson')!r})"


def test_an_id_or_a_code_is_enough(tmp_path: Path) -> None:
    deals = saved(tmp_path, '{"id": "lead-7"}\n{"code": 3, "id": null}\n')
    assert deals.response("lead-7", TAKEN_AT) == b'{"id": "lead-7"}'
    assert deals.response("3", TAKEN_AT) == b'{"code": 3, "id": null}'


def test_the_later_of_two_lines_counts(tmp_path: Path) -> None:
    deals = saved(tmp_path, '{"code": 1, "value": 1}\n{"code": 1, "value": 2}\n')
    assert deals.response("1", TAKEN_AT) == b'{"code": 1, "value": 2}'


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "not JSON"),
        ("[1]", "list instead of a deal"),
        ("17", "int instead of a deal"),
        ("{}", "neither id nor code"),
        ('{"code": true, "id": ""}', "neither id nor code"),
        ('{"code": "12"}', "neither id nor code"),
    ],
)
def test_a_line_that_is_not_a_deal_is_named(tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(ValueError, match=rf"deals\.ndjson:2: {message}"):
        saved(tmp_path, f'{{"code": 1}}\n{line}\n')


@pytest.mark.parametrize("name", ["deals.ndjson.gz", "deals.ndjson.zst"])
def test_a_file_that_cannot_be_decompressed_is_named(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b'{"code": 1}\n')
    with pytest.raises(ValueError, match="cannot be decompressed"):
        Saved(path)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Saved(tmp_path / "deals.ndjson")
