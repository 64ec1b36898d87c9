"""What the tests of this folder may touch: loopback, and a stack that is deployed once for each process."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support import bare_emulator
from tests.support.bare_emulator import Emulator
from tests.support.local_instances import Instance
from tests.support.stack_fixtures import anonymous, api, open_loopback, other_api, stack, stand_in

__all__ = ["anonymous", "api", "other_api", "stack", "stand_in"]

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Open loopback again for the tests of this folder."""
    open_loopback(items, below=HERE)


@pytest.fixture(scope="session")
def emulator(create_instance: Callable[[str], Instance]) -> Iterator[Emulator]:
    """Start an emulator without the stack, in a second; each test makes tables, buckets and queues of its own."""
    with bare_emulator.running(create_instance("emulator")) as started:
        yield started
