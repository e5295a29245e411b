"""What people naturally pass to the intake by mistake, and the errors before any work."""

import re
from datetime import datetime

import pandas as pd
import pytest
from server_side import client

import wegly_analytics as wa
from wegly_analytics.errors import AuthError, IdError, SettingError

DEALS = pd.DataFrame({"Code": [1, 2], "title": ["a", "b"]})

FETCHES = {
    "workers as text": ({"workers": "8"}, "workers='8' is not a whole number: give for example workers=8"),
    "half a worker": ({"workers": 2.5}, "workers=2.5 is not a whole number: give for example workers=2"),
    "no worker": ({"workers": 0}, "workers=0: give 1 or more"),
    "a token as client": ({"client": "secret"}, "client takes a Client, not a str: pass for example client=wa.Client(per_second=5)"),
    "a number as archive": ({"archive": 3}, "archive takes a path, not an int: give for example archive='data/responses.sqlite'"),
    "an empty archive": ({"archive": ""}, "archive='' is empty: give for example archive='data/responses.sqlite'"),
    "failures in percent": ({"max_failures": "5%"}, "max_failures='5%': give a share from 0 to 1, such as max_failures=0.05 for 5 %"),
    "five failures": ({"max_failures": 5}, "max_failures=5: give a share from 0 to 1"),
    "an age as number": ({"max_age": 3}, "max_age=3 is not a length of time: write a whole number and a unit, such as '30d'"),
    "an age in words": ({"max_age": "7 days ago"}, "max_age='7 days ago' is not a length of time"),
    "progress as text": ({"progress": "yes"}, "progress='yes': give True or False"),
}  # fmt: skip

IDS = {
    "a DataFrame": (DEALS, SettingError, "ids is a DataFrame: pass the column that holds the ids, such as df['Code']"),
    "a DataFrame without ids": (DEALS[["title"]], SettingError, "such as df['deal_id']"),
    "a mapping": ({1: "a"}, SettingError, "ids is a dict: pass a list of ids"),
    "nothing": (None, SettingError, "pass a list of ids, a range such as '1-500', a file, or wa.walk()"),
    "walk not called": (wa.walk, SettingError, "call it, as in wa.fetch(wa.walk())"),
    "an empty text": ("", IdError, "ids='' holds no id"),
    "a missing file": ("ids.csv", IdError, "'ids.csv' is not a deal id, a range such as '1-500', or a file"),
    "a decimal": ([1.5], IdError, "1.5"),
    "a negative code": ([-1], IdError, "-1"),
    "a list within a list": ([[1, 2]], IdError, "[1, 2]"),
    "a missing value": ([None], IdError, "None"),
}  # fmt: skip

OTHERS = {
    "refresh of a DataFrame": (lambda s: wa.refresh(s.deals), "refresh takes a Snapshot, not a DataFrame: pass the snapshot itself, or wa.load(root)"),
    "refresh of a path": (lambda s: wa.refresh("data/snapshots"), "not a str: pass the snapshot itself, or wa.load(root)"),
    "refresh since a number": (lambda s: wa.refresh(s, recent=30), "recent=30 is not a length of time"),
    "refresh without end": (lambda s: wa.refresh(s, misses=-1), "misses=-1: give 0 or more"),
    "read of a number": (lambda s: wa.read(3), "read takes paths of archives or files, not an int"),
    "read of nothing": (lambda s: wa.read([]), "read got no path: give for example read('data/responses.sqlite')"),
    "read of a DataFrame": (lambda s: wa.read(s.deals), "read takes paths of archives or files, not a DataFrame"),
    "read of a file that is not there": (lambda s: wa.read("none.json"), "none.json cannot be read: No such file"),
    "read at a day as text": (lambda s: wa.read("x.json", taken_at="2026-07-01"), "taken_at='2026-07-01' is not a datetime with a time zone: give for example taken_at=datetime(2026, 7, 1, tzinfo=UTC)"),
    "read at a time without zone": (lambda s: wa.read("x.json", taken_at=datetime(2026, 7, 1)), "is not a datetime with a time zone"),
    "read at NaT": (lambda s: wa.read("x.json", taken_at=pd.NaT), "taken_at=NaT is not a datetime"),
    "ids_from a number": (lambda s: wa.ids_from(3), "path takes a path, not an int: give for example path='deals.csv'"),
    "ids_from a DataFrame": (lambda s: wa.ids_from(s.deals), "ids_from takes the path of a file, not a DataFrame: pass the column that holds the ids, such as df['deal_id']"),
    "ids_from a column by number": (lambda s: wa.ids_from("x.csv", 0), "column takes a text, not an int: give for example column='deal_id'"),
    "webhook_ids of a list": (lambda s: wa.webhook_ids([]), "path takes a path, not a list: give for example path='webhooks.ndjson'"),
    "a walk of text": (lambda s: wa.walk("1"), "start='1' is not a whole number: give for example start=1"),
    "a rate as text": (lambda s: wa.Client("t", per_second="5"), "per_second='5' is not a number: give for example per_second=5"),
    "no rate": (lambda s: wa.Client("t", per_second=0), "per_second=0: give a finite number above 0"),
    "a timeout as text": (lambda s: wa.Client("t", timeout="30"), "timeout='30' is not a number: give for example timeout=30"),
    "no timeout": (lambda s: wa.Client("t", timeout=0), "timeout=0: give a finite number above 0"),
    "half an attempt": (lambda s: wa.Client("t", attempts=2.5), "attempts=2.5 is not a whole number: give for example attempts=2"),
    "a session as text": (lambda s: wa.Client("t", session="x"), "session takes a Session, not a str: leave it out for one of the client's own"),
    "a token as bytes": (lambda s: wa.Client(b"secret"), "token takes a text, not a bytes: give for example token='...'"),
    "an address as number": (lambda s: wa.Client("t", base_url=8080), "base_url takes a text, not an int: give for example base_url='https://api.wegly.com.br'"),
}  # fmt: skip


@pytest.mark.parametrize(("options", "message"), FETCHES.values(), ids=FETCHES)
def test_an_argument_of_fetch_that_cannot_be_used_is_named_before_any_request(options, message, serve):
    server = serve()
    with pytest.raises(SettingError, match=re.escape(message)) as refused:
        wa.fetch([1], **{"client": client(server), "progress": False} | options)
    assert server.requests == []
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(("ids", "error", "message"), IDS.values(), ids=IDS)
def test_ids_that_cannot_be_used_are_named_with_what_to_pass_instead(ids, error, message, serve):
    server = serve()
    with pytest.raises(error, match=re.escape(message)):
        wa.fetch(ids, client=client(server), progress=False)
    assert server.requests == []


@pytest.mark.parametrize(("call", "message"), OTHERS.values(), ids=OTHERS)
def test_a_mistake_is_answered_with_the_place_and_the_remedy(call, message):
    with pytest.raises(SettingError, match=re.escape(message)) as refused:
        call(wa.sample())
    assert "secret" not in str(refused.value)


def test_a_snapshot_is_refreshed_not_fetched():
    with pytest.raises(SettingError, match=r"ids is a Snapshot: wa.refresh\(snap\) requests what may have changed"):
        wa.fetch(wa.sample())


def test_arguments_are_checked_before_the_token():
    with pytest.raises(SettingError, match="workers=0") as refused:
        wa.fetch([1], workers=0)
    assert not isinstance(refused.value, AuthError)
