import base64
import hashlib
import hmac
import json

import pytest

from wegly_analytics.errors import IdError, SettingError
from wegly_analytics.intake.webhooks import webhook_ids

UUID = "2bce2af3-fd3f-572f-a95b-aaabdbdb7cf3"


def event(key, payload):
    return json.dumps({"event_key": key, "payload": payload})


def signed(body, secret="s3cret", encode=lambda digest: digest.hex(), header="X-Wegly-Signature"):
    digest = hmac.digest(secret.encode(), body.encode(), hashlib.sha256)
    return json.dumps({"headers": {header: encode(digest)}, "body": body})


def lines(tmp_path, *texts):
    file = tmp_path / "events.ndjson"
    file.write_text("\n".join(texts) + "\n\n")
    return file


def test_webhooks_give_the_deals_that_changed_in_the_order_of_their_last_event(tmp_path):
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
def test_a_matching_signature_is_accepted(tmp_path, encode):
    file = lines(tmp_path, signed(event("deal.won", {"id": 5}), encode=encode))
    assert webhook_ids(file, "s3cret") == ["5"]
    assert webhook_ids(file) == ["5"], "without a secret there is nothing to check"


@pytest.mark.parametrize(
    "line",
    [
        signed(event("deal.won", {"id": 5}), secret="other"),
        signed(event("deal.won", {"id": 5})).replace("5}", "6}"),
        signed(event("deal.won", {"id": 5}), header="x-other"),
        signed(event("deal.won", {"id": 5}), encode=lambda d: "invalid!"),
        signed(event("deal.won", {"id": 5}), encode=lambda d: "zz" * 32),
        json.dumps({"body": event("deal.won", {"id": 5})}),
    ],
)
def test_a_signature_that_does_not_match_is_an_error(tmp_path, line):
    good = signed(event("deal.won", {"id": 1}))
    with pytest.raises(SettingError, match=r"events.ndjson, line 2: the signature does not match the body"):
        webhook_ids(lines(tmp_path, good, line), "s3cret")


def test_with_a_secret_an_unsigned_line_is_refused(tmp_path):
    with pytest.raises(SettingError, match="line 1: there is no signature to check"):
        webhook_ids(lines(tmp_path, event("deal.won", {"id": 5})), "s3cret")


@pytest.mark.parametrize("line", ["{", "[1]", '{"event_key": "deal.won"}', '{"event_key": 1, "payload": {}}'])
def test_a_line_that_is_not_a_webhook_is_an_error_that_names_it(tmp_path, line):
    with pytest.raises(SettingError, match="line 1: it is not a"):
        webhook_ids(lines(tmp_path, line))


def test_an_event_that_does_not_name_its_deal_is_an_error(tmp_path):
    with pytest.raises(IdError, match=r"line 1: the event deal.won does not name its deal"):
        webhook_ids(lines(tmp_path, event("deal.won", {"deal": {"name": "x"}})))


def test_a_missing_file_of_webhooks_is_named(tmp_path):
    with pytest.raises(SettingError, match="none cannot be read: No such file"):
        webhook_ids(tmp_path / "none")
