"""These tests may synthesize the CDK app (a Node process) and run uv; they use no socket and no account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from aws_cdk import assertions

from tests.support.synthesis import STAGES, Synthesized, build_monitoring, build_playground, stage_config
from tests.support.template_fixtures import code, synthesized
from tests.support.zip_fixtures import built, built_authorizer, fresh

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from stacks.monitoring.stack import MonitoringStack
    from stacks.playground_stack import PlaygroundStack

__all__ = ["built", "built_authorizer", "code", "fresh", "synthesized"]


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


WATCHED = "alarm_email=ops@example.com monthly_budget_usd=50 cost_anomaly_usd=10"
"""The overrides of a stage that has everything that can be watched."""


@pytest.fixture(scope="session")
def monitoring_stack(code: Path) -> MonitoringStack:
    """Return the stack that watches `dev`, with everything that the settings can add."""
    return build_monitoring("dev", code=code, overrides=WATCHED)


@pytest.fixture(scope="session")
def monitoring(monitoring_stack: MonitoringStack) -> Synthesized:
    """Return the template of that stack."""
    template = assertions.Template.from_stack(monitoring_stack).to_json()
    return Synthesized(config=stage_config("dev", f"monitoring=true {WATCHED}"), template=dict(template))


@pytest.fixture(scope="session")
def playground_template(code: Path) -> dict[str, Any]:
    """Return the template of the playground of `dev`, for those that only read it."""
    return dict(assertions.Template.from_stack(build_playground("dev", code=code)).to_json())


@pytest.fixture(scope="module")
def playground(code: Path) -> PlaygroundStack:
    """Return the stack of the playground of `dev`; each module has its own, because a test changes it."""
    return build_playground("dev", code=code)
