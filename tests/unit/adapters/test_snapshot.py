"""Processes that Lambda restores from one snapshot of the api function share no random numbers and no credentials."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.support.environment import ENVIRONMENT
from tests.support.restored import COPIES
from tools.checkout import CHECKOUT

WITHOUT_HOOKS = """
import sys
from imagegen.adapters.snapshot import prepare_for_snapshots
prepare_for_snapshots(load=["wave"])
print("snapshot_restore_py" in sys.modules, "wave" in sys.modules)
"""
WITH_HOOKS = """
import sys
from imagegen.adapters.snapshot import prepare_for_snapshots
from tests.support.restored import Hooks
sys.modules["snapshot_restore_py"] = hooks = Hooks()
prepare_for_snapshots(load=["wave"])
print("wave" in sys.modules)
hooks.snapshot()
print("wave" in sys.modules)
"""


def run(*arguments: str, folder: Path) -> list[str]:
    """Return the lines that a Python of Lambda's environment writes."""
    done = subprocess.run(  # noqa: S603 - a program of the tests
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
        cwd=folder,
        env={
            **ENVIRONMENT,
            "HOME": str(folder),
            "PYTHONPATH": f"{CHECKOUT / 'lambda'}:{CHECKOUT}",
            "AWS_REGION": "us-west-2",
            "AWS_DEFAULT_REGION": "us-west-2",
            "AWS_LAMBDA_FUNCTION_NAME": "api",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start",
            # Where Lambda gives credentials to such a function, instead of in three variables.
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:9/credentials",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": "token",
            "POWERTOOLS_SERVICE_NAME": "imagegen",
            "POWERTOOLS_METRICS_NAMESPACE": "imagegen",
        },
    )
    return done.stdout.splitlines()


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Return what a start and its copies write."""
    written = run("-m", "tests.support.restored", folder=tmp_path_factory.mktemp("home"))
    return [json.loads(line) for line in written]


@pytest.fixture
def start(lines: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what the start did before the snapshot."""
    first: dict[str, Any] = lines[0]["report"]
    return first


@pytest.fixture
def copies(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what each copy drew."""
    return [line["report"] for line in lines[1:] if "report" in line]


def test_nothing_unique_is_drawn_before_the_snapshot(start: dict[str, Any]) -> None:
    """No seed, no token, no time, and no number of Python's shared generator."""
    assert start["asked"] == []
    assert start["same_state"]


@pytest.mark.parametrize("when", ["without_hook", "drawn"])
@pytest.mark.parametrize("what", ["seed", "token", "fraction", "id"])
def test_every_copy_draws_its_own(copies: list[dict[str, Any]], what: str, when: str) -> None:
    """Also without the hook: equal tokens would give two callers one generation, equal seeds one picture."""
    assert len({copy[when][what] for copy in copies}) == COPIES


def test_every_copy_retries_at_its_own_time(copies: list[dict[str, Any]]) -> None:
    """The SDK's pauses come from Python's generator, which a snapshot copies: the hook seeds it again."""
    assert len({copy["without_hook"]["pause"] for copy in copies}) == 1
    assert len({copy["drawn"]["pause"] for copy in copies}) == COPIES


def test_openssl_gets_fresh_bytes_in_every_copy(copies: list[dict[str, Any]]) -> None:
    """OpenSSL notices a fork by itself, so a test can only see what it is given. It does not notice a restore."""
    given = [bytes.fromhex(each) for copy in copies for each in copy["openssl"]]
    assert len(set(given)) == COPIES
    assert {len(each) for each in given} == {32}


def test_no_copy_signs_with_the_credentials_of_the_snapshot(copies: list[dict[str, Any]]) -> None:
    """The SDK asks Lambda for new ones as soon as those have expired."""
    names = [parse_qs(urlsplit(copy["drawn"]["url"]).query)["X-Amz-Credential"][0] for copy in copies]
    assert all(name.startswith("RESTORED") for name in names)
    assert len(set(names)) == COPIES


def test_the_first_request_of_every_copy_counts_as_a_cold_start(lines: list[dict[str, Any]]) -> None:
    """So the logs show which processes were restored."""
    assert [line["cold_start"] for line in lines if "cold_start" in line] == [True, False] * COPIES


def test_a_python_without_hooks_does_without_them(tmp_path: Path) -> None:
    """The emulator's Python has no hooks, and neither has a checkout's."""
    assert run("-c", WITHOUT_HOOKS, folder=tmp_path) == ["False False"]


def test_what_is_loaded_late_is_in_the_snapshot(tmp_path: Path) -> None:
    """Without a snapshot, the start does not load it."""
    assert run("-c", WITH_HOOKS, folder=tmp_path) == ["False", "True"]
