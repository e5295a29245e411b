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
    """Put a keyring in the place of the system's, through the library's own door."""
    before = keyring.get_keyring()
    yield lambda **how: keyring.set_keyring(Ring(**how))
    keyring.set_keyring(before)


def test_the_environment_goes_before_the_file_and_the_file_before_the_keyring(tmp_path, monkeypatch, ring):
    monkeypatch.chdir(tmp_path)
    ring(token="of the ring")
    assert settings.token() == "of the ring"
    (tmp_path / ".env").write_text(
        "# ours\nexport WEGLY_TOKEN='of the file $HOME'\nWEGLY_ORIGIN=https://crm.example.com\n"
    )
    assert settings.token() == "of the file $HOME"
    assert settings.setting("WEGLY_ORIGIN") == "https://crm.example.com"
    monkeypatch.setenv("WEGLY_TOKEN", "of the environment")
    assert settings.token() == "of the environment"
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


def test_a_keyring_that_fails_is_no_missing_key(tmp_path, monkeypatch, ring):
    monkeypatch.chdir(tmp_path)
    ring(error=InitError("locked"))
    with pytest.raises(SettingError, match="the keyring cannot be read: InitError; set WEGLY_TOKEN instead"):
        settings.token()


def test_a_machine_without_keyring_has_no_key(tmp_path, monkeypatch, ring):
    monkeypatch.chdir(tmp_path)
    ring(error=keyring.errors.NoKeyringError())
    with pytest.raises(AuthError, match="no token: set WEGLY_TOKEN"):
        Client()


def test_the_secret_for_pseudonyms_lies_where_it_is_told_or_in_the_users_configuration(monkeypatch, tmp_path):
    monkeypatch.setenv("WEGLY_SALT_FILE", str(tmp_path / "key"))
    assert settings.salt_file() == tmp_path / "key"
    monkeypatch.delenv("WEGLY_SALT_FILE")
    assert settings.salt_file().parts[-2:] == ("wegly_analytics", "personal.key")
