"""The CDK app says in one sentence what an operator has got wrong; `tests/deployments` runs it in a clone."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Final

import aws_cdk as cdk
import pytest
from aws_cdk import aws_lambda as lambda_

from stacks import synthesis
from stacks.zip_contents import SERVICE, Contents
from tests.support.depth import at_depth
from tests.support.synthesis import CONTEXT, ROOT

QUIET = "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION"


def run_app(monkeypatch: pytest.MonkeyPatch, **context: str) -> subprocess.CompletedProcess[str]:
    """Run app.py as the command line does, with context values."""
    monkeypatch.setenv("CDK_CONTEXT_JSON", json.dumps({**CONTEXT, **context}))
    monkeypatch.setenv(QUIET, "20")
    return subprocess.run([sys.executable, "app.py"], cwd=ROOT, capture_output=True, check=False, text=True)


MISTAKES: Final = (
    (
        {"stage": "prd"},
        "stage is 'prd', but cdk.json has only dev, local, prod, staging; did you mean prod?\n",
    ),
    (
        {"stage": "dev", "config": "model_timeout=0"},
        "model_timeout is 0 (int); it must be a whole number from 1 to 270.\n",
    ),
    (
        {"stage": "dev", "config": "webhook_loopback=true"},
        (
            "webhook_loopback may be true only in the stage 'local', not in 'dev', because a function in an "
            "account must never call its own host or plain http.\n"
        ),
    ),
    (
        {"stage": "local"},
        (
            "The stage 'local' is for the emulator on this machine: `make up` deploys it; for an account, choose "
            "another stage of cdk.json.\n"
        ),
    ),
    (
        {"stage": "local", "config": "models=stability.stable-image-cor-v1:1"},
        (
            "models: 'stability.stable-image-cor-v1:1' is not a registered model; "
            "did you mean stability.stable-image-core-v1:1?\n"
        ),
    ),
)


@pytest.mark.parametrize(("context", "sentence"), at_depth(thorough=MISTAKES, usual=MISTAKES[:1]))
def test_an_operators_mistake_is_one_sentence_and_no_traceback(
    monkeypatch: pytest.MonkeyPatch, context: dict[str, str], sentence: str
) -> None:
    """The sentence is on stderr, and the exit code is 1."""
    done = run_app(monkeypatch, **context)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", sentence)


def test_the_authorizer_has_a_zip_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Every other function, also the one that the monitoring invokes, has the service's."""

    def code(*, contents: Contents = SERVICE, **_: object) -> lambda_.Code:
        (tmp_path / contents.name).mkdir(exist_ok=True)
        (tmp_path / contents.name / "name.txt").write_text(contents.name)
        return lambda_.Code.from_asset(str(tmp_path / contents.name))

    context = {**CONTEXT, "stage": "dev", "config": "monitoring=true", "policy_checks": "off"}
    # The Node process of the CDK has its environment already.
    app = cdk.App(context=context, outdir=str(tmp_path / "out"))
    monkeypatch.setattr(cdk, "App", lambda: app)
    monkeypatch.setattr(synthesis, "function_code", code)
    synthesis._synthesize({})
    templates = [json.loads(path.read_text()) for path in (tmp_path / "out").glob("*.template.json")]
    functions = {
        resource["Properties"]["Handler"]: resource["Properties"]["Code"]["S3Key"]
        for template in templates
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::Lambda::Function"
    }
    authorizer = functions.pop("imagegen.authorizer_handler.lambda_handler")
    assert len(functions) == 3
    assert len({*functions.values()}) == 1
    assert authorizer not in functions.values()
