"""Settings from outside the code: environment variables, a ``.env`` file, the system's keyring, the working folder.

This is the only module that reads the environment.
"""

from __future__ import annotations

import importlib
import os
import stat
from pathlib import Path
from typing import Final

from dotenv import dotenv_values
from platformdirs import user_config_path

from wegly_analytics.errors import SettingError

TOKEN: Final = "WEGLY_TOKEN"  # noqa: S105 - a name
BASE_URL: Final = "WEGLY_BASE_URL"
ORIGIN: Final = "WEGLY_ORIGIN"
WEBHOOK_SECRET: Final = "WEGLY_WEBHOOK_SECRET"  # noqa: S105 - a name
SALT_FILE: Final = "WEGLY_SALT_FILE"
"""Names the file with the secret that turns personal data into pseudonyms."""

SERVICE: Final = "wegly_analytics"
"""The keyring holds the token under this name: ``keyring set wegly_analytics token``."""


def setting(name: str) -> str | None:
    """Read a setting from the environment, or else from the nearest ``.env`` file.

    Parameters
    ----------
    name
        Such as ``"WEGLY_TOKEN"``.

    Returns
    -------
    str or None
        The value; None if it is not set, or empty.

    Raises
    ------
    SettingError
        If the ``.env`` file cannot be read.
    """
    if value := os.environ.get(name):
        return value
    file = nearest(".env")
    try:
        return dotenv_values(file, interpolate=False).get(name) or None if file.is_file() else None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingError(f"{file.absolute()} cannot be read: {error}") from None


def nearest(name: str) -> Path:
    """Find a file or folder in the working folder, or else in the nearest folder above it, as git does.

    The search goes up through folders that belong to the user and are not writable by all. It stops before the
    home folder and before the root of the file system, so that a file of another project or person is never used.

    Parameters
    ----------
    name
        Such as ``".env"`` or ``"data"``.

    Returns
    -------
    pathlib.Path
        The path; the one in the working folder if none exists.
    """
    in_working_folder = Path(name)
    try:
        above = Path.cwd().parents
        ceilings = {Path.home(), *above[-1:]}
    except (OSError, RuntimeError):  # the working folder was removed, or there is no home folder
        return in_working_folder
    if in_working_folder.exists() or Path.cwd() in ceilings:
        return in_working_folder
    for folder in above:
        if folder in ceilings or not _is_own(folder):
            break
        if (folder / name).exists():
            return folder / name
    return in_working_folder


def _is_own(folder: Path) -> bool:
    try:
        found = folder.stat()
    except OSError:
        return False
    # on a system without owners, such as Windows, only the working folder is searched
    return hasattr(os, "geteuid") and found.st_uid == os.geteuid() and not found.st_mode & stat.S_IWOTH


def token() -> str | None:
    """Find the token: WEGLY_TOKEN, or else the keyring's, if the extra ``keyring`` is installed."""
    return setting(TOKEN) or _from_keyring()


def _from_keyring() -> str | None:
    try:
        keyring = importlib.import_module("keyring")
    except ModuleNotFoundError:
        return None
    try:
        found: str | None = keyring.get_password(SERVICE, "token")
    except keyring.errors.NoKeyringError:
        return None  # a machine without one, such as a server
    except keyring.errors.KeyringError as error:
        raise SettingError(f"the keyring cannot be read: {type(error).__name__}; set {TOKEN} instead") from None
    return found


def salt_file() -> Path:
    """Return the file with the secret for pseudonyms: outside the data, in the user's configuration folder."""
    return Path(setting(SALT_FILE) or user_config_path(SERVICE, appauthor=False) / "personal.key")
