"""These tests may synthesize the CDK app (a Node process) and run uv; they use no socket and no account."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.synthesis import STAGES, Synthesized, build_playground
from tests.support.template_fixtures import code, synthesized

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from stacks.playground_stack import PlaygroundStack

__all__ = ["code", "synthesized"]


@pytest.fixture(params=STAGES)
def any_stage(request: pytest.FixtureRequest, synthesized: Callable[[str], Synthesized]) -> Synthesized:
    """Return the template of each stage of cdk.json in turn."""
    return synthesized(request.param)


@pytest.fixture
def dev(synthesized: Callable[[str], Synthesized]) -> Synthesized:
    """Return the template of the stage `dev`."""
    return synthesized("dev")


@pytest.fixture
def prod(synthesized: Callable[[str], Synthesized]) -> Synthesized:
    """Return the template of the stage `prod`."""
    return synthesized("prod")


@pytest.fixture
def local(synthesized: Callable[[str], Synthesized]) -> Synthesized:
    """Return the template of the stage `local`."""
    return synthesized("local")


@pytest.fixture(scope="module")
def playground(code: Path) -> PlaygroundStack:
    """Return the stack of the playground of `dev`; each module has its own, because a test changes it."""
    return build_playground("dev", code=code)
