"""Input that once lost deals or ended a run."""

import json
import socket
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import openpyxl
import pytest
from server_side import client

import wegly_analytics as wa
from wegly_analytics.errors import ApiError, IdError, IncompleteWarning, SettingError, UnreachableError
from wegly_analytics.intake.archive import Archive
from wegly_analytics.intake.record import Record
from wegly_analytics.sandbox import faults


def a_deal(code, title, updated_at):
    return {"id": f"deal-{code}", "code": code, "title": title, "status": 1, "updated_at": updated_at}


@pytest.mark.parametrize(
    ("content", "ids"),
    [
        (b"17\n18\n", ["17", "18"]),
        (b"\xef\xbb\xbf17\r\n18\r\n", ["17", "18"]),
        (b"C\xf3digo;T\xedtulo\n17;Caf\xe9\n18;\n", ["17", "18"]),
        ("Código;Título\n17;Café\n".encode("utf-16"), ["17"]),
        (b"Ana;17;x\nBia;18;y\n", ["17", "18"]),
        (b"code,title\n1,a\n,b\n3,c\n", ["1", "3"]),
    ],
)
def test_a_csv_file_from_excel_loses_no_id(content, ids, tmp_path):
    path = tmp_path / "deals.csv"
    path.write_bytes(content)
    assert wa.ids_from(path) == ids


def test_a_headerless_file_with_ids_in_two_columns_needs_a_column(tmp_path):
    path = tmp_path / "deals.csv"
    path.write_text("1,10\n2,20\n")
    with pytest.raises(SettingError, match="columns column 1, column 2: pass column="):
        wa.ids_from(path)
    assert wa.ids_from(path, "column 2") == ["10", "20"]
    path.write_text("1,10\n2,x\n")
    with pytest.raises(IdError, match=r"deals\.csv, row 2, column 'column 2'"):
        wa.ids_from(path, "column 2")


def test_a_sheet_is_chosen_by_name(tmp_path):
    book = openpyxl.Workbook()
    book.active.append(["note"])
    book.create_sheet("Deals").append([17])
    book.save(tmp_path / "deals.xlsx")
    assert wa.ids_from(tmp_path / "deals.xlsx", sheet="Deals") == ["17"]
    with pytest.raises(SettingError, match="cannot be read"):
        wa.ids_from(tmp_path / "deals.xlsx", sheet="Other")


def test_fetch_takes_ranges_and_files(serve, tmp_path):

    server = serve()
    assert wa.fetch("1-3", client=client(server), progress=False).completeness.requested == 3
    (tmp_path / "deals.csv").write_text("code\n1\n2\n")
    (tmp_path / "ids.txt").write_text("# mine\n1-2 5\n")
    for path, n in ((tmp_path / "deals.csv", 2), (str(tmp_path / "ids.txt"), 3)):
        assert wa.fetch(path, client=client(server), progress=False).completeness.requested == n
    with pytest.raises(IdError, match="'nothing.csv' is not a deal id, a range such as '1-500', or a file"):
        wa.fetch("nothing.csv", client=client(server))


def test_files_of_one_name_are_told_apart(tmp_path):
    for name, title, day in (("a", "old", "01"), ("b", "new", "02")):
        (tmp_path / name).mkdir()
        line = json.dumps(a_deal(1, title, f"2026-01-{day}T00:00:00Z"))
        (tmp_path / name / "deals.ndjson").write_text(f"{line}\n")
    paths = [tmp_path / name / "deals.ndjson" for name in "ba"]
    snap = wa.read(paths)
    assert snap.deals["title"].tolist() == ["new"]
    assert snap.ledger["requested"].tolist() == [f"{path}:1" for path in paths]
    with pytest.raises(SettingError, match="is given twice"):
        wa.read([paths[0], paths[0]])


def test_archives_that_share_an_id_give_its_newest_response(tmp_path):
    for name, title, day in (("a", "old", 1), ("b", "new", 2)):
        at = datetime(2026, 1, day, tzinfo=UTC)
        body = json.dumps(a_deal(1, title, at.isoformat())).encode()
        with Archive(tmp_path / f"{name}.sqlite") as archive:
            archive.write(Record("1", 200, at, body))
            archive.write(Record("2", 404 if name == "a" else 500, at, None, "gap"))
    snap = wa.read([tmp_path / "b.sqlite", tmp_path / "a.sqlite"])
    assert snap.deals["title"].tolist() == ["new"]
    assert dict(zip(snap.ledger["requested"], snap.ledger["outcome"], strict=True)) == {
        "1": "fetched",
        "2": "not_found",
    }


def test_a_wrong_content_length_is_one_failed_deal(tmp_path):
    class Odd(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            is_odd = self.path.endswith("/1")
            self.send_response(418 if is_odd else 404)
            self.send_header("Content-Length", "abc" if is_odd else "0")
            self.send_header("Connection", "close")
            self.end_headers()

        def log_message(self, *_):
            """Keep the log of the tests clean."""

    server = HTTPServer(("127.0.0.1", 0), Odd)
    Thread(target=server.serve_forever, daemon=True).start()
    client = wa.Client(token="t", base_url=f"http://127.0.0.1:{server.server_port}", attempts=1, per_second=None)
    with pytest.warns(IncompleteWarning):
        snap = wa.fetch([1, 2], client=client, progress=False, max_failures=1)
    server.shutdown()
    server.server_close()
    assert snap.ledger["outcome"].tolist() == ["failed", "not_found"]


@pytest.mark.parametrize("n", [1, 60])
def test_an_address_that_gives_nothing_but_404_is_an_error_that_names_it(n, serve, tmp_path):
    server = serve(faults=lambda _: faults.Status(404))
    for _ in range(2):  # also when the archive has the responses already
        with pytest.raises(
            ApiError, match=rf"none of {n} ids was found \(404\) at {server.url}: check the address and the ids"
        ):
            wa.fetch(range(1, n + 1), client=client(server), archive=tmp_path / "a.sqlite", progress=False)


@pytest.fixture
def listening():
    """A port of this machine that accepts connections, and closes each without a response."""

    def accept():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connection.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def closed():
    """A port of this machine on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


def impatient(base_url):
    return wa.Client("token", base_url=base_url, per_second=None, attempts=2, backoff=0.001)


@pytest.mark.parametrize("n", [1, 60, 2000])
def test_a_closed_port_stops_a_run_of_any_size_at_the_first_request(n, closed, tmp_path):
    with pytest.raises(UnreachableError, match=rf"cannot connect to {closed}: .*refused; check the address") as stopped:
        wa.fetch(range(1, n + 1), client=impatient(closed), archive=tmp_path / "a.sqlite", progress=False)
    assert stopped.value.__notes__ == [
        f"0 deals were received and are kept in {tmp_path / 'a.sqlite'}; run the same line again to resume"
    ]
    assert [record.requested for record in Archive(tmp_path / "a.sqlite")] == ["1"]


def test_an_unknown_name_stops_a_run_with_the_cause():
    with pytest.raises(UnreachableError, match=r"cannot connect to https://unknown\.invalid: ") as stopped:
        wa.fetch([1, 2], client=impatient("https://unknown.invalid"), progress=False)
    assert stopped.value.status is None


def test_a_failed_tls_handshake_stops_a_run_with_the_cause(serve):
    address = serve().url.replace("http:", "https:")
    with pytest.raises(UnreachableError, match=rf"cannot connect to {address}: SSLError, "):
        wa.fetch([1, 2], client=impatient(address), progress=False)


def test_responses_that_all_time_out_stop_a_run(serve):
    server = serve(faults=lambda id_: faults.Drip(0.3))
    api = client(server, timeout=0.05, attempts=1)
    with pytest.raises(ApiError, match=rf"all 2 requests to {server.url} failed; the last: no response .*; check the"):
        wa.fetch([1, 2], client=api, progress=False)


@pytest.mark.parametrize("n", [1, 60])
def test_a_server_that_closes_every_connection_stops_a_run_of_any_size(n, listening):
    requests = "the only request" if n == 1 else r"all 5\d requests"
    with pytest.raises(
        ApiError, match=rf"{requests} to {listening} failed; the last: no response .*; check the address"
    ):
        wa.fetch(range(1, n + 1), client=impatient(listening), progress=False)


@pytest.mark.parametrize("n", [1, 60])
def test_a_server_that_only_fails_stops_a_run_of_any_size_with_its_status(n, serve):
    server = serve(faults=lambda id_: faults.Status(503))
    ids = [code for code in range(1, 100) if code % 10][:n]  # the server does not have the others
    with pytest.raises(ApiError, match=rf"to {server.url} failed; the last: 503 for") as stopped:
        wa.fetch(ids, client=client(server), progress=False)
    assert stopped.value.status == 503


def test_a_walk_ends_at_a_server_that_only_fails_whatever_share_may_fail(listening):
    with pytest.raises(ApiError, match=rf"all 50 requests to {listening} failed"):
        wa.fetch(wa.walk(), client=impatient(listening), progress=False, max_failures=1.0)


def test_a_refresh_of_a_server_that_is_down_is_an_error(serve):
    server = serve()
    snap = wa.fetch([1, 2], client=client(server), progress=False)
    server.stop()
    with pytest.raises(UnreachableError, match=f"cannot connect to {server.url}"):
        wa.refresh(snap, client=client(server), progress=False)


def test_the_last_id_of_a_resumed_run_may_fail(serve, tmp_path):
    server = serve(faults={"9": faults.Status(500)})
    for _ in range(2):  # the second run requests nothing but the deal that fails
        with pytest.warns(IncompleteWarning, match="1 failed"):
            snap = wa.fetch(range(1, 10), client=client(server), archive=tmp_path / "a.sqlite", progress=False)
        assert len(snap) == 8
