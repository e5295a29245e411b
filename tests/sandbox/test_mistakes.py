"""What people naturally pass wrongly to the sandbox, and the errors."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from typing import TYPE_CHECKING

import pytest

from wegly_analytics.sandbox import TAKEN_AT, TRUTH, Company, Saved, Server, faults

if TYPE_CHECKING:
    from collections.abc import Callable

MISTAKES: dict[str, tuple[Callable[[], object], type[Exception], str]] = {
    "no deals": (lambda: Company(deals_per_month=0), ValueError, r"deals_per_month=0: give a number above 0"),
    "negative deals": (lambda: Company(deals_per_month=-65), ValueError, r"deals_per_month=-65: give a number above 0"),
    "infinitely many deals": (lambda: Company(deals_per_month=float("inf")), ValueError, "deals_per_month=inf"),
    "a negative seed": (lambda: Company(seed=-1), ValueError, "seed=-1: give an integer from 0"),
    "a seed as text": (lambda: Company(seed="7"), ValueError, "seed='7': give an integer from 0"),
    "a time without a time zone": (lambda: Company().codes(datetime(2026, 7, 1)), ValueError, "has no time zone: give one"),
    "a date instead of a time": (lambda: Company().codes(date(2026, 7, 1)), TypeError, "is not a datetime: give one"),
    "a time as text": (lambda: Company().response("1", "2026-07-01"), TypeError, "'2026-07-01' is not a datetime"),
    "shares that do not add up": (lambda: replace(TRUTH, sources=TRUTH.sources[1:]), ValueError, "the shares of sources add up to 0.81, not 1"),
    "a year of one month": (lambda: replace(TRUTH, seasons=(1.0,)), ValueError, "seasons has 1 months: give 12"),
    "the class instead of a company": (lambda: Server(Company, clock=lambda: TAKEN_AT), ValueError, r"pass Company\(\), or Saved\(path\)"),
    "a list of deals as source": (lambda: Server([{"code": 1}], clock=lambda: TAKEN_AT), ValueError, r"has no response\(requested_id, at\)"),
    "a time instead of a clock": (lambda: Server(Company(), clock=TAKEN_AT), ValueError, "pass a function, such as lambda: TAKEN_AT"),
    "a port that does not exist": (lambda: Server(Company(), clock=lambda: TAKEN_AT, port=70_000), ValueError, "port=70000: give an integer from 0 to 65535"),
    "a port as text": (lambda: Server(Company(), clock=lambda: TAKEN_AT, port="8765"), ValueError, "port='8765': give an integer"),
    "a negative latency": (lambda: Server(Company(), clock=lambda: TAKEN_AT, latency=-1), ValueError, "latency=-1: give seconds"),
    "a limit of no requests": (lambda: Server(Company(), clock=lambda: TAKEN_AT, per_second=0), ValueError, "per_second=0: give more than 0, or None"),
    "a negative limit": (lambda: Server(Company(), clock=lambda: TAKEN_AT, per_second=-1), ValueError, "per_second=-1: give more than 0, or None"),
    "a fault by name": (lambda: Server(Company(), clock=lambda: TAKEN_AT, faults="reset:0.1"), ValueError, r"pass faults\.parse\('reset:0\.1'\)"),
    "a misspelt fault": (lambda: faults.parse("resett"), ValueError, "no fault is called 'resett'; use one of error500, "),
    "an empty fault": (lambda: faults.parse(""), ValueError, "no fault is called ''"),
    "a share in words": (lambda: faults.parse("reset:often"), ValueError, "'reset:often': write name, name\\*times"),
    "a share in percent": (lambda: faults.parse("reset:10"), ValueError, "share from 0 to 1"),
    "a count in words": (lambda: faults.parse("reset*twice"), ValueError, "'reset\\*twice': write name"),
    "a rate in percent": (lambda: faults.at_random(10, faults.FAULTS["reset"]), ValueError, "rate=10: give a share of the ids, from 0 to 1"),
    "a file that does not exist": (lambda: Saved("/nowhere/deals.ndjson"), FileNotFoundError, "/nowhere/deals.ndjson"),
}  # fmt: skip


@pytest.mark.parametrize(("call", "error", "message"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_named_with_its_remedy(call: Callable[[], object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
