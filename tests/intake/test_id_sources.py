import base64
import hashlib
import hmac
import json

import pandas as pd
import pytest

from wegly_analytics.errors import IdError, MissingColumnError, SettingError
from wegly_analytics.intake.id_sources import ids_from, webhook_ids

UUID = "2bce2af3-fd3f-572f-a95b-aaabdbdb7cf3"
FRAME = pd.DataFrame({"owner": ["a", "b", "c", "d"], "code": [17, None, 3, 17]})


@pytest.mark.parametrize("name", ["x.csv", "x.xlsx", "x.parquet"])
def test_a_column_of_a_table_is_a_list_of_ids(tmp_path, name):
    file = tmp_path / name
    writer = {"csv": FRAME.to_csv, "xlsx": FRAME.to_excel, "parquet": FRAME.to_parquet}[name.rpartition(".")[2]]
    writer(file, index=False)
    assert ids_from(file) == ["17", "3"]
    assert ids_from(file, "code") == ["17", "3"]


def test_spreadsheets_of_this_country_have_semicolons_and_marks(tmp_path):
    file = tmp_path / "x.csv"
    file.write_text(f"Título;Código\nA, e B;{UUID}\nC;  12 \n;\n", encoding="utf-8-sig")
    assert ids_from(file) == [UUID, "12"]


def test_a_single_column_needs_no_name(tmp_path):
    file = tmp_path / "x.tsv"
    file.write_text("whatever\n5\n6\n")
    assert ids_from(file) == ["5", "6"]


def test_long_codes_keep_their_last_digits(tmp_path):
    file = tmp_path / "x.csv"
    file.write_text("code,x\n9007199254740993,1\n,2\n")
    assert ids_from(file) == ["9007199254740993"]


def test_what_is_no_id_is_named_with_its_row(tmp_path):
    file = tmp_path / "x.csv"
    file.write_text("code,x\n5,1\nabc,2\n")
    with pytest.raises(IdError, match=r"x.csv, row 3, column 'code': 'abc' is no deal id"):
        ids_from(file)
    with pytest.raises(MissingColumnError, match="x.csv has no column 'cod'; did you mean 'code'?"):
        ids_from(file, "cod")
    file.write_text("a,b\n1,2\n")
    with pytest.raises(SettingError, match="x.csv has the columns a, b: pass column= with the one that holds the ids"):
        ids_from(file)


@pytest.mark.parametrize(("name", "text"), [("none.csv", None), ("x.parquet", "no"), ("x.doc", "no"), ("x.xlsx", "no")])
def test_a_file_that_cannot_be_read_is_named(tmp_path, name, text):
    if text:
        (tmp_path / name).write_text(text)
    with pytest.raises(SettingError, match=f"{name} cannot be read: "):
        ids_from(tmp_path / name)


def event(key, payload):
    return json.dumps({"event_key": key, "payload": payload})


def signed(body, secret="s3cret", encode=lambda digest: digest.hex(), header="X-Wegly-Signature"):
    digest = hmac.digest(secret.encode(), body.encode(), hashlib.sha256)
    return json.dumps({"headers": {header: encode(digest)}, "body": body})


def lines(tmp_path, *texts):
    file = tmp_path / "events.ndjson"
    file.write_text("\n".join(texts) + "\n\n")
    return file


def test_webhooks_name_the_deals_that_changed_the_last_one_last(tmp_path):
    file = lines(
        tmp_path,
        event("deal.created", {"id": UUID}),
        event("deal.won", {"deal_id": 5}),
        event("contact.created", {"id": "not a deal"}),
        event("deal.stage_changed", {"deal": {"id": 6}}),
        event("deal.updated", {"id": UUID.upper()}),
    )
    assert webhook_ids(file) == ["5", "6", UUID]


@pytest.mark.parametrize(
    "encode",
    [
        lambda d: d.hex(),
        lambda d: d.hex().upper(),
        lambda d: f"sha256={d.hex()}",
        lambda d: base64.b64encode(d).decode(),
    ],
)
def test_a_signature_that_fits_is_taken(tmp_path, encode):
    file = lines(tmp_path, signed(event("deal.won", {"id": 5}), encode=encode))
    assert webhook_ids(file, "s3cret") == ["5"]
    assert webhook_ids(file) == ["5"], "without a secret there is nothing to check"


@pytest.mark.parametrize(
    "line",
    [
        signed(event("deal.won", {"id": 5}), secret="other"),
        signed(event("deal.won", {"id": 5})).replace("5}", "6}"),
        signed(event("deal.won", {"id": 5}), header="x-other"),
        signed(event("deal.won", {"id": 5}), encode=lambda d: "rubbish!"),
        signed(event("deal.won", {"id": 5}), encode=lambda d: "zz" * 32),
        json.dumps({"body": event("deal.won", {"id": 5})}),
    ],
)
def test_a_signature_that_does_not_fit_stops_everything(tmp_path, line):
    good = signed(event("deal.won", {"id": 1}))
    with pytest.raises(SettingError, match=r"events.ndjson, line 2: the signature does not match the body"):
        webhook_ids(lines(tmp_path, good, line), "s3cret")


def test_with_a_secret_an_unsigned_line_is_refused(tmp_path):
    with pytest.raises(SettingError, match="line 1: there is no signature to check"):
        webhook_ids(lines(tmp_path, event("deal.won", {"id": 5})), "s3cret")


@pytest.mark.parametrize("line", ["{", "[1]", '{"event_key": "deal.won"}', '{"event_key": 1, "payload": {}}'])
def test_what_is_no_webhook_is_named(tmp_path, line):
    with pytest.raises(SettingError, match="line 1: it is not a"):
        webhook_ids(lines(tmp_path, line))


def test_an_event_that_does_not_say_which_deal_is_named(tmp_path):
    with pytest.raises(IdError, match=r"line 1: the event deal.won does not name its deal"):
        webhook_ids(lines(tmp_path, event("deal.won", {"deal": {"name": "x"}})))


def test_a_file_of_webhooks_that_is_not_there_is_named(tmp_path):
    with pytest.raises(SettingError, match="none cannot be read: No such file"):
        webhook_ids(tmp_path / "none")
