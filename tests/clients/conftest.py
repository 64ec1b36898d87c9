"""What the tests of this folder may touch: the registries, loopback, and a stack that is deployed once per run."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.deployed_stack import Stack
from tests.support.local_instances import Instance
from tests.support.stack_fixtures import anonymous, deployed, open_loopback, stand_in

__all__ = ["anonymous", "stand_in"]

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def stack(create_instance: Callable[[str], Instance]) -> Iterator[Stack]:
    """Deploy the stack in strict mode, whatever STRICT says, because boto3 sends a bearer token over https only."""
    with deployed(create_instance("clients"), STRICT="1") as one:
        yield one


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Open loopback again for the tests of this folder."""
    open_loopback(items, below=HERE)
