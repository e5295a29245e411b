"""The entry point: the list of commands, and the exit code of each kind of error.

Exit codes: 0 complete; 1 the run failed; 2 wrong usage; 3 done, but some deals are missing for a reason other than 404;
130 stopped by Ctrl-C.
"""

from __future__ import annotations

import sys
import warnings
from typing import TYPE_CHECKING, Annotated, Final

import typer

from wegly_analytics import __version__
from wegly_analytics.cli import archive, demo, intake, sandbox, snapshots
from wegly_analytics.cli.exit_codes import FAILED, USAGE
from wegly_analytics.cli.messages import with_options
from wegly_analytics.cli.streams import protect
from wegly_analytics.errors import IncompleteWarning, SettingError, WeglyError

if TYPE_CHECKING:
    from collections.abc import Callable

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,  # importing rich takes longer than all the rest of --help
    pretty_exceptions_enable=False,  # its tracebacks would show local variables
    help="Deals from the Wegly CRM as trustworthy tables, metrics and charts.",
    epilog="wegly COMMAND --help shows an example of each command.",
)

_EXAMPLES: Final[dict[Callable[..., None], str]] = {
    demo.demo: "wegly demo --lang pt",
    intake.fetch: """
        wegly fetch 1-500 --archive data/responses.sqlite
        wegly fetch deals.csv --column code --archive data/responses.sqlite
        wegly fetch --walk 1 --misses 200 --archive data/responses.sqlite
    """,
    intake.refresh: "wegly refresh --archive data/responses.sqlite --recent 14d",
    intake.read: "wegly read data/responses.sqlite --personal drop",
    archive.archive: "wegly archive data/responses.sqlite --erase-older-than 90d",
    snapshots.snapshots: "wegly snapshots data/snapshots",
    snapshots.verify: "wegly verify --root data/snapshots",
    sandbox.sandbox: "wegly sandbox --port 8765 --fault error500:0.01",
}
"""Every command, with lines to copy for its help."""


def _epilog(lines: str) -> str:
    return "\b\nFor example:\n" + "\n".join(f"  {line.strip()}" for line in lines.strip().splitlines())


for _command, _lines in _EXAMPLES.items():
    app.command(epilog=_epilog(_lines))(_command)


def _show_version(is_requested: bool) -> None:
    if is_requested:
        typer.echo(f"wegly_analytics {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Hold the options of the command as a whole."""


def unsupported(platform: str) -> str | None:
    """Say why the command does not run on a platform (`sys.platform`); None where it does."""
    if platform != "win32":
        return None
    return (
        "Windows is not supported, because a snapshot cannot be written there so that it survives a power failure: "
        "use WSL (wsl --install), Linux or macOS"
    )


def main() -> None:
    """Run the command; an error becomes a sentence on stderr and an exit code, never a traceback."""
    protect()
    if why := unsupported(sys.platform):
        _end(why, FAILED)
    with warnings.catch_warnings():
        warnings.showwarning = _show_warning
        # the summary of the command says the same, with the causes
        warnings.filterwarnings("ignore", ".*requested deals received", IncompleteWarning)
        try:
            app(prog_name="wegly")
        except SettingError as error:
            _end(error, USAGE)
        except WeglyError as error:
            _end(error, FAILED)


def _end(error: WeglyError | str, code: int) -> None:
    typer.echo(f"Error: {with_options(str(error))}", err=True)
    for note in getattr(error, "__notes__", ()):
        typer.echo(with_options(note), err=True)
    sys.exit(code)


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    typer.echo(f"Warning: {with_options(str(message))}", err=True)


if __name__ == "__main__":
    main()
