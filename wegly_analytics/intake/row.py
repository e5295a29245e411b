"""How an archive stores a record: one row, its body packed, with a checksum of all its columns."""

from __future__ import annotations

import zlib
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from wegly_analytics.intake.connection import MAX_BYTES
from wegly_analytics.intake.record import Record

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

_OLDEST: Final = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
_NEWEST: Final = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
"""The microseconds that a time can have."""

_LEVEL: Final = 3
"""Of nine: half the time of zlib's default, for a tenth more bytes."""

_SAFE: Final = MAX_BYTES // 1100
"""The size of a packed body that cannot be larger than `MAX_BYTES`: zlib packs at most 1032 bytes into one."""


class Found(NamedTuple):
    """A record in the archive, without its body."""

    is_final: bool
    at: datetime
    n: int
    status: int | None

    def rank(self, now: datetime | None) -> tuple[bool, bool, datetime, int]:
        """Return what decides between two records of an id; a time after `now` comes before any other."""
        return self.is_final, now is None or self.at <= now, self.at, self.n


class Row(NamedTuple):
    """A row as it is read: texts are bytes, and a damaged file may hold anything in any column."""

    n: int
    requested: Any
    at: Any
    status: Any
    message: Any
    is_final: Any
    body: Any
    crc: Any

    @property
    def is_whole(self) -> bool:
        """Whether every column is as it was written."""
        try:
            return crc_of(*self[:-1]) == self.crc and _OLDEST <= self.at <= _NEWEST and bool(self.requested.decode())
        except (TypeError, ValueError, AttributeError):
            return False

    @property
    def time(self) -> datetime:
        """When the response was received."""
        return time_of(self.at)

    def record(self) -> Record:
        """Unpack the record of a row that is whole; `ValueError` or `zlib.error` if its body cannot be unpacked."""
        body = None if self.body is None else _unpacked(self.body)
        message = None if self.message is None else self.message.decode()
        return Record(self.requested.decode(), self.status, self.time, body, message)


_COLUMNS: Final = ", ".join(Row._fields)
SELECT: Final = f"SELECT {_COLUMNS} FROM response"  # noqa: S608 - of constants
INSERT: Final = f"INSERT INTO response ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608


def columns_of(record: Record) -> tuple[Any, ...]:
    """Pack a record: the columns of its row between the number and the checksum."""
    requested, message = (
        None if text is None else text.encode("utf-8", "replace").decode()
        for text in (record.requested, record.message)
    )
    at = (record.at - _EPOCH) // timedelta(microseconds=1)
    body = None if record.body is None else zlib.compress(record.body, _LEVEL)
    return requested, at, record.status, message, int(record.is_final), body


def crc_of(n: Any, requested: Any, at: Any, status: Any, message: Any, is_final: Any, body: Any) -> int:
    """Compute the checksum of the other columns of a row, the number included; texts count as bytes."""
    requested = requested.encode() if isinstance(requested, str) else requested
    message = message.encode() if isinstance(message, str) else message
    start = zlib.crc32(repr((n, requested, at, status, message, is_final, body is None)).encode())
    return start if body is None else zlib.crc32(body, start)


def time_of(at: int) -> datetime:
    """Turn the microseconds of a row into a time."""
    return _EPOCH + timedelta(0, 0, at)


def _unpacked(body: bytes) -> bytes:
    if len(body) <= _SAFE:
        with suppress(zlib.error):  # which is named below
            return zlib.decompress(body)
    unpacker = zlib.decompressobj()
    unpacked = unpacker.decompress(body, MAX_BYTES + 1)
    if len(unpacked) > MAX_BYTES:
        raise ValueError(f"its body is larger than {MAX_BYTES >> 20} MiB")
    if not unpacker.eof or unpacker.unused_data:
        raise ValueError("its body is cut off")
    return unpacked
