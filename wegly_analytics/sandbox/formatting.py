"""How responses write instants, durations, ids and addresses."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from wegly_analytics.sandbox.working_hours import DAY, HOUR

if TYPE_CHECKING:
    from random import Random


def format_instant(instant: int) -> str:
    """Write an instant (seconds since 1970) in UTC."""
    return datetime.fromtimestamp(instant, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def format_past(instant: int | None, at: int) -> str | None:
    """Write an instant that is not after another; otherwise None."""
    return format_instant(instant) if instant is not None and instant <= at else None


def format_duration(seconds: int) -> str:
    """Write a duration in Portuguese, by its two largest units.

    Examples
    --------
    >>> format_duration(90_000)
    '1 dia, 1 hora'
    """
    days, rest = divmod(seconds, DAY)
    hours, rest = divmod(rest, HOUR)
    amounts = ((days, "dia"), (hours, "hora"), (rest // 60, "minuto"))
    parts = [f"{amount} {unit}{'s' * (amount != 1)}" for amount, unit in amounts if amount]
    return ", ".join(parts[:2]) or "menos de um minuto"


def new_id(draw: Random) -> str:
    """Draw a UUID."""
    digits = f"{draw.getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


def without_accents(text: str) -> str:
    """Remove accents, for e-mail addresses.

    Examples
    --------
    >>> without_accents("Patrícia Uchôa")
    'Patricia Uchoa'
    """
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
