"""What the tests of this folder may touch: the registries, loopback, and a stack that is deployed once per run."""

from pathlib import Path

import pytest

from tests.support.stack_fixtures import LOOPBACK, anonymous, create_instance, stack, stand_in

__all__ = ["anonymous", "create_instance", "stack", "stand_in"]

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Open loopback again for the tests of this folder, and nothing else."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.allow_hosts(LOOPBACK))
