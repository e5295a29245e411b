"""What people naturally pass wrongly for ids and for the treatment of personal data, and the errors."""

import numpy as np
import pandas as pd
import pytest

import wegly_analytics as wa
from wegly_analytics.errors import IdError, MissingColumnError, SettingError
from wegly_analytics.model.ids import deal_keys, read_ids

UUID = "2bce2af3-fd3f-572f-a95b-aaabdbdb7cf3"

IDS = {
    "a fraction": (lambda: wa.fetch([17.5]), IdError, r"17\.5 is not a deal id: give a UUID or a positive whole number"),
    "a fraction alone": (lambda: wa.fetch(17.5), IdError, r"17\.5 is not a deal id"),
    "a negative code": (lambda: wa.fetch([1, -3]), IdError, "-3 is not a deal id"),
    "zero": (lambda: wa.fetch(range(10)), IdError, "0 is not a deal id"),
    "a truth value": (lambda: wa.fetch([True]), IdError, "True is not a deal id"),
    "nothing": (lambda: deal_keys(None), IdError, "None is not a list of deal ids: give an id, or a list, a range"),
    "a missing value": (lambda: wa.fetch(pd.Series([1, None, 3])), IdError, "nan is not a deal id"),
    "a list of lists": (lambda: wa.fetch([[1, 2], [3]]), IdError, r"\[1, 2\] is not a deal id"),
    "a whole table": (lambda: wa.fetch(pd.DataFrame({"code": [1]})), SettingError, "ids is a DataFrame: "),
    "a table as a list of ids": (
        lambda: deal_keys(pd.DataFrame({"code": [1]})), IdError, r"pass one of its columns, such as frame\['deal_id'\]"
    ),
    "a dictionary": (lambda: deal_keys({"first": 17}), IdError, r"ids is a dict: pass a list of ids, such as list\(ids"),
    "bytes, which are numbers": (lambda: deal_keys(b"17"), IdError, "b'17' are bytes: decode them to text first"),
    "an array without a dimension": (lambda: deal_keys(np.array(None)), IdError, "is not a list of deal ids"),
    "a UUID with a typo": (lambda: wa.fetch([UUID.replace("b", "x")]), IdError, "'2xce2af3-.*' is not a deal id"),
    "a UUID cut short": (lambda: wa.fetch([UUID[:-1]]), IdError, "'2bce2af3-.*' is not a deal id"),
    "a sentence": (lambda: wa.fetch(["deal 17"]), IdError, "'deal 17' is not a deal id"),
    "an address": (lambda: wa.fetch(["https://app.wegly.com.br/deals/17"]), IdError, "'https://.*' is not a deal id"),
    "a number with separators": (lambda: wa.fetch(["1.234"]), IdError, r"'1\.234' is not a deal id"),
    "a reversed range": (
        lambda: list(read_ids(["500-1"], "ids.txt")), IdError, "ids.txt, line 1: the range '500-1' is reversed or starts"
    ),
    "a range from zero": (lambda: list(read_ids(["0-9"], "ids.txt")), IdError, "'0-9' is reversed or starts at 0"),
    "a word among ids": (
        lambda: list(read_ids(["1", "2, id"], "ids.txt")), IdError, "line 2: 'id' is not a deal id.*, or a range such as"
    ),
    "an enormous range": (
        lambda: wa.fetch(range(1, 10**18)), SettingError, r"has 999,999,\S+ ids, more than 10,000,000: .* wa\.walk\(\)"
    ),
    "an enormous range as text": (lambda: wa.fetch("1-999999999999"), SettingError, "the range '1-999999999999' has"),
    "a code of 30 digits": (lambda: wa.fetch([10**30]), IdError, "10{30} is not a deal id"),
}  # fmt: skip

TREATMENTS = {
    "an unknown mode": ({"personal": "hide"}, SettingError, "personal='hide' is none of 'hash', 'hash-all', 'drop', 'keep'"),
    "an underscore": ({"personal": "hash_all"}, SettingError, "personal='hash_all' is none of"),
    "a capital": ({"personal": "Hash"}, SettingError, "personal='Hash' is none of"),
    "no mode": ({"personal": None}, SettingError, "personal=None is none of"),
    "a truth value": ({"personal": True}, SettingError, "personal=True is none of"),
    "a mode per table": ({"personal": {"deals": "drop"}}, SettingError, r"personal=\{'deals': 'drop'\} is none of"),
    "columns as a list": (
        {"columns": ["deals.title"]}, SettingError, r"columns=\['deals.title'\]: give a dictionary such as"
    ),
    "columns as a text": ({"columns": "deals.title"}, SettingError, "columns='deals.title': give a dictionary such as"),
    "a column without its table": ({"columns": {"title": "keep"}}, MissingColumnError, r"'title'; did you mean '\w+.title'"),
    "a misspelt column": (
        {"columns": {"participants.persn": "keep"}}, MissingColumnError, "did you mean 'participants.person'"
    ),
    "a number": ({"columns": {"deals.value": "drop"}}, MissingColumnError, "no column 'deals.value'"),
    "the key": ({"columns": {"participants.deal_id": "drop"}}, MissingColumnError, "no column 'participants.deal_id'"),
    "a table": ({"columns": {"deals": "drop"}}, MissingColumnError, "no column 'deals'"),
    "a mode for one column": (
        {"columns": {"deals.title": "hash-all"}}, SettingError, "'hash-all'} is none of 'keep', 'hash', 'drop'"
    ),
    "a truth value for one column": ({"columns": {"deals.title": False}}, SettingError, "'deals.title': False} is none of"),
}  # fmt: skip


@pytest.mark.parametrize(("call", "error", "message"), IDS.values(), ids=IDS)
def test_what_is_not_an_id_is_refused_before_any_request(call, error, message):
    with pytest.raises(error, match=message):
        call()  # without a token or a server: a request would fail differently


@pytest.mark.parametrize(("arguments", "error", "message"), TREATMENTS.values(), ids=TREATMENTS)
def test_an_unknown_treatment_of_personal_data_is_refused_before_anything_is_written(
    arguments, error, message, tmp_path
):
    with pytest.raises(error, match=message):
        wa.sample().save(tmp_path / "root", **arguments)
    assert not (tmp_path / "root").exists()
