"""What people naturally type by mistake, the exit code, and the errors: before any request, and nothing is left."""

import pytest

FETCH = ["fetch", "1"]
UNTIL = "Error: Invalid value for "

MISTAKES = {
    "nothing to fetch": (["fetch"], 2, "say what to fetch: ids, --walk or --webhooks, and only one of them"),
    "ids and a walk": ([*FETCH, "--walk", "1"], 2, "only one of them"),
    "ids and webhooks": ([*FETCH, "--webhooks", "ids.txt"], 2, "only one of them"),
    "a word": (["fetch", "abc"], 2, "Error: 'abc' is "),
    "a code of 0": (["fetch", "1", "0"], 2, "Error: '0' is "),
    "a range backwards": (["fetch", "500-1"], 2, "the range '500-1'"),
    "a file that is not there": (["fetch", "deals.xlsx"], 2, "there is no file of that name either"),
    "an unknown column": (["fetch", "deals.csv", "--column", "Codigo"], 2, "deals.csv has no column 'Codigo'; did you mean 'Código'?"),
    "a column of a range": (["fetch", "1-5", "--column", "code"], 2, "--column names a column of a CSV, Parquet or Excel file"),
    "a column of a list": (["fetch", "ids.txt", "--column", "code"], 2, "ids.txt cannot be read"),
    "misses without a walk": ([*FETCH, "--misses", "5"], 2, "--misses ends a walk: use it together with --walk"),
    "an age without an archive": ([*FETCH, "--max-age", "7d"], 2, "--max-age is about archived responses"),
    "an unknown treatment": ([*FETCH, "--personal", "foo"], 2, UNTIL + "'--personal': 'foo' is not one of hash, "),
    "a treatment in capitals": (["read", "ids.txt", "--personal", "Drop"], 2, UNTIL + "'--personal': 'Drop' is not one of"),
    "no workers": ([*FETCH, "--workers", "0"], 2, UNTIL + "'--workers': "),
    "negative workers": ([*FETCH, "--workers", "-2"], 2, UNTIL + "'--workers': "),
    "a negative rate": ([*FETCH, "--per-second", "-1"], 2, UNTIL + "'--per-second': -1 is not a number of at least 0"),
    "a rate that is not a number": ([*FETCH, "--per-second", "nan"], 2, UNTIL + "'--per-second': nan is not a number"),
    "no time": ([*FETCH, "--timeout", "0"], 2, UNTIL + "'--timeout': 0 is not a number above 0"),
    "no attempts": ([*FETCH, "--attempts", "0"], 2, UNTIL + "'--attempts': "),
    "a share in percent": ([*FETCH, "--max-failures", "5"], 2, "5 is not a share from 0 to 1; for 5 % write 0.05"),
    "a share with its sign": ([*FETCH, "--max-failures", "20%"], 2, "20% is not a share from 0 to 1; for 20 % write 0.2"),
    "a share in words": ([*FETCH, "--max-failures", "few"], 2, "few is not a share from 0 to 1; for 5 % write 0.05"),
    "an age in words": ([*FETCH, "--archive", "raw", "--max-age", "a week"], 2, "'a week' is not a length of time; write 30d, 12h, 45m or 2w"),
    "an age before the calendar": ([*FETCH, "--archive", "raw", "--max-age", "9999999d"], 2, "'9999999d' is not a length of time"),
    "days without a unit": (["refresh", "--recent", "30"], 2, UNTIL + "'--recent': '30' is not a length of time"),
    "an address without scheme": ([*FETCH, "--base-url", "api.wegly.com.br"], 2, "'api.wegly.com.br': give scheme and host"),
    "an address without TLS": ([*FETCH, "--base-url", "http://api.wegly.com.br"], 2, "use https"),
    "an unset variable": ([*FETCH, "--base-url", ""], 2, UNTIL + "'--base-url': it is empty"),
    "an origin without scheme": ([*FETCH, "--origin", "crm.example.com"], 2, "'crm.example.com': give scheme and host"),
    "a root that is a file": ([*FETCH, "--root", "file"], 2, "file is a file: name the folder of snapshots, such as data/snapshots\n"),
    "a root in a file": (["read", "ids.txt", "--root", "file/x"], 2, "file/x cannot be written (Not a directory)"),
    "a root where nobody may write": (["refresh", "--root", "/proc/wegly"], 2, "--root: /proc/wegly cannot be written"),
    "an archive in a file": ([*FETCH, "--archive", "file/x"], 2, "--archive: file cannot be written (Not a directory)"),
    "an archive of a refresh": (["refresh", "--archive", "file/x"], 2, "--archive: file cannot be written (Not a directory)"),
    "charts in a file": (["demo", "--charts", "file"], 2, "--charts: file cannot be written (Not a directory)"),
    "a demo for a file": (["demo", "--root", "file"], 2, "--root: "),
    "French": (["demo", "--lang", "fr"], 2, UNTIL + "'--lang': 'fr' is not one of en, pt"),
    "a locale": (["demo", "--lang", "pt-BR"], 2, "'pt-BR' is not one of en, pt"),
    "a refresh of nothing": (["refresh"], 1, "data/snapshots does not exist"),
    "nothing to read": (["read", "none.json"], 2, "none.json cannot be read: No such file or directory"),
    "a snapshot of no folder": (["verify", "--at", "yesterday"], 1, "data/snapshots does not exist"),
    "no archive": (["archive", "raw"], 2, "raw is not an archive: `wegly fetch --archive raw` creates one"),
    "an age to erase": (["archive", "raw", "--erase-older-than", "90"], 2, "'90' is not a length of time"),
    "an unknown fault": (["sandbox", "--fault", "sleepy"], 2, "'sleepy'"),
    "nothing to serve": (["sandbox", "--from", "none.ndjson"], 2, "--from: none.ndjson is not a file"),
    "a port beyond the last": (["sandbox", "--port", "99999"], 2, UNTIL + "'--port': "),
    "a misspelt option": ([*FETCH, "--archiv", "raw"], 2, "--archive"),
    "a misspelt command": (["fetchs", "1"], 2, "'fetchs'"),
}  # fmt: skip


@pytest.mark.parametrize(("words", "code", "message"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_answered_with_the_place_and_the_remedy(wegly, tmp_path, monkeypatch, words, code, message):
    (tmp_path / "file").write_text("")
    (tmp_path / "ids.txt").write_text("5\n")
    (tmp_path / "deals.csv").write_text("Nome,Código\nx,3\n", encoding="utf-8")
    monkeypatch.setenv("WEGLY_BASE_URL", "http://127.0.0.1:9")  # nobody listens: a request would fail
    found, out, err = wegly(*words)
    assert (found, out) == (code, "")
    assert message in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["deals.csv", "file", "ids.txt"]


def test_without_a_token_the_variable_is_named(wegly):
    code, _, err = wegly("fetch", "1", token=None)
    assert (code, "WEGLY_TOKEN" in err) == (1, True)


def test_a_port_that_is_taken_is_named(wegly, serve):
    port = serve().url.rpartition(":")[2]
    code, _, err = wegly("sandbox", "--port", port)
    assert (code, err) == (
        2,
        f"Error: --port {port}: Address already in use; choose another one, or 0 for a free one\n",
    )


def test_a_snapshot_that_does_not_exist_is_wrong_usage(wegly, tmp_path, snapshot_of):
    snapshot_of({}).save(tmp_path / "data/snapshots", personal="keep")
    code, _, err = wegly("verify", "--at", "yesterday")
    assert code == 2
    assert "--at yesterday is neither " in err
    assert wegly("verify", "--at", "2020-01-01")[0] == 1
