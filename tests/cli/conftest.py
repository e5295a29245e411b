"""Run the command as a person would, but in this process."""

import io
import sys

import pytest
from server_side import Numbered

from wegly_analytics.cli import main as cli
from wegly_analytics.sandbox import TOKEN


@pytest.fixture
def wegly(tmp_path, monkeypatch, capsys):
    """Run the command in an empty folder, or in one below it; return exit code, stdout and stderr."""

    def run(*words, server=None, stdin="", token=TOKEN, folder="."):
        monkeypatch.chdir(tmp_path / folder)
        monkeypatch.setattr(sys, "argv", ["wegly", *map(str, words)])
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        if server:
            monkeypatch.setenv("WEGLY_BASE_URL", server.url)
        if token:
            monkeypatch.setenv("WEGLY_TOKEN", token)
        with pytest.raises(SystemExit) as caught:
            cli.main()
        printed = capsys.readouterr()
        return caught.value.code or 0, printed.out, printed.err

    return run


@pytest.fixture
def serve(serve):
    """Start a server with few deals: nine, unless others are given."""
    return lambda deals=None, **options: serve(deals or Numbered(9), **options)
