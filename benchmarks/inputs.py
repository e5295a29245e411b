"""The files that are measured: deals of the simulated company as NDJSON, written once to a folder and kept there.

Nothing here holds a whole file in memory: a million deals take as much as a thousand.
"""

from __future__ import annotations

import gzip
import json
import re
import sys
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from wegly_analytics.sandbox import Company

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

NOW: Final = datetime(2026, 7, 1, tzinfo=UTC)
"""The time of the simulated company, and when the responses were received."""

MONTHS: Final = 17
"""The months that so many deals fill: a few more than are wanted arrive."""


def clean(folder: Path, deals: int) -> Path:
    """Return a file of so many deals, one per line."""
    return _written(folder / f"{short(deals)}.ndjson", _bodies(deals))


def repeated(folder: Path, deals: int, times: int) -> Path:
    """Return a file with the same deals so many times, each time with other ids and codes."""
    source = clean(folder, deals)
    return _written(folder / f"{short(deals * times)}.ndjson", _with_other_ids(source, times))


def refused(folder: Path, deals: int, share: float = 0.01) -> Path:
    """Return a file of the same deals, of which a share cannot be used, for all the reasons in `DAMAGE` in turn."""
    source = clean(folder, deals)
    return _written(folder / f"{short(deals)}-{share:.0%}-refused.ndjson".replace("%", "pc"), _damaged(source, share))


def with_children(folder: Path, children: int, deals: int = 100) -> Path:
    """Return a file of deals whose participants, proposals and tags are so many each."""
    return _written(folder / f"{deals}-with-{children}.ndjson", _with_so_many(children, deals))


def short(n: int) -> str:
    """Write a number as people say it.

    >>> short(100_000), short(1_000_000), short(1_234)
    ('100k', '1m', '1234')
    """
    for size, unit in ((1_000_000, "m"), (1_000, "k")):
        if n and n % size == 0:
            return f"{n // size}{unit}"
    return str(n)


def _bodies(deals: int) -> Iterator[bytes]:
    bodies = (body for _, body in Company(deals_per_month=deals / MONTHS).responses(NOW))
    return islice(bodies, deals)


def _with_so_many(children: int, deals: int) -> Iterator[bytes]:
    found = [json.loads(body) for body in _bodies(deals)]
    patterns = {
        name: next(deal[name][0] for deal in found if deal.get(name)) for name in ("participants", "proposals", "tags")
    }
    for deal in found:
        for name, pattern in patterns.items():
            deal[name] = [{**pattern, "id": str(UUID(int=n))} for n in range(children)]
        yield json.dumps(deal, ensure_ascii=False).encode()


_HEAD: Final = re.compile(rb'\{"id": "[0-9a-f]{4}([0-9a-f-]{32})", "code": (\d+)')


def _with_other_ids(source: Path, times: int) -> Iterator[bytes]:
    for n in range(times):
        with source.open("rb") as lines:
            for line in lines:
                head = _HEAD.match(line)
                assert head
                code = n * 10_000_000 + int(head[2])
                yield b'{"id": "%04x%s", "code": %d%s' % (n, head[1], code, line[head.end() :].rstrip())


def _with(**values: Any) -> Callable[[bytes], bytes]:
    return lambda body: json.dumps({**json.loads(body), **values}).encode()


DAMAGE: Final[dict[str, Callable[[bytes], bytes]]] = {
    "cut off": lambda body: body[: len(body) // 2],
    "HTML": lambda _: b"<!doctype html><html><body><h1>502 Bad Gateway</h1></body></html>",
    "a text in place of a number": _with(value="abc"),
    "a date that is none": _with(created_at="yesterday"),
    "an object in place of a list": _with(tags={"id": "t", "name": "vip"}),
    "a key twice": lambda body: b'{"status": 0, ' + body[1:],
    "no id": _with(id=None),
    "a list": lambda body: b"[" + body + b"]",
    "two deals": lambda body: body + body,
    "not UTF-8": lambda body: body.replace(b'"title": "', b'"title": "\xff\xfe', 1),
    "compressed": lambda body: gzip.compress(body, mtime=0).replace(b"\n", b" ").replace(b"\r", b" "),
    "an error": lambda _: b'{"message": "internal error"}',
}
"""What happens to a response, and how it looks then: each is one line still, and none can be used."""


def _damaged(source: Path, share: float) -> Iterator[bytes]:
    every, changes, n_damaged = round(1 / share), list(DAMAGE.values()), 0
    with source.open("rb") as lines:
        for n, line in enumerate(lines):
            body = line.rstrip(b"\n")
            if n % every == every // 2:
                body = changes[n_damaged % len(changes)](body)
                n_damaged += 1
            yield body


def _written(file: Path, bodies: Iterable[bytes]) -> Path:
    """Write a file unless it is there, and only as a whole."""
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        unfinished = file.with_suffix(".unfinished")
        with unfinished.open("wb", buffering=1 << 20) as stream:
            stream.writelines(body + b"\n" for body in bodies)
        unfinished.replace(file)
    return file


def main() -> None:
    """Write the file that is named, and print its path as JSON."""
    folder, deals, what = sys.argv[1:]
    place, n = Path(folder), int(deals)
    made = {
        "clean": lambda: clean(place, n),
        "repeated": lambda: repeated(place, n, 10),
        "refused": lambda: refused(place, n),
        "children": lambda: with_children(place, n),
    }
    print(json.dumps({"file": str(made[what]())}))


if __name__ == "__main__":
    main()
