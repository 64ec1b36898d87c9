"""Nothing malformed gets past the door of any route: curated inputs, then generated ones, through the whole app."""

from __future__ import annotations

import base64
from random import Random
from typing import TYPE_CHECKING, Any, Final

import pytest

from imagegen.http.app import create_app
from tests.support import bodies
from tests.support.depth import at_depth
from tests.support.events import Answer, event, send
from tests.support.hostile import HostileInput, hostile_inputs
from tests.support.world import World, world

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

INPUTS: Final = hostile_inputs()
STABILITY: Final = "/generation/stable-diffusion-xl-1024-v1-0/text-to-image"
OPENAI: Final = "/images/generations"
BEDROCK: Final = "/model/stability.stable-diffusion-xl-v1/invoke"
ABSENT: Final = {
    *(
        f"{name} is null"
        for name in ("steps", "seed", "samples", "cfg_scale", "clip_guidance_preset", "sampler")
    ),
    *("style_preset is null", "extras is null", "a weight is null"),
    # Stability's body does not have these at all.
    *("model is null", "strict is null", "webhook_url is null"),
}
"""Inputs that are requests in Stability's shape, where null means absent."""
ROUTES: Final = ("/text-to-image", OPENAI, STABILITY)
BODIES: Final = at_depth(
    thorough={"bytes": 9_500, "raw": 4_500, "near": 2_500, "openai": 2_000, "stability": 2_000, "valid": 300},
    usual={"bytes": 2_000, "raw": 2_000, "near": 1_500, "openai": 1_000, "stability": 1_000, "valid": 200},
)
"""How many bodies made by chance each test sends: 20,800 in the thorough run."""


def untouched(service: World) -> bool:
    """Tell whether a request left no trace: no call, no record, no image, no message, no counted image."""
    traces = (service.runtime.calls, service.store.items, service.images.objects, service.queue.sent)
    return not any(traces) and not any(service.quotas.taken.values())


def hostile_event(path: str, hostile: HostileInput) -> dict[str, Any]:
    """Return an input as API Gateway passes it on."""
    made = event("POST", path, headers=hostile.headers)
    return {**made, "body": hostile.body, "isBase64Encoded": hostile.is_base64_encoded}


def as_event(path: str, body: bytes) -> dict[str, Any]:
    """Return a body as API Gateway passes on what is not text."""
    made = event("POST", path, headers={"Content-Type": "application/json"})
    return {**made, "body": base64.b64encode(body).decode(), "isBase64Encoded": True}


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
@pytest.mark.parametrize("path", [OPENAI, STABILITY, BEDROCK])
def test_no_curated_input_does_more_on_the_other_routes(path: str) -> None:
    """Each is refused there, too, but for a null that Stability's shape takes for an absent field."""
    for hostile in INPUTS:
        service = world()
        answer = send(create_app(service.services), hostile_event(path, hostile))
        absent = path == STABILITY and hostile.name in ABSENT
        assert (hostile.name, answer.status // 100) == (hostile.name, 2 if absent else 4)
        assert absent or untouched(service)


def answers(which: str, path: str, make: Callable[[Random], bytes]) -> Iterator[tuple[bytes, World, Answer]]:
    """Send one body after the other to a service that is a new one after each that left a trace."""
    service = world()
    app = create_app(service.services)
    for number in range(BODIES[which]):
        body = make(Random(f"{which} {number}"))  # noqa: S311 - chance that can be repeated
        yield body, service, send(app, as_event(path, body))
        if not untouched(service):
            service = world()
            app = create_app(service.services)


def check_refused_or_served(body: bytes, service: World, answer: Answer) -> None:
    """A request is served in full, or refused without a trace; never anything between."""
    assert answer.status in {200, 202, 400, 413}, body
    # Some replies hold the image itself.
    assert answer.status == 200 or len(answer.body) <= 4096, body
    assert answer.status < 400 or untouched(service), body
    assert not [what for what, _ in service.observer.events if what == "defect"], body


@pytest.mark.slow
def test_no_bytes_do_worse_than_be_refused() -> None:
    """None of them is a request, and almost none is JSON."""
    for body, service, answer in answers("bytes", "/text-to-image", bodies.any_bytes):
        assert answer.status == 400, body
        assert untouched(service), body


@pytest.mark.slow
def test_no_body_does_worse_than_be_refused() -> None:
    """Any bytes, any JSON, and requests that are nearly valid."""
    for body, service, answer in answers("raw", "/text-to-image", bodies.raw_body):
        check_refused_or_served(body, service, answer)


@pytest.mark.slow
def test_no_nearly_valid_body_does_worse_than_be_refused() -> None:
    """One to three fields away from a valid request; some still are one, and are served."""
    statuses = set()
    for body, service, answer in answers("near", "/text-to-image", nearly_valid_body):
        check_refused_or_served(body, service, answer)
        statuses.add(answer.status)
    assert statuses >= {200, 400}


def nearly_valid_body(random: Random) -> bytes:
    """Make the bytes of a request that is nearly valid."""
    return bodies.as_bytes(bodies.near_valid_members(random))


@pytest.mark.slow
def test_no_body_in_openais_shape_does_worse_than_be_refused() -> None:
    """Its fields with any values, and any others."""
    statuses = set()
    for body, service, answer in answers("openai", OPENAI, openai_body):
        check_refused_or_served(body, service, answer)
        statuses.add(answer.status)
    assert statuses >= {200, 400}


def openai_body(random: Random) -> bytes:
    """Make the bytes of a request in OpenAI's shape."""
    return bodies.as_bytes(bodies.openai_members(random))


@pytest.mark.slow
def test_no_body_in_stabilitys_shape_does_worse_than_be_refused() -> None:
    """The contract's fields, without ours."""
    statuses = set()
    for body, service, answer in answers("stability", STABILITY, stability_body):
        check_refused_or_served(body, service, answer)
        statuses.add(answer.status)
    assert statuses >= {200, 400}


def stability_body(random: Random) -> bytes:
    """Make the bytes of a request that is nearly valid, or of any JSON."""
    return bodies.as_bytes(random.choice((bodies.near_valid_members, bodies.json_value))(random))


@pytest.mark.slow
def test_every_valid_body_is_served_or_refused_for_what_its_model_cannot_do() -> None:
    """So the bodies above reach the model, and the door is not simply shut."""
    statuses = set()
    for body, service, answer in answers("valid", "/text-to-image", valid_body):
        statuses.add(answer.status)
        assert answer.status in {200, 400}, body
        assert (answer.status == 200) == bool(service.runtime.calls), body
        if answer.status == 400 and answer.json["code"] != "unsupported_parameter":
            assert [found["field"] for found in answer.json["errors"]] == ["webhook_url"], body
    assert statuses == {200, 400}


def valid_body(random: Random) -> bytes:
    """Make the bytes of a request that must be accepted, but for what its model cannot do."""
    return bodies.as_bytes(bodies.valid_members(random))
