"""`make drift`: whether somebody has changed what CloudFormation deployed, by hand or with another tool.

A deployment changes only what differs between two templates. So a change by hand stays, and staging is no longer what
production becomes. CloudFormation compares the resources with the template that it deployed last. See its user guide,
"Detect unmanaged configuration changes to stacks and resources with drift detection".
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from local.aws import described_stack
from operating import clients, stage
from stacks.stage import stack_names
from tools.failures import LocalError, in_one_line

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import (
        DescribeStackDriftDetectionStatusOutputTypeDef,
        StackResourceDriftTypeDef,
    )

LONGEST: Final = 600
"""Seconds that the detection of one stack may take."""
PAUSE: Final = 3
"""Seconds between two questions whether it has ended."""
SHOWN: Final = 3
"""How many differences of one resource a sentence names."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What was found of one stack: how many resources were compared, and a sentence for each that has drifted."""

    stack: str
    compared: int
    drifted: Sequence[str]


def check(name: str, *, environ: Mapping[str, str]) -> int:
    """Compare every deployed stack of a stage, print what has drifted, and return 1 if anything has.

    Raises:
        LocalError: the stage is not deployed, or a stack could not be compared.
    """
    client: CloudFormationClient = clients.client("cloudformation", stage.aws_options(name, environ))
    return report(find(name, client=client), say=print)


def report(findings: Sequence[Finding], *, say: Callable[[str], None]) -> int:
    """Say what was found of each stack, each drifted resource in one line, and return 1 if there is any."""
    for finding in findings:
        say(f"{finding.stack}: {finding.compared} resources compared, {len(finding.drifted)} drifted.")
        for sentence in finding.drifted:
            say(f"  {in_one_line(sentence)}")
    return 1 if any(finding.drifted for finding in findings) else 0


def find(
    name: str, *, client: CloudFormationClient, wait: Callable[[float], None] = time.sleep
) -> Sequence[Finding]:
    """Return what was found of each deployed stack of a stage; `wait` is given seconds.

    Raises:
        LocalError: the stage is not deployed, or a stack could not be compared.
    """
    deployed = [each for each in stack_names(name) if described_stack(each, client) is not None]
    if stack_names(name)[0] not in deployed:
        raise stage.not_deployed(name)
    return [_find(stack, client=client, wait=wait) for stack in deployed]


def _find(stack: str, *, client: CloudFormationClient, wait: Callable[[float], None]) -> Finding:
    ended = _detect(stack, client=client, wait=wait)
    # A detection that compared nothing, or not everything, must not pass for one that found nothing.
    if ended["DetectionStatus"] != "DETECTION_COMPLETE" or ended.get("StackDriftStatus") not in {
        "IN_SYNC",
        "DRIFTED",
    }:
        reason = ended.get("DetectionStatusReason") or ended.get("StackDriftStatus") or "no reason was given"
        raise LocalError(f"The stack {stack} could not be compared with its template: {reason}")
    resources = list(_resources(stack, client=client))
    compared = [each for each in resources if each["StackResourceDriftStatus"] != "NOT_CHECKED"]
    drifted = [_sentence(each) for each in compared if each["StackResourceDriftStatus"] != "IN_SYNC"]
    if not compared:
        raise LocalError(f"CloudFormation compared no resource of the stack {stack} with its template.")
    if ended["StackDriftStatus"] == "DRIFTED" and not drifted:
        drifted = ["CloudFormation says that the stack has drifted, but not in which resource."]
    return Finding(stack=stack, compared=len(compared), drifted=drifted)


def _detect(
    stack: str, *, client: CloudFormationClient, wait: Callable[[float], None]
) -> DescribeStackDriftDetectionStatusOutputTypeDef:
    id_ = client.detect_stack_drift(StackName=stack)["StackDriftDetectionId"]
    for _ in range(LONGEST // PAUSE):
        ended = client.describe_stack_drift_detection_status(StackDriftDetectionId=id_)
        if ended["DetectionStatus"] != "DETECTION_IN_PROGRESS":
            return ended
        wait(PAUSE)
    raise LocalError(
        f"CloudFormation has not compared the stack {stack} with its template in {LONGEST} seconds: try again."
    )


def _resources(stack: str, *, client: CloudFormationClient) -> Iterator[StackResourceDriftTypeDef]:
    token = ""
    while True:
        page = (
            client.describe_stack_resource_drifts(StackName=stack, NextToken=token)
            if token
            else client.describe_stack_resource_drifts(StackName=stack)
        )
        yield from page["StackResourceDrifts"]
        token = page.get("NextToken", "")
        if not token:
            return


def _sentence(resource: StackResourceDriftTypeDef) -> str:
    what = f"{resource['ResourceType']} {resource.get('PhysicalResourceId', resource['LogicalResourceId'])}"
    if resource["StackResourceDriftStatus"] == "DELETED":
        return f"{what} has been deleted."
    differences = [
        f"{each['PropertyPath']} is {each['ActualValue']}, not {each['ExpectedValue']}"
        for each in resource.get("PropertyDifferences", ())
    ]
    if not differences:
        return f"{what} differs from the template."
    more = len(differences) - SHOWN
    rest = f"; and {more} more" if more > 0 else ""
    return f"{what} differs: {'; '.join(differences[:SHOWN])}{rest}."
