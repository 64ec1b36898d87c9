"""A server on loopback stands for AWS, over plain http and over TLS."""

from __future__ import annotations

import pytest

from tests.support.direct_calls import Tls


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let clients reach loopback directly, whatever proxy this machine has."""
    monkeypatch.setenv("NO_PROXY", "*")


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    """Return a certificate for loopback."""
    return Tls(tmp_path_factory.mktemp("tls"))
