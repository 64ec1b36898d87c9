"""The table of Bedrock's errors is the vendor's own list, so that a new one is noticed with the SDK that brings it."""

from __future__ import annotations

from typing import Any

import botocore.session
import pytest

from imagegen.adapters.bedrock import ERRORS

SERVICE = botocore.session.get_session().get_service_model("bedrock-runtime")
OPERATIONS = ("InvokeModel", "InvokeModelWithResponseStream")


def test_every_modelled_error_has_its_meaning_and_no_other_has() -> None:
    """Of both operations, and of the events in which a stream ends."""
    modelled = {shape.name for name in OPERATIONS for shape in SERVICE.operation_model(name).error_shapes}
    assert set(ERRORS) == modelled


def test_every_error_event_of_a_stream_is_one_of_them() -> None:
    """Under its name in camelCase."""
    stream: Any = SERVICE.operation_model("InvokeModelWithResponseStream").get_event_stream_output()
    events = {name: shape.name for name, shape in stream.members.items() if shape.metadata.get("exception")}
    assert {name[0].upper() + name[1:] for name in events} == set(events.values())
    assert set(events.values()) <= set(ERRORS)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_operations_are_sent_to_bedrock_as_json(operation: str) -> None:
    """The adapter reads errors as this protocol names them: by the header x-amzn-errortype."""
    assert SERVICE.operation_model(operation).http["method"] == "POST"
    assert SERVICE.metadata["protocol"] == "rest-json"
