"""The command as a whole: help, version, completion, exit codes, and what starting it costs."""

import re
import shlex
import subprocess
import sys

import pytest
import typer

from wegly_analytics import __version__
from wegly_analytics.cli import checks
from wegly_analytics.cli.main import app, unsupported
from wegly_analytics.cli.messages import _ARGUMENTS, with_options

COMMANDS = typer.main.get_command(app).commands


def test_help_imports_nothing_heavy():
    program = (
        "import sys, atexit; sys.argv = ['wegly', '--help'];"
        "heavy = {'pandas', 'pyarrow', 'numpy', 'requests', 'matplotlib', 'narwhals', 'babel', 'rich'};"
        "atexit.register(lambda: print('imported:', heavy & set(sys.modules)));"
        "from wegly_analytics.cli.main import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout.endswith("imported: set()\n")
    assert all(name in done.stdout for name in COMMANDS)


def test_the_version_is_the_packages(wegly):
    assert wegly("--version") == (0, f"wegly_analytics {__version__}\n", "")


def test_without_a_command_the_help_is_shown(wegly):
    _, out, err = wegly()
    assert all(name in out + err for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command_has_an_example_that_parses(name, wegly):
    code, out, _ = wegly(name, "--help")
    examples = [line.split()[1:] for line in out.splitlines() if line.strip().startswith("wegly ")]
    assert (code, bool(examples)) == (0, True)
    for words in examples:
        assert words[0] == name
        COMMANDS[name].make_context(name, shlex.split(shlex.join(words[1:])))  # an unknown option would raise


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("wegly ver", ["verify"]),
        ("wegly fetch --web", ["--webhooks"]),
        ("wegly fetch --personal d", ["drop"]),
        ("wegly demo --lang ", ["en", "pt"]),
    ],
)
def test_the_shell_completes_commands_options_and_values(wegly, monkeypatch, typed, completed):
    monkeypatch.setenv("_WEGLY_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", typed)
    monkeypatch.setenv("COMP_CWORD", str(typed.count(" ")))
    assert wegly()[1].split() == completed


def test_completion_can_be_installed(wegly):
    out = wegly("--help")[1]
    assert "--install-completion" in out
    assert "--show-completion" in out


def test_the_help_lists_every_way_of_treating_personal_data(wegly):
    words = re.findall(r"[\w-]+", wegly("fetch", "--help")[1])
    assert [mode for mode in checks.modes() if mode not in words] == []


def test_windows_is_refused_in_one_sentence():
    assert "use WSL" in unsupported("win32")
    assert unsupported("linux") is unsupported("darwin") is None


def test_a_refused_token_is_exit_code_1_with_cause_and_address(wegly, serve):
    server = serve()
    code, _, err = wegly("fetch", "1-2000", "-q", server=server, token="wrong")
    assert code == 1
    assert err.startswith("Error: 401 ")
    assert f"the address was {server.url}" in err
    assert "Traceback" not in err


def test_messages_name_options_instead_of_arguments():
    options = {param.name for name in ("fetch", "refresh", "verify") for param in COMMANDS[name].params}
    assert set(_ARGUMENTS) <= options
    message = "lower Client(per_second=...), or read on with max_age='1d'; personal='drop' needs no secret (here)"
    expected = "lower --per-second, or read on with --max-age 1d; --personal drop needs no secret (here)"
    assert with_options(message) == expected
