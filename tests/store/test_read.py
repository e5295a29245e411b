"""What is published is what is read: a changed file or manifest is an error that names it, on every engine."""

import json
import random
import shutil
import time

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from publishing import signed

import wegly_analytics as wa
from wegly_analytics.errors import SnapshotError
from wegly_analytics.snapshot.sources import ALL_TABLES
from wegly_analytics.store.manifest import NAME

OPENERS = {
    "memory": wa.load,
    "duckdb": lambda path, **options: wa.scan(path, "duckdb", **options),
    "polars": lambda path, **options: wa.scan(path, "polars", **options),
}
on_every_engine = pytest.mark.parametrize("opened", OPENERS.values(), ids=OPENERS)


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    return wa.sample().where(lambda d: d.index < 5).save(tmp_path_factory.mktemp("root"), personal="keep")


@pytest.fixture
def folder(published, tmp_path):
    return shutil.copytree(published, tmp_path / published.name)


def everything(snap):
    return {name: snap.tables[name] for name in ALL_TABLES}


def flipped(path, bit):
    content = bytearray(path.read_bytes())
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)


def test_a_flipped_bit_of_a_table_is_never_an_altered_value(folder):
    chance = random.Random(7)
    for name in ALL_TABLES:
        path = folder / name / "part-00000.parquet"
        for bit in chance.sample(range(8 * path.stat().st_size), 4):
            flipped(path, bit)
            with pytest.raises(SnapshotError, match=str(path)):
                everything(wa.load(folder))
            flipped(path, bit)
    assert everything(wa.load(folder))


def test_a_flipped_bit_of_the_manifest_is_an_error_or_changes_nothing(folder):
    path, whole, chance = folder / NAME, wa.load(folder), random.Random(8)
    for bit in chance.sample(range(8 * path.stat().st_size), 100):
        flipped(path, bit)
        try:
            assert wa.load(folder) == whole
        except SnapshotError as error:
            assert str(path) in str(error)
        flipped(path, bit)


def multiplied(folder):
    """Multiply values by ten, and keep the size: the file is padded as far as needed."""
    path = folder / "deals/part-00000.parquet"
    table = pq.read_table(path, partitioning=None)
    at = table.schema.get_field_index("value")
    pq.write_table(table.set_column(at, table.schema.field(at), pc.multiply(table["value"], pa.scalar(10.0))), path)
    values = json.loads((folder / NAME).read_text())
    values["tables"]["deals"]["files"]["part-00000.parquet"]["bytes"] = path.stat().st_size
    (folder / NAME).write_text(signed(values))


@on_every_engine
def test_values_multiplied_by_hand_are_refused_unless_the_check_is_switched_off(folder, opened):
    before = opened(folder).deals["value"].sum()
    multiplied(folder)
    with pytest.raises(SnapshotError, match=r"deals/part-00000.parquet was changed .*; wa.verify .*check=False"):
        _ = opened(folder).deals
    assert opened(folder, check=False).deals["value"].sum() == pytest.approx(10 * before)


@on_every_engine
def test_a_file_that_is_replaced_after_opening_is_noticed(folder, opened):
    snap = opened(folder)
    assert snap.frame("deals", ["deal_id"]).collect().shape[0] == len(snap)
    flipped(folder / "tags/part-00000.parquet", 100)
    with pytest.raises(SnapshotError, match="tags/part-00000.parquet was changed"):
        snap.frame("tags", ["tag"])


def test_a_file_is_hashed_once(folder):
    time.sleep(2.1)  # until then its times could stay the same in spite of a change
    everything(wa.load(folder))
    from wegly_analytics.store.checksum import _known

    path = folder.absolute() / "deals/part-00000.parquet"
    _known[path] = (_known[path][0], "what was remembered")
    with pytest.raises(SnapshotError, match="its SHA-256 is what was rem"):
        _ = wa.load(folder).deals
    del _known[path]


NAMES = [
    "..", ".", "", "/etc/passwd", "../x.parquet", "a/b", "a\\b", "a\0b", "a\nb", "/", "//", "\\\\host\\x", "x/..",
    "\u202e",
]  # fmt: skip
JUNK = [None, True, -1, 1.5, 10**30, "x", "", [], {}, [[]], {"a": 1}]
KEYS = ["taken_from", "taken_at", "published_at", "completeness", "filters", "personal", "drift", "tables",
        "schema_version"]  # fmt: skip
HOSTILE = {f"file {name!r}": ("file", name) for name in NAMES} | {
    f"{key} = {junk!r}": (key, junk) for key in KEYS for junk in JUNK if (key, junk) not in [("filters", [])]
    and not (key == "drift" and junk == {}) and not (key == "schema_version" and junk is True)
}  # fmt: skip
TEXTS = [
    "", "null", "[]", "{", '"x"', "[" * 100_000, '{"a":' * 5000, '{"schema_version": 1, "schema_version": 1}',
    "NaN", "\ufeff{}"]  # fmt: skip


@pytest.mark.parametrize(("place", "value"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_manifest_is_an_error_that_names_it_also_with_the_right_hash(place, value, published, tmp_path):
    values = json.loads((published / NAME).read_text())
    if place == "file":
        values["tables"]["deals"]["files"] = {value: values["tables"]["deals"]["files"]["part-00000.parquet"]}
    else:
        values[place] = value
    for text in (json.dumps(values), signed(values)):
        (tmp_path / NAME).write_text(text)
        with pytest.raises(SnapshotError) as caught:
            wa.load(tmp_path)
        assert str(tmp_path / NAME) in str(caught.value)
        assert wa.verify(tmp_path)["problem"].tolist() == ["damaged manifest"]


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: text[:12])
def test_a_text_that_is_no_manifest_is_an_error_that_names_it(text, tmp_path):
    (tmp_path / NAME).write_text(text)
    with pytest.raises(SnapshotError, match=str(tmp_path / NAME)):
        wa.load(tmp_path)
