"""Nothing malformed gets past the door of any route: curated inputs, then generated ones, through the whole app."""

from __future__ import annotations

import base64
import json
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imagegen.http.app import create_app
from tests.support.events import Answer, event, send
from tests.support.fakes import World, world
from tests.support.hostile import HostileInput, hostile_inputs
from tests.support.strategies import json_values, near_valid_members, raw_bodies, valid_bodies

INPUTS: Final = hostile_inputs()
STABILITY: Final = "/generation/stable-diffusion-xl-1024-v1-0/text-to-image"
OPENAI: Final = "/images/generations"
ROUTES: Final = ("/text-to-image", OPENAI, STABILITY)
OPENAI_FIELDS: Final = ("prompt", "model", "n", "size", "quality", "style", "response_format", "user")
BODIES: Final = {"bytes": 9_500, "raw": 4_500, "near": 2_500, "openai": 2_000, "stability": 2_000}
"""How many generated bodies each test sends: the cheap ones to make most, 20,500 in all."""


def thorough(which: str) -> settings:
    """Return how one of the tests is run."""
    return settings(
        max_examples=BODIES[which],
        deadline=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


def untouched(service: World) -> bool:
    """Tell whether a request left no trace: no call, no record, no image, no message, no counted image."""
    traces = (service.runtime.calls, service.store.items, service.images.objects, service.queue.sent)
    return not any(traces) and not any(service.quotas.taken.values())


def hostile_event(path: str, hostile: HostileInput) -> dict[str, Any]:
    """Return an input as API Gateway passes it on."""
    made = event("POST", path, headers=hostile.headers)
    return {**made, "body": hostile.body, "isBase64Encoded": hostile.is_base64_encoded}


def post(service: World, path: str, body: bytes) -> Answer:
    """Send bytes as API Gateway passes on what is not text."""
    made = event("POST", path, headers={"Content-Type": "application/json"})
    sent = {**made, "body": base64.b64encode(body).decode(), "isBase64Encoded": True}
    return send(create_app(service.services), sent)


@pytest.mark.parametrize("hostile", INPUTS, ids=[ascii(hostile.name) for hostile in INPUTS])
def test_each_curated_input_is_refused_and_leaves_no_trace(hostile: HostileInput) -> None:
    """By its code and field, in one problem of at most 4 KB."""
    service = world()
    answer = send(create_app(service.services), hostile_event("/text-to-image", hostile))
    assert answer.json["code"] == hostile.code
    assert answer.status == answer.json["status"]
    assert 400 <= answer.status < 500
    assert hostile.field is None or hostile.field in [found["field"] for found in answer.json["errors"]]
    assert len(answer.body) <= 4096
    assert untouched(service)


@pytest.mark.slow
@pytest.mark.parametrize("path", [OPENAI, STABILITY])
def test_no_curated_input_does_more_on_the_other_routes(path: str) -> None:
    """Each is refused there, too."""
    for hostile in INPUTS:
        service = world()
        answer = send(create_app(service.services), hostile_event(path, hostile))
        assert (hostile.name, answer.status // 100) == (hostile.name, 4)
        assert untouched(service)


def check_refused_or_served(service: World, answer: Answer) -> None:
    """A request is served in full, or refused without a trace; never anything between."""
    assert answer.status in {200, 202, 400, 413}
    assert len(answer.body) <= 4096
    if answer.status >= 400:
        assert untouched(service)
    assert not [what for what, _ in service.observer.events if what == "defect"]


@pytest.mark.slow
@thorough("bytes")
@given(
    st.binary(max_size=300) | st.text(st.characters(exclude_categories=["Cs"]), max_size=200).map(str.encode)
)
def test_no_bytes_do_worse_than_be_refused(body: bytes) -> None:
    """None of them is a request, and almost none is JSON."""
    service = world()
    answer = post(service, "/text-to-image", body)
    assert answer.status == 400
    assert untouched(service)


@pytest.mark.slow
@thorough("raw")
@given(raw_bodies)
def test_no_body_does_worse_than_be_refused(body: bytes) -> None:
    """Any bytes, any JSON, and requests that are nearly valid."""
    service = world()
    check_refused_or_served(service, post(service, "/text-to-image", body))


@pytest.mark.slow
@thorough("near")
@given(near_valid_members())
def test_no_nearly_valid_body_does_worse_than_be_refused(members: dict[str, Any]) -> None:
    """One to three fields away from a valid request."""
    service = world()
    check_refused_or_served(service, post(service, "/text-to-image", json.dumps(members).encode()))


openai_members = st.dictionaries(
    st.sampled_from(OPENAI_FIELDS) | st.text(max_size=8),
    json_values
    | st.sampled_from(["tea", "auto", "1024x1024", "512x512", "vivid", "hd", "url", "b64_json", 1, 2, None]),
    max_size=6,
)


@pytest.mark.slow
@thorough("openai")
@given(openai_members)
def test_no_body_in_openais_shape_does_worse_than_be_refused(members: dict[str, Any]) -> None:
    """Its fields with any values, and any others."""
    service = world()
    check_refused_or_served(service, post(service, OPENAI, json.dumps(members).encode()))


@pytest.mark.slow
@thorough("stability")
@given(near_valid_members() | json_values)
def test_no_body_in_stabilitys_shape_does_worse_than_be_refused(value: Any) -> None:
    """The contract's fields, without ours."""
    service = world()
    check_refused_or_served(service, post(service, STABILITY, json.dumps(value).encode()))


@pytest.mark.slow
@settings(max_examples=300, deadline=None, derandomize=True)
@given(valid_bodies)
def test_every_valid_body_is_served_or_refused_for_what_its_model_cannot_do(body: bytes) -> None:
    """So the strategies above reach the model, and the door is not simply shut."""
    service = world(webhooks=False)
    answer = post(service, "/text-to-image", body)
    codes = {200: "", 400: answer.json.get("code", "")}
    assert codes[answer.status] in {"", "unsupported_parameter", "invalid_parameter"}
    if answer.status == 400 and answer.json["code"] == "invalid_parameter":
        assert [found["field"] for found in answer.json["errors"]] == ["webhook_url"]
    assert (answer.status == 200) == bool(service.runtime.calls)
