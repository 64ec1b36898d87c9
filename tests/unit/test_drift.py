"""Whatever differs from the deployed templates is named, and what could not be compared is no agreement."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from operating.drift import LONGEST, PAUSE, Finding, find, report
from stacks import stage
from stacks.stage import stack_names
from tools.failures import LocalError

CREATED = "2026-11-28T00:00:00Z"
FUNCTION = {
    "StackId": "arn:aws:cloudformation:eu-west-1:111122223333:stack/imagegen-dev/1",
    "LogicalResourceId": "ApiFunction",
    "PhysicalResourceId": "imagegen-dev-Api",
    "ResourceType": "AWS::Lambda::Function",
    "StackResourceDriftStatus": "IN_SYNC",
    "Timestamp": CREATED,
}
QUEUE = {
    **FUNCTION,
    "LogicalResourceId": "Queue",
    "PhysicalResourceId": "queue-1",
    "ResourceType": "AWS::SQS::Queue",
}
OTHERS = stack_names("dev")[1:]
"""The stacks that a stage may have beside the one of the service."""


class CloudFormation:
    """CloudFormation as far as it is told what to answer; the test fails if it is asked for anything else."""

    def __init__(self) -> None:
        self.client = boto3.client(
            "cloudformation", region_name="eu-west-1", aws_access_key_id="a", aws_secret_access_key="b"
        )
        self.stubber = Stubber(self.client)
        self.stubber.activate()
        self.waits: list[float] = []

    def has(self, name: str) -> None:
        """Answer that there is this stack."""
        stack = {"StackName": name, "CreationTime": CREATED, "StackStatus": "UPDATE_COMPLETE"}
        self.stubber.add_response("describe_stacks", {"Stacks": [stack]}, {"StackName": name})

    def lacks(self, *names: str) -> None:
        """Answer that there are no such stacks, one after the other."""
        for name in names:
            self.stubber.add_client_error(
                "describe_stacks",
                "ValidationError",
                f"Stack with id {name} does not exist",
                expected_params={"StackName": name},
            )

    def compares(self, name: str, *statuses: str, **ended: str) -> None:
        """Answer with these statuses of a detection, one after the other."""
        self.stubber.add_response("detect_stack_drift", {"StackDriftDetectionId": "1"}, {"StackName": name})
        for status in statuses:
            last = ended if status != "DETECTION_IN_PROGRESS" else {}
            said = {
                "StackId": "1",
                "StackDriftDetectionId": "1",
                "DetectionStatus": status,
                "Timestamp": CREATED,
            }
            self.stubber.add_response(
                "describe_stack_drift_detection_status", {**said, **last}, {"StackDriftDetectionId": "1"}
            )

    def found(self, name: str, *resources: dict[str, Any], token: str = "", following: str = "") -> None:
        """Answer with a page of resources."""
        asked = {"StackName": name, **({"NextToken": token} if token else {})}
        page = {"StackResourceDrifts": list(resources), **({"NextToken": following} if following else {})}
        self.stubber.add_response("describe_stack_resource_drifts", page, asked)

    def find(self) -> list[Finding]:
        """Ask about the stage dev."""
        return list(find("dev", client=self.client, wait=self.waits.append))


@pytest.fixture
def cloud() -> Iterator[CloudFormation]:
    """Return a CloudFormation, and check at the end that it was asked for everything that it could answer."""
    cloud = CloudFormation()
    yield cloud
    cloud.stubber.assert_no_pending_responses()


def test_a_stage_as_it_was_deployed_has_no_drift(cloud: CloudFormation) -> None:
    """Every page is read, and the detection is waited for."""
    cloud.has("imagegen-dev")
    cloud.lacks(*OTHERS)
    cloud.compares("imagegen-dev", "DETECTION_IN_PROGRESS", "DETECTION_COMPLETE", StackDriftStatus="IN_SYNC")
    cloud.found("imagegen-dev", FUNCTION, following="more")
    cloud.found("imagegen-dev", QUEUE, {**QUEUE, "StackResourceDriftStatus": "NOT_CHECKED"}, token="more")
    assert cloud.find() == [Finding(stack="imagegen-dev", compared=2, drifted=[])]
    assert cloud.waits == [PAUSE]


def difference(path: str, expected: str, actual: str) -> dict[str, str]:
    """Return a property that differs."""
    return {
        "PropertyPath": path,
        "ExpectedValue": expected,
        "ActualValue": actual,
        "DifferenceType": "NOT_EQUAL",
    }


def test_each_resource_that_differs_is_a_sentence(cloud: CloudFormation) -> None:
    """It names the resource, and what is there in place of what was deployed."""
    changed = {
        **FUNCTION,
        "StackResourceDriftStatus": "MODIFIED",
        "PropertyDifferences": [difference(f"/P{number}", "80", "10") for number in range(5)],
    }
    unexplained = {**QUEUE, "StackResourceDriftStatus": "MODIFIED"}
    deleted = {**QUEUE, "StackResourceDriftStatus": "DELETED"}
    cloud.has("imagegen-dev")
    cloud.lacks(*OTHERS)
    cloud.compares("imagegen-dev", "DETECTION_COMPLETE", StackDriftStatus="DRIFTED")
    cloud.found("imagegen-dev", changed, unexplained, deleted, QUEUE)
    (finding,) = cloud.find()
    assert finding.compared == 4
    assert finding.drifted == [
        (
            "AWS::Lambda::Function imagegen-dev-Api differs: /P0 is 10, not 80; /P1 is 10, not 80; /P2 is 10, not 80; "
            "and 2 more."
        ),
        "AWS::SQS::Queue queue-1 differs from the template.",
        "AWS::SQS::Queue queue-1 has been deleted.",
    ]


def test_every_stack_of_the_stage_is_compared(cloud: CloudFormation) -> None:
    """Also if the first one has drifted."""
    first_other, *rest = OTHERS
    cloud.has("imagegen-dev")
    cloud.has(first_other)
    cloud.lacks(*rest)
    cloud.compares("imagegen-dev", "DETECTION_COMPLETE", StackDriftStatus="DRIFTED")
    cloud.found("imagegen-dev", QUEUE)
    cloud.compares(first_other, "DETECTION_COMPLETE", StackDriftStatus="IN_SYNC")
    cloud.found(first_other, FUNCTION)
    first, second = cloud.find()
    assert first.drifted == ["CloudFormation says that the stack has drifted, but not in which resource."]
    assert second == Finding(stack=first_other, compared=1, drifted=[])


@pytest.mark.parametrize(
    ("ended", "reason"),
    [
        (
            {"DetectionStatus": "DETECTION_FAILED", "DetectionStatusReason": "no right to read"},
            "no right to read",
        ),
        (
            {
                "DetectionStatus": "DETECTION_FAILED",
                "StackDriftStatus": "IN_SYNC",
                "DetectionStatusReason": "Failed to detect drift on resources [Queue]",
            },
            "Failed to detect drift",
        ),
        ({"StackDriftStatus": "NOT_CHECKED"}, "NOT_CHECKED"),
        ({"StackDriftStatus": "UNKNOWN"}, "UNKNOWN"),
        ({}, "no reason was given"),
    ],
)
def test_what_could_not_be_compared_is_no_agreement(
    cloud: CloudFormation, ended: dict[str, str], reason: str
) -> None:
    """The sentence has CloudFormation's reason."""
    cloud.has("imagegen-dev")
    cloud.lacks(*OTHERS)
    cloud.compares("imagegen-dev", "DETECTION_COMPLETE", **ended)
    with pytest.raises(LocalError, match=f"imagegen-dev could not be compared with its template: {reason}"):
        cloud.find()


def test_a_stack_of_which_nothing_was_compared_is_no_agreement(cloud: CloudFormation) -> None:
    """CloudFormation says that such a stack is in sync."""
    cloud.has("imagegen-dev")
    cloud.lacks(*OTHERS)
    cloud.compares("imagegen-dev", "DETECTION_COMPLETE", StackDriftStatus="IN_SYNC")
    cloud.found("imagegen-dev", {**QUEUE, "StackResourceDriftStatus": "NOT_CHECKED"})
    with pytest.raises(LocalError, match="compared no resource of the stack imagegen-dev"):
        cloud.find()


def test_a_detection_that_does_not_end_is_not_waited_for_for_ever(cloud: CloudFormation) -> None:
    """The operator may try again."""
    cloud.has("imagegen-dev")
    cloud.lacks(*OTHERS)
    cloud.compares("imagegen-dev", *["DETECTION_IN_PROGRESS"] * (LONGEST // PAUSE))
    with pytest.raises(LocalError, match=f"in {LONGEST} seconds: try again"):
        cloud.find()
    assert sum(cloud.waits) == LONGEST


def test_a_stage_that_is_not_deployed_is_one_sentence(cloud: CloudFormation) -> None:
    """It names the command that deploys it."""
    cloud.lacks("imagegen-dev", *OTHERS)
    with pytest.raises(LocalError, match="`make deploy STAGE=dev` deploys it"):
        cloud.find()


def test_drift_in_any_stack_ends_with_status_1() -> None:
    """Each drifted resource has one line, whatever its value holds."""
    said: list[str] = []
    good = Finding(stack="imagegen-dev", compared=2, drifted=[])
    bad = Finding(stack="imagegen-dev-playground", compared=1, drifted=["Page differs: /P is a\nb, not c."])
    assert report([good], say=said.append) == 0
    assert report([bad, good], say=said.append) == 1
    assert said == [
        "imagegen-dev: 2 resources compared, 0 drifted.",
        "imagegen-dev-playground: 1 resources compared, 1 drifted.",
        "  Page differs: /P is a\\nb, not c.",
        "imagegen-dev: 2 resources compared, 0 drifted.",
    ]


def test_no_stack_of_a_stage_is_forgotten() -> None:
    """Whoever adds a stack adds the function that names it, and its name here."""
    named = {
        function("dev")
        for name, function in vars(stage).items()
        if name.endswith("stack_name") and callable(function)
    }
    assert set(stack_names("dev")) == named
    assert stack_names("dev")[0] == stage.stack_name("dev")
