"""Synthesizes the stage that `-c stage=` names, otherwise `dev`; an operator's mistake is one sentence."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import aws_cdk as cdk

from stacks.bundling import BundlingError, function_code
from stacks.cdk_json import stages_of
from stacks.credentials import check_place, check_profile
from stacks.imagegen_stack import ImagegenStack
from stacks.playground_site import SiteError
from stacks.playground_stack import PlaygroundStack
from stacks.policy_checks import (
    accept_findings,
    accepted_findings,
    add_checks,
    findings_of_monitoring,
    findings_of_the_playground,
)
from stacks.stage import LOCAL_STAGE, StageConfig, StageError, load_stage
from stacks.zip_contents import AUTHORIZER
from tools.failures import in_one_line

ROOT = Path(__file__).resolve().parent.parent
LOOPBACK = ("127.0.0.1", "localhost")


def synthesize() -> None:
    """Synthesize the stage; end the process with one sentence if that is not possible."""
    try:
        _synthesize(os.environ)  # noqa: TID251 - the CDK command line passes account and region there
    except (StageError, BundlingError, SiteError) as error:
        sys.exit(in_one_line(error))


def _synthesize(environ: Mapping[str, str]) -> None:
    app = cdk.App()
    context = app.node.try_get_context
    # Read from the file, because jsii drops every null from the context, and null means "unlimited":
    # see docs/decisions/0015-stages-are-read-from-the-file.md.
    config = load_stage(name=context("stage") or "dev", stages=stages_of(ROOT), overrides=context("config"))
    check_place(environ)
    _check_stage(config.name, environ)
    check_profile(environ)
    env = cdk.Environment(
        # The CDK command line sets both from the operator's credentials; synth works without them.
        account=environ.get("CDK_DEFAULT_ACCOUNT"),
        region=environ.get("CDK_DEFAULT_REGION", "us-east-1"),
    )
    stack = ImagegenStack(
        app,
        config=config,
        code=function_code(root=ROOT, target=config.bundle_platform),
        authorizer_code=function_code(root=ROOT, target=config.bundle_platform, contents=AUTHORIZER),
        env=env,
        # Passed in, so that tests choose the day on which a model ends.
        today=datetime.now(tz=UTC).date(),
    )
    page = (
        PlaygroundStack(app, config=config, service=stack, env=env, root=ROOT) if config.playground else None
    )
    watching = _monitoring(app, config=config, service=stack, env=env) if config.monitoring else None
    # The emulator gets the same stack without them: they take a third of the synthesis, and the tests apply them to
    # every stage.
    if context("policy_checks") != "off":
        accept_findings(stack, accepted_findings(config))
        if page:
            accept_findings(page, findings_of_the_playground(page))
        if watching:
            accept_findings(watching, findings_of_monitoring(config))
        add_checks(app)
    app.synth()


def _monitoring(
    app: cdk.App, *, config: StageConfig, service: ImagegenStack, env: cdk.Environment
) -> cdk.Stack:
    # Here, because loading it takes a second, which a stage without it need not wait for.
    from stacks.monitoring.stack import MonitoringStack  # noqa: PLC0415

    # The CDK binds code to one stack; it is the same zip.
    code = function_code(root=ROOT, target=config.bundle_platform)
    return MonitoringStack(app, config=config, service=service, code=code, env=env)


def _check_stage(stage: str, environ: Mapping[str, str]) -> None:
    # Its limits are open and its zip is for this machine, so in an account it would be a bill that does not even run.
    on_this_machine = urlsplit(environ.get("AWS_ENDPOINT_URL", "")).hostname in LOOPBACK
    if stage == LOCAL_STAGE and not on_this_machine:
        raise StageError(
            f"The stage {LOCAL_STAGE!r} is for the emulator on this machine: `make up` deploys it; "
            "for an account, choose another stage of cdk.json."
        )
