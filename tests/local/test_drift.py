"""`make drift` against the emulator's CloudFormation, which compares queues, buckets, tables, roles and functions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import boto3
import pytest

from operating import drift
from operating.drift import Finding
from stacks.stage import stack_name

if TYPE_CHECKING:
    from tests.support.deployed_stack import Stack

STAGE = "drifting"
NAME = stack_name(STAGE)
TEMPLATE = {
    "Resources": {
        "Queue": {"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": 480}},
        "Other": {"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": 480}},
    }
}


@pytest.mark.thorough
def test_what_was_changed_by_hand_is_named_with_both_values(stack: Stack) -> None:
    """So is what was deleted. Before that, nothing is."""
    cloud, queues = (boto3.client(name, **stack.aws()) for name in ("cloudformation", "sqs"))
    cloud.create_stack(StackName=NAME, TemplateBody=json.dumps(TEMPLATE))
    try:
        cloud.get_waiter("stack_create_complete").wait(StackName=NAME, WaiterConfig={"Delay": 1})
        assert drift.find(STAGE, client=cloud) == [Finding(stack=NAME, compared=2, drifted=[])]
        resources = cloud.list_stack_resources(StackName=NAME)["StackResourceSummaries"]
        urls = {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in resources}
        queues.set_queue_attributes(QueueUrl=urls["Queue"], Attributes={"VisibilityTimeout": "30"})
        queues.delete_queue(QueueUrl=urls["Other"])
        (finding,) = drift.find(STAGE, client=cloud)
    finally:
        cloud.delete_stack(StackName=NAME)
    assert sorted(finding.drifted) == sorted(
        [
            f"AWS::SQS::Queue {urls['Queue']} differs: /VisibilityTimeout is 30, not 480.",
            f"AWS::SQS::Queue {urls['Other']} has been deleted.",
        ]
    )


def test_the_deployed_service_is_as_it_was_deployed(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    """The command itself finds the stack of this machine."""
    status = drift.check("local", environ={"IMAGEGEN_LOCAL_DIR": str(stack.folder)})
    said = capsys.readouterr().out
    assert status == 0, said
    assert said.startswith("imagegen-local: ")
