"""What the tests of this folder may touch: loopback, and a stack that is deployed once per run."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support import bare_emulator
from tests.support.bare_emulator import Emulator
from tests.support.local_instances import Instance
from tests.support.stack_fixtures import LOOPBACK, anonymous, api, create_instance, other_api, stack, stand_in

__all__ = ["anonymous", "api", "create_instance", "other_api", "stack", "stand_in"]

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Open loopback again for the tests of this folder, and nothing else."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.allow_hosts(LOOPBACK))


@pytest.fixture(scope="session")
def emulator(create_instance: Callable[[str], Instance]) -> Iterator[Emulator]:
    """Start an emulator without the stack, in a second; each test makes tables, buckets and queues of its own."""
    with bare_emulator.running(create_instance("emulator")) as started:
        yield started
