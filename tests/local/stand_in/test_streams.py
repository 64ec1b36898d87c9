"""The streaming operation works with botocore's client, which decodes the events and checks their checksums."""

import json
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import (
    EventStreamError,
)
from urllib3.exceptions import ProtocolError

from local.bedrock.event_stream import STREAM_ERRORS
from local.bedrock.stand_in import StandIn
from tests.support.stand_in_calls import CORE, core, invoke

if TYPE_CHECKING:
    from mypy_boto3_bedrock_runtime import BedrockRuntimeClient


def test_a_stream_is_assembled_into_the_same_answer(bedrock: StandIn, client: "BedrockRuntimeClient") -> None:
    """The chunks of the stream together are the body of the plain call."""
    whole = client.invoke_model(modelId=CORE, body=json.dumps(core()))["body"].read()
    stream = client.invoke_model_with_response_stream(modelId=CORE, body=json.dumps(core()))
    with closing(stream["body"]) as events:
        parts = [event["chunk"]["bytes"] for event in events]

    assert stream["contentType"] == "application/json"
    assert len(parts) > 10
    assert b"".join(parts) == whole
    assert bedrock.calls()["last"][1]["stream"] is True


def test_a_stream_is_refused_like_a_call(bedrock: StandIn, client: "BedrockRuntimeClient") -> None:
    """An error before the stream begins is an ordinary error, so a rule can say that the model does not stream."""
    message = "The model is unsupported for streaming."
    bedrock.configure(
        {"stream": True, "action": {"type": "error", "name": "ValidationException", "message": message}}
    )
    with pytest.raises(client.exceptions.ValidationException, match=message):
        client.invoke_model_with_response_stream(modelId=CORE, body=json.dumps(core()))

    assert invoke(client, CORE, core())["finish_reasons"] == [None]


@pytest.mark.parametrize("name", STREAM_ERRORS)
def test_a_stream_fails_in_its_middle_by_name(
    bedrock: StandIn, client: "BedrockRuntimeClient", name: str
) -> None:
    """Two chunks arrive, and then the error event with its name."""
    bedrock.configure({"action": {"type": "stream_error", "name": name, "message": "So it is.", "after": 2}})
    stream = client.invoke_model_with_response_stream(modelId=CORE, body=json.dumps(core()))["body"]
    received: list[Any] = []
    with closing(stream), pytest.raises(EventStreamError) as caught:
        received.extend(stream)

    assert len(received) == 2
    assert caught.value.response["Error"] == {"Code": name, "Message": "So it is."}
    assert bedrock.calls()["outcomes"] == {"stream_error": 1}


def test_the_stream_errors_are_the_service_models(client: "BedrockRuntimeClient") -> None:
    """A rule can ask for every error event that the service model has."""
    members = client.meta.service_model.shape_for("ResponseStream").members  # type: ignore[attr-defined]

    assert set(members) - {"chunk"} == set(STREAM_ERRORS)


def test_a_stream_may_be_cut(bedrock: StandIn, client: "BedrockRuntimeClient") -> None:
    """The connection ends in the middle of the events."""
    bedrock.configure({"action": "cut"})
    stream = client.invoke_model_with_response_stream(modelId=CORE, body=json.dumps(core()))["body"]

    with closing(stream), pytest.raises(ProtocolError):
        list(stream)
