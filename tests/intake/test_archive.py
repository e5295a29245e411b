import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import zlib
from contextlib import closing
from datetime import UTC, datetime, timedelta
from threading import Thread

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wegly_analytics.errors import ArchiveError, SettingError
from wegly_analytics.intake.archive import Archive
from wegly_analytics.intake.client import MAX_BYTES
from wegly_analytics.intake.record import Record
from wegly_analytics.intake.row import crc_of

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


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def changed(path, statement, *values):
    """Change an archive as no program of ours does."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement, values)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "responses.sqlite"


@settings(max_examples=30)
@given(st.lists(records, max_size=5))
def test_records_are_read_as_written_byte_by_byte(tmp_path_factory, written):
    path = tmp_path_factory.mktemp("archive") / "data" / "responses.sqlite"
    with Archive(path) as archive:
        for record in written:
            archive.write(record)
    again = Archive(path)
    assert list(again) == written
    assert again.damaged == {}


def test_text_that_is_not_unicode_costs_no_record(path):
    with Archive(path) as archive:
        archive.write(Record("1", 500, NOW, b"", "odd \ud800"))
    assert [record.message for record in archive] == ["odd ?"]


def test_a_record_can_be_read_as_soon_as_it_is_written(path):
    writing = Archive(path)
    for n in range(5):
        writing.write(deal(n))
        assert [record.requested for record in Archive(path)] == [str(m) for m in range(n + 1)]
    writing.close()
    with pytest.raises(ArchiveError, match="was closed"):
        writing.write(deal(9))


def test_files_are_private_to_the_user(tmp_path):
    os.umask(0o022)
    path = tmp_path / "data" / "responses.sqlite"
    with Archive(path) as archive:
        archive.write(deal(1))
        assert {each.name: stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()} == dict.fromkeys(
            ("responses.sqlite", "responses.sqlite-wal", "responses.sqlite-shm"), 0o600
        )
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert list(files(path.parent)) == ["responses.sqlite"]


WRITING = """
import sys
from datetime import UTC, datetime
from wegly_analytics.intake.archive import Archive
from wegly_analytics.intake.record import Record
archive = Archive(sys.argv[1])
for n in range(int(sys.argv[2])):
    archive.write(Record(sys.argv[3] + str(n), 200, datetime.now(UTC), b"{%d}" % n))
    if n == 2:
        print("begun", flush=True)
"""


def writing(path, n, prefix="", end=""):
    return subprocess.Popen(
        [sys.executable, "-c", WRITING + end, str(path), str(n), prefix], stdout=subprocess.PIPE, text=True
    )


def test_processes_and_threads_write_at_once_and_an_erasure_loses_none_of_theirs(path):
    processes = [writing(path, 300, prefix, "archive.close()") for prefix in "ab"]
    for process in processes:
        process.stdout.readline()
    with Archive(path) as archive:
        threads = [Thread(target=lambda: [archive.write(deal(n)) for n in range(100)]) for _ in range(4)]
        for thread in threads:
            thread.start()
        for _ in range(5):
            assert Archive(path).erase(LONG_AGO) == 0
        for thread in threads:
            thread.join()
    for process in processes:
        with process:
            assert process.wait(60) == 0
    again = Archive(path)
    assert (again.count()["records"], again.count()["ids"], again.damaged) == (1000, 700, {})


def test_what_a_killed_process_wrote_is_kept(path):
    with writing(path, 50, end="import os; os._exit(9)") as process:
        process.wait(60)
    assert f"{path.name}-wal" in files(path.parent)
    again = Archive(path)
    assert (again.count()["records"], again.damaged) == (50, {})


def outcome_of_a_flip(folder, contents, written):
    """Read a damaged archive: the records must be those that were written, or the damage must be named."""
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    archive = Archive(folder / "responses.sqlite")
    try:
        found = list(archive)
        damaged = archive.damaged.copy()
        again = list(archive.records(archive.newest()))
    except ArchiveError as error:
        assert "responses.sqlite" in str(error)
        return "refused"
    finally:
        for path in folder.iterdir():
            path.unlink()
    assert all(record in written for record in found + again), "an altered response was taken for true"
    assert damaged or found == written, "records are missing, and nothing says so"
    return "named" if damaged else "whole"


@pytest.mark.parametrize("killed", [False, True])
def test_whatever_bit_flips_no_record_changes_and_none_is_missing_without_a_word(path, killed):
    with writing(path, 4, end="import os; os._exit(9)" if killed else "archive.close()") as process:
        process.wait(60)
    contents = {name: content for name, content in files(path.parent).items() if not name.endswith("-shm")}
    place = path.parent / "flipped"
    place.mkdir()
    for name, content in contents.items():
        (place / name).write_bytes(content)
    written = list(Archive(place / path.name))
    assert len(written) == 4
    outcomes = set()
    for name, content in contents.items():
        for bit in range(0, 8 * len(content), 8 * len(content) // 150 | 1):
            flipped = bytearray(content)
            flipped[bit // 8] ^= 1 << bit % 8
            outcomes.add(outcome_of_a_flip(place, contents | {name: bytes(flipped)}, written))
        for part in range(1, 8):
            if not name.endswith("-wal"):  # a log that is cut off between two records is that of an earlier moment
                cut = content[: len(content) * part // 8]
                outcomes.add(outcome_of_a_flip(place, contents | {name: cut}, written))
    assert outcomes == {"refused", "named", "whole"}


BAD = {
    "another id": ("UPDATE response SET requested = '9' WHERE n = 2", (), "its checksum is wrong"),
    "another time": ("UPDATE response SET at = at + 1 WHERE n = 2", (), "its checksum is wrong"),
    "an impossible time": ("UPDATE response SET at = 9e18 WHERE n = 2", (), "its checksum is wrong"),
    "another status": ("UPDATE response SET status = 404 WHERE n = 2", (), "its checksum is wrong"),
    "no body": ("UPDATE response SET body = NULL WHERE n = 2", (), "its checksum is wrong"),
    "another body": ("UPDATE response SET body = ? WHERE n = 2", (zlib.compress(b"{}"),), "its checksum is wrong"),
    "another type": ("UPDATE response SET body = 7, requested = x'ff' WHERE n = 2", (), "its checksum is wrong"),
    "a missing record": ("DELETE FROM response WHERE n = 2", (), "3 were written, 2 were found"),
    "no total": ("DELETE FROM total", (), "None were written"),
}


@pytest.mark.parametrize(("statement", "values", "why"), BAD.values(), ids=BAD)
def test_a_record_that_is_not_as_it_was_written_is_named_and_not_read(path, statement, values, why):
    with Archive(path) as archive:
        for n in (1, 2, 3):
            archive.write(deal(n))
    changed(path, statement, *values)
    again = Archive(path)
    assert set(again.newest()) - {"2"} == {"1", "3"}
    assert why in " ".join(again.damaged.values())
    assert Archive(path).erase(LONG_AGO) == (why.startswith("its checksum")), "erasing removes what is damaged"
    assert [again.count()["records"], again.damaged] == [3 - (statement != BAD["no total"][0]), {}]


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (zlib.compress(bytes(MAX_BYTES + 1)), "larger than 32 MiB"),
        (zlib.compress(b"{}")[:-1], "cut off"),
        (b"not zlib", "decompressing"),
    ],
)
def test_a_body_that_cannot_be_unpacked_is_named_whatever_its_checksum(path, body, why):
    columns = (2, b"1", 0, 200, None, 1, body)
    with Archive(path) as archive:
        archive.write(deal(2))
    changed(
        path,
        "INSERT INTO response VALUES (2, '1', 0, 200, NULL, 1, ?, ?)",
        body,
        crc_of(*columns),
    )
    again = Archive(path)
    found = again.newest()
    assert [record.requested for record in again.records(found)] == ["2"]
    assert why in again.damaged["record 2 (requested: '1')"]


def test_the_newest_final_record_counts_and_failures_do_not(path):
    with Archive(path) as archive:
        archive.write(Record("1", 200, NOW, b'{"id": "new"}'))
        archive.write(Record("1", 200, LONG_AGO, b'{"id": "old"}'))
        archive.write(Record("1", 500, NOW + timedelta(1)))
        archive.write(Record("2", None, NOW, message="no response"))
        archive.write(Record("3", 404, NOW))
    newest = Archive(path).newest()
    assert {id_: (found.status, found.is_final) for id_, found in newest.items()} == {
        "1": (200, True),
        "2": (None, False),
        "3": (404, True),
    }
    assert [record.body for record in archive.records({"1": newest["1"]})] == [b'{"id": "new"}']
    assert archive.erase(NOW + timedelta(hours=1)) == 4
    assert list(archive.records(newest)) == [], "a record that is gone is left out, not replaced by another"


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


def test_records_dated_in_the_future_can_be_erased(path):
    archive = Archive(path)
    for id_, days in (("1", -1), ("2", 0), ("3", 40_000)):
        archive.write(Record(id_, 404, NOW + timedelta(days=days)))
    archive.close()
    assert archive.erase(NOW - timedelta(days=90)) == 0
    assert archive.erase(NOW - timedelta(days=90), after=NOW + timedelta(days=1)) == 1
    assert [record.requested for record in archive] == ["1", "2"]


def test_old_records_are_erased_for_good(path):
    bodies = [b"<%d>" % n + os.urandom(50) for n in range(40)]
    with Archive(path) as archive:
        for n, body in enumerate(bodies):
            archive.write(Record(f"id-{n:02}", 500, [LONG_AGO, NOW][n % 2], body, f"Ana Maria {n:02}"))
        assert archive.erase(NOW - timedelta(days=90)) == 20
        left = b"".join(files(path.parent).values())
        for n, body in enumerate(bodies):
            for trace in (b"id-%02d" % n, b"Ana Maria %02d" % n, zlib.compress(body, 3)):
                assert (trace in left) == bool(n % 2), "only the new ones are left in any file"
        archive.write(deal(99))
    again = Archive(path)
    assert again.count() | {"bytes": 0} == {"bytes": 0, "records": 21, "ids": 21, "oldest": NOW, "newest": NOW}
    assert again.erase(NOW - timedelta(days=90)) == 0
    assert list(files(path.parent)) == [path.name]


def test_erasing_is_refused_where_the_structure_is_damaged(path):
    with Archive(path) as archive:
        for n in range(100):
            archive.write(Record(str(n), 500, NOW, None, "x" * 500))
    content = bytearray(path.read_bytes())
    content[-4096:-4000] = bytes(96)
    path.write_bytes(content)
    with pytest.raises(ArchiveError, match=r"is damaged \(.*\): move it aside"):
        Archive(path).erase(NOW - timedelta(days=1))
    again = Archive(path)
    assert len(list(again)) > 50, "pages beyond the damaged one are read, too"
    assert again.damaged


def test_other_files_are_refused_by_name_and_not_changed(path):
    changed(path, "CREATE TABLE t (a)")
    other = path.read_bytes()
    with pytest.raises(ArchiveError, match="is an SQLite file, but not an archive"):
        Archive(path).open()
    assert path.read_bytes() == other
    for content, why in ((b"", "is empty"), (b"words " * 200, "file is not a database")):
        path.write_bytes(content)
        for action in (Archive(path).open, Archive(path).newest):
            with pytest.raises(ArchiveError, match=why):
                action()
        assert path.read_bytes() == content
    path.unlink()
    with Archive(path) as archive:
        archive.write(deal(1))
    changed(path, "PRAGMA user_version = 2")
    with pytest.raises(ArchiveError, match="has format 2, and this version reads 1: update"):
        Archive(path).newest()
    with pytest.raises(SettingError, match="is a folder"):
        Archive(path.parent)


def test_archives_that_were_begun_by_killed_processes_are_removed(path):
    for name in (".responses.sqlite.new-0a", ".responses.sqlite.new-0a-wal"):
        (path.parent / name).write_bytes(b"begun")
    with Archive(path) as archive:
        archive.open()
    assert list(files(path.parent)) == [path.name]


def test_many_processes_create_one_archive(path):
    processes = [writing(path, 5, prefix, "archive.close()") for prefix in "abcd"]
    for process in processes:
        with process:
            assert process.wait(60) == 0
    assert Archive(path).count()["ids"] == 20
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(files(path.parent)) == [path.name]


def test_a_log_that_is_left_of_a_deleted_archive_is_not_taken_for_that_of_a_new_one(path):
    with writing(path, 5, end="import os; os._exit(9)") as process:
        process.wait(60)
    path.unlink()
    with pytest.raises(ArchiveError, match="wal was left by an archive that is gone"):
        Archive(path).open()


def test_a_folder_that_cannot_be_written_is_named_when_it_is_opened(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(ArchiveError, match=r"cannot write to the archive .*file/a: Not a directory"):
        Archive(tmp_path / "file" / "a").open()


READING = """
import os, sys
from wegly_analytics.intake.archive import Archive
from wegly_analytics.errors import ArchiveError
import wegly_analytics as wa
if os.getuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
print(len(list(Archive(sys.argv[1]))))
try:
    Archive(sys.argv[1]).open()
except ArchiveError as error:
    print(error)
"""


def test_an_archive_that_is_read_only_is_read(tmp_path):
    place = tmp_path / "data"
    with Archive(place / "responses.sqlite") as archive:
        archive.write(deal(1))
    shared = shutil.copytree(place, f"/dev/shm/wegly-{os.getpid()}" if os.path.isdir("/dev/shm") else tmp_path / "x")
    try:
        os.chmod(f"{shared}/responses.sqlite", 0o444)
        os.chmod(shared, 0o555)
        done = subprocess.run(
            [sys.executable, "-c", READING, f"{shared}/responses.sqlite"], capture_output=True, text=True, check=True
        )
    finally:
        os.chmod(shared, 0o755)
        shutil.rmtree(shared)
    n, error = done.stdout.splitlines()
    assert (n, "cannot write to the archive" in error, "it is read-only" in error) == ("1", True, True)


FULL_DISK = """
import random, resource, signal, sys
from datetime import UTC, datetime
from wegly_analytics.intake.archive import Archive
from wegly_analytics.intake.record import Record
from wegly_analytics.errors import ArchiveError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
archive = Archive(sys.argv[1])
written = []
for n in range(100):
    try:
        archive.write(Record(str(n), 200, datetime.now(UTC), random.Random(n).randbytes(2000)))
        written.append(n)
    except ArchiveError as error:
        last = str(error)
print(written, last, sep="\\n")
"""


def test_a_full_disk_is_reported_and_earlier_records_are_kept(path):
    done = subprocess.run([sys.executable, "-c", FULL_DISK, str(path)], capture_output=True, text=True, check=True)
    written, error = done.stdout.splitlines()
    assert "cannot write to the archive" in error
    assert error.endswith("; what was written before is kept")
    again = Archive(path)
    assert str([int(record.requested) for record in again]) == written
    assert (5 < again.count()["records"] < 95, again.damaged) == (True, {})


def test_records_are_read_in_the_order_wanted_whatever_their_size(path):
    with Archive(path) as archive:
        found = {str(n): archive.write(deal(n)) for n in range(60)}
        for n in range(60, 64):
            found[str(n)] = archive.write(Record(str(n), 500, NOW, os.urandom(9 << 20)))  # more than is read at once
    wanted = {id_: found[id_] for id_ in sorted(found, key=lambda id_: id_[::-1])}
    records = list(archive.records(wanted))
    assert [record.requested for record in records] == list(wanted)
    assert all(record.body == deal(int(record.requested)).body for record in records if record.status == 200)


def test_a_damaged_page_costs_no_record_of_another(path):
    with Archive(path) as archive:
        found = {str(n): archive.write(Record(str(n), 500, NOW, os.urandom(1000))) for n in range(100)}
    content = bytearray(path.read_bytes())
    content[10 * 4096 : 10 * 4096 + 8] = b"\xff" * 8  # the head of a page of records
    path.write_bytes(content)
    again = Archive(path)
    left = [record.requested for record in again.records(dict(reversed(found.items())))]
    assert 90 < len(left) < 100
    assert left == sorted(left, key=int, reverse=True)
    assert len(again.damaged) == 100 - len(left)
