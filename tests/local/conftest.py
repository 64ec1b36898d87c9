"""What the tests of this folder may touch: loopback, and a stack that is deployed once per run."""

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.support import bare_emulator
from tests.support import local_instances as instances
from tests.support.bare_emulator import Emulator
from tests.support.deployed_stack import Stack, StandIn
from tests.support.local_instances import Instance

LOOPBACK = ["127.0.0.1", "::1", "localhost"]
HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Open loopback again for the tests of this folder, and nothing else."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.allow_hosts(LOOPBACK))


@pytest.fixture(scope="session")
def create_instance() -> Iterator[Callable[[str], Instance]]:
    """Make instances of the local service by name; what killed test runs left is stopped, this one leaves nothing."""
    instances.remove_abandoned()
    yield instances.create
    instances.remove_own()


@pytest.fixture(scope="module")
def emulator(
    create_instance: Callable[[str], Instance], request: pytest.FixtureRequest
) -> Iterator[Emulator]:
    """Start an emulator for the tests of one module, in a second and without the stack."""
    with bare_emulator.running(create_instance(request.path.stem)) as started:
        yield started


@pytest.fixture(scope="session")
def stack(create_instance: Callable[[str], Instance]) -> Iterator[Stack]:
    """Deploy the whole stack to an emulator of its own; STRICT=1 and CONFIG hold for it as for `make up`."""
    instance = create_instance("stack")
    try:
        yield Stack(state=instance.up(), folder=instance.folder)
    finally:
        instance.down()


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
