"""Responses mutated at random never end the process, and never change another deal.

The mutations run in a process of their own, because the bulk reader could end it; the seed of the one that does is the
last that was printed.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hostile_bodies import BODIES, deal
from server_side import uuid_of
from strategies import body

from wegly_analytics.parsing.drift import Drift
from wegly_analytics.parsing.flatten import flatten

if TYPE_CHECKING:
    from collections.abc import Mapping

pytestmark = pytest.mark.hard

_ROUNDS: Final = 40
_EACH: Final = 100
_PARTS: Final = [
    *(b"{", b"}", b"[", b"]", b'"', b",", b":", b"\\", b"\n", b"\r", b"\t", b"\0", b" ", b"null", b"NaN", b"1e400"),
    *(b"{}", b'{"', b"\xff", b"\xed\xa0\x80", rb"\ud800", rb"\u0000", b'"id": ', b'"id": "", ', b"[[[[", b"//", b"'"),
    *(b"\xef\xbb\xbf", b'{"wegly_analytics:row":', b'"wegly_analytics:row":0,', b"9" * 30, b"-", b'"tags": [', b"}{"),
]


def _mutated(response: bytes, rng: random.Random) -> bytes:
    changed = bytearray(response)
    for _ in range(rng.choice([1, 1, 2, 3, 8])):
        start = rng.randrange(len(changed) + 1)
        end = min(len(changed), start + rng.choice([0, 0, 1, 1, 5, 50]))
        part = changed[start:end]
        replacement = rng.choice([b"", rng.choice(_PARTS), rng.choice(_PARTS), rng.randbytes(1), bytes(part) * 2])
        changed[start:end] = replacement
    return bytes(changed)


def _only(tables: Mapping[str, pa.Table], ids: list[str]) -> dict[str, pa.Table]:
    wanted = pa.array(ids)
    return {name: t.filter(pc.is_in(t.column("deal_id"), value_set=wanted)) for name, t in tables.items()}


def attack(seed: int) -> None:
    """Flatten mutated responses among valid ones, and compare the valid ones with what they are alone."""
    rng = random.Random(seed)
    drift = Drift()
    valid = [body(deal(code)) for code in range(1, _EACH + 1)]
    changes = [change for change, _ in BODIES.values()]
    hostile = []
    for code in range(_EACH):
        response = body(deal(1_000_000 + code))
        if rng.random() < 0.1 and len(whole := rng.choice(changes)(response)) < 100_000:
            response = whole
        hostile.append(_mutated(response, rng))
    responses = [each for pair in zip(hostile, valid, strict=True) for each in pair]
    flat = flatten(responses)
    for response in hostile:
        drift.look(response)
    ids = [uuid_of(code) for code in range(1, _EACH + 1)]
    assert not {n for n in flat.refused if n % 2}, seed
    assert sorted([*flat.refused, *flat.deal_ids]) == list(range(2 * _EACH)), seed
    alone = flatten(valid).tables
    for name, table in _only(flat.tables, ids).items():
        assert table.equals(alone[name]), (seed, name)
    for name, table in flat.tables.items():
        table.validate(full=True)
        assert set(table.column("deal_id").unique().to_pylist()) <= set(flat.deal_ids.values()), (seed, name)


def test_no_mutation_ends_the_process_or_changes_another_deal() -> None:
    here = Path(__file__)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(here.parents[1]), *sys.path])}
    ended = subprocess.run(
        [sys.executable, str(here)], capture_output=True, text=True, env=environment, check=False, timeout=500
    )
    assert ended.returncode == 0, (ended.returncode, ended.stdout[-100:], ended.stderr[-2_000:])
    assert ended.stdout.splitlines()[-1] == str(_ROUNDS - 1)


if __name__ == "__main__":
    for number in range(_ROUNDS):
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()
        attack(number)
