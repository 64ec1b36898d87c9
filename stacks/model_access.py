"""Which models a stage may call, as the registry of `lambda/imagegen/models` knows them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from aws_cdk import Annotations, Stack
from aws_cdk import aws_iam as iam

from imagegen.models.registry import ModelRef, resolve
from stacks.stage import StageError

SECONDS_AN_IMAGE_TAKES = 10
LEAST_CONCURRENCY = 2


def resolve_models(entries: Sequence[str], *, region: str) -> tuple[ModelRef, ...]:
    """Return what the stage's `models` name, seen from `region`.

    Raises:
        StageError: an entry is not a model that the service speaks.
    """
    try:
        return tuple(resolve(entry, region=region) for entry in entries)
    except ValueError as error:
        raise StageError(f"models: {error}") from error


def invoke_models(refs: Sequence[ModelRef], *, stack: Stack) -> tuple[iam.PolicyStatement, ...]:
    """Return the right to call exactly the listed models, and by a stream only those that stream."""

    def statement(sid: str, action: str, allowed: Sequence[ModelRef]) -> iam.PolicyStatement:
        arns = (ref.invoke_arns(partition=stack.partition, account=stack.account) for ref in allowed)
        return iam.PolicyStatement(
            sid=sid, actions=[action], resources=list(dict.fromkeys(arn for each in arns for arn in each))
        )

    invoke = statement("InvokeListedModels", "bedrock:InvokeModel", refs)
    statements = [invoke]
    streaming = [ref for ref in refs if ref.model.streams]
    if streaming:
        statements.append(statement("StreamListedModels", "bedrock:InvokeModelWithResponseStream", streaming))
    endpoints = [ref.endpoint_arn for ref in refs if ref.endpoint_arn is not None]
    if endpoints:
        statements.append(_through_bedrock(endpoints))
    return tuple(statements)


def _through_bedrock(endpoints: Sequence[str]) -> iam.PolicyStatement:
    """Return the right to a registered SageMaker endpoint, of use only to Bedrock on the function's behalf.

    See the Bedrock user guide, "Prerequisites for Amazon Bedrock Marketplace".
    """
    return iam.PolicyStatement(
        sid="InvokeEndpointsThroughBedrock",
        actions=["sagemaker:InvokeEndpoint"],
        resources=list(dict.fromkeys(endpoints)),
        conditions={"StringEquals": {"aws:CalledViaLast": "bedrock.amazonaws.com"}},
    )


def concurrency_for(refs: Sequence[ModelRef], *, today: date) -> int:
    """Return how many asynchronous generations at once use the quota of the model that serves, and do not overrun it.

    That is requests a minute times the part of a minute that an image takes, within what an event source may have.
    """
    living = [ref for ref in refs if ref.lifecycle.status(today) != "end_of_life"]
    quota = next((ref.model.requests_per_minute for ref in living), None)
    if quota is None:
        return LEAST_CONCURRENCY
    return max(LEAST_CONCURRENCY, quota * SECONDS_AN_IMAGE_TAKES // 60)


def warn_about_ended_models(refs: Sequence[ModelRef], *, stack: Stack, today: date) -> None:
    """Print a warning at synth for each listed model past its end of life: since when, and what to list instead."""
    for ref in refs:
        lifecycle = ref.lifecycle
        if lifecycle.status(today) != "end_of_life":
            continue
        successor = f"; its successor is {lifecycle.successor}" if lifecycle.successor else ""
        Annotations.of(stack).add_warning_v2(
            f"imagegen:endOfLife:{ref.id}",
            f"{ref.id} reached its end of life on {lifecycle.end_of_life_at}: Bedrock answers 404, "
            f"and requests go on to the next model of the list{successor}.",
        )
