"""Everything that is wrong with a published folder is found, and nothing stops the search."""

import json
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from publishing import TABLES, publish, signed

from wegly_analytics.store.manifest import NAME
from wegly_analytics.store.verify import problems

DEALS, TAGS = "deals/part-00000.parquet", "tags/part-00000.parquet"


@pytest.fixture
def folder(tmp_path):
    return publish(tmp_path / "snapshots")


def found(folder):
    return [(p.problem, p.path.relative_to(folder).as_posix(), p.table) for p in problems(folder, TABLES)]


def test_a_folder_as_published_has_no_problem(folder):
    assert found(folder) == []


def edit(folder, change):
    values = json.loads((folder / NAME).read_text())
    change(values)
    (folder / NAME).write_text(signed(values))


def flip_one_bit(path):
    content = bytearray(path.read_bytes())
    content[20] ^= 1
    path.write_bytes(content)


def shorten(folder):
    pq.write_table(TABLES["deals"].slice(1), folder / DEALS)


HARM = {
    "one bit": (lambda f: flip_one_bit(f / DEALS), [("changed", DEALS, "deals")]),
    "an emptied file": (lambda f: (f / DEALS).write_bytes(b""), [("changed", DEALS, "deals")]),
    "fewer rows": (shorten, [("changed", DEALS, "deals"), ("wrong row count", "deals", "deals")]),
    "a deleted file": (lambda f: (f / TAGS).unlink(), [("missing", TAGS, "tags")]),
    "a deleted table": (lambda f: shutil.rmtree(f / "tags"), [("missing", TAGS, "tags")]),
    "a folder for a file": (
        lambda f: ((f / TAGS).unlink(), (f / TAGS).mkdir()), [("missing", TAGS, "tags")]
    ),
    "a link to nowhere": (
        lambda f: ((f / TAGS).unlink(), (f / TAGS).symlink_to(f / "nowhere")), [("missing", TAGS, "tags")]
    ),
    "rows in the manifest": (
        lambda f: edit(f, lambda m: m["tables"]["deals"].update(rows=3)), [("wrong row count", "deals", "deals")]
    ),
    "bytes in the manifest": (
        lambda f: edit(f, lambda m: m["tables"]["deals"]["files"]["part-00000.parquet"].update(bytes=3)),
        [("damaged manifest", DEALS, "deals")],
    ),
    "one more file of a table": (
        lambda f: pq.write_table(pa.table({"deal_id": ["c"]}), f / "deals/part-00001.parquet"),
        [("extra", "deals/part-00001.parquet", "deals")],
    ),
    "a file of another tool": (lambda f: (f / ".DS_Store").write_text(""), [("extra", ".DS_Store", None)]),
    "a manifest changed by hand": (
        lambda f: (f / NAME).write_text((f / NAME).read_text().replace('"looked_at": 0', '"looked_at": 1')
                                        .replace('"fetched": 2', '"fetched": 1').replace('"failed": 0', '"failed": 1')),
        [("damaged manifest", NAME, None)],
    ),
    "no manifest": (lambda f: (f / NAME).unlink(), [("no manifest", NAME, None)]),
    "half a manifest": (lambda f: (f / NAME).write_text("{"), [("damaged manifest", NAME, None)]),
    "a manifest without a table": (
        lambda f: edit(f, lambda m: m["tables"].pop("tags")), [("damaged manifest", NAME, None)]
    ),
    "several": (
        lambda f: (flip_one_bit(f / DEALS), (f / TAGS).unlink(), (f / "x").write_text("")),
        [("changed", DEALS, "deals"), ("missing", TAGS, "tags"), ("extra", "x", None)],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("harm", "expected"), HARM.values(), ids=HARM)
def test_every_harm_is_named(harm, expected, folder):
    harm(folder)
    assert found(folder) == expected


def test_a_problem_says_what_was_found_and_what_was_published(folder):
    size = (folder / DEALS).stat().st_size
    shorten(folder)
    changed, rows = problems(folder)
    assert changed.detail.startswith(f"{(folder / DEALS).stat().st_size} bytes with SHA-256 ")
    assert f"published were {size} with " in changed.detail
    assert rows.detail == "1 rows, published were 2"
