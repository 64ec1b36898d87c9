"""What the tests of this folder may touch: loopback, and a stack that is deployed once for each process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
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
    from tests.support.playground import Clock, Playground

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Open loopback again for the tests of this folder."""
    open_loopback(items, below=HERE)


@pytest.fixture(scope="session")
def emulator(create_instance: Callable[[str], Instance]) -> Iterator[Emulator]:
    """Start an emulator without the stack, in a second; each test makes tables, buckets and queues of its own."""
    with bare_emulator.running(create_instance("emulator")) as started:
        yield started


@pytest.fixture
def browser(stack: Stack) -> Browser:
    """Start the browser, if it does not run since an earlier test."""
    from tests.support import playground  # noqa: PLC0415 - most tests here need no browser

    if not SHARED.browser:
        SHARED.browser = SHARED.ending.enter_context(running_browser(resolve=playground.resolved_by(stack)))
        SHARED.ending.enter_context(playground.shared_profile(SHARED.browser, stack))
    return SHARED.browser


@dataclass
class SharedBrowser:
    """The browser of the tests that follow each other and use it, and what ends it."""

    browser: Browser | None = None
    ending: ExitStack = field(default_factory=ExitStack)


SHARED = SharedBrowser()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(nextitem: pytest.Item | None) -> Iterator[None]:
    """End the shared browser before a test that does not use it: one process cannot drive two, nor run asyncio."""
    yield
    if SHARED.browser and "browser" not in getattr(nextitem, "fixturenames", ()):
        SHARED.browser = None
        SHARED.ending.close()


@pytest.fixture
def playground(
    browser: Browser, stack: Stack, stand_in: StandIn, request: pytest.FixtureRequest
) -> Iterator[Playground]:
    """Open the playground in a tab of its own, with the key of a new caller; at the end, look what it did."""
    from tests.support.playground import opened_playground  # noqa: PLC0415 - most tests here need no browser

    stand_in.paint_once()
    with opened_playground(browser, stack, clock="clock" in request.fixturenames) as opened:
        yield opened


@pytest.fixture
def clock(playground: Playground) -> Clock:
    """The clock of the page, which the test can move; it goes on by itself as well."""
    return playground.page.clock
