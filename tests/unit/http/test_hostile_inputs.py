"""Each hostile input of the list is refused with its own code, and the error stays small."""

from __future__ import annotations

import json
import time

import pytest

from imagegen.contracts.generation_request import GenerationRequest
from imagegen.contracts.text_to_image import schema
from imagegen.errors import CallerError, error_types
from tests.support.events import CREATE, event, received
from tests.support.hostile import AT_ONCE, HostileInput, hostile_inputs

INPUTS = hostile_inputs()


def through_the_door(hostile: HostileInput) -> GenerationRequest:
    """Read an input in the same order as the service does."""
    sent = event("POST", "/text-to-image", headers=hostile.headers)
    request = received({**sent, "body": hostile.body, "isBase64Encoded": hostile.is_base64_encoded})
    assert request.idempotency_key is None or request.header("Idempotency-Key")
    return schema.parse(request.members(CREATE.max_body))


@pytest.mark.parametrize("hostile", INPUTS, ids=[ascii(hostile.name) for hostile in INPUTS])
def test_each_hostile_input_is_refused_by_its_code(hostile: HostileInput) -> None:
    """The error has the code and the field that the list expects, stays small, and takes little time."""
    started = time.process_time()
    with pytest.raises(CallerError) as caught:
        through_the_door(hostile)
    error = caught.value
    fields = [found.field for found in error.errors]
    shown = json.dumps([error.detail, [[found.field, found.message] for found in error.errors]])
    assert error.kind.code == hostile.code
    assert hostile.field is None or hostile.field in fields
    assert len(shown) < 3_500
    assert shown.isprintable()
    assert time.process_time() - started < AT_ONCE


def test_the_curated_inputs_are_many_and_told_apart() -> None:
    """The list has at least 170 inputs with different names, and only codes that the service has."""
    codes = {error.kind.code for error in error_types()}
    assert len({hostile.name for hostile in INPUTS}) == len(INPUTS) >= 170
    assert {hostile.code for hostile in INPUTS} <= codes
    assert {hostile.code for hostile in INPUTS} >= {
        "invalid_json",
        "invalid_parameter",
        "unknown_parameter",
        "unsupported_media_type",
        "payload_too_large",
    }
