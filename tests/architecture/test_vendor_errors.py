"""The table of Bedrock's errors is complete, so that an error which a new SDK brings is noticed."""

from __future__ import annotations

from typing import Any

import botocore.session
import pytest

from imagegen.adapters.bedrock import ERRORS

SERVICE = botocore.session.get_session().get_service_model("bedrock-runtime")
OPERATIONS = ("InvokeModel", "InvokeModelWithResponseStream")


def test_every_modelled_error_has_its_meaning_and_no_other_has() -> None:
    """The table has exactly the errors that botocore's service model lists for both operations."""
    modelled = {shape.name for name in OPERATIONS for shape in SERVICE.operation_model(name).error_shapes}
    assert set(ERRORS) == modelled


def test_every_error_event_of_a_stream_is_one_of_them() -> None:
    """The event's name is the error's name in camelCase."""
    stream: Any = SERVICE.operation_model("InvokeModelWithResponseStream").get_event_stream_output()
    events = {name: shape.name for name, shape in stream.members.items() if shape.metadata.get("exception")}
    assert {name[0].upper() + name[1:] for name in events} == set(events.values())
    assert set(events.values()) <= set(ERRORS)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_operations_are_sent_to_bedrock_as_json(operation: str) -> None:
    """In this protocol, the header `x-amzn-errortype` names the error, and the adapter relies on that."""
    assert SERVICE.operation_model(operation).http["method"] == "POST"
    assert SERVICE.metadata["protocol"] == "rest-json"
