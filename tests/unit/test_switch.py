"""`make stop` and `make start`: which functions they change, and what is left if AWS refuses."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from operating.switch import Switch
from tools.failures import LocalError

if TYPE_CHECKING:
    from collections.abc import Iterator

STACK: Final = "imagegen-dev"
PLACE: Final[dict[str, Any]] = {
    "region_name": "us-east-1",
    "aws_access_key_id": "test",
    "aws_secret_access_key": "test",
}
RESOURCES: Final = {
    "ApiFunction0A1B2C3D": ("AWS::Lambda::Function", "the-api"),
    "ApiRole": ("AWS::IAM::Role", "role"),
    "HttpAuthorizerFunction": ("AWS::Lambda::Function", "the-authorizer"),
    "WorkerFunction4E5F": ("AWS::Lambda::Function", "the-worker"),
}
TEMPLATE: Final = {
    "Resources": {
        "ApiFunction0A1B2C3D": {"Type": "AWS::Lambda::Function", "Properties": {}},
        "WorkerFunction4E5F": {
            "Type": "AWS::Lambda::Function",
            "Properties": {"ReservedConcurrentExecutions": 23},
        },
    }
}


@dataclass
class Place:
    """An account with the stack, and the stubs of its services."""

    switch: Switch
    cloudformation: Stubber
    functions: Stubber
    changed: list[str]
    """What was asked of Lambda, in order."""

    def has_the_stack(self, *, template: bool = False) -> None:
        """Let CloudFormation describe the stack, its template if that is wanted, and its resources."""
        described = {
            "StackName": STACK,
            "StackStatus": "UPDATE_COMPLETE",
            "CreationTime": "2026-11-28T12:00:00Z",
        }
        self.cloudformation.add_response("describe_stacks", {"Stacks": [described]})
        if template:
            self.cloudformation.add_response("get_template", {"TemplateBody": json.dumps(TEMPLATE)})
        summaries = [
            {
                "LogicalResourceId": id_,
                "PhysicalResourceId": name,
                "ResourceType": type_,
                "LastUpdatedTimestamp": "2026-11-28T12:00:00Z",
                "ResourceStatus": "CREATE_COMPLETE",
            }
            for id_, (type_, name) in RESOURCES.items()
        ]
        self.cloudformation.add_response("list_stack_resources", {"StackResourceSummaries": summaries})

    def sets(self, name: str, executions: int) -> None:
        """Expect a reservation."""
        wanted = {"FunctionName": name, "ReservedConcurrentExecutions": executions}
        self.functions.add_response(
            "put_function_concurrency", {"ReservedConcurrentExecutions": executions}, wanted
        )

    def frees(self, name: str) -> None:
        """Expect the end of a reservation."""
        self.functions.add_response("delete_function_concurrency", {}, {"FunctionName": name})


@pytest.fixture
def place() -> Iterator[Place]:
    """Return an account in which nothing is expected yet; in the end, all that was expected has happened."""
    cloudformation, functions = boto3.client("cloudformation", **PLACE), boto3.client("lambda", **PLACE)
    switch = Switch(stage="dev", cloudformation=cloudformation, functions=functions)
    changed: list[str] = []

    def note(params: dict[str, Any], model: Any, **_: object) -> None:
        executions = params.get("ReservedConcurrentExecutions")
        changed.append(f"{model.name} {params['FunctionName']} {executions}")

    functions.meta.events.register("provide-client-params.lambda", note)
    with Stubber(cloudformation) as first, Stubber(functions) as second:
        yield Place(switch=switch, cloudformation=first, functions=second, changed=changed)
        first.assert_no_pending_responses()
        second.assert_no_pending_responses()


def test_stopping_lets_no_function_that_calls_models_run(place: Place) -> None:
    """The authorizer goes on."""
    place.has_the_stack()
    place.sets("the-api", 0)
    place.sets("the-worker", 0)
    place.switch.stop()
    assert place.changed == ["PutFunctionConcurrency the-api 0", "PutFunctionConcurrency the-worker 0"]


def test_starting_gives_each_function_what_the_template_reserves(place: Place) -> None:
    """The api function has no reservation in this stage, and the worker has one."""
    place.has_the_stack(template=True)
    place.frees("the-api")
    place.sets("the-worker", 23)
    place.switch.start()
    assert place.changed == ["DeleteFunctionConcurrency the-api None", "PutFunctionConcurrency the-worker 23"]


def test_a_function_that_cannot_be_stopped_does_not_keep_the_other_running(place: Place) -> None:
    """The operator is told all the same."""
    place.has_the_stack()
    place.functions.add_client_error("put_function_concurrency", "AccessDeniedException", "No.")
    place.sets("the-worker", 0)
    with pytest.raises(ClientError, match="AccessDenied"):
        place.switch.stop()


def test_a_stage_that_is_not_deployed_is_one_sentence(place: Place) -> None:
    """Nothing is changed."""
    place.cloudformation.add_client_error(
        "describe_stacks", "ValidationError", f"Stack with id {STACK} does not exist"
    )
    with pytest.raises(LocalError, match=f"There is no stack {STACK} in this account and region"):
        place.switch.stop()
