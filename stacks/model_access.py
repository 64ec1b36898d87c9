"""The IAM statements, the concurrency and the warnings that follow from a stage's list of models."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from aws_cdk import Annotations, Stack, region_info
from aws_cdk import aws_iam as iam

from imagegen.models.registry import ModelRef, resolve
from stacks.stage import StageError

SECONDS_AN_IMAGE_TAKES = 10  # an assumption, for which `worker_concurrency` is the correction
_PARTITIONS = {"us-gov-": "aws-us-gov", "cn-": "aws-cn", "eusc-": "aws-eusc"}
LEAST_CONCURRENCY = 2  # the least that Lambda accepts for an event source


def resolve_models(entries: Sequence[str], *, region: str) -> tuple[ModelRef, ...]:
    """Return the models of a stage's list, for a deployment in `region`; `StageConfig` has checked that they exist.

    Raises:
        StageError: a model is in another partition than the region, whose credentials do not hold there.
    """
    refs = tuple(resolve(entry, region=region) for entry in entries)
    partition = partition_of(region)
    for entry, ref in zip(entries, refs, strict=True):
        home = ref.target.split(":")[1] if ref.target.startswith("arn:") else partition_of(ref.region)
        if home != partition:
            raise StageError(
                f"models: {entry!r} is in the partition {home} of AWS, and the region {region} is in {partition}, "
                f"which cannot call it: deploy to another region (AWS_REGION), or list what runs in {partition}, "
                "as id@ARN."
            )
    return refs


def partition_of(region: str) -> str:
    """Return the partition of AWS that a region belongs to, such as `aws` or `aws-us-gov`."""
    # By its prefix if CDK does not know it yet; any other new region is most likely one of the largest partition.
    known = region_info.RegionInfo.get(region).partition
    return known or next((name for prefix, name in _PARTITIONS.items() if region.startswith(prefix)), "aws")


def invoke_arns(ref: ModelRef, *, partition: str, account: str) -> tuple[str, ...]:
    """Return the exact resource ARNs that calling an entry needs in an IAM statement for `InvokeModel`.

    See the Bedrock user guide, "Prerequisites for inference profiles" and "Amazon Bedrock Marketplace".
    """
    if ref.host in {"provisioned", "imported"}:
        return (ref.target,)
    if ref.host == "endpoint":
        # Bedrock has one resource for all endpoints; `_through_bedrock` allows the one that is listed.
        return (f"arn:{partition}:bedrock:{ref.region}:{account}:marketplace/model-endpoint/all-access",)
    # A profile needs the model in the calling region as well, even if it sends no request there.
    foundation_models = tuple(
        f"arn:{partition}:bedrock:{region}::foundation-model/{ref.model.id}"
        for region in dict.fromkeys((ref.region, *ref.destinations))
    )
    if ref.host == "on_demand":
        return foundation_models
    is_arn = ref.target.startswith("arn:")
    profile = f"arn:{partition}:bedrock:{ref.region}:{account}:inference-profile/{ref.target}"
    return (ref.target if is_arn else profile, *foundation_models)


def invoke_models(refs: Sequence[ModelRef], *, stack: Stack) -> tuple[iam.PolicyStatement, ...]:
    """Return the right to call exactly the listed models, and to stream only from those that stream."""

    def statement(sid: str, action: str, allowed: Sequence[ModelRef]) -> iam.PolicyStatement:
        arns = (invoke_arns(ref, partition=stack.partition, account=stack.account) for ref in allowed)
        return iam.PolicyStatement(
            sid=sid, actions=[action], resources=list(dict.fromkeys(arn for each in arns for arn in each))
        )

    statements = [statement("InvokeListedModels", "bedrock:InvokeModel", refs)]
    streaming = [ref for ref in refs if ref.model.streams]
    if streaming:
        statements.append(statement("StreamListedModels", "bedrock:InvokeModelWithResponseStream", streaming))
    endpoints = [ref.target for ref in refs if ref.host == "endpoint"]
    if endpoints:
        statements.append(_through_bedrock(endpoints))
    return tuple(statements)


def _through_bedrock(endpoints: Sequence[str]) -> iam.PolicyStatement:
    """Return the right to call SageMaker endpoints through Bedrock, and in no other way.

    See the Bedrock user guide, "Prerequisites for Amazon Bedrock Marketplace".
    """
    return iam.PolicyStatement(
        sid="InvokeEndpointsThroughBedrock",
        actions=["sagemaker:InvokeEndpoint"],
        resources=list(dict.fromkeys(endpoints)),
        conditions={"StringEquals": {"aws:CalledViaLast": "bedrock.amazonaws.com"}},
    )


def concurrency_for(refs: Sequence[ModelRef], *, today: date) -> int:
    """Return how many asynchronous generations may run at once.

    It is the number that uses up the quota of the first living model and does not exceed it: requests a minute times
    the part of a minute that an image takes.
    """
    living = [ref for ref in refs if ref.lifecycle.status(today) != "end_of_life"]
    quota = next((ref.model.requests_per_minute for ref in living), None)
    if quota is None:
        return LEAST_CONCURRENCY
    return max(LEAST_CONCURRENCY, quota * SECONDS_AN_IMAGE_TAKES // 60)


def warn_about_ended_models(refs: Sequence[ModelRef], *, stack: Stack, today: date) -> None:
    """Warn at synth of each listed model past its end of life, with the date and the successor."""
    for ref in refs:
        lifecycle = ref.lifecycle
        if lifecycle.status(today) != "end_of_life":
            continue
        successor = f"; its successor is {lifecycle.successor}" if lifecycle.successor else ""
        Annotations.of(stack).add_warning_v2(
            f"imagegen:endOfLife:{ref.id}",
            f"{ref.id} reached its end of life on {lifecycle.end_of_life_at}: Bedrock replies with 404, "
            f"and requests go on to the next model of the list{successor}.",
        )
