"""How a stack is deleted that the CDK does not describe any more."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.stub import Stubber

from operating.stack import DeployedStack, delete_stack
from tools.failures import LocalError

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient

DAY = datetime(2026, 11, 1, tzinfo=UTC)
PAGE = DeployedStack(
    id="arn:aws:cloudformation:eu-west-1:111122223333:stack/imagegen-dev-playground/0a1b2c3d-0000-11ee",
    name="imagegen-dev-playground",
    status="UPDATE_COMPLETE",
    owner_salt="",
    resources=(),
)


def cloudformation() -> tuple[CloudFormationClient, Stubber]:
    """Return a client that talks to nobody, and what it replies with."""
    options: dict[str, Any] = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}
    client: CloudFormationClient = boto3.client("cloudformation", region_name="eu-west-1", **options)
    return client, Stubber(client)


def described(status: str) -> dict[str, Any]:
    """Return what CloudFormation says of the playground's stack."""
    return {"Stacks": [{"StackName": PAGE.name, "StackStatus": status, "CreationTime": DAY}]}


@pytest.mark.parametrize("status", ["DELETE_COMPLETE", "DELETE_FAILED"])
def test_a_stack_is_deleted_without_the_cdk_and_waited_for(status: str) -> None:
    """If CloudFormation cannot delete it, one sentence names the command that says why."""
    client, stub = cloudformation()
    stub.add_response("delete_stack", {}, {"StackName": PAGE.name})
    stub.add_response("describe_stacks", described(status), {"StackName": PAGE.id})
    failing = pytest.raises(
        LocalError, match=r"^CloudFormation could not delete the stack [^\n]* says why\. [^\n]*\.$"
    )
    with stub, failing if status == "DELETE_FAILED" else nullcontext():
        delete_stack(PAGE, client)
    stub.assert_no_pending_responses()
