"""The plain CDK in a fresh clone: what it says in one sentence, and what passes through it unchanged."""

from __future__ import annotations

import json
import venv
from dataclasses import replace
from typing import TYPE_CHECKING

from tests.support.fresh_checkout import NOWHERE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.fresh_checkout import FreshCheckout


def test_an_environment_without_the_packages_is_one_sentence(plain: FreshCheckout, tmp_path: Path) -> None:
    """Whoever has forgotten to make the environment active reads which Python ran."""
    venv.create(tmp_path / "empty", symlinks=True)
    empty = tmp_path / "empty" / "bin"
    done = replace(plain, programs=(empty, *plain.programs[1:])).cdk("synth")
    assert done.status == 1
    assert done.errors.startswith(
        f"The package aws_cdk is not installed for {empty}/python3: activate the environment "
    )
    assert "Traceback" not in done.text


def test_a_profile_that_does_not_exist_is_one_sentence(plain: FreshCheckout, tmp_path: Path) -> None:
    """The CDK alone would go on without an account."""
    (tmp_path / "config").write_text("[profile work]\n")
    environ = {"AWS_PROFILE": "nope", "AWS_CONFIG_FILE": str(tmp_path / "config")}
    done = plain.cdk("synth", environ=environ)
    assert done.status == 1
    first, *rest = done.errors.splitlines()
    assert first == "AWS_PROFILE is 'nope', but your AWS configuration has no such profile; it has work."
    assert rest == ["python3 app.py: Subprocess exited with error 1"]


def test_a_null_in_cdk_json_stays_unlimited_on_its_way_to_the_template(plain: FreshCheckout) -> None:
    """CDK's context drops nulls, so the app reads them from the file."""
    done = plain.cdk("synth", "--quiet", "-c", "stage=local", environ={"AWS_ENDPOINT_URL": NOWHERE})
    assert done.status == 0, done.text
    template = json.loads((plain.root / "cdk.out" / "imagegen-local.template.json").read_text())
    resources = template["Resources"].values()
    (stage,) = [each["Properties"] for each in resources if each["Type"] == "AWS::ApiGateway::Stage"]
    (settings,) = stage["MethodSettings"]
    assert {"ThrottlingRateLimit", "ThrottlingBurstLimit"}.isdisjoint(settings)
