"""The CDK app: the stack of the stage that `-c stage=` names, otherwise of `dev`."""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

import aws_cdk as cdk

from stacks.bundling import BundlingError, function_code
from stacks.imagegen_stack import ImagegenStack
from stacks.policy_checks import accept_findings, add_checks
from stacks.stage import StageError, load_stage

ROOT = Path(__file__).resolve().parent


def main() -> None:
    """Synthesize the stage."""
    app = cdk.App()
    context = app.node.try_get_context
    # Read from the file, because jsii drops every null from the context, and null means "unlimited":
    # see docs/decisions/0015-stages-are-read-from-the-file.md.
    stages = json.loads((ROOT / "cdk.json").read_text())["context"]["stages"]
    config = load_stage(name=context("stage") or "dev", stages=stages, overrides=context("config"))
    stack = ImagegenStack(
        app,
        config=config,
        code=function_code(root=ROOT, target=config.bundle_platform),
        env=_environment(),
        # Passed in, so that tests choose the day on which a model ends.
        today=datetime.now(tz=UTC).date(),
    )
    # The emulator gets the same stack without them: they take a third of the synthesis, and the tests apply them to
    # every stage.
    if context("policy_checks") != "off":
        accept_findings(stack, config=config)
        add_checks(app)
    app.synth()


def _environment() -> cdk.Environment:
    # The CDK command line sets both from the operator's credentials; synth works without them.
    variables = os.environ  # noqa: TID251
    return cdk.Environment(
        account=variables.get("CDK_DEFAULT_ACCOUNT"),
        region=variables.get("CDK_DEFAULT_REGION", "us-east-1"),
    )


if __name__ == "__main__":
    try:
        main()
    except (StageError, BundlingError) as error:
        sys.exit(str(error))
