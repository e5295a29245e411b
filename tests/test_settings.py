from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.errors import InitError

from wegly_analytics import settings
from wegly_analytics.errors import AuthError, SettingError
from wegly_analytics.intake.client import Client


class Ring(KeyringBackend):
    """A keyring that holds the token, or is broken."""

    priority = 1

    def __init__(self, token=None, error=None):
        super().__init__()
        self.token = token
        self.error = error

    def get_password(self, service, username):
        if self.error:
            raise self.error
        return self.token if (service, username) == ("wegly_analytics", "token") else None

    def set_password(self, service, username, password):
        raise NotImplementedError


@pytest.fixture
def ring():
    """Set a keyring instead of the system's, through the library's public function."""
    before = keyring.get_keyring()
    yield lambda **how: keyring.set_keyring(Ring(**how))
    keyring.set_keyring(before)


def test_the_environment_comes_before_the_file_and_the_file_before_the_keyring(tmp_path, monkeypatch, ring):
    monkeypatch.chdir(tmp_path)
    ring(token="of the keyring")
    assert settings.token().value == "of the keyring"
    (tmp_path / ".env").write_text(
        "# ours\nexport WEGLY_TOKEN='of the file $HOME'\nWEGLY_ORIGIN=https://crm.example.com\n"
    )
    assert settings.token().value == "of the file $HOME"
    assert settings.setting("WEGLY_ORIGIN") == "https://crm.example.com"
    monkeypatch.setenv("WEGLY_TOKEN", "of the environment")
    assert settings.token().value == "of the environment"
    assert settings.setting("WEGLY_BASE_URL") is None


def test_a_client_takes_the_token_of_the_file_and_shows_it_nowhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("WEGLY_TOKEN=very-secret\n")
    assert "very-secret" not in repr(vars(Client()))


def test_a_file_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_bytes(b"WEGLY_TOKEN=\xff\xfe")
    with pytest.raises(SettingError, match=r"\.env cannot be read"):
        settings.token()


def test_a_keyring_that_fails_is_not_a_missing_token(tmp_path, monkeypatch, ring):
    monkeypatch.chdir(tmp_path)
    ring(error=InitError("locked"))
    with pytest.raises(SettingError, match="the keyring cannot be read: InitError; set WEGLY_TOKEN instead"):
        settings.token()


def test_a_machine_without_a_keyring_has_no_token(tmp_path, monkeypatch, ring):
    monkeypatch.chdir(tmp_path)
    ring(error=keyring.errors.NoKeyringError())
    with pytest.raises(AuthError, match="no token: set WEGLY_TOKEN"):
        Client()


def test_the_secret_for_pseudonyms_is_in_the_users_configuration_unless_a_file_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("WEGLY_SALT_FILE", str(tmp_path / "key"))
    assert settings.salt_file() == tmp_path / "key"
    monkeypatch.delenv("WEGLY_SALT_FILE")
    assert settings.salt_file().parts[-2:] == ("wegly_analytics", "personal.key")


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Work in a notebooks folder of a project."""
    below = tmp_path / "project/notebooks"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    return below.parent


def test_the_nearest_file_is_found_upward(project):
    assert settings.nearest("data") == Path("data"), "what does not exist yet belongs in the working folder"
    (project.parent / "data").mkdir()
    assert settings.nearest("data") == project.parent / "data"
    (project / "data").mkdir()
    assert settings.nearest("data") == project / "data"
    (project / "notebooks/data").mkdir()
    assert settings.nearest("data") == Path("data")


def test_the_env_file_of_the_project_is_read_below_it(project):
    (project / ".env").write_text("WEGLY_TOKEN=of the project\n")
    assert settings.token().value == "of the project"


def test_the_search_stops_before_the_home_folder(project, monkeypatch):
    monkeypatch.setenv("HOME", str(project))
    (project / ".env").write_text("WEGLY_TOKEN=of another project\n")
    assert settings.token() is None
    monkeypatch.chdir(project)
    assert settings.token().value == "of another project", "the working folder is searched in any case"


def test_the_search_stops_before_a_folder_that_others_may_write_to(project):
    (project / ".env").write_text("WEGLY_BASE_URL=https://somebody.example.com\n")
    project.chmod(0o777)
    assert settings.setting("WEGLY_BASE_URL") is None


def test_a_working_folder_that_was_removed_holds_no_settings(project):
    (project / "notebooks").rmdir()
    assert settings.token() is None


def test_a_folder_or_file_of_the_same_name_hides_nothing_above_it(project):
    (project / ".env").write_text("WEGLY_TOKEN=of the project\n")
    (project / "data").mkdir()
    (project / "notebooks/.env").mkdir()
    (project / "notebooks/data").write_text("")
    assert settings.token().value == "of the project"
    assert settings.nearest("data") == project / "data"


def test_the_salt_file_is_never_taken_from_a_file_of_the_folder(project, monkeypatch, tmp_path):
    (project / ".env").write_text("WEGLY_SALT_FILE=/somebody/knows/this\n")
    assert settings.salt_file() != Path("/somebody/knows/this"), "the environment's is used"
    monkeypatch.delenv("WEGLY_SALT_FILE")
    with pytest.raises(SettingError, match=r"project/\.env sets WEGLY_SALT_FILE: .* Remove the line"):
        settings.salt_file()


def test_a_file_that_cannot_be_read_leaves_its_text_in_no_error(project):
    (project / ".env").write_bytes(b"WEGLY_TOKEN=very-secret\n\xff")
    with pytest.raises(SettingError, match=r"project/\.env cannot be read: .*; mend it, or remove it") as caught:
        settings.token()
    assert caught.value.__context__ is None
    assert "very-secret" not in str(caught.value)
