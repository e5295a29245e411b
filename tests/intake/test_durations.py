from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from wegly_analytics.errors import SettingError
from wegly_analytics.intake.durations import duration


@pytest.mark.parametrize(
    ("value", "length"),
    [
        ("30d", timedelta(30)),
        (" 12h", timedelta(hours=12)),
        ("45m", timedelta(minutes=45)),
        ("10s", timedelta(seconds=10)),
        ("2w", timedelta(14)),
        ("0d", timedelta(0)),
        (timedelta(1), timedelta(1)),
        (pd.Timedelta("7D"), timedelta(7)),
        (np.timedelta64(7, "D"), timedelta(7)),
    ],
)
def test_a_length_of_time_is_a_number_with_a_unit_or_a_timedelta(value, length):
    assert duration("max_age", value) == length
    assert type(duration("max_age", value)) is timedelta


@pytest.mark.parametrize(
    "value",
    [
        "",
        "d",
        "30",
        "30 days",
        "7 days ago",
        "-1d",
        "1.5d",
        "1M",
        "99999999d",
        "999999999w",
        3,
        None,
        pd.NaT,
        timedelta(-1),
    ],
)
def test_another_value_is_refused_with_the_argument_and_examples(value):
    with pytest.raises(SettingError, match=r"recent=.* is not a length of time: write .*'30d', '12h'"):
        duration("recent", value)
