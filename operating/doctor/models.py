"""Whether Bedrock still has the listed models, in their own regions, and lets this account use them.

A request goes on to the next model of the list only where Bedrock has ended a model or does not know it
(docs/aws.md, "What Bedrock refuses"). So a model that the account may not use stops every request that reaches it.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from botocore.exceptions import ClientError

from imagegen.models.registry import ModelRef
from operating.doctor.examined import Examined
from operating.doctor.finding import Finding, fine, problem, skipped, warning

UNKNOWN: Final = frozenset({"ResourceNotFoundException", "ValidationException"})
"""The codes with which Bedrock says that it has no such model."""


def lifecycle(examined: Examined) -> Iterator[Finding]:
    """See of each listed model whether Bedrock has it, and until when."""
    if examined.config.bedrock_endpoint_url:
        yield skipped("Another Bedrock than AWS's serves the models (bedrock_endpoint_url).")
        return
    today = examined.now().date()
    left = len(examined.plan.models)
    for ref in examined.plan.models:
        left -= 1
        if ref.host in {"provisioned", "imported", "endpoint"}:
            yield skipped(f"{ref.target} is your own, and is not looked at.", _look_at(ref))
            continue
        if ref.lifecycle.status(today) == "end_of_life":
            yield _ended(examined, ref, f"ended on {ref.lifecycle.end_of_life_at}", left=left)
            continue
        bedrock = examined.client("bedrock", ref.region)
        try:
            details = bedrock.get_foundation_model(modelIdentifier=ref.model.id)["modelDetails"]
        except ClientError as error:
            if error.response["Error"]["Code"] not in UNKNOWN:
                raise
            yield _ended(examined, ref, f"is not known to Bedrock in {ref.region}", left=left)
            continue
        yield _alive(examined, ref, details.get("modelLifecycle", {}))


def entitlement(examined: Examined) -> Iterator[Finding]:
    """See of each listed model that has not ended whether this account may use it."""
    if examined.config.bedrock_endpoint_url:
        yield skipped("Another Bedrock than AWS's serves the models (bedrock_endpoint_url).")
        return
    today = examined.now().date()
    is_served = False
    for ref in examined.plan.models:
        if ref.host not in {"on_demand", "profile"}:
            is_served = True
        elif ref.lifecycle.status(today) != "end_of_life":
            bedrock = examined.client("bedrock", ref.region)
            try:
                found = bedrock.get_foundation_model_availability(modelId=ref.model.id)
            except ClientError as error:
                if error.response["Error"]["Code"] not in UNKNOWN:
                    raise
                continue  # `lifecycle` has said so
            yield _entitled(examined, ref, found, matters=not is_served)
            is_served = True


def _ended(examined: Examined, ref: ModelRef, what: str, *, left: int) -> Finding:
    if left:
        return fine(f"{ref.id} {what}; requests go on to the next model of the list.")
    successor = ref.lifecycle.successor
    mend = examined.deploy(f"models={successor}") if successor else _list(examined, ref)
    return problem(f"{ref.id} {what}, and no model follows it in the list.", mend)


def _alive(examined: Examined, ref: ModelRef, found: Mapping[str, Any]) -> Finding:
    ends: datetime | None = found.get("endOfLifeTime")
    until = f" until {ends:%Y-%m-%d}" if ends else ""
    if found.get("status") == "ACTIVE":
        return fine(f"{ref.id} is active in {ref.region}{until}.")
    successor = ref.lifecycle.successor
    mend = examined.deploy(f"models={successor}") if successor else _list(examined, ref)
    return warning(
        f"{ref.id} is {str(found.get('status', 'without a lifecycle')).lower()} in {ref.region}, "
        f"and is served{until or ' for a while yet'}.",
        mend,
    )


def _entitled(examined: Examined, ref: ModelRef, found: Mapping[str, Any], *, matters: bool) -> Finding:
    def worst(sentence: str, mend: str) -> Finding:
        if matters:
            return problem(sentence, mend)
        return warning(f"{sentence} Requests that pin this model fail.", mend)

    agreement = found.get("agreementAvailability", {})
    if found.get("regionAvailability") == "NOT_AVAILABLE":
        return worst(f"Bedrock does not offer {ref.id} in {ref.region}.", _list(examined, ref))
    if agreement.get("status") == "PENDING":
        return worst(
            f"The account's agreement for {ref.id} is being made, which takes up to 15 minutes.",
            examined.again(),
        )
    if agreement.get("status") in {"NOT_AVAILABLE", "ERROR"}:
        why = f" ({agreement['errorMessage']})" if agreement.get("errorMessage") else ""
        return worst(
            f"The account has no agreement for {ref.id}{why}. Somebody with aws-marketplace:Subscribe and "
            "aws-marketplace:ViewSubscriptions accepts the vendor's offer, once.",
            _agree(examined, ref),
        )
    if found.get("authorizationStatus") == "NOT_AUTHORIZED":
        arn = f"arn:aws:bedrock:{ref.region}::foundation-model/{ref.model.id}"
        return worst(
            f"The account is not authorized to use {ref.id}: a policy of the organization forbids it, or AWS does. "
            "If no policy does, open a case of the kind 'Account and billing' with AWS's support.",
            f"aws iam simulate-principal-policy --policy-source-arn {shlex.quote(examined.identity.arn)} "
            f"--action-names bedrock:InvokeModel --resource-arns {arn}",
        )
    if found.get("entitlementAvailability") == "NOT_AVAILABLE":
        return worst(f"The account is not entitled to use {ref.id}.", _agree(examined, ref))
    return fine(f"The account may use {ref.id} in {ref.region}.")


def _agree(examined: Examined, ref: ModelRef) -> str:
    model = shlex.quote(ref.model.id)
    offers = examined.aws(
        f"bedrock list-foundation-model-agreement-offers --model-id {model} "
        "--query 'offers[0].offerToken' --output text",
        region=ref.region,
    )
    return examined.aws(
        f'bedrock create-foundation-model-agreement --model-id {model} --offer-token "$({offers})"',
        region=ref.region,
    )


def _list(examined: Examined, ref: ModelRef) -> str:
    return examined.aws(
        "bedrock list-foundation-models --by-output-modality IMAGE --query 'modelSummaries[].modelId'",
        region=ref.region,
    )


def _look_at(ref: ModelRef) -> str:
    arn = shlex.quote(ref.target)
    if ref.host == "endpoint":
        name = shlex.quote(ref.target.rpartition("/")[2])
        return f"aws sagemaker describe-endpoint --endpoint-name {name} --region {ref.region}"
    if ref.host == "imported":
        return f"aws bedrock get-imported-model --model-identifier {arn} --region {ref.region}"
    return f"aws bedrock get-provisioned-model-throughput --provisioned-model-id {arn} --region {ref.region}"
