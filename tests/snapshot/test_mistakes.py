"""What people naturally pass wrongly to a snapshot, and the errors."""

import datetime as dt

import pytest

import wegly_analytics as wa
from wegly_analytics.errors import MissingColumnError, SettingError

MISTAKES = {
    "a range of money": (
        lambda s: s.where(value=range(1000, 5000)), SettingError, r"write value=wa\.between\(1000, 5000\)"
    ),
    "a range for an instant": (lambda s: s.where(created_at=range(3)), SettingError, r"write created_at=wa\.between"),
    "a year as a number": (lambda s: s.where(created_at=2026), SettingError, "2026 is neither .* '2026-Q1' or '2026'"),
    "a period in words": (lambda s: s.where(created_at="last month"), SettingError, "holds instants; 'last month'"),
    "a month that is not": (lambda s: s.where(created_at="2026-13"), SettingError, "'2026-13' is neither an instant"),
    "a slice": (lambda s: s.where(created_at=slice("2026", None)), SettingError, r"None, or created_at=wa\.between"),
    "ends swapped": (
        lambda s: s.where(created_at=wa.between("2026-03", "2026-01")), SettingError, "low end is after the high end"
    ),
    "no ends": (lambda s: s.where(value=wa.between(None, None)), SettingError, "give at least one end"),
    "numbers as texts": (lambda s: s.where(value=wa.between("1", "9")), SettingError, "value holds numbers; '1'"),
    "an interval of words": (lambda s: s.where(source=wa.between("a", "b")), SettingError, "pass a list of values instead"),
    "an hour for a day": (
        lambda s: s.where(expected_close=dt.datetime(2026, 7, 1, 5)), SettingError, "expected_close holds days"
    ),
    "a comparison as a text": (lambda s: s.where(value="> 1000"), SettingError, "value has type double; .*> 1000"),
    "a query string": (lambda s: s.where("value > 5"), SettingError, r"not a condition but a str: .*wa\.col"),
    "a mask": (lambda s: s.where(s.deals["value"] > 5), SettingError, "not a condition but a Series: write column="),
    "a dictionary": (lambda s: s.where({"status": "won"}), SettingError, "not a condition but a dict"),
    "a dictionary as value": (lambda s: s.where(source={"a": 1}), SettingError, "pass a value, a list of values, None"),
    "a capital": (lambda s: s.where(status="Won"), SettingError, "status is one of open, won, lost; 'Won' is not one"),
    "a table's name": (lambda s: s.where(tags="vip"), MissingColumnError, "no column 'tags'; did you mean 'tag'"),
    "a misspelt column": (lambda s: s.where(wa.col("vlue") > 5), MissingColumnError, "did you mean 'value'"),
    "a text for a number": (lambda s: s.where(wa.col("value") > "a"), SettingError, r"where\(value > a\) cannot be"),
    "a column as a condition": (lambda s: s.where(wa.col("value")), SettingError, "a condition is true or false"),
    "an expression for a column": (
        lambda s: s.where(value=wa.col("value") > 5), SettingError, "an expression names its column itself"
    ),
    "a sum": (lambda s: s.where(wa.col("value").sum() > 5), SettingError, "cannot be applied to deals"),
    "a function of tags": (lambda s: s.where(tag=lambda t: t), SettingError, "give the tags, as in tag="),
    "a rule that is a flag": (lambda s: s.where(quality=True), SettingError, "quality=True is not the name of a rule"),
    "col of a frame": (lambda s: wa.col(["value"]), SettingError, "takes the name of a column of deals, not a list"),
    "assigning an unknown column": (lambda s: s.assign(x=wa.col("vlue")), MissingColumnError, "did you mean 'value'"),
    "assigning a difference of times": (
        lambda s: s.assign(x=wa.col("won_at") - wa.col("created_at")), SettingError, "convert it to text or a number"
    ),
    "assigning text to money": (lambda s: s.assign(value=wa.col("source")), SettingError, "has type double, not string"),
    "assigning the key": (lambda s: s.assign(deal_id=wa.col("code")), SettingError, "deal_id joins the tables"),
    "one column as a text": (lambda s: s.frame("deals", "value"), SettingError, r"frame\('deals', \['value'\]\)"),
    "an unknown column of a frame": (lambda s: s.frame("deals", ["vlue"]), MissingColumnError, "did you mean 'value'"),
    "an unknown table": (lambda s: s.frame("deal"), SettingError, "there is no table 'deal'; there are deals"),
}  # fmt: skip


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("mistakes")
    wa.sample().save(root, personal="keep")
    return root


@pytest.mark.parametrize("engine", [None, "duckdb", "polars"])
@pytest.mark.parametrize(("call", "error", "message"), MISTAKES.values(), ids=MISTAKES)
def test_a_natural_mistake_is_refused_with_the_remedy(call, error, message, engine, root):
    snap = wa.sample() if engine is None else wa.scan(root, engine)
    with pytest.raises(error, match=message):
        call(snap)
