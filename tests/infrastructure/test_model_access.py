"""A list of models gives rights to exactly its ARNs, and synth warns of the models that have ended."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

import aws_cdk as cdk
import pytest
from aws_cdk import assertions

from imagegen.models.registry import ModelRef, resolve
from stacks.model_access import concurrency_for, invoke_arns, invoke_models, resolve_models
from stacks.stage import StageError
from tests.support.synthesis import CONTEXT, ENVIRONMENT, build

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.synthesis import Synthesized

CORE = "stability.stable-image-core-v1:1"
ULTRA = "stability.stable-image-ultra-v1:1"
SDXL = "stability.stable-diffusion-xl-v1"
PROVISIONED_SDXL = "stability.stable-diffusion-xl-v1:0"
ENDPOINT = "arn:aws:sagemaker:us-west-2:111122223333:endpoint/images"
PROVISIONED = "arn:aws:bedrock:us-west-2:111122223333:provisioned-model/abcdefghijkl"


def resources(stage: Synthesized) -> list[str]:
    """Return the resources that the api function may invoke."""
    (statement,) = [each for each in stage.statements("Api") if each["Action"] == "bedrock:InvokeModel"]
    resource = statement["Resource"]
    return resource if isinstance(resource, list) else [resource]


@pytest.mark.parametrize(
    ("models", "expected"),
    [
        (CORE, [f"arn:aws:bedrock:us-west-2::foundation-model/{CORE}"]),
        (
            f"us.{CORE}",
            [
                f"arn:aws:bedrock:us-east-1:111122223333:inference-profile/us.{CORE}",
                f"arn:aws:bedrock:us-east-1::foundation-model/{CORE}",
                f"arn:aws:bedrock:us-east-2::foundation-model/{CORE}",
                f"arn:aws:bedrock:us-west-2::foundation-model/{CORE}",
            ],
        ),
        (f"{CORE}@{PROVISIONED}", [PROVISIONED]),
        (
            f"{CORE},stability.sd3-5-large-v1:0",
            [
                f"arn:aws:bedrock:us-west-2::foundation-model/{CORE}",
                "arn:aws:bedrock:us-west-2::foundation-model/stability.sd3-5-large-v1:0",
            ],
        ),
    ],
)
def test_the_rights_follow_the_list(
    synthesized: Callable[..., Synthesized], models: str, expected: list[str]
) -> None:
    """Models, profiles and provisioned throughput each get exactly their own ARNs."""
    assert resources(synthesized("dev", f"models={models}")) == sorted(expected)


def arns(entry: str, *, region: str) -> tuple[str, ...]:
    """Return the ARNs that an entry needs, in the partition and account of these tests."""
    return invoke_arns(resolve(entry, region=region), partition="aws", account="123456789012")


def test_on_demand_needs_the_one_foundation_model() -> None:
    """The right names the listed model in the one region where it is called."""
    assert arns(CORE, region="us-east-1") == (f"arn:aws:bedrock:us-west-2::foundation-model/{CORE}",)


def test_arns_are_of_the_deployments_partition() -> None:
    """The ARN takes the partition and the account of the stack, which may be tokens."""
    ref = resolve(CORE, region="us-west-2")
    assert invoke_arns(ref, partition="${P}", account="${A}") == (
        f"arn:${{P}}:bedrock:us-west-2::foundation-model/{CORE}",
    )


@pytest.mark.parametrize("region", ["us-east-1", "us-east-2", "us-west-2"])
def test_a_geographic_profile_needs_itself_and_the_model_in_every_destination(region: str) -> None:
    """First come the profile and the model in the calling region, then the model in every region it may send to."""
    profile, source, *rest = arns(f"us.{ULTRA}", region=region)
    assert profile == f"arn:aws:bedrock:{region}:123456789012:inference-profile/us.{ULTRA}"
    assert source == f"arn:aws:bedrock:{region}::foundation-model/{ULTRA}"
    assert {source, *rest} == {
        f"arn:aws:bedrock:us-east-1::foundation-model/{ULTRA}",
        f"arn:aws:bedrock:us-east-2::foundation-model/{ULTRA}",
        f"arn:aws:bedrock:us-west-2::foundation-model/{ULTRA}",
    }
    assert len(rest) == 2


@pytest.mark.parametrize(
    "profile",
    [
        f"arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.{CORE}",
        "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abcdefghijkl",
    ],
)
def test_a_profile_by_its_arn_needs_the_models_behind_it_too(profile: str) -> None:
    """An application profile may copy a geographic one, and its ARN does not show that."""
    assert arns(f"{CORE}@{profile}", region="eu-west-1") == (
        profile,
        f"arn:aws:bedrock:us-east-1::foundation-model/{CORE}",
        f"arn:aws:bedrock:us-east-2::foundation-model/{CORE}",
        f"arn:aws:bedrock:us-west-2::foundation-model/{CORE}",
    )


def test_a_profile_called_outside_its_destinations_needs_the_source_region_as_well() -> None:
    """The calling region counts even if the profile sends no request to it."""
    profile = f"arn:aws:bedrock:us-west-1:123456789012:inference-profile/us.{CORE}"
    assert arns(f"{CORE}@{profile}", region="us-west-1")[1] == (
        f"arn:aws:bedrock:us-west-1::foundation-model/{CORE}"
    )


def test_an_application_profile_elsewhere_needs_the_model_in_its_region() -> None:
    """Outside the known geographies a profile stands for the model of its own region."""
    profile = "arn:aws:bedrock:eu-west-1:123456789012:application-inference-profile/abcdefghijkl"
    assert arns(f"{CORE}@{profile}", region="us-west-2") == (
        profile,
        f"arn:aws:bedrock:eu-west-1::foundation-model/{CORE}",
    )


@pytest.mark.parametrize("kind", ["provisioned-model", "imported-model"])
def test_own_capacity_needs_its_own_arn_only(kind: str) -> None:
    """A provisioned or imported model needs no right to a foundation model."""
    arn = f"arn:aws:bedrock:us-east-1:123456789012:{kind}/abcdefghijkl"
    assert arns(f"{PROVISIONED_SDXL}@{arn}", region="us-west-2") == (arn,)


def sagemaker(entry: str) -> list[tuple[str, str]]:
    """Return the actions and resources of SageMaker that a list of this one entry allows."""
    stack = cdk.Stack(cdk.App(context=CONTEXT), "Endpoint", env=ENVIRONMENT)
    found = (each.to_json() for each in invoke_models([resolve(entry, region="us-west-2")], stack=stack))
    return [(each["Action"], each["Resource"]) for each in found if "sagemaker" in each["Action"]]


def test_an_endpoint_needs_all_endpoints_of_bedrock_and_itself_of_sagemaker() -> None:
    """Bedrock has one resource for all registered endpoints; SageMaker's right narrows them to one endpoint."""
    arn = "arn:aws:sagemaker:us-east-1:123456789012:endpoint/sdxl"
    assert arns(f"{SDXL}@{arn}", region="eu-west-1") == (
        "arn:aws:bedrock:us-east-1:123456789012:marketplace/model-endpoint/all-access",
    )
    assert sagemaker(f"{SDXL}@{arn}") == [("sagemaker:InvokeEndpoint", arn)]


@pytest.mark.parametrize(
    "entry", [CORE, f"us.{CORE}", f"{SDXL}@arn:aws:bedrock:us-east-1:123456789012:provisioned-model/abc"]
)
def test_only_an_endpoint_needs_a_right_of_sagemaker(entry: str) -> None:
    """Every other entry is called in Bedrock itself."""
    assert sagemaker(entry) == []


def test_no_model_may_be_called_by_a_stream_unless_it_streams(any_stage: Synthesized) -> None:
    """No registered model streams."""
    assert "bedrock:InvokeModelWithResponseStream" not in any_stage.actions("Api")


def test_a_model_that_streams_may_be_called_by_a_stream() -> None:
    """The right to stream names this model only; the right to the plain call names the other models as well."""
    plain = resolve(CORE, region="us-west-2")
    other = resolve("stability.sd3-5-large-v1:0", region="us-west-2")
    streaming = ModelRef(
        id=other.id, model=replace(other.model, streams=True), target=other.target, region=other.region
    )
    stack = cdk.Stack(cdk.App(context=CONTEXT), "Streams", env=ENVIRONMENT)
    invoke, stream = (statement.to_json() for statement in invoke_models((plain, streaming), stack=stack))
    arn = "arn:aws:bedrock:us-west-2::foundation-model/stability.sd3-5-large-v1:0"
    assert invoke["Action"] == "bedrock:InvokeModel"
    assert arn in invoke["Resource"]
    assert (stream["Action"], stream["Resource"]) == ("bedrock:InvokeModelWithResponseStream", arn)


def test_a_registered_endpoint_is_reached_through_bedrock_only(
    synthesized: Callable[..., Synthesized],
) -> None:
    """SageMaker would refuse a call that the function makes itself."""
    stage = synthesized("dev", f"models={CORE}@{ENDPOINT}")
    (statement,) = [each for each in stage.statements("Api") if each["Action"] == "sagemaker:InvokeEndpoint"]
    assert statement["Resource"] == ENDPOINT
    assert statement["Condition"] == {"StringEquals": {"aws:CalledViaLast": "bedrock.amazonaws.com"}}
    assert resources(stage) == [
        "arn:aws:bedrock:us-west-2:111122223333:marketplace/model-endpoint/all-access"
    ]


@pytest.mark.parametrize(
    ("models", "concurrency"),
    [
        ([CORE], 15),
        (["stability.stable-diffusion-xl-v1", CORE], 15),
        (["stability.stable-image-ultra-v1:1", CORE], 2),
        (["stability.sd3-5-large-v1:0"], 2),
        (["stability.stable-diffusion-xl-v1"], 2),
    ],
)
def test_the_workers_at_once_follow_from_the_quota_of_the_model_that_serves(
    models: list[str], concurrency: int
) -> None:
    """They follow from requests a minute and ten seconds for each, and are never fewer than Lambda accepts."""
    refs = resolve_models(models, region="us-west-2")
    assert concurrency_for(refs, today=date(2026, 11, 25)) == concurrency


def warnings_of(code: Path, *, today: date) -> list[str]:
    """Return the warnings of synth on a day, for a list of one old and one newer model."""
    models = f"models=stability.stable-diffusion-xl-v1,{CORE}"
    stack = build("dev", code=code, overrides=models, today=today)
    found = assertions.Annotations.from_stack(stack).find_warning("*", assertions.Match.any_value())
    return [str(each.entry.data) for each in found]


def test_a_model_past_its_end_of_life_is_warned_of_with_date_and_successor(code: Path) -> None:
    """The warning starts on the day on which the vendor ends the model."""
    (warning,) = warnings_of(code, today=date(2025, 5, 20))
    assert "stability.stable-diffusion-xl-v1 reached its end of life on 2025-05-20" in warning
    assert f"its successor is {CORE}" in warning


def test_a_model_before_its_end_of_life_is_not_warned_of(code: Path) -> None:
    """There is no warning on the day before the end."""
    assert warnings_of(code, today=date(2025, 5, 19)) == []


@pytest.mark.parametrize(
    ("region", "partition"),
    [("us-gov-west-1", "aws-us-gov"), ("cn-north-1", "aws-cn"), ("eusc-xx-west-9", "aws-eusc")],
)
def test_a_region_whose_partition_has_no_such_model_is_refused(region: str, partition: str) -> None:
    """Its credentials are not known where the model is, so every call would fail."""
    with pytest.raises(StageError) as caught:
        resolve_models([SDXL, CORE], region=region)
    assert str(caught.value) == (
        f"models: '{SDXL}' is in the partition aws of AWS, and the region {region} is in {partition}, which cannot "
        f"call it: deploy to another region (AWS_REGION), or list what runs in {partition}, as id@ARN."
    )


def test_what_runs_in_the_partition_of_the_region_is_allowed() -> None:
    """An endpoint of the operator's own may be in any partition, but only regions of that one can call it."""
    own = f"{SDXL}@{ENDPOINT.replace('arn:aws:', 'arn:aws-us-gov:').replace('us-west-2', 'us-gov-west-1')}"
    (ref,) = resolve_models([own], region="us-gov-east-1")
    assert ref.region == "us-gov-west-1"
    with pytest.raises(
        StageError, match=r"is in the partition aws-us-gov of AWS, and the region eu-west-1 is"
    ):
        resolve_models([own], region="eu-west-1")


def test_every_region_of_the_models_partition_can_call_them() -> None:
    """The service may be in Europe, or in a region that CDK does not know yet."""
    for region in ("eu-central-1", "ap-southeast-2", "us-west-2", "mars-central-1"):
        assert [ref.region for ref in resolve_models([CORE], region=region)] == ["us-west-2"]
