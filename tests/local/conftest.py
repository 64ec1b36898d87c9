"""What the tests of this folder may touch: loopback, and a stack that is deployed once for each process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support import bare_emulator
from tests.support.bare_emulator import Emulator
from tests.support.local_instances import Instance
from tests.support.pages import running_browser
from tests.support.stack_fixtures import anonymous, api, open_loopback, other_api, stack, stand_in

__all__ = ["anonymous", "api", "other_api", "stack", "stand_in"]

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.support.deployed_stack import Stack, StandIn
    from tests.support.playground import Playground

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Open loopback again for the tests of this folder."""
    open_loopback(items, below=HERE)


@pytest.fixture(scope="session")
def emulator(create_instance: Callable[[str], Instance]) -> Iterator[Emulator]:
    """Start an emulator without the stack, in a second; each test makes tables, buckets and queues of its own."""
    with bare_emulator.running(create_instance("emulator")) as started:
        yield started


@pytest.fixture(scope="module")
def browser(stack: Stack) -> Iterator[Browser]:
    """Start the browser for the tests of one module; two at a time cannot be driven by one process."""
    from tests.support.playground import resolved_by  # noqa: PLC0415 - most tests here need no browser

    with running_browser(resolve=resolved_by(stack)) as started:
        yield started


@pytest.fixture
def playground(browser: Browser, stack: Stack, stand_in: StandIn) -> Iterator[Playground]:
    """Open the playground in a profile of its own, with the key of a new caller; at the end, look what it did."""
    from tests.support.playground import opened_playground  # noqa: PLC0415 - most tests here need no browser

    stand_in.paint_once()
    with opened_playground(browser, stack) as opened:
        yield opened
