"""What people set outside the code: environment variables, a ``.env`` file, the system's keyring.

This is the only room that reads the environment.
"""

from __future__ import annotations

import importlib
import os
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
"""Where the secret lies that turns personal data into pseudonyms."""

SERVICE: Final = "wegly_analytics"
"""Under this name the keyring holds the key: ``keyring set wegly_analytics token``."""


def setting(name: str) -> str | None:
    """Find a setting: in the environment, else in the ``.env`` file of the working directory.

    Parameters
    ----------
    name
        Such as ``"WEGLY_TOKEN"``.

    Raises
    ------
    SettingError
        If there is a ``.env`` file that cannot be read.
    """
    if value := os.environ.get(name):
        return value
    file = Path(".env")
    try:
        return dotenv_values(file, interpolate=False).get(name) or None if file.is_file() else None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingError(f"{file.absolute()} cannot be read: {error}") from None


def token() -> str | None:
    """Find the key: WEGLY_TOKEN, or what the system's keyring holds, where the extra ``keyring`` is installed."""
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
    """Say where the secret for pseudonyms lies: away from the data, in the user's own configuration."""
    return Path(setting(SALT_FILE) or user_config_path(SERVICE, appauthor=False) / "personal.key")
