"""The fixtures of the deployed stack, for the folders whose tests use it: their `conftest.py` imports them."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from tests.support import pages
from tests.support.deployed_stack import Stack, StandIn
from tests.support.local_instances import CONFIG, STRICT, Instance

LOOPBACK = ["127.0.0.1", "::1", "localhost"]


def open_loopback(items: list[pytest.Item], *, below: Path) -> None:
    """Let the tests below a folder reach this machine again, and nothing else."""
    for item in items:
        if item.path.is_relative_to(below):
            item.add_marker(pytest.mark.allow_hosts(LOOPBACK))


@contextmanager
def deployed(instance: Instance, **variables: str) -> Iterator[Stack]:
    """Deploy the whole stack to an emulator of its own, with these variables of `make up`, and stop it at the end."""
    try:
        yield Stack(state=instance.up(**variables), folder=instance.folder)
    finally:
        instance.down()


@pytest.fixture(scope="session")
def stack(create_instance: Callable[[str], Instance]) -> Iterator[Stack]:
    """Deploy the stack, which allows one page and its playground; STRICT=1 and CONFIG hold for it as for `make up`."""
    instance = create_instance("stack")
    with pages.page_served({}) as page_url, ExitStack() as ending:
        # One of them, because the emulator replies to every preflight with the first origin. In strict mode nobody
        # needs `page_url`; otherwise the browser opens the playground under it (`support/playground.py`).
        origin = instance.web_url if STRICT else page_url
        one = ending.enter_context(deployed(instance, CONFIG=f"{CONFIG} cors_origins={origin}"))
        yield replace(one, page_url=page_url)


@pytest.fixture(scope="session")
def api(stack: Stack) -> Iterator[httpx.Client]:
    """A caller with the first API key."""
    with stack.client(api_key=stack.state.api_key) as client:
        yield client


@pytest.fixture(scope="session")
def other_api(stack: Stack) -> Iterator[httpx.Client]:
    """Another caller, with the second API key."""
    with stack.client(api_key=stack.state.other_api_key) as client:
        yield client


@pytest.fixture(scope="session")
def anonymous(stack: Stack) -> Iterator[httpx.Client]:
    """A caller without a key, and the client that downloads presigned URLs."""
    with stack.client() as client:
        yield client


@pytest.fixture
def stand_in(stack: Stack) -> Iterator[StandIn]:
    """The stand-in model of the stack, without rules and calls of other tests."""
    with httpx.Client(base_url=stack.state.bedrock_url, trust_env=False, timeout=120) as client:
        control = StandIn(client=client)
        control.reset()
        yield control
        control.reset()
