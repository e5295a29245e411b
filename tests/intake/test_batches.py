"""The same responses give the same snapshot, however they are divided into pieces and batches."""

import json
import random
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import TAKEN_AT, body, deals

from wegly_analytics.intake.build import SnapshotBuilder
from wegly_analytics.intake.read import read, read_into
from wegly_analytics.intake.response import Response
from wegly_analytics.model.tables import TABLES
from wegly_analytics.snapshot.load import load
from wegly_analytics.snapshot.save import Publisher

VERSIONS = st.lists(
    st.tuples(st.sampled_from("abcde"), st.sampled_from([None, "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"])),
    max_size=14,
)


def responses(versions):
    """Versions of a few deals, each with its number in three tables; one in seven cannot be read."""
    for n, (deal_id, updated_at) in enumerate(versions):
        deal = {
            "id": deal_id,
            "value": n,
            "updated_at": updated_at,
            "tags": [{"name": f"{n} {k}"} for k in range(n % 4)],
        }
        whole = b"<html>" if n % 7 == 6 else body(deal | {"new": n})
        yield n, Response(str(n + 1), "fetched", TAKEN_AT + timedelta(seconds=n), 200, None, whole, check_id=False)


def built(versions, order, sink=None, **rows):
    builder, added = SnapshotBuilder(sink, **rows), list(responses(versions))
    for n in order:
        builder.add(*added[n])
    return builder


@settings(max_examples=40)
@given(VERSIONS, st.randoms(use_true_random=False), st.integers(1, 4), st.integers(1, 9))
def test_neither_order_nor_batches_change_a_snapshot(versions, rng, piece_rows, batch_rows):
    order = list(range(len(versions)))
    whole = built(versions, order).snapshot(TAKEN_AT)
    rng.shuffle(order)
    assert built(versions, order, piece_rows=piece_rows, batch_rows=batch_rows).snapshot(TAKEN_AT) == whole


@settings(max_examples=40)
@given(VERSIONS)
def test_the_newest_version_of_a_deal_stands_where_it_was_first_requested(versions):
    newest, first = {}, {}
    for n, (deal_id, updated_at) in enumerate(versions):
        if n % 7 != 6:
            newest[deal_id] = max((updated_at or "", n), newest.get(deal_id, ("", -1)))
            first.setdefault(deal_id, n)
    snap = built(versions, range(len(versions)), piece_rows=1, batch_rows=2).snapshot(TAKEN_AT)
    assert snap.deals["deal_id"].tolist() == sorted(first, key=first.get)
    assert snap.deals["value"].tolist() == [newest[deal_id][1] for deal_id in snap.deals["deal_id"]]
    assert snap.tags["tag"].tolist() == [
        f"{newest[deal_id][1]} {k}" for deal_id in snap.deals["deal_id"] for k in range(newest[deal_id][1] % 4)
    ]


@pytest.mark.parametrize("seed", range(4))
def test_what_is_published_in_batches_is_what_a_snapshot_in_memory_publishes(tmp_path, seed):
    rng = random.Random(seed)
    versions = [(rng.choice("abcdefghijklmnop"), f"2026-01-{rng.randint(1, 28):02}T00:00:00Z") for _ in range(60)]
    order = list(range(60))
    if seed % 2:
        rng.shuffle(order)
    built(versions, range(60)).snapshot(TAKEN_AT).save(tmp_path / "whole", allow_incomplete=True)
    with Publisher(tmp_path / "batches", "hash", allow_incomplete=True) as publisher:
        builder = built(versions, order, publisher, piece_rows=3, batch_rows=7)
        publisher.publish(builder.summary(TAKEN_AT))
    one, other = load(tmp_path / "whole"), load(tmp_path / "batches")
    assert one == other
    assert len(one) == 16
    assert sorted(each.name for each in tmp_path.iterdir()) == ["batches", "whole"]


def fail_after(versions, root, **rows):
    with Publisher(root, "keep") as publisher:
        built(versions, range(len(versions)), publisher, **rows).summary(TAKEN_AT)
        raise ZeroDivisionError


def test_a_batch_that_cannot_be_published_leaves_no_folder(tmp_path):
    with pytest.raises(ZeroDivisionError):
        fail_after([("a", None)], tmp_path / "root")
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_fails_after_many_batches_leaves_an_empty_root(tmp_path):
    with pytest.raises(ZeroDivisionError):
        fail_after([("a", None), ("b", None)] * 9, tmp_path / "root", piece_rows=1, batch_rows=1)
    assert list((tmp_path / "root").iterdir()) == []
    assert [each.name for each in tmp_path.iterdir()] == ["root"]


@settings(max_examples=30)
@given(st.lists(deals(), max_size=5, unique_by=lambda deal: deal["id"]))
def test_a_file_and_its_lines_one_by_one_are_the_same(tmp_path_factory, company):
    file = tmp_path_factory.mktemp("lines") / "x.ndjson"
    file.write_bytes(b"".join(body(deal) + b"\n" for deal in company))
    snap = read(file, taken_at=TAKEN_AT)
    builder = SnapshotBuilder()
    for n, deal in enumerate(company):
        builder.add(n, Response(f"x.ndjson:{n + 1}", "fetched", TAKEN_AT, None, None, body(deal), check_id=False))
    assert snap == builder.snapshot(TAKEN_AT)


AROUND = {
    "line ends of Windows": lambda lines: b"\r\n".join(lines) + b"\r\n",
    "blank lines": lambda lines: b"\n\n \t\n\r\n".join(lines),
    "no line end": lambda lines: b"\n".join(lines),
    "a byte order mark": lambda lines: b"\xef\xbb\xbf" + b"\n".join(lines),
    "spaces around": lambda lines: b"".join(b" \t" + line + b"  \n" for line in lines),
}


@pytest.mark.parametrize("how", AROUND)
def test_what_stands_around_the_lines_of_a_file_does_not_matter(tmp_path, how):
    lines = [json.dumps({"id": f"d{n}", "tags": [{"name": "a"}]}).encode() for n in range(1_200)]
    (tmp_path / "x.ndjson").write_bytes(AROUND[how](lines))
    snap = read(tmp_path / "x.ndjson")
    assert snap.deals["deal_id"].tolist() == [f"d{n}" for n in range(1_200)]
    assert snap.ledger["requested"].tolist() == [f"x.ndjson:{n + 1}" for n in range(1_200)]


BROKEN = {
    "two deals on a line": (b'{"id": "x"}{"id": "y"}', 1),
    "two deals and a space": (b'{"id": "x"} {"id": "y"}', 1),
    "a deal on two lines": (b'{"id":\n"x"}', 2),
    "a deal on two lines of braces": (b'{"stage": {"name": "x"}\n,"id": "x"}', 2),
    "the rest of another deal": (b'"id": "x"}', 1),
    "a list": (b'[{"id": "x"}]', 1),
    "null": (b"null", 1),
    "two deals, then one on two lines": (b'{"id": "x"}{"id": "y"}\n{"id":\n"z"}', 3),
}


@pytest.mark.parametrize("what", BROKEN)
@pytest.mark.parametrize("place", [0, 3, 600, 700])
def test_a_line_that_is_not_one_deal_is_refused_alone(tmp_path, what, place):
    broken, refused = BROKEN[what]
    lines = [b'{"id": "d%d", "value": %d}' % (n, n) for n in range(700)]
    (tmp_path / "x.ndjson").write_bytes(b"\n".join([*lines[:place], broken, *lines[place:]]))
    with pytest.warns(match="700 of"):
        snap = read(tmp_path / "x.ndjson")
    assert snap.deals["value"].tolist() == list(range(700))
    assert snap.completeness.unreadable == refused
    lost = snap.ledger.index[snap.ledger["outcome"] == "unreadable"].tolist()
    assert lost == list(range(place, place + refused))


def test_many_lines_of_two_deals_before_one_that_cannot_be_read_are_refused_each(tmp_path):
    lines = [b'{"id": "x%d"}{"id": "y%d"}' % (n, n) for n in range(450)]
    (tmp_path / "x.ndjson").write_bytes(b"\n".join([*lines, b'{"id": 1, "value": "x"}', b'{"id": "d"}']))
    with pytest.warns(match="1 of 452"):
        snap = read(tmp_path / "x.ndjson")
    assert snap.deals["deal_id"].tolist() == ["d"]


def test_a_line_longer_than_a_piece_is_read(tmp_path):
    long = b'{"id": "long", "title": "%s"}' % (b"x" * (5 << 20))
    (tmp_path / "x.ndjson").write_bytes(b"\n".join([b'{"id": "a"}', long, b'{"id": "b"}']))
    assert read(tmp_path / "x.ndjson").deals["deal_id"].tolist() == ["a", "long", "b"]


def test_a_summary_counts_the_deals_that_are_kept(tmp_path):
    (tmp_path / "x.ndjson").write_bytes(b'{"id": "a"}\n{"id": "a"}\n{"id": "b"}\n')
    builder = SnapshotBuilder(piece_rows=1, batch_rows=1)
    summary = read_into(builder, tmp_path / "x.ndjson")
    assert (summary.deals, summary.completeness.fetched) == (2, 3)
    assert len(builder.collected(summary)) == 2
    assert set(TABLES) < set(builder.collected(summary).tables)
