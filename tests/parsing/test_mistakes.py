"""Files that people naturally give to `wa.read` by mistake, and the errors."""

import gzip
import json
import re

import pyarrow as pa
import pytest

import wegly_analytics as wa
from wegly_analytics.errors import ArchiveError, IncompleteWarning, SettingError

DEALS = [{"id": "a", "code": 1, "title": "Maria"}, {"id": "b", "code": 2, "title": "João"}]
LINES = "\n".join(map(json.dumps, DEALS)).encode()
COMPRESSED = gzip.compress(LINES * 50)

UNREADABLE = {
    "an empty file": ("a.json", b"", "expected a JSON object, found '', Expecting value at 0"),
    "a page for signing in": ("a.json", b"<html><title>Wegly</title>", "found '<…', probably an HTML page, Expecting"),
    "a CSV file": ("deals.csv", b"code,title\n1,Maria\n", "expected a JSON object, found Expecting value at 0"),
    "a list of ids": ("ids.json", b"[17, 18]", "expected a JSON object, found number"),
    "a list of lists": ("a.json", b'[[{"id": "a"}]]', "expected a JSON object, found list"),
    "null": ("a.json", b"null", "expected a JSON object, found null"),
    "a text": ("a.json", b'"Maria"', "expected a JSON object, found text"),
    "a message of the API": ("a.json", b'{"error": "Unauthorized"}', "id: expected the deal's id, found nothing"),
    "deals in an envelope": ("a.json", json.dumps({"data": DEALS}).encode(), "id: expected the deal's id, found nothing"),
    "lines with the suffix of JSON": ("a.json", LINES, "a second object at 41: .* needs the suffix .ndjson or .jsonl"),
    "indented JSON with the suffix of lines": (
        "a.ndjson", json.dumps(DEALS[0], indent=2).encode(), "the object is cut off, or a file of indented JSON"
    ),
    "a list with the suffix of lines": ("a.jsonl", json.dumps(DEALS).encode(), "expected a JSON object, found list"),
    "UTF-16 from Windows": ("a.json", LINES.decode().encode("utf-16"), "expected UTF-8 text, found byte 0xff at 0"),
    "Windows-1252": ("a.json", '{"id": "a", "title": "João"}'.encode("cp1252"), "expected UTF-8 text, found byte 0xe3"),
    "compressed without the suffix": ("a.json", COMPRESSED, "expected UTF-8 text, found byte 0x8b at 1"),
    "a Parquet file": ("a.parquet", b"PAR1\x15\xbc\x04", "expected UTF-8 text, found byte 0xbc at 5"),
    "a file cut off": ("a.json", json.dumps(DEALS[0]).encode()[:-9], "expected a JSON object, found Expecting value at 31: the object is cut off"),
    "brackets without end": ("a.json", b"[" * 200_000, "lists or objects nested deeper than 200"),
}  # fmt: skip

REFUSED = {
    "a path that does not exist": ("none.json", None, "none.json cannot be read: No such file"),
    "a folder of JSON files": ("", b"", "is a folder, and an archive is a file"),
    "compressed, but cut off": ("a.ndjson.gz", COMPRESSED[:40], "a.ndjson.gz cannot be read: Truncated"),
    "not compressed, with the suffix": ("a.json.gz", LINES, "a.json.gz cannot be read: "),
    "another compression": ("a.json.gz", pa.compress(LINES, "zstd", asbytes=True), "a.json.gz cannot be read: "),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore::wegly_analytics.errors.DriftWarning")
@pytest.mark.parametrize(("name", "content", "message"), UNREADABLE.values(), ids=UNREADABLE)
def test_a_file_without_readable_deals_is_a_warning_and_a_ledger_row_that_says_why(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.warns(IncompleteWarning, match="unreadable: see snap.ledger"):
        snap = wa.read(tmp_path / name)
    assert snap.ledger["outcome"].eq("unreadable").all()
    messages = snap.ledger["message"].tolist()
    assert re.search(message, messages[0]), messages[0]
    assert "Maria" not in "".join(messages)


@pytest.mark.parametrize(("name", "content", "message"), REFUSED.values(), ids=REFUSED)
def test_a_path_that_cannot_be_read_is_refused_by_name(tmp_path, name, content, message):
    if name and content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises((SettingError, ArchiveError), match=re.escape(message)):
        wa.read(tmp_path / name)
