"""The secret of pseudonyms: a file that only the user can read, created whole or not at all."""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from wegly_analytics.errors import SettingError
from wegly_analytics.store.publish import sync

if TYPE_CHECKING:
    from pathlib import Path

_MIN_SECRET: Final = 16
"""The fewest bytes of a secret."""

_REMEDY: Final = "set WEGLY_SALT_FILE to another file, or save with personal='drop'"


def read_secret(file: Path) -> bytes:
    """Read the secret for pseudonyms; if there is none, create one that only the user can read.

    Raises
    ------
    SettingError
        If it can be neither read nor created, is too short, or other users can read it.
    """
    try:
        if not file.exists():
            _create(file)
        text = _text(file)
        _sweep(file)
        secret = bytes.fromhex(text)
    except SettingError:  # it is a ValueError too
        raise
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is not a hexadecimal number"
        raise SettingError(f"the secret for pseudonyms in {file}: {why}; {_REMEDY}") from None
    if len(secret) < _MIN_SECRET:
        found = "empty" if not secret else "too short"
        raise SettingError(
            f"the secret for pseudonyms in {file} is {found}: restore it from a copy; or delete the file, and a new "
            "secret is created, with other pseudonyms"
        )
    return secret


def _text(file: Path) -> str:
    # a pipe without a writer would block
    handle = os.open(file, os.O_RDONLY | os.O_NONBLOCK)
    with os.fdopen(handle, encoding="ascii") as opened:
        mode = os.fstat(handle).st_mode
        if stat.S_ISREG(mode) and mode & 0o077:
            raise SettingError(
                f"the secret for pseudonyms in {file} is open to other users (mode {stat.S_IMODE(mode):04o}): "
                f"run chmod 600 {file}"
            )
        return opened.read(4096).strip()


def _create(file: Path) -> None:
    """Write a secret aside, sync it, and link it into place, unless another process was faster."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    aside = file.with_name(f".{file.name}.{secrets.token_hex(8)}.new")
    try:
        handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as new:
            os.fchmod(handle, 0o600)
            new.write(secrets.token_hex(32) + "\n")
            new.flush()
            os.fsync(handle)
        # the other process removes what is written aside when it has read its own secret
        with suppress(FileExistsError, FileNotFoundError):
            os.link(aside, file)
    finally:
        aside.unlink(missing_ok=True)
    sync(file.parent)


def _sweep(file: Path) -> None:
    """Remove what processes left that were killed while they created the secret."""
    for left in file.parent.iterdir():
        if left.name.startswith(f".{file.name}.") and left.name.endswith(".new"):
            left.unlink(missing_ok=True)
