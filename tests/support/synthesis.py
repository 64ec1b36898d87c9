"""Synthesizes a stage for the tests in `tests/infrastructure/`, without bundling, network or account."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import aws_cdk as cdk
from aws_cdk import assertions
from aws_cdk import aws_lambda as lambda_

from stacks.imagegen_stack import ImagegenStack
from stacks.playground_stack import PlaygroundStack
from stacks.stage import StageConfig, load_stage

if TYPE_CHECKING:
    from stacks.monitoring.stack import MonitoringStack

ROOT = Path(__file__).resolve().parents[2]
CONTEXT: dict[str, Any] = json.loads((ROOT / "cdk.json").read_text())["context"]
STAGES = ("dev", "prod", "local")
"""The stages whose templates are tested. `staging` is `prod` with other numbers, as `test_stage.py` makes sure."""
TODAY = date(2026, 11, 25)
ENVIRONMENT = cdk.Environment(account="111122223333", region="us-east-1")
POOL = "arn:aws:cognito-idp:us-east-1:111122223333:userpool/us-east-1_Callers"
COGNITO = f"api_auth=cognito user_pool_arn={POOL}"
"""The overrides of a stage whose callers have a token of that pool."""

Resource = dict[str, Any]


def stage_config(stage: str, overrides: str | None = None) -> StageConfig:
    """Return a stage of cdk.json, with overrides as `-c config=` takes them."""
    return load_stage(name=stage, stages=CONTEXT["stages"], overrides=overrides)


def build(stage: str, *, code: Path, overrides: str | None = None, today: date = TODAY) -> ImagegenStack:
    """Return the stack of a stage; `code` is a directory that stands for the functions' code."""
    app = cdk.App(
        context=CONTEXT,
        outdir=tempfile.mkdtemp(prefix="cdk-", dir=code.parent),
        # CDK's own check of the template takes as long as everything else, so only the stages as they are have it.
        builtin_cloud_formation_validation=overrides is None,
    )
    return ImagegenStack(
        app,
        config=stage_config(stage, overrides),
        code=lambda_.Code.from_asset(str(code)),
        authorizer_code=lambda_.Code.from_asset(str(code)),
        env=ENVIRONMENT,
        today=today,
    )


def build_playground(stage: str, *, code: Path, overrides: str = "") -> PlaygroundStack:
    """Return the stack of a stage's playground, with the stack that it calls in the same app."""
    words = f"playground=true {overrides}".strip()
    service = build(stage, code=code, overrides=words)
    return PlaygroundStack(
        cast("cdk.App", service.node.root),
        config=stage_config(stage, words),
        service=service,
        env=ENVIRONMENT,
        root=ROOT,
    )


def build_monitoring(stage: str, *, code: Path, overrides: str = "") -> MonitoringStack:
    """Return the stack that watches a stage, with the stack that it watches in the same app."""
    # Here, because loading it takes a second, which most tests need not wait for.
    from stacks.monitoring.stack import MonitoringStack  # noqa: PLC0415

    words = f"monitoring=true {overrides}".strip()
    service = build(stage, code=code, overrides=words)
    return MonitoringStack(
        cast("cdk.App", service.node.root),
        config=stage_config(stage, words),
        service=service,
        code=lambda_.Code.from_asset(str(code)),
        env=ENVIRONMENT,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Synthesized:
    """A stage's CloudFormation template, with methods to find things in it."""

    config: StageConfig
    template: dict[str, Any]

    @property
    def outputs(self) -> dict[str, Any]:
        """The stack's outputs by name."""
        outputs: dict[str, Any] = self.template["Outputs"]
        return outputs

    def resources(self, type_: str, *, named: str = "") -> list[Resource]:
        """Return the resources of a type whose logical id contains `named`."""
        return [
            resource
            for logical_id, resource in self.template["Resources"].items()
            if resource["Type"] == type_ and named in logical_id
        ]

    def one(self, type_: str, *, named: str = "") -> Resource:
        """Return the properties of the only such resource."""
        (resource,) = self.resources(type_, named=named)
        properties: Resource = resource.get("Properties", {})
        return properties

    def logical_id(self, type_: str, *, named: str = "") -> str:
        """Return the logical id of the only such resource."""
        (found,) = [
            logical_id
            for logical_id, resource in self.template["Resources"].items()
            if resource["Type"] == type_ and named in logical_id
        ]
        return str(found)

    def statements(self, function: str) -> list[Resource]:
        """Return the statements of the role of a function: Api or Worker."""
        policy = self.one("AWS::IAM::Policy", named=f"{function}RoleDefaultPolicy")
        statements: list[Resource] = policy["PolicyDocument"]["Statement"]
        return statements

    def actions(self, function: str) -> set[str]:
        """Return every action that a function's role allows."""
        return {action for statement in self.statements(function) for action in as_list(statement["Action"])}


def synthesize(stage: str, *, code: Path, overrides: str | None = None) -> Synthesized:
    """Return the template of a stage."""
    stack = build(stage, code=code, overrides=overrides)
    template = assertions.Template.from_stack(stack).to_json()
    return Synthesized(config=stage_config(stage, overrides), template=dict(template))


def as_list(value: Any) -> list[Any]:
    """Return an IAM element as a list; it may be one value or a list of values."""
    return value if isinstance(value, list) else [value]
