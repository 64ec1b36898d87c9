"""`make doctor` of the deployed service: everything works, and what does not is found."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from imagegen.adapters.key_table.table import DynamoDbKeys
from operating.doctor import checks
from operating.keys import Keys
from tests.support.local_instances import ENVIRON
from tools.checkout import CHECKOUT

if TYPE_CHECKING:
    from tests.support.deployed_stack import Stack, StandIn

SKIPPED_HERE = [row.name for row in checks.BEFORE if row.locally]


def doctor(stack: Stack, *options: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the command for the stack of these tests."""
    return subprocess.run(  # noqa: S603 - the checkout's own Python and arguments of this file
        [sys.executable, "-m", "operating", "--stage", "local", "doctor", *options],
        cwd=CHECKOUT,
        env={**ENVIRON, "IMAGEGEN_LOCAL_DIR": str(stack.folder), **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def findings(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    """Return the findings of a JSON report."""
    found: list[dict[str, Any]] = json.loads(done.stdout)["findings"]
    return found


def test_the_proof_makes_one_image_whose_url_is_opened_afterwards(stack: Stack, stand_in: StandIn) -> None:
    """Everything is well; only what means nothing here is skipped. The second examination pays for nothing."""
    done = doctor(stack, "--json", "--prove")
    assert (done.returncode, done.stderr) == (
        0,
        "The proof makes one image, with the model of the local service.\n",
    )
    # The key of the tests may have no image before.
    found = [each for each in findings(done) if each["check"] != "image URL"]
    assert [each["check"] for each in found if each["severity"] == "skipped"] == SKIPPED_HERE
    assert {each["severity"] for each in found} == {"ok", "skipped"}
    assert [each["check"] for each in found][-3:] == ["proof"] * 3
    assert stand_in.calls()["painted"] == 1

    stand_in.reset()
    done = doctor(stack)
    assert (done.returncode, done.stderr) == (0, "")
    (line,) = (line for line in done.stdout.splitlines() if " image URL " in line)
    assert line == f"ok       {'image URL':{checks.WIDTH}}  A presigned URL opens without a key."
    assert done.stdout.splitlines()[-1] == "Found no problem."
    assert stand_in.calls()["calls"] == 0


@pytest.mark.thorough
def test_a_revoked_key_is_a_problem(stack: Stack) -> None:
    """The finding has the command that lists the keys, and no report has the key."""
    outputs = boto3.client("cloudformation", **stack.aws()).describe_stacks(StackName=stack.state.stack)
    names = {each["OutputKey"]: each["OutputValue"] for each in outputs["Stacks"][0]["Outputs"]}
    table = DynamoDbKeys(client=boto3.client("dynamodb", **stack.aws()), table=names["KeyTableName"])
    keys = Keys(table=table)
    key = keys.create(name="doctor")
    keys.revoke(key.id)
    done = doctor(stack, JSON="1", API_KEY=key.text)
    (found,) = (each for each in findings(done) if each["check"] == "caller")
    assert (done.returncode, found["severity"], found["remedy"]) == (1, "problem", "make keys STAGE=local")
    assert "401 unauthorized" in found["sentence"]
    assert key.text not in done.stdout + done.stderr


@pytest.mark.thorough
def test_a_stage_that_is_not_deployed_waits_for_its_deployment(stack: Stack) -> None:
    """The emulator as an account: bootstrapped, and without this stage."""
    account = {
        "AWS_ENDPOINT_URL": stack.state.aws_endpoint_url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        **({"AWS_CA_BUNDLE": stack.state.ca_bundle} if stack.state.ca_bundle else {}),
        "NO_PROXY": "*",
    }
    done = subprocess.run(
        [sys.executable, "-m", "operating", "--stage", "dev", "doctor", "--json"],
        cwd=CHECKOUT,
        env={**ENVIRON, **account, "CONFIG": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    report = json.loads(done.stdout)
    assert (done.stderr, report["deployed"], report["account"]) == ("", False, "000000000000")
    by_check = {each["check"]: each for each in report["findings"]}
    assert by_check["bootstrap"]["severity"] == "ok"
    assert (by_check["stack"]["severity"], by_check["stack"]["remedy"]) == (
        "skipped",
        "make deploy STAGE=dev",
    )
