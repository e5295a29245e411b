"""Settings from outside the code: environment variables, a ``.env`` file, the system's keyring, the working folder.

This is the only module that reads the environment.
"""

from __future__ import annotations

import importlib
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final

from dotenv import dotenv_values
from platformdirs import user_config_path

from wegly_analytics.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Callable

TOKEN: Final = "WEGLY_TOKEN"  # noqa: S105 - a name
BASE_URL: Final = "WEGLY_BASE_URL"
ORIGIN: Final = "WEGLY_ORIGIN"
WEBHOOK_SECRET: Final = "WEGLY_WEBHOOK_SECRET"  # noqa: S105 - a name
SALT_FILE: Final = "WEGLY_SALT_FILE"
"""Names the file with the secret that turns personal data into pseudonyms."""

SERVICE: Final = "wegly_analytics"
"""The keyring holds the token under this name: ``keyring set wegly_analytics token``."""


class Token:
    """A token, and where it was found; its repr does not show it.

    Parameters
    ----------
    value
        The token.
    source
        Where it was found, in words.
    file
        The ``.env`` file it was found in, if any.

    Examples
    --------
    >>> Token("a-secret", "the environment")
    <a token from the environment>
    """

    __slots__ = ("file", "source", "value")

    def __init__(self, value: str, source: str, file: Path | None = None) -> None:
        self.value = value
        self.source = source
        self.file = file

    def __repr__(self) -> str:
        return f"<a token from {self.source}>"


def setting(name: str) -> str | None:
    """Read a setting from the environment, or else from the nearest ``.env`` file.

    Parameters
    ----------
    name
        Such as ``"WEGLY_WEBHOOK_SECRET"``.

    Returns
    -------
    str or None
        The value; None if it is not set, or empty.

    Raises
    ------
    SettingError
        If the ``.env`` file cannot be read.
    """
    return os.environ.get(name) or _from_file(name)[0]


def setting_for(name: str, token: Token, harmless: str | None = None) -> str | None:
    """Read a setting that decides where a token goes: from the environment, or from the file that holds the token.

    A ``.env`` file comes with the folder, and may be of somebody else: it must not send a token to its own address
    that it does not hold itself.

    Parameters
    ----------
    name
        Such as ``"WEGLY_BASE_URL"``.
    token
        The token that is used.
    harmless
        A value that any file may set: the default.

    Returns
    -------
    str or None
        The value; None if it is not set, or empty.

    Raises
    ------
    SettingError
        If it is set in a ``.env`` file, but the token is from elsewhere; or if the file cannot be read.
    """
    if value := os.environ.get(name):
        return value
    value, file = _from_file(name)
    if value and value != harmless and file != token.file:
        argument = name.removeprefix("WEGLY_").lower()
        raise SettingError(
            f"{file.absolute()} sets {name}={value!r}, but the token is from {token.source}. A .env file decides only "
            f"for the token that it holds: set {name} in the environment, or pass Client({argument}=...), or put "
            f"{TOKEN} into the same file"
        )
    return value


def _from_file(name: str) -> tuple[str | None, Path]:
    file = nearest(".env", Path.is_file)
    trouble = ""
    try:
        if file.is_file():
            return dotenv_values(file, interpolate=False).get(name) or None, file
    except (OSError, UnicodeDecodeError) as error:
        trouble = str(error)
    if trouble:  # raised here, so that the error has no context whose frames hold the file's text
        raise SettingError(f"{file.absolute()} cannot be read: {trouble}; mend it, or remove it")
    return None, file


def nearest(name: str, is_meant: Callable[[Path], bool] = Path.is_dir) -> Path:
    """Find a file or folder in the working folder, or else in the nearest folder above it, as git does.

    The search goes up through folders that belong to the user and are not writable by all. It stops before the
    home folder and before the root of the file system, so that a file of another project or person is never used.

    Parameters
    ----------
    name
        Such as ``".env"`` or ``"data"``.
    is_meant
        Whether a path that exists is what is looked for: a folder or a file. Others of that name are passed over.

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
    if is_meant(in_working_folder) or Path.cwd() in ceilings:
        return in_working_folder
    for folder in above:
        if folder in ceilings or not _is_own(folder):
            break
        if is_meant(folder / name):
            return folder / name
    return in_working_folder


def _is_own(folder: Path) -> bool:
    try:
        found = folder.stat()
    except OSError:
        return False
    # on a system without owners, such as Windows, only the working folder is searched
    return hasattr(os, "geteuid") and found.st_uid == os.geteuid() and not found.st_mode & stat.S_IWOTH


def token() -> Token | None:
    """Find the token: WEGLY_TOKEN, or else the keyring's, if the extra ``keyring`` is installed."""
    if value := os.environ.get(TOKEN):
        return Token(value, f"{TOKEN} in the environment")
    value, file = _from_file(TOKEN)
    if value:
        return Token(value, str(file.absolute()), file)
    value = _from_keyring()
    return Token(value, "the keyring") if value else None


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
    """Return the file with the secret for pseudonyms: outside the data, in the user's configuration folder.

    WEGLY_SALT_FILE names another one, in the environment only.

    Raises
    ------
    SettingError
        If a ``.env`` file names one: whoever wrote it could know the secret, and undo the pseudonyms.
    """
    if value := os.environ.get(SALT_FILE):
        return Path(value)
    value, file = _from_file(SALT_FILE)
    if value:
        raise SettingError(
            f"{file.absolute()} sets {SALT_FILE}: the file with the secret is not taken from a .env file. Remove the "
            f"line, and set {SALT_FILE} in the environment if you want {value!r}"
        )
    return user_config_path(SERVICE, appauthor=False) / "personal.key"
