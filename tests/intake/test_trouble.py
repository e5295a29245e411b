"""A fault of the server affects one deal only, and every id requested has a ledger row."""

import gzip
import logging
import traceback

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from server_side import Numbered, client
from strategies import body

from wegly_analytics.errors import ApiError, AuthError, DriftWarning, IncompleteError, IncompleteWarning
from wegly_analytics.intake.archive import Archive
from wegly_analytics.intake.client import Client
from wegly_analytics.intake.fetch import fetch
from wegly_analytics.intake.read import read
from wegly_analytics.model.enums import OUTCOMES
from wegly_analytics.model.tables import TABLES
from wegly_analytics.sandbox import faults
from wegly_analytics.snapshot.load import load

TEMPORARY = ["error500", "error503", "reset", "short", "html", "empty", "truncated", "forbidden"]
TEMPORARY += [name for name in faults.FAULTS if name.startswith("limited")]

EXPECTED = {
    "error500": "failed",
    "error503": "failed",
    "limited": "failed",
    "limited_date": "failed",
    "limited_zero": "failed",
    "limited_bare": "failed",
    "limited_rubbish": "failed",
    "forbidden": "forbidden",
    "not_found": "not_found",
    "redirect": "failed",
    "reset": "failed",
    "short": "failed",
    "drip": "failed",
    "huge": "unreadable",
    "gzip_bomb": "unreadable",
    "html": "unreadable",
    "empty": "unreadable",
    "truncated": "unreadable",
    "bad_utf8": "unreadable",
    "lone_surrogate": "fetched",
    "duplicate_key": "unreadable",
    "deep": "fetched",
    "spaces": "unreadable",
    "list": "unreadable",
    "two_objects": "unreadable",
    "utf16": "unreadable",
    "gzip_inside": "unreadable",
    "no_id": "unreadable",
    "long_id": "unreadable",
    "other_deal": "unreadable",
    "repeated_keys": "fetched",
    "many_keys": "fetched",
    "long_key": "fetched",
    "surrogate_key": "fetched",
    "nulls": "fetched",
    "year_zero": "fetched",
    "year_9999": "fetched",
    "no_date": "fetched",
    "nan": "fetched",
    "infinity": "fetched",
    "long_number": "fetched",
    "wrong_type": "unreadable",
    "new_field": "fetched",
}
"""The outcome of a deal whose every response has the fault."""

anything_may_be_missing = pytest.mark.filterwarnings(
    "ignore::wegly_analytics.errors.IncompleteWarning", "ignore::wegly_analytics.errors.DriftWarning"
)


def test_faults_that_pass_leave_no_trace(serve):
    undisturbed = fetch(range(1, 61), client=client(serve()), progress=False)
    names = [name for name in TEMPORARY if name != "forbidden"]
    quick = faults.FAULTS | {"limited_date": faults.Dated(0.1)}
    plan = {str(code): faults.Times(quick[name], 1) for code, name in enumerate(names, start=21 - len(names))}
    server = serve(faults=plan)
    snap = fetch(range(1, 61), client=client(server, attempts=4), progress=False, workers=16)
    assert len(server.requests) >= 60 + len(set(plan) - {"10", "20"}), "each fault happened"
    assert snap.completeness.missing == 0
    assert all(snap.tables[table].equals(undisturbed.tables[table]) for table in TABLES)


@anything_may_be_missing
def test_every_fault_affects_its_own_deal_and_no_other(serve, tmp_path):
    assert set(EXPECTED) == set(faults.FAULTS) - {"unauthorized"}, "a new fault needs an expected outcome"
    plan = {str(code): name for code, name in zip((n for n in range(11, 99) if n % 10), EXPECTED, strict=False)}
    quick = faults.FAULTS | {"limited": faults.Status(429, {"Retry-After": "0"}), "limited_date": faults.Dated(-1)}
    server = serve(faults={id_: quick[name] for id_, name in plan.items()})
    api = client(server, attempts=1, timeout=2.0)
    snap = fetch(range(1, 101), client=api, archive=tmp_path / "a.sqlite", max_failures=1, progress=False)
    rows = snap.ledger.set_index("requested")
    for id_, name in plan.items():
        assert rows.loc[id_, "outcome"] == EXPECTED[name], (name, rows.loc[id_, "message"])
        assert (EXPECTED[name] == "fetched") or len(rows.loc[id_, "message"]) > 20, name
    others = [id_ for id_ in rows.index if id_ not in plan]
    assert set(rows.loc[others, "outcome"]) == {"fetched", "not_found"}
    assert load(snap.save(tmp_path / "root", allow_incomplete=True)).completeness == snap.completeness
    undisturbed = fetch(range(1, 101), client=client(serve()), progress=False)
    for name in TABLES:
        with_faults, without = getattr(snap, name), getattr(undisturbed, name)
        untouched = set(rows.loc[others, "deal_id"].dropna())
        assert (
            with_faults[with_faults["deal_id"].isin(untouched)]
            .reset_index(drop=True)
            .equals(without[without["deal_id"].isin(untouched)].reset_index(drop=True))
        )
    again = read(tmp_path / "a.sqlite").ledger.set_index("requested")
    assert again["outcome"].to_dict() == rows["outcome"].to_dict(), "the archive gives the same outcomes"


WRONG = {"object": {"x": 1}, "list": [1], "text": "abc", "flag": True, "number": -1.5, "huge": 10**30, "empty": ""}
PATHS = sorted({column.path for table in TABLES.values() for column in table.columns if column.path} - {"id", "code"})


@anything_may_be_missing
@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_type_in_any_declared_column_is_repaired_or_named(serve, kind):
    paths = {str(code): path for code, path in zip((n for n in range(1, 1000) if n % 10), PATHS, strict=False)}
    assert len(paths) == len(PATHS) > 80
    plan = {id_: faults.wrong_type(path, WRONG[kind]) for id_, path in paths.items()}
    ids = [*paths, "998", "999"]
    snap = fetch(ids, client=client(serve(Numbered(999), faults=plan)), max_failures=1, progress=False)
    rows = snap.ledger.set_index("requested")
    assert rows.loc[["998", "999"], "outcome"].tolist() == ["fetched", "fetched"]
    assert len(snap) == (rows["outcome"] == "fetched").sum()
    for id_, path in paths.items():
        outcome, message = rows.loc[id_, ["outcome", "message"]]
        if outcome == "unreadable":
            named = message.partition(": ")[0].replace("[0]", "[]")
            assert named == path, message
        else:
            assert outcome == "fetched", (path, message)


def test_a_key_given_twice_is_named_and_refused_if_the_values_differ(serve):
    class Twice(Numbered):
        def response(self, key, at):
            return super().response(key, at)[:-1] + (b', "status": 1}' if key == "1" else b', "status": 2}')

    with pytest.warns(IncompleteWarning, match="1 unreadable"):
        snap = fetch([1, 2], client=client(serve(Twice())), progress=False)
    assert snap.ledger["message"].tolist() == [
        "status: given twice, with the same value",
        "status: expected one value, found two different ones",
    ]


SECRET = "k3y-" + "Zx9" * 11


def everything(folder):
    for path in folder.rglob("*"):
        if path.is_file():
            yield gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


def test_the_token_is_nowhere_but_in_its_header(serve, tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    server = serve(
        token=SECRET, faults={"2": faults.Status(500), "3": faults.Broken(abrupt=True), "4": faults.Status(403)}
    )
    api = Client(SECRET, base_url=server.url, per_second=None, attempts=2, backoff=0.01)
    with pytest.warns(IncompleteWarning) as caught:
        snap = fetch(range(1, 11), client=api, archive=tmp_path / "a.sqlite", progress=False)
    snap.save(tmp_path / "root", allow_incomplete=True)
    server.fault = lambda id_: faults.Status(401)
    with pytest.raises(AuthError) as refused:
        fetch(range(11, 21), client=api, archive=tmp_path / "a.sqlite", progress=False)
    texts = "".join(traceback.format_exception(refused.value)) + caplog.text + repr(api) + repr(snap)
    texts += "".join(str(warning.message) for warning in caught) + snap.ledger.to_csv()
    assert snap.completeness.fetched == 6, "the token was sent and accepted"
    assert SECRET not in texts
    assert not any(SECRET.encode() in content for content in everything(tmp_path))


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(names=st.lists(st.sampled_from(["fine", "gap", *TEMPORARY, "wrong_type", "new_field"]), min_size=1, max_size=12))
@anything_may_be_missing
def test_every_id_requested_has_a_ledger_row_after_any_faults(serve, names):
    plan = {str(n): faults.FAULTS[name] for n, name in enumerate(names, start=1) if name in faults.FAULTS}
    plan = {id_: faults.Status(429) if "limited" in names[int(id_) - 1] else fault for id_, fault in plan.items()}

    class Some(Numbered):
        def response(self, key, at):
            return None if names[int(key) - 1] == "gap" else body({"id": key, "code": int(key)})

    server = serve(Some(), faults=plan)
    try:
        snap = fetch(range(1, len(names) + 1), client=client(server, attempts=1), progress=False, max_failures=1)
    except AuthError:
        assert set(names[:3]) == {"forbidden"}, "only a token that opens nothing stops a run"
        return
    except ApiError as error:
        if error.status == 404:
            assert set(names) == {"gap"}, "a 404 stops only a run that finds nothing at all"
        else:
            assert set(names) <= {"error500", "error503", "reset", "short"}, "so does a server that always fails"
        return
    finally:
        server.stop()
    counts = snap.completeness
    assert snap.ledger["requested"].tolist() == [str(n) for n in range(1, len(names) + 1)]
    assert counts.requested == len(names) == sum(getattr(counts, outcome) for outcome in OUTCOMES)
    assert counts.fetched == len(snap) == snap.ledger["deal_id"].notna().sum()


def test_an_incomplete_snapshot_is_published_only_on_request(serve, tmp_path):
    server = serve(faults={str(n): faults.Status(418) for n in (1, 2, 3, 4)})
    with pytest.warns(IncompleteWarning):
        snap = fetch(range(1, 41), client=client(server), progress=False)
    with pytest.raises(IncompleteError, match="32 of 40 .* 4 failed: more than 5% are missing.*allow_incomplete"):
        snap.save(tmp_path)
    assert not list(tmp_path.iterdir())
    assert load(snap.save(tmp_path, allow_incomplete=True)).completeness == snap.completeness
    with pytest.warns(IncompleteWarning):
        enough = fetch(range(1, 81), client=client(server), progress=False, max_failures=0.1)
    assert enough.save(tmp_path), "gaps are not failures: 4 of 80 are 5 %"


def test_undocumented_fields_are_counted_with_a_type_and_warned_of_once(serve):
    server = serve(faults={str(n): faults.FAULTS["new_field"] for n in (1, 2, 3)})
    with pytest.warns(DriftWarning) as caught:
        snap = fetch(range(1, 31), client=client(server), progress=False)
    assert len(caught) == 1
    drift = snap.drift.set_index("path")
    assert drift.loc["mood", ["drift", "deals", "example"]].tolist() == ["unknown", 3, "object"]
    assert drift.loc["proposals", ["drift", "deals"]].tolist() == ["never seen", 0]


def test_an_archive_holds_the_responses_as_received(serve, tmp_path):
    server = serve(faults={"5": faults.FAULTS["lone_surrogate"]})
    fetch(range(1, 10), client=client(server), archive=tmp_path / "a.sqlite", progress=False)
    kept = {record.requested: record.body for record in Archive(tmp_path / "a.sqlite")}
    assert b"\\ud800" in kept["5"]
