import gzip
import os
import resource
import stat
import subprocess
import sys
import zlib
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wegly_analytics.errors import ArchiveError
from wegly_analytics.intake.archive import Archive
from wegly_analytics.intake.record import Record

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=200)

records = st.builds(
    Record,
    requested=st.text(min_size=1, max_size=40),
    status=st.none() | st.integers(100, 599),
    at=st.datetimes(timezones=st.just(UTC)),
    body=st.none() | st.binary(max_size=200) | st.text(max_size=200).map(lambda t: t.encode("utf-8", "surrogatepass")),
    message=st.none() | st.text(max_size=40),
)


def deal(n, at=NOW):
    return Record(str(n), 200, at, b'{"id": "%d", "title": "%s"}' % (n, b"x" * 500))


@given(st.lists(records, max_size=5))
def test_records_are_read_as_written_byte_by_byte(tmp_path_factory, written):
    folder = tmp_path_factory.mktemp("archive") / "raw"
    with Archive(folder) as archive:
        for record in written:
            archive.write(record)
    again = Archive(folder)
    assert list(again) == written
    assert again.damaged == {}


def test_a_record_can_be_read_as_soon_as_it_is_written(tmp_path):
    writing = Archive(tmp_path)
    for n in range(5):
        writing.write(deal(n))
        assert [record.requested for record in Archive(tmp_path)] == [str(m) for m in range(n + 1)]
    writing.close()


def test_any_tool_reads_a_finished_segment(tmp_path):
    with Archive(tmp_path) as archive:
        archive.write(deal(1))
    (path,) = archive.segments()
    assert gzip.decompress(path.read_bytes()) == deal(1).line()
    assert path.name.startswith("responses-")


def test_files_are_private_to_the_user(tmp_path):
    os.umask(0o022)
    with Archive(tmp_path / "data" / "raw") as archive:
        archive.write(deal(1))
    assert stat.S_IMODE((tmp_path / "data" / "raw").stat().st_mode) == 0o700
    assert stat.S_IMODE(archive.segments()[0].stat().st_mode) == 0o600


@pytest.mark.parametrize("lost", [1, 5, 60, 300])
def test_a_file_cut_off_at_its_end_loses_only_its_last_records(tmp_path, lost):
    archive = Archive(tmp_path)
    for n in range(10):
        archive.write(deal(n))
    (path,) = archive.segments()
    whole = path.read_bytes()
    path.write_bytes(whole[:-lost])
    read = [record.requested for record in Archive(tmp_path)]
    assert read == [str(n) for n in range(len(read))]
    assert len(read) >= 10 - 1 - lost // 30, "records are some thirty bytes here"
    assert Archive(tmp_path).damaged == {}


def test_damage_is_named_and_the_records_before_it_are_read(tmp_path):
    archive = Archive(tmp_path)
    archive.write(deal(1))
    archive.write(deal(2))
    (path,) = archive.segments()
    with path.open("ab") as file:
        file.write(b"\xff" * 100)
    (tmp_path / "responses-0-odd.ndjson.gz").write_bytes(gzip.compress(b'{"requested": "7"}\n'))
    again = Archive(tmp_path)
    assert [record.requested for record in again] == ["1", "2"]
    assert set(again.damaged) == {path, tmp_path / "responses-0-odd.ndjson.gz"}
    assert "not a record" in again.damaged[tmp_path / "responses-0-odd.ndjson.gz"]


def test_segments_joined_into_one_file_are_read_whole(tmp_path):
    packed = b"".join(gzip.compress(deal(n).line()) for n in range(3))
    (tmp_path / "responses-joined.ndjson.gz").write_bytes(packed)
    assert [record.requested for record in Archive(tmp_path)] == ["0", "1", "2"]


def test_the_newest_final_record_counts_and_failures_do_not(tmp_path):
    with Archive(tmp_path) as archive:
        archive.write(Record("1", 200, NOW, b'{"id": "new"}'))
        archive.write(Record("1", 200, LONG_AGO, b'{"id": "old"}'))
        archive.write(Record("1", 500, NOW + timedelta(1)))
        archive.write(Record("2", None, NOW, message="no response"))
        archive.write(Record("3", 404, NOW))
    newest = Archive(tmp_path).newest(lambda record: record.is_final)
    assert {requested: found.n for requested, found in newest.items()} == {"1": 0, "3": 4}
    assert [record.body for record in archive.pick([0])] == [b'{"id": "new"}']


@pytest.mark.parametrize(
    ("record", "is_final"),
    [
        (Record("1", 200, NOW, b'\xef\xbb\xbf {"id": 1}\n'), True),
        (Record("1", 200, NOW, None, "too large"), True),
        (Record("1", 404, NOW), True),
        (Record("1", 200, NOW, b"<html>"), False),
        (Record("1", 200, NOW, b'{"id": '), False),
        (Record("1", 403, NOW), False),
        (Record("1", 503, NOW), False),
        (Record("1", None, NOW), False),
    ],
)
def test_only_a_response_about_the_deal_is_final(record, is_final):
    assert record.is_final is is_final


def test_old_records_are_erased_for_good(tmp_path):
    for n, times in enumerate([[LONG_AGO], [LONG_AGO, NOW], [NOW]]):
        with Archive(tmp_path) as archive:
            for at in times:
                archive.write(deal(n, at))
    assert archive.count() | {"bytes": 0} == {
        "segments": 3,
        "bytes": 0,
        "records": 4,
        "ids": 3,
        "oldest": LONG_AGO,
        "newest": NOW,
    }
    assert archive.erase(NOW - timedelta(days=90)) == 2
    left = Archive(tmp_path)
    assert [(record.requested, record.at) for record in left] == [("1", NOW), ("2", NOW)]
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in left.segments())
    assert sorted(os.listdir(tmp_path)) == [path.name for path in left.segments()]
    assert left.erase(NOW - timedelta(days=90)) == 0


def test_a_damaged_segment_is_not_rewritten(tmp_path):
    packer = zlib.compressobj(wbits=31)
    cut_off = packer.compress(deal(1, LONG_AGO).line() + deal(2, NOW).line()) + packer.flush(zlib.Z_SYNC_FLUSH)
    (tmp_path / "responses-1.ndjson.gz").write_bytes(cut_off + b"\xff" * 50)
    with pytest.raises(ArchiveError, match=r"responses-1.ndjson.gz is damaged \(.*\); erase or repair it by hand"):
        Archive(tmp_path).erase(NOW - timedelta(days=1))
    assert len(list(Archive(tmp_path))) == 2


def test_a_folder_that_cannot_be_written_is_named_when_it_is_opened(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(ArchiveError, match=r"cannot write to the archive .*file/raw: Not a directory"):
        Archive(tmp_path / "file" / "raw").open()


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / "responses-1.ndjson.gz").mkdir()
    with pytest.raises(ArchiveError, match="responses-1.ndjson.gz cannot be read: Is a directory"):
        list(Archive(tmp_path))


FULL_DISK = """
import resource, signal, sys
from datetime import UTC, datetime
from wegly_analytics.intake.archive import Archive
from wegly_analytics.intake.record import Record
from wegly_analytics.errors import ArchiveError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
archive = Archive(sys.argv[1])
import random
errors = []
for n in range(400):
    try:
        archive.write(Record(str(n), 200, datetime.now(UTC), random.Random(n).randbytes(200)))
    except ArchiveError as error:
        errors.append((n, str(error)))
archive.close()
print(errors[0], errors[-1], sep="\\n")
"""


def test_a_full_disk_is_reported_and_earlier_records_are_kept(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path / "raw")], capture_output=True, text=True, check=True
    )
    first, last = done.stdout.splitlines()
    assert "cannot write to the archive" in first
    assert "File too large; what was written before is kept" in first
    assert "the disk was full before" in last, "nothing is written after half a record"
    kept = [int(record.requested) for record in Archive(tmp_path / "raw")]
    written = int(first[1 : first.index(",")])
    # of the record that found the disk full all but the end of its block may have been written: then it is readable
    assert kept in (list(range(written)), list(range(written + 1)))
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 20_000
