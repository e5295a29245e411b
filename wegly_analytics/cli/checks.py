"""Checks of arguments and options, before any work: each raises an error that names a valid value."""

from __future__ import annotations

import math
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import typer

from wegly_analytics.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Iterator


def share(text: str | float) -> float:
    """Read a share from 0 to 1."""
    written = str(text).strip()
    is_percent = written.endswith("%")
    try:
        value = float(written.removesuffix("%"))
    except ValueError:
        value = math.nan
    if not is_percent and 0 <= value <= 1:
        return value
    remedy = f"for {value:g} % write {value / 100:g}" if 0 <= value <= 100 else "for 5 % write 0.05"
    raise typer.BadParameter(f"{written} is not a share from 0 to 1; {remedy}")


def above_zero(value: float | None) -> float | None:
    """Refuse what is not a finite number above 0."""
    if value is not None and not 0 < value < math.inf:
        raise typer.BadParameter(f"{value:g} is not a number above 0")
    return value


def at_least_zero(value: float) -> float:
    """Refuse what is not a finite number of at least 0."""
    if not 0 <= value < math.inf:
        raise typer.BadParameter(f"{value:g} is not a number of at least 0")
    return value


def length_of_time(text: str | None) -> str | None:
    """Refuse what is not a length of time such as 30d."""
    from wegly_analytics.intake.durations import duration

    if text is not None:
        try:
            duration("", text)
        except SettingError:
            raise typer.BadParameter(f"{text!r} is not a length of time; write 30d, 12h, 45m or 2w") from None
    return text


def not_empty(text: str | None) -> str | None:
    """Refuse an empty text, which an unset variable of the shell leaves."""
    if text is not None and not text.strip():
        raise typer.BadParameter("it is empty; leave the option out, or give it a value")
    return text


def mode(text: str) -> str:
    """Refuse what is not a way of treating personal data."""
    return _one_of(text, modes())


def modes() -> list[str]:
    """List the ways of treating personal data."""
    from wegly_analytics.model.personal import Mode

    return list(get_args(Mode))


def language(text: str) -> str:
    """Refuse a language without texts."""
    return _one_of(text, languages())


def languages() -> list[str]:
    """List the languages of charts."""
    from wegly_analytics.i18n.catalogs import languages as known

    return list(known())


def _one_of(text: str, known: list[str]) -> str:
    if text not in known:
        raise typer.BadParameter(f"{text!r} is not one of {', '.join(known)}")
    return text


def writable(folder: Path, option: str) -> None:
    """Try to write in a folder, or in the nearest one above it that exists; nothing is left there."""
    with _refusal(folder, option), _trial(folder):
        pass


def archive(file: Path | None) -> Path | None:
    """Try to write where an archive is to be."""
    if file is not None:
        writable(file.parent, "--archive")
    return file


def publishable(root: Path, option: str) -> None:
    """Try to publish in a folder of snapshots, or to create it; nothing is left there."""
    from wegly_analytics.store.publish import try_out, writable_root

    with _refusal(root, option):
        place = writable_root(root).resolve()
        if place.exists():
            try_out(place)
        else:
            with _trial(place):
                pass


@contextmanager
def _trial(folder: Path) -> Iterator[Path]:
    from tempfile import TemporaryDirectory

    there = next(each for each in (folder.absolute(), *folder.absolute().parents) if each.exists())
    with TemporaryDirectory(prefix=".wegly-", dir=there) as made:
        (Path(made) / "trial").write_bytes(b"\n")
        yield Path(made)


@contextmanager
def _refusal(folder: Path, option: str) -> Iterator[None]:
    try:
        yield
    except SettingError as error:
        raise SettingError(f"{option}: {error}") from None
    except OSError as error:
        raise SettingError(
            f"{option}: {folder} cannot be written ({error.strerror or error}); name another folder"
        ) from None
