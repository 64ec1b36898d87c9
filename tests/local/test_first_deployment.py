"""While the servers of the first `make up` start, the CDK app is compiled in another process."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from local import processes
from local.deployment import ROLE, Deployment
from local.variables import from_environment
from tests.support.local_instances import ENVIRON
from tools.failures import LocalError

if TYPE_CHECKING:
    from pathlib import Path

LONG = 120.0
"""Seconds after which a test gives up."""


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    """Return a deployment of which nothing runs."""
    variables = from_environment({**ENVIRON, "IMAGEGEN_LOCAL_DIR": str(tmp_path / "service")})
    return Deployment(variables=variables, certificates=None)


@pytest.fixture
def bytecode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let Python keep its bytecode in a folder that is still empty, as after a fresh set-up."""
    folder = tmp_path / "bytecode"
    monkeypatch.setattr(sys, "pycache_prefix", str(folder))
    monkeypatch.setenv("PYTHONPYCACHEPREFIX", str(folder))
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    # What is imported already remembers the folder of before.
    for name in [name for name in sys.modules if name.partition(".")[0] == "aws_cdk"]:
        monkeypatch.delitem(sys.modules, name)
    return folder


def wait_for(bytecode: Path) -> None:
    """Wait until the CDK itself is compiled, which is one of the first things."""
    deadline = time.monotonic() + LONG
    while not list(bytecode.rglob("aws_cdk/__init__*.pyc")):
        assert time.monotonic() < deadline, "nothing was compiled"
        time.sleep(0.05)


def test_what_the_app_imports_is_compiled_meanwhile(deployment: Deployment, bytecode: Path) -> None:
    """The process is one of ours, so `make down` would end it, and it ends with the block."""
    with deployment.compiled_meanwhile():
        wait_for(bytecode)
        assert {found.role for found in processes.running(deployment.variables.folder)} == {ROLE}
    assert list(bytecode.rglob("stacks/synthesis*.pyc"))
    assert processes.running(deployment.variables.folder) == []


@pytest.mark.usefixtures("bytecode")
def test_a_server_that_does_not_start_ends_the_process_too(
    deployment: Deployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The operator does not wait for bytecode that nobody needs."""
    patient, finished = tmp_path / "patient", tmp_path / "finished"
    patient.write_text(
        f"#!{sys.executable}\nimport time\ntime.sleep(30)\nopen({str(finished)!r}, 'w')\n", encoding="utf-8"
    )
    patient.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(patient))
    with suppress(LocalError), deployment.compiled_meanwhile():
        raise LocalError("Port 4566 is taken.")
    assert processes.running(deployment.variables.folder) == []
    assert not finished.exists()


def test_nothing_is_compiled_twice(
    deployment: Deployment, bytecode: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Later the app loads faster than a process of its own would."""
    with deployment.compiled_meanwhile():
        wait_for(bytecode)
    monkeypatch.setattr(sys, "executable", "/no/such/program")
    with deployment.compiled_meanwhile():
        assert processes.running(deployment.variables.folder) == []


def test_nothing_is_compiled_if_no_bytecode_is_kept(
    deployment: Deployment, bytecode: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`PYTHONDONTWRITEBYTECODE` says so; then the other process would only take time."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setattr(sys, "executable", "/no/such/program")
    with deployment.compiled_meanwhile():
        assert not bytecode.exists()
