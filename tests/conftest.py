"""What the tests of many folders need."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import pytest
from hypothesis import HealthCheck, settings
from server_side import serve
from strategies import TAKEN_AT, body

from wegly_analytics.intake.build import Response, SnapshotBuilder

if TYPE_CHECKING:
    from collections.abc import Callable

    from wegly_analytics.snapshot.snapshot import Snapshot

__all__ = ["serve"]  # a fixture for all

mpl.use("agg")
_UNHURRIED = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]
settings.register_profile("ours", deadline=None, max_examples=40, suppress_health_check=_UNHURRIED)
settings.load_profile("ours")


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    monkeypatch.setenv("WEGLY_SALT_FILE", str(tmp_path_factory.getbasetemp() / "personal.key"))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    for name in ("WEGLY_TOKEN", "WEGLY_BASE_URL", "WEGLY_ORIGIN"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def snapshot_of() -> Callable[..., Snapshot]:
    """Make a snapshot of deals given as dictionaries, as if they had been fetched at `TAKEN_AT`."""

    def make(*deals: dict[str, Any]) -> Snapshot:
        builder = SnapshotBuilder()
        for position, deal in enumerate(deals):
            whole = {"id": f"deal-{position}", "code": position + 1} | deal
            builder.add(position, Response(str(whole["code"]), "fetched", TAKEN_AT, 200, body=body(whole)))
        return builder.snapshot(TAKEN_AT)

    return make
