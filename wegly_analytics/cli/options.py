"""The options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from wegly_analytics.cli import checks

SNAPSHOTS: Final = "data/snapshots"
CHARTS: Final = "data/charts"


def snapshots_folder() -> Path:
    """Find the folder of snapshots of the nearest data folder."""
    return _data_folder() / "snapshots"


def charts_folder() -> Path:
    """Find the folder of charts of the nearest data folder."""
    return _data_folder() / "charts"


def _data_folder() -> Path:
    from wegly_analytics.settings import nearest

    return nearest("data")


Root = Annotated[
    Path,
    typer.Option("--root", help="The folder of snapshots.", default_factory=snapshots_folder, show_default=SNAPSHOTS),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress bar.")]
Lang = Annotated[
    str,
    typer.Option(help="Language of the charts: en or pt.", callback=checks.language, autocompletion=checks.languages),
]
Archive = Annotated[
    Path | None,
    typer.Option(
        "--archive",
        callback=checks.archive,
        help="Keep every response in this file, such as data/responses.sqlite; the same command then resumes a run "
        "that was stopped.",
    ),
]
MaxAge = Annotated[
    str | None,
    typer.Option(
        help="Request archived responses again that are older than this, such as 12h or 7d.",
        callback=checks.length_of_time,
    ),
]
Recent = Annotated[
    str,
    typer.Option(
        help="Request deals again that changed at most so long before the snapshot.", callback=checks.length_of_time
    ),
]
MaxFailures = Annotated[
    float,
    typer.Option(
        parser=checks.share, metavar="SHARE", help="Stop when more than this share of the requests fails, from 0 to 1."
    ),
]
Personal = Annotated[
    str,
    typer.Option(
        help="Treatment of personal data: hash (pseudonyms for customers' people), hash-all (for your staff, too), "
        "drop or keep.",
        callback=checks.mode,
        autocompletion=checks.modes,
    ),
]
AllowIncomplete = Annotated[
    bool, typer.Option("--allow-incomplete", help="Publish also if more than 5 % of the deals are missing.")
]
Workers = Annotated[int, typer.Option(min=1, help="Number of requests at the same time.")]
PerSecond = Annotated[
    float,
    typer.Option(callback=checks.at_least_zero, help="Requests per second, all workers together; 0 for no limit."),
]
Timeout = Annotated[float, typer.Option(callback=checks.above_zero, help="Seconds to wait for a response.")]
Attempts = Annotated[int, typer.Option(min=1, help="Attempts for each deal, at most.")]
BaseUrl = Annotated[
    str | None,
    typer.Option(callback=checks.not_empty, help="Address of the API. Default: WEGLY_BASE_URL, or else Wegly's own."),
]
Origin = Annotated[
    str | None,
    typer.Option(callback=checks.not_empty, help="The token's allowed domain. Default: WEGLY_ORIGIN."),
]
AsJson = Annotated[
    bool,
    typer.Option(
        "--json",
        help="Print the summary as JSON; exit code 1 if it cannot be printed, although the snapshot is published.",
    ),
]
