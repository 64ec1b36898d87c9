"""What the tests of this folder may touch: fresh clones of the checkout, the CDK, and an emulator of their own."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support import emulated_account
from tests.support.fresh_checkout import FreshCheckout, made_checkout, plain_checkout
from tests.support.stack_fixtures import open_loopback
from tests.support.template_fixtures import code, synthesized

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.emulated_account import EmulatedAccount
    from tests.support.local_instances import Instance

__all__ = ["code", "synthesized"]

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Open loopback again for the tests of this folder."""
    open_loopback(items, below=HERE)


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FreshCheckout]:
    """Return a clone for the plain CDK, in an environment that is not called `.venv`."""
    checkout = plain_checkout(tmp_path_factory.mktemp("plain") / "imagegen")
    yield checkout
    shutil.rmtree(checkout.root)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FreshCheckout]:
    """Return a clone for make."""
    checkout = made_checkout(tmp_path_factory.mktemp("made") / "imagegen")
    yield checkout
    shutil.rmtree(checkout.root)


@pytest.fixture(scope="session")
def account(create_instance: Callable[[str], Instance], made: FreshCheckout) -> Iterator[EmulatedAccount]:
    """Return an account that is bootstrapped as README.md says, and has nothing else."""
    with emulated_account.running(create_instance("account")) as empty:
        bootstrap = (".venv/bin/python", "-m", "tools.cdk", "bootstrap", "-c", f"config={empty.config}")
        done = made.run(*bootstrap, environ=empty.variables)
        assert done.status == 0, done.text
        yield empty
