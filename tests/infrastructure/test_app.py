"""The CDK app works when the CDK command line runs it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import pytest

from tests.support.depth import at_depth
from tests.support.synthesis import CONTEXT, ROOT

QUIET = "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION"


ACCOUNT = "111122223333"


GOVERNMENT: Final = "us-gov-west-1"


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


NOWHERE: Final = "http://127.0.0.1:9"
PARTS: Final = ("app.py", "cdk.json", "stacks", "lambda", "tools")


@dataclass(frozen=True, kw_only=True)
class Plain:
    """A checkout as users of the CDK have one: an environment of some name, made active, and no `make`."""

    root: Path
    programs: Path

    def cdk(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run the CDK command line with no program on PATH but the environment's and Node.js."""
        path = os.pathsep.join([str(self.programs), str(self.root / "node"), "/usr/bin", "/bin"])
        return subprocess.run(  # noqa: S603 - the CDK that the checkout pins
            [ROOT / "node_modules" / ".bin" / "cdk", *arguments, "--no-notices"],
            cwd=self.root,
            env={"PATH": path, **REGISTRY, **NO_ACCOUNT, **variables},
            capture_output=True,
            check=False,
            text=True,
        )


ENVIRON: Final = os.environ  # noqa: TID251 - where this machine's registry and caches are
REGISTRY: Final = {
    name: value
    for name, value in ENVIRON.items()
    if name.startswith(("HOME", "PIP_", "UV_", "SSL_", "XDG_")) or name.lower().endswith("_proxy")
}
NO_ACCOUNT: Final = {
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
    "CDK_DISABLE_CLI_TELEMETRY": "true",
    "CDK_DISABLE_VERSION_CHECK": "1",
    # Every stage has CDK's own check of the template in the other tests of this folder, at half of the cost.
    "CDK_VALIDATION": at_depth(thorough="true", usual="false"),
}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Plain:
    """Return such a checkout; its environment has this one's packages, uv's program included."""
    root = tmp_path_factory.mktemp("plain")
    for name in PARTS:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, root / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, root / name)
    venv.create(root / "my-env", symlinks=True)
    (packages,) = (root / "my-env").glob("lib/python*/site-packages")
    (packages / "of_the_tests.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    (root / "node").mkdir()
    node = shutil.which("node")
    assert node is not None
    (root / "node" / "node").symlink_to(os.path.realpath(node))
    return Plain(root=root, programs=root / "my-env" / "bin")


@pytest.fixture(scope="module")
def assembly(plain: Plain) -> Path:
    """Return what `cdk synth` writes of the local stage, made without credentials, a region or a profile."""
    done = plain.cdk("synth", "--quiet", "-c", "stage=local", AWS_ENDPOINT_URL=NOWHERE)
    assert done.returncode == 0, done.stderr
    assert "stability.stable-diffusion-xl-v1 reached its end of life on 2025-05-20" in done.stderr
    return plain.root / "cdk.out"


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


def test_an_unchanged_checkout_needs_no_registry(plain: Plain, assembly: Path) -> None:
    """A second synth, with no registry and no cache, writes the same template."""
    output = plain.root / "again"
    unreachable = {
        "UV_INDEX_URL": NOWHERE,
        "PIP_INDEX_URL": NOWHERE,
        "UV_CACHE_DIR": str(plain.root / "empty"),
    }
    arguments = ("--quiet", "-c", "stage=local", "--output", str(output))
    done = plain.cdk("synth", *arguments, AWS_ENDPOINT_URL=NOWHERE, **unreachable)
    assert done.returncode == 0, done.stderr
    assert template(output) == template(assembly)


def test_an_environment_without_the_packages_is_one_sentence(plain: Plain, tmp_path: Path) -> None:
    """Whoever has forgotten to make the environment active reads which Python ran."""
    venv.create(tmp_path / "empty", symlinks=True)
    done = replace(plain, programs=tmp_path / "empty" / "bin").cdk("synth")
    assert done.returncode == 1
    assert done.stderr.startswith(
        f"The package aws_cdk is not installed for {tmp_path}/empty/bin/python3: activate the environment "
    )
    assert "Traceback" not in done.stderr


def test_a_profile_that_does_not_exist_is_one_sentence(plain: Plain) -> None:
    """The CDK alone would go on without an account."""
    (plain.root / "config").write_text("[profile work]\n")
    done = plain.cdk("synth", AWS_PROFILE="nope", AWS_CONFIG_FILE=str(plain.root / "config"))
    assert done.returncode == 1
    first, *rest = done.stderr.splitlines()
    assert first == "AWS_PROFILE is 'nope', but your AWS configuration has no such profile; it has work."
    assert rest == ["python3 app.py: Subprocess exited with error 1"]


def test_a_region_without_the_models_is_one_sentence(plain: Plain, assembly: Path) -> None:
    """The CDK alone would write ARNs of models that are not there."""
    del assembly  # it has built the zip
    arguments = ("--quiet", "-c", "config=bundle_platform=host", "--output", str(plain.root / "nothing"))
    done = plain.cdk("synth", *arguments, AWS_REGION=GOVERNMENT)
    assert done.returncode == 1
    first, *rest = done.stderr.splitlines()
    assert first.startswith(
        "models: 'stability.stable-diffusion-xl-v1' is in the partition aws of AWS, and the "
    )
    assert rest == ["python3 app.py: Subprocess exited with error 1"]


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
