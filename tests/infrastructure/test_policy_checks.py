"""Every finding of the rule packs is accepted, and every acceptance has a finding."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aws_cdk as cdk
import pytest
from aws_cdk import assertions
from aws_cdk import aws_sqs as sqs

from stacks.policy_checks import (
    accept_findings,
    accepted_findings,
    add_checks,
    findings_of_monitoring,
    findings_of_the_playground,
)
from tests.support.depth import at_depth
from tests.support.hardened import HARDENED
from tests.support.nag import nag_findings
from tests.support.scanners import lint_findings
from tests.support.synthesis import COGNITO, STAGES, build, build_monitoring, stage_config

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from stacks.monitoring.stack import MonitoringStack
    from stacks.playground_stack import PlaygroundStack
    from tests.support.synthesis import Synthesized

CASES = (
    *((stage, None) for stage in STAGES),
    ("dev", HARDENED),
    *at_depth(
        thorough=(
            ("dev", "api_auth=iam"),
            ("dev", COGNITO),
            ("dev", "webhooks=false"),
            ("dev", "cors_origins=https://app.example.com"),
            ("dev", "cors_origins=https://a.example,https://b.example"),
            ("dev", "gateway_log_role=false"),
            ("dev", "api_deployment=canary"),
            ("dev", "snapstart=true"),
            ("dev", "snapstart=true api_deployment=canary"),
            ("dev", "tracing=true"),
        ),
        usual=(),
    ),
)
"""The stages of cdk.json, and each setting that adds or leaves out a resource."""


@pytest.mark.parametrize(("stage", "overrides"), CASES)
def test_every_finding_is_accepted_one_by_one(code: Path, stage: str, overrides: str | None) -> None:
    """Each acceptance has the exact id and the construct of a finding, and no acceptance is left over."""
    stack = build(stage, code=code, overrides=overrides)
    config = stage_config(stage, overrides)
    assert nag_findings(stack) == {(each.path, each.id) for each in accepted_findings(config)}
    accept_findings(stack, accepted_findings(config))
    assert nag_findings(stack) == set()


def test_every_finding_in_the_playground_is_accepted_one_by_one(playground: PlaygroundStack) -> None:
    """One of them names the bucket of the CDK's assets."""
    accepted = findings_of_the_playground(playground)
    assert nag_findings(playground) == {(each.path, each.id) for each in accepted}
    assert all(len(each.reason) > 40 and each.reason.endswith(".") for each in accepted)
    accept_findings(playground, accepted)
    assert nag_findings(playground) == set()


def test_every_finding_in_the_monitoring_is_accepted_one_by_one(
    monitoring_stack: MonitoringStack, monitoring: Synthesized
) -> None:
    """The stack has everything that the settings can add."""
    accepted = findings_of_monitoring(monitoring.config)
    assert nag_findings(monitoring_stack) == {(each.path, each.id) for each in accepted}
    assert all(len(each.reason) > 40 and each.reason.endswith(".") for each in accepted)
    accept_findings(monitoring_stack, accepted)
    assert nag_findings(monitoring_stack) == set()


@pytest.mark.parametrize("overrides", ["tracing=true webhooks=false", "api_auth=iam"])
def test_every_finding_in_other_monitorings_is_accepted_one_by_one(code: Path, overrides: str) -> None:
    """Without the address, and with traces."""
    stack = build_monitoring("dev", code=code, overrides=overrides)
    accepted = findings_of_monitoring(stage_config("dev", f"monitoring=true {overrides}"))
    assert nag_findings(stack) == {(each.path, each.id) for each in accepted}


def test_cfn_lint_finds_nothing_in_the_monitoring(monitoring: Synthesized) -> None:
    """With the same rules."""
    assert lint_findings(monitoring.template) == []


@pytest.mark.parametrize("stage", STAGES)
def test_every_acceptance_has_a_reason_and_none_is_twice(stage: str) -> None:
    """The packs themselves would accept an empty reason."""
    accepted = accepted_findings(stage_config(stage))
    assert all(len(each.reason) > 40 and each.reason.endswith(".") for each in accepted)
    assert len({(each.path, each.id) for each in accepted}) == len(accepted)


def test_a_finding_that_is_not_accepted_fails_the_synthesis(tmp_path: Path) -> None:
    """A queue that accepts plain HTTP does not get deployed."""
    app = cdk.App(outdir=str(tmp_path))
    stack = cdk.Stack(app, "Careless")
    sqs.Queue(stack, "Plain")
    add_checks(app)
    with pytest.raises(RuntimeError, match="ValidationFailed"):
        app.synth()


@pytest.mark.parametrize(("stage", "overrides"), CASES)
def test_cfn_lint_finds_nothing(
    synthesized: Callable[..., Synthesized], stage: str, overrides: str | None
) -> None:
    """All its rules are on, experimental ones too, but for three about style."""
    assert lint_findings(synthesized(stage, overrides).template) == []


def test_cfn_lint_finds_nothing_in_the_playground(playground: PlaygroundStack) -> None:
    """With the same rules."""
    assert lint_findings(dict(assertions.Template.from_stack(playground).to_json())) == []
