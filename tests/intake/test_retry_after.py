from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wegly_analytics.intake.retry_after import LONGEST, retry_after

NOW = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
LATER = "Wed, 01 Jul 2026 12:00:30 GMT"


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("5", 5.0),
        (" 5 ", 5.0),
        ("007", 7.0),
        ("1.5", 1.5),
        ("1000000000", 1e9),
        ("9" * 5000, LONGEST),
        (LATER, 30.0),
        ("Wednesday, 01-Jul-26 12:00:30 GMT", 30.0),
        ("Wed Jul  1 12:00:30 2026", 30.0),
        ("Wed, 01 Jul 2026 14:00:30 +0200", 30.0),
        ("Wed, 01 Jul 2026 12:00:30 -0000", 30.0),
        ("Tue, 30 Jun 2026 12:00:00 GMT", 0.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", LONGEST),
        ("5, 10", 10.0),
        (f"{LATER}, 5", 30.0),
        (f"40, {LATER}", 40.0),
        (f"{LATER}, {LATER}", 30.0),
        ("soon, 3", 3.0),
    ],
)
def test_seconds_and_dates_are_read(value, seconds):
    assert retry_after(value, NOW) == seconds


@pytest.mark.parametrize(
    "value",
    [
        None, "", " ", ",", "-1", "-1e9", "+5", "1e9", "1e400", "nan", "NaN", "inf", "-inf", "Infinity", "٣", "５", "²",
        "1.", ".5", "1_000", "1.5.5", "0x10", "5s", "5 seconds", "soon", "Wed", "Wed, 99 Foo 2026 99:99:99 GMT",
        "Wed, 01 Jul 2026", "Wed, 01 Jul 2026 12:00:30 +9999", "\x00", "5\x00", "5\n6", "12:30", "::", "daqui a pouco",
    ],
)  # fmt: skip
def test_what_is_neither_seconds_nor_a_date_is_no_wait(value):
    assert retry_after(value, NOW) is None


def test_a_date_is_compared_with_the_date_of_the_response():
    assert retry_after(LATER, NOW, date="Wed, 01 Jul 2026 12:00:00 GMT") == 30
    assert retry_after(LATER, NOW - timedelta(days=300), date="Wed, 01 Jul 2026 12:00:10 GMT") == 20
    for unreadable in ("", "yesterday", "٣", "Wed, 99 Foo 2026 99:99:99 GMT", None):
        assert retry_after(LATER, NOW, date=unreadable) == 30


@given(st.one_of(st.text(), st.from_regex(r"[A-Za-z0-9:,+.\- ]{0,40}", fullmatch=True)), st.text())
def test_no_header_makes_it_fail(value, date):
    wait = retry_after(value, NOW, date)
    assert wait is None or 0 <= wait <= LONGEST


@given(st.integers(0, 10**12))
def test_a_whole_number_is_seconds(number):
    assert retry_after(str(number), NOW) == min(number, LONGEST)


@given(st.datetimes(datetime(1900, 1, 1), datetime(9999, 12, 31)), st.integers(0, 60))
def test_a_date_is_the_time_until_it(until, other):
    until = until.replace(microsecond=0, tzinfo=UTC)
    expected = min(max((until - NOW).total_seconds(), 0), LONGEST)
    assert retry_after(format_datetime(until, usegmt=True), NOW) == expected
    assert retry_after(f"{other}, {format_datetime(until, usegmt=True)}", NOW) == max(expected, other)
