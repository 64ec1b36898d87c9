"""Each identifier means its model, and a retired model answers that it is retired."""

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from local.bedrock.refusals import END_OF_LIFE
from local.bedrock.settings import Settings
from local.bedrock.stand_in import StandIn
from tests.support.stand_in_calls import (
    CORE,
    PROVISIONED,
    RETIRED,
    SD35,
    SDXL,
    client_of,
    core,
    invoke,
    refusal,
    sdxl,
)

if TYPE_CHECKING:
    from mypy_boto3_bedrock_runtime import BedrockRuntimeClient


@pytest.mark.parametrize("model", RETIRED)
def test_a_retired_model_answers_that_it_is(model: str) -> None:
    """By default no model that Bedrock has retired makes a picture, and SDXL 1.0 is one of them."""
    with StandIn() as stand_in, closing(client_of(stand_in)) as client:
        error = refusal(client, model, sdxl())

    assert isinstance(error, client.exceptions.ResourceNotFoundException)
    assert error.response["Error"]["Message"] == END_OF_LIFE
    assert stand_in.calls()["models"][model] == {"calls": 1, "billed": 0, "painted": 0}


def test_a_control_request_revives_and_retires_models(
    bedrock: StandIn, client: "BedrockRuntimeClient"
) -> None:
    """The lists of living and retired models are settings, and a reset undoes the changes."""
    bedrock.configure({"alive": ["stability.sd3-large-v1:0"], "retired": [CORE, SDXL]})

    assert invoke(client, "stability.sd3-large-v1:0", core())["finish_reasons"] == [None]
    assert "end of its life" in str(refusal(client, CORE, core()))
    assert "end of its life" in str(refusal(client, SDXL, sdxl()))
    bedrock.reset()
    assert invoke(client, SDXL, sdxl())["result"] == "success"


def test_a_model_that_is_named_alive_leaves_the_retired_and_the_other_way_round(bedrock: StandIn) -> None:
    """No model is in both lists."""
    bedrock.configure({"retired": [SDXL, CORE]})
    bedrock.configure({"alive": [CORE]})
    settings = bedrock.runtime.settings

    assert (sorted(settings.alive), sorted(settings.retired)) == ([CORE], [SDXL])


@pytest.mark.usefixtures("bedrock")
@pytest.mark.parametrize(
    "model", ["stability.stable-image-core-v9:1", "no.such-model", "us.no.such-model", "sdxl"]
)
def test_an_unknown_identifier_is_refused(client: "BedrockRuntimeClient", model: str) -> None:
    """The error is a ValidationException with Bedrock's own message."""
    error = refusal(client, model, core())

    assert isinstance(error, client.exceptions.ValidationException)
    assert error.response["Error"]["Message"] == "The provided model identifier is invalid."


@pytest.mark.parametrize(
    "model",
    [
        f"us.{CORE}",
        f"eu.{CORE}",
        f"arn:aws:bedrock:us-west-2::foundation-model/{CORE}",
        f"arn:aws:bedrock:us-west-2:123456789012:inference-profile/us.{CORE}",
        PROVISIONED,
        "arn:aws:bedrock:us-west-2:123456789012:application-inference-profile/a1b2c3",
        "arn:aws:bedrock:us-west-2:123456789012:imported-model/abcdef123456",
    ],
)
def test_profiles_and_arns_mean_the_model_behind_them(
    bedrock: StandIn, client: "BedrockRuntimeClient", model: str
) -> None:
    """Slashes and colons in the path are kept; for an ARN of one's own, the body decides the dialect."""
    assert invoke(client, model, core())["finish_reasons"] == [None]
    assert bedrock.calls()["last"][0]["model"] == CORE


@pytest.mark.parametrize("model", [PROVISIONED, "arn:aws:sagemaker:us-west-2:123456789012:endpoint/sdxl-1-0"])
def test_ones_own_capacity_speaks_sdxl_when_the_body_does(model: str) -> None:
    """A compatible endpoint of one's own still works after the model has been retired."""
    with StandIn(settings=Settings(instant=True)) as stand_in, closing(client_of(stand_in)) as client:
        answer = invoke(client, model, sdxl())

    assert answer["result"] == "success"


def test_an_alias_gives_an_arn_its_model(bedrock: StandIn, client: "BedrockRuntimeClient") -> None:
    """A control request says which model an ARN means."""
    bedrock.configure({"aliases": {PROVISIONED: SD35}})
    invoke(client, PROVISIONED, core(output_format="webp"))

    assert bedrock.calls()["last"][0]["model"] == SD35
