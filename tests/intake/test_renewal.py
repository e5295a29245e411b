"""What a refresh publishes in batches is what `wa.refresh` makes in memory."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache, partial

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from server_side import client, uuid_of
from strategies import body

from wegly_analytics import fetch, load, refresh
from wegly_analytics.errors import SnapshotError
from wegly_analytics.intake.build import SnapshotBuilder
from wegly_analytics.intake.changes import Changes
from wegly_analytics.intake.refresh import refresh_into
from wegly_analytics.intake.renewal import Spool
from wegly_analytics.model.tables import LEDGER
from wegly_analytics.sandbox import Company, faults
from wegly_analytics.snapshot.files import Files
from wegly_analytics.snapshot.save import Publisher
from wegly_analytics.snapshot.sources import ALL_TABLES
from wegly_analytics.store.checksum import sha256
from wegly_analytics.store.manifest import PublishedFile

pytestmark = pytest.mark.filterwarnings("ignore::wegly_analytics.errors.IncompleteWarning")
FAULTS = {"159": faults.Status(404), "177": faults.Status(418), "181": faults.FAULTS["html"]}
ORDER = [190, 153, *range(189, 174, -1), *range(158, 165), 9999]


class Later:
    """A simulated company; a week later some deals have gone, and the code of one belongs to another."""

    known = staticmethod(cache(Company(deals_per_month=10).response))
    at = datetime(2026, 7, 1, tzinfo=UTC)

    def __init__(self):
        self.is_later = False

    def response(self, key, at):
        if self.is_later and key in ("160", "161"):
            return None
        found = self.known(key, self.at + timedelta(7 * self.is_later))
        if found and self.is_later and key == "163":
            return body(json.loads(found) | {"id": uuid_of(163)})
        return found


def in_row_groups(snap, folder, rows=7):
    """The same snapshot in files with small row groups."""
    folder.mkdir()
    files = {}
    for name in ALL_TABLES:
        file = folder / f"{name}.parquet"
        pq.write_table(snap.tables[name], file, row_group_size=rows)
        files[name] = {file: PublishedFile(file.stat().st_size, sha256(file))}
    return replace(snap, tables=Files(files, snap.rows, snap.completeness))


def published_in_batches(root, before, *, personal, **options):
    small = partial(SnapshotBuilder, piece_rows=5, batch_rows=9)
    with Publisher(root, personal, allow_incomplete=True, done=before.personal) as publisher:
        done = refresh_into(publisher, before, root=root, builder=small, per_file=10, **options)
        return done, publisher.publish(done.summary)


def table_of(snap, name, begun):
    """A table, with the same time for all that was received after a refresh had begun."""
    table = snap.tables[name]
    if name == LEDGER.name:
        for column in ("fetched_at", "missed_at"):
            at = table.schema.get_field_index(column)
            times = [time and (begun if time > begun else time) for time in table.column(at).to_pylist()]
            table = table.set_column(at, table.schema.field(at), pa.array(times, table.schema.field(at).type))
    return table


def assert_same(one, other, begun):
    for name in ALL_TABLES:
        assert table_of(one, name, begun).equals(table_of(other, name, begun), check_metadata=True), name
    both = [(snap.completeness, snap.taken_from, snap.drift_seen, snap.personal) for snap in (one, other)]
    assert both[0] == both[1]
    assert min(one.taken_at, other.taken_at) > begun


@pytest.mark.parametrize(
    ("personal", "archive"), [("hash", None), ("drop", "archive.sqlite"), ("keep", "archive.sqlite")]
)
def test_the_published_snapshot_is_the_one_in_memory(serve, tmp_path, personal, archive):
    deals = Later()
    server = serve(deals)
    ids = [*ORDER, *(json.loads(deals.response(str(code), None))["id"] for code in (190, 189, 163, 148))]
    first = fetch(ids, client=client(server), progress=False)
    path = first.save(tmp_path / "first", personal=personal)
    before = replace(load(path), taken_at=Later.at)
    deals.is_later = True
    server.fault = FAULTS.get
    options = {"recent": "14d", "misses": 3, "workers": 4, "progress": False, "max_failures": 0.5}
    kept = {} if archive is None else {"archive": tmp_path / f"memory-{archive}"}
    again = refresh(before, client=client(server), **options, **kept)
    whole = load(again.save(tmp_path / "whole", personal="hash", allow_incomplete=True))
    root = tmp_path / "root" / "batches"
    done, path = published_in_batches(
        root,
        in_row_groups(before, tmp_path / "small"),
        personal="hash",
        client=client(server),
        archive=archive and tmp_path / archive,
        **options,
    )
    assert_same(load(path), whole, first.taken_at)
    assert (done.changes, done.summary.deals) == (Changes.between(before, again), len(again))
    assert done.changes.new > 0
    assert done.changes.changed > 0
    rows = again.ledger[["requested", "outcome", "http_status"]][again.ledger["missed_at"].notna()]
    kept = rows[(rows["outcome"] == "carried") & (rows["http_status"] != 404)]
    assert done.missing["requested"].to_pylist() == kept["requested"].tolist()
    assert {"177", "181"} < set(kept["requested"]), "and the deal whose code belongs to another one"
    assert [each.name for each in root.parent.iterdir()] == ["batches"]
    assert [each.name for each in root.iterdir()] == [path.name]


def test_what_waits_on_disk_is_treated_already(snapshot_of, tmp_path):
    people = {"participants": [{"id": "z", "person": {"id": "q", "name": "Ana"}}]}
    snap = snapshot_of(people)
    before = load(snap.save(tmp_path / "root", personal="drop"))
    with Spool(tmp_path / "root", before.personal) as spool:
        spool.add(snap.tables)
        assert [table.column("person").to_pylist() for table in spool.batches("participants")] == [[None]]
        assert [each.name.startswith("root") for each in tmp_path.iterdir()] == [True, True]
        assert spool.ledger().equals(snap.tables[LEDGER.name]), "in memory: its messages say what went wrong"
    assert [each.name for each in tmp_path.iterdir()] == ["root"]


def test_deals_that_do_not_agree_with_the_ledger_are_not_published(serve, tmp_path):
    server = serve(Later())
    root = tmp_path / "root"
    path = fetch([189, 190], client=client(server), progress=False).save(root, personal="drop")
    deals = load(path).tables["deals"]
    before = replace(load(path), tables=dict(load(path).tables) | {"deals": deals.slice(1)})
    options = {"misses": 0, "recent": "1d", "workers": 1, "progress": False, "max_failures": 0.5, "archive": None}
    for work in (refresh, partial(published_in_batches, root, personal="drop")):
        with pytest.raises(
            SnapshotError, match="the ledger has 2 deals in scope, and they are not the 1 rows of deals"
        ):
            work(before, client=client(server), **options)
    assert list(root.iterdir()) == [path]
    assert list(tmp_path.iterdir()) == [root]


def test_a_damaged_table_is_reported_before_the_first_request(serve, tmp_path):
    server = serve(Later())
    path = fetch([189, 190], client=client(server), progress=False).save(tmp_path / "root", personal="drop")
    before, n = load(path), len(server.requests)
    file = path / "tags" / "part-00000.parquet"
    file.write_bytes(file.read_bytes().replace(b"PAR1", b"PAR2", 1))
    options = {"misses": 0, "recent": "1d", "workers": 1, "progress": False, "max_failures": 0.5, "archive": None}
    with pytest.raises(SnapshotError, match=r"tags.part-00000.parquet was changed after it was published"):
        published_in_batches(tmp_path / "root", before, personal="drop", client=client(server), **options)
    assert len(server.requests) == n
