"""Fixtures: a stand-in for these tests only, and clients of it."""

from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from local.bedrock.settings import Settings
from local.bedrock.stand_in import StandIn
from tests.support.stand_in_calls import SDXL, client_of

if TYPE_CHECKING:
    from mypy_boto3_bedrock_runtime import BedrockRuntimeClient


@pytest.fixture(scope="module")
def running() -> Iterator[StandIn]:
    """Yield a stand-in in which SDXL is alive, and which paints one picture for each size."""
    with StandIn(settings=Settings(alive=frozenset({SDXL}), instant=True)) as stand_in:
        yield stand_in


@pytest.fixture
def bedrock(running: StandIn) -> StandIn:
    """Return the running stand-in, without rules and calls."""
    running.reset()
    return running


@pytest.fixture(scope="module")
def client(running: StandIn) -> Iterator["BedrockRuntimeClient"]:
    """Yield a client of the running stand-in."""
    with closing(client_of(running)) as client:
        yield client


@pytest.fixture(scope="module")
def hasty(running: StandIn) -> Iterator["BedrockRuntimeClient"]:
    """Yield a client that waits one second for an answer."""
    with closing(client_of(running, read_timeout=1)) as client:
        yield client
