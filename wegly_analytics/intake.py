"""Ids go in, a snapshot comes out: over the network, or from saved answers.

This is the only room that sees network and tables together, and the only one that asks the clock.
"""

from __future__ import annotations

import io
import json
from collections import Counter
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
from tqdm.auto import tqdm

from wegly_analytics.assembly import Answer, Assembly
from wegly_analytics.client import Client
from wegly_analytics.errors import ApiError, AuthError, NotFoundError, PayloadError, SettingError
from wegly_analytics.ids import deal_keys

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from wegly_analytics.snapshot import Snapshot

_PROBES: Final = 3
"""So many first deals may be forbidden before the key itself is taken to be refused."""

_AHEAD: Final = 4
"""Requests that wait per worker, so that none is ever idle."""


def fetch(ids: Iterable[Any], *, client: Client | None = None, workers: int = 8, progress: bool = True) -> Snapshot:
    """Fetch deals over HTTP and make a snapshot of them.

    Parameters
    ----------
    ids
        Codes or UUIDs: a list, a range, a column of a DataFrame. An id given twice is asked for once.
    client
        Who asks; by default ``Client()``, which takes the key from WEGLY_TOKEN.
    workers
        Requests under way at once. The client's `per_second` holds for all of them together.
    progress
        Whether to show a bar, in a terminal or a notebook.

    Returns
    -------
    Snapshot
        The deals that came. Its ledger has one row for every id asked for.

    Raises
    ------
    IdError
        If any id is neither a UUID nor a positive whole number; nothing is asked then.
    AuthError, OriginError
        If the key is refused: at a 401, or when the first deals all answer 403.

    Warns
    -----
    IncompleteWarning
        If deals are missing for a reason other than 404.
    DriftWarning
        If fields came that are not documented.
    """
    keys = deal_keys(ids)
    if workers < 1:
        raise SettingError(f"workers={workers}: at least one worker must ask")
    client = client or Client()
    assembly = Assembly()
    with _Bar(len(keys), progress) as bar:
        for place, answer in _answers(client, keys, workers):
            assembly.add(place, answer)
            bar.count(answer)
    return assembly.snapshot(_now())


def read(paths: str | Path | Iterable[str | Path], *, taken_at: datetime | None = None) -> Snapshot:
    """Make a snapshot of saved answers, without network.

    Parameters
    ----------
    paths
        One file or several: JSON (one deal, or a list of deals) or newline-delimited JSON (``.ndjson``, ``.jsonl``),
        plain or compressed (``.gz``, ``.zst``).
    taken_at
        When the answers were taken, which metrics take for "now"; by default when the newest file was last written.

    Returns
    -------
    Snapshot
        One ledger row for every answer in the files. Of several versions of a deal the newest is kept.

    Raises
    ------
    SettingError
        If a file cannot be read at all. An answer that cannot be is a ledger row.

    Warns
    -----
    IncompleteWarning
        If answers are unreadable.
    DriftWarning
        If fields came that are not documented.
    """
    files = [Path(paths)] if isinstance(paths, str | Path) else [Path(path) for path in paths]
    assembly, place = Assembly(), 0
    moment = taken_at
    for file in files:
        try:
            written = datetime.fromtimestamp(file.stat().st_mtime, UTC)
            for number, body in enumerate(_saved(file), start=1):
                answer = Answer(f"{file.name}:{number}", "fetched", taken_at or written, body=body, check_id=False)
                assembly.add(place, answer)
                place += 1
        except OSError as error:
            raise SettingError(f"{file} cannot be read: {error.strerror or error}") from error
        moment = taken_at or max(moment or written, written)
    return assembly.snapshot(moment or _now())


def _answers(client: Client, keys: list[str], workers: int) -> Iterator[tuple[int, Answer]]:
    """Ask for every key: alone at first, until the client's key is known to be good, then with all workers."""
    client.budget.resume()
    todo = enumerate(keys)
    refused: list[ApiError] = []
    for place, key in islice(todo, _PROBES):
        answer = _ask(client, key)
        yield place, answer
        if not isinstance(answer.error, AuthError):
            refused.clear()
            break
        refused.append(answer.error)
    if refused:
        raise refused[-1]
    pool = ThreadPoolExecutor(workers, thread_name_prefix="wegly")
    under_way: dict[Future[Answer], int] = {}
    try:
        while True:
            for place, key in islice(todo, workers * _AHEAD - len(under_way)):
                under_way[pool.submit(_ask, client, key)] = place
            if not under_way:
                return
            for future in wait(under_way, return_when=FIRST_COMPLETED).done:
                yield under_way.pop(future), future.result()
    finally:  # also when the reader of these answers gives up
        if under_way:
            client.budget.stop()
        pool.shutdown(wait=False, cancel_futures=True)


def _ask(client: Client, key: str) -> Answer:
    try:
        body = client.deal(key)
    except ApiError as error:
        if error.status == 401:
            raise  # no other deal will fare better
        return Answer(key, _outcome(error), _now(), error.status, error)
    except PayloadError as error:
        return Answer(key, "unreadable", _now(), 200, error)
    return Answer(key, "fetched", _now(), 200, body=body)


def _outcome(error: ApiError) -> str:
    if isinstance(error, NotFoundError):
        return "not_found"
    return "forbidden" if isinstance(error, AuthError) else "failed"


def _saved(file: Path) -> Iterator[bytes]:
    """Take the answers out of a file, one by one."""
    with pa.input_stream(str(file), compression="detect") as stream:
        if {".ndjson", ".jsonl"} & set(file.suffixes):
            yield from (line for line in io.BufferedReader(stream) if line.strip())
            return
        whole = stream.read()
    try:
        deals = json.loads(whole)
    except ValueError:
        yield whole  # flatten says what is wrong with it
        return
    if isinstance(deals, list):
        yield from (json.dumps(deal).encode() for deal in deals)
    else:
        yield whole


class _Bar:
    """Progress with the counts that matter: found, missing, failed."""

    def __init__(self, total: int, show: bool) -> None:
        self._bar = tqdm(total=total, desc="Fetching", unit=" deals", disable=not show, dynamic_ncols=True)
        self._counts: Counter[str] = Counter(dict.fromkeys(("found", "missing", "failed"), 0))

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def count(self, answer: Answer) -> None:
        """Count one answer."""
        kind = {"fetched": "found", "not_found": "missing"}.get(answer.outcome, "failed")
        self._counts[kind] += 1
        self._bar.set_postfix(self._counts, refresh=False)
        self._bar.update()


def _now() -> datetime:
    return datetime.now(UTC)
