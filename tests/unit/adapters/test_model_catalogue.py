"""What Bedrock's control plane answers about a model, as the daily check reads it."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError
from botocore.stub import Stubber

from imagegen import errors
from imagegen.adapters import clients
from imagegen.adapters.direct.resending import ATTEMPTS
from imagegen.adapters.model_catalogue import STATUSES, BedrockCatalogue
from imagegen.models.lifecycle_check import Reported
from tests.support.fakes import CORE
from tests.support.far_side import FarSide, answer, new_session, session

ASKED = {"modelIdentifier": CORE}


def answered(**lifecycle: Any) -> Reported:
    """Return what is read of an answer with this lifecycle."""
    client = clients.bedrock(session(), region="us-west-2")
    details: Any = {"modelArn": f"arn:aws:bedrock:us-west-2::foundation-model/{CORE}", "modelId": CORE}
    if lifecycle:
        details["modelLifecycle"] = lifecycle
    with Stubber(client) as stub:
        stub.add_response("get_foundation_model", {"modelDetails": details}, ASKED)
        return BedrockCatalogue(lambda _: client).lifecycle(CORE, region="us-west-2")


def refused(code: str) -> Reported:
    """Return what is read of an error."""
    client = clients.bedrock(session(), region="us-west-2")
    with Stubber(client) as stub:
        stub.add_client_error("get_foundation_model", code, "my-secret-message", expected_params=ASKED)
        return BedrockCatalogue(lambda _: client).lifecycle(CORE, region="us-west-2")


def test_a_living_model_has_its_status_and_its_end() -> None:
    """Bedrock names the end as a moment; the registry counts days."""
    ends = datetime(2027, 6, 1, 12, 0, tzinfo=UTC)
    assert answered(status="ACTIVE") == Reported(status="active")
    assert answered(status="LEGACY", endOfLifeTime=ends, legacyTime=ends) == Reported(
        status="legacy", end_of_life_at=date(2027, 6, 1)
    )


def test_every_status_of_the_api_is_known() -> None:
    """An SDK that knows another one fails here, before Bedrock says it."""
    shape: Any = clients.bedrock(new_session(), region="us-west-2").meta.service_model.shape_for(
        "FoundationModelLifecycleStatus"
    )
    assert set(STATUSES) == set(shape.enum)


def test_a_model_that_is_not_found_has_ended() -> None:
    """Bedrock's list has no models that have ended."""
    assert refused("ResourceNotFoundException") == Reported(status="end_of_life")


@pytest.mark.parametrize(
    "code", ["AccessDeniedException", "ValidationException", "ThrottlingException", "InternalServerException"]
)
def test_any_other_refusal_is_no_end(code: str) -> None:
    """Whoever may not ask does not know whether the model lives; the message is not repeated."""
    with pytest.raises(
        errors.Misconfigured, match=r"^[^:]*: Bedrock does not tell the lifecycle of the model\.$"
    ):
        refused(code)


def test_a_reply_without_a_code_is_no_end() -> None:
    """The SDK reads no code of a reply with the status 300, and calls it an error all the same."""
    client = clients.bedrock(new_session(), region="us-west-2")
    FarSide(client, answer(300))
    with pytest.raises(errors.Misconfigured):
        BedrockCatalogue(lambda _: client).lifecycle(CORE, region="us-west-2")


def test_a_bedrock_that_cannot_be_reached_is_no_end() -> None:
    """The next day's check asks again."""
    client = clients.bedrock(new_session(), region="us-west-2")
    FarSide(client, *[EndpointConnectionError(endpoint_url="https://far.example")] * ATTEMPTS)
    with pytest.raises(errors.ModelUnavailable):
        BedrockCatalogue(lambda _: client).lifecycle(CORE, region="us-west-2")


def test_an_answer_without_a_lifecycle_is_no_sign_of_life() -> None:
    """What the release does not understand, it does not take for good news."""
    with pytest.raises(errors.Misconfigured):
        answered()
    with pytest.raises(errors.Misconfigured):
        answered(status="RETIRING")
