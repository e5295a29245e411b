"""Standard output and standard error that cannot be written never end a run; real processes are in tests/hard."""

import errno
import io
import sys

import pytest

from wegly_analytics.snapshot.load import load

FETCH = ("fetch", "1-9", "--per-second", 0)


class Full(io.StringIO):
    def write(self, _):
        raise OSError(errno.ENOSPC, "No space left on device")


def closed():
    stream = io.StringIO()
    stream.close()
    return stream


BROKEN = {"full": Full, "closed": closed, "absent": lambda: None}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_standard_error_that_cannot_be_written_changes_nothing(wegly, serve, tmp_path, monkeypatch, kind):
    monkeypatch.setattr(sys, "stderr", BROKEN[kind]())
    assert wegly(*FETCH, "--archive", "responses.sqlite", server=serve())[0] == 0
    assert len(load(tmp_path / "data/snapshots")) == 9


@pytest.mark.parametrize("kind", BROKEN)
@pytest.mark.parametrize(("words", "code"), [((), 0), (("--json",), 1)])
def test_a_summary_that_cannot_be_printed_is_a_failure_only_for_a_machine(
    wegly, serve, tmp_path, monkeypatch, kind, words, code
):
    server = serve()
    monkeypatch.setattr(sys, "stdout", BROKEN[kind]())
    found, _, err = wegly(*FETCH, *words, server=server)
    assert found == code
    assert "standard output" in err
    assert "the snapshot was published: " in err
    assert len(load(tmp_path / "data/snapshots")) == 9
