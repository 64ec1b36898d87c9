"""The CDK app works when the CDK command line runs it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

from tests.support.depth import at_depth
from tests.support.synthesis import CONTEXT, ROOT

QUIET = "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION"


ACCOUNT = "111122223333"


def run_app(monkeypatch: pytest.MonkeyPatch, **context: str) -> subprocess.CompletedProcess[str]:
    """Run app.py as the command line does, with context values."""
    monkeypatch.setenv("CDK_CONTEXT_JSON", json.dumps({**CONTEXT, **context}))
    monkeypatch.setenv(QUIET, "20")
    return subprocess.run([sys.executable, "app.py"], cwd=ROOT, capture_output=True, check=False, text=True)


MISTAKES: Final = (
    (
        {"stage": "prd"},
        "stage is 'prd', but cdk.json has only dev, local, prod; did you mean prod?\n",
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


@pytest.fixture(scope="module")
def assembly(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return what `make synth STAGE=local` writes, made without credentials, a region or a profile."""
    output = tmp_path_factory.mktemp("assembly")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
            patch.delenv(name, raising=False)
        for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL"):
            patch.delenv(name, raising=False)
        patch.setenv("AWS_CONFIG_FILE", str(output / "none"))
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(output / "none"))
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        # Every stage has CDK's own check of the template in the other tests of this folder, at half of the cost.
        patch.setenv("CDK_VALIDATION", at_depth(thorough="true", usual="false"))
        arguments = ["synth", "--quiet", "-c", "stage=local", "--output", str(output)]
        done = subprocess.run(  # noqa: S603 - this interpreter and a program of our own
            [sys.executable, "-m", "tools.cdk", *arguments],
            cwd=ROOT,
            capture_output=True,
            check=False,
            text=True,
        )
    assert done.returncode == 0, done.stderr
    assert "stability.stable-diffusion-xl-v1 reached its end of life on 2025-05-20" in done.stderr
    return output


def template(assembly: Path) -> dict[str, Any]:
    """Return the local stage's template."""
    return dict(json.loads((assembly / "imagegen-local.template.json").read_text()))


def test_synth_needs_no_account(assembly: Path) -> None:
    """Without an account, synth writes the template, and the zip that the template names."""
    functions = [
        resource["Properties"]
        for resource in template(assembly)["Resources"].values()
        if resource["Type"] == "AWS::Lambda::Function"
    ]
    keys = {function["Code"]["S3Key"].removesuffix(".zip") for function in functions}
    (key,) = keys
    assert (assembly / f"asset.{key}" / "imagegen" / "api_handler.py").is_file()


def test_a_null_in_cdk_json_stays_unlimited_on_its_way_to_the_template(assembly: Path) -> None:
    """CDK's context drops nulls, so the app reads them from the file."""
    resources = template(assembly)["Resources"].values()
    (stage,) = [each["Properties"] for each in resources if each["Type"] == "AWS::ApiGateway::Stage"]
    (settings,) = stage["MethodSettings"]
    assert {"ThrottlingRateLimit", "ThrottlingBurstLimit"}.isdisjoint(settings)


def test_every_recommended_check_is_in_the_report(assembly: Path) -> None:
    """The rule packs ran, and each of their findings was accepted."""
    report = json.loads((assembly / "validation-report.json").read_text())
    conclusions = {each["pluginName"]: each["conclusion"] for each in report["pluginReports"]}
    assert "failure" not in conclusions.values()
