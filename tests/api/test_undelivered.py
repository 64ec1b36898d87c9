"""Images that are paid and stored, and whose reply cannot be made: what the client is told, and what a repeat gets."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import pytest

from imagegen import errors
from imagegen.http.app import create_app
from tests.support.events import Answer, event, send
from tests.support.fakes import png, sdxl_answer
from tests.support.world import World, world

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from imagegen.generations.generation import Generation, ImageName
    from imagegen.models.registry import ModelRef

CONTRACT: Mapping[str, Any] = {"text_prompts": [{"text": "tea"}]}
BASE64: Mapping[str, Any] = {"prompt": "tea", "response_format": "b64_json"}
URL: Mapping[str, Any] = {"prompt": "tea", "response_format": "url"}
ENGINE = "/generation/stable-diffusion-xl-1024-v1-0/text-to-image"
INVOKE = "/model/stability.stable-diffusion-xl-v1/invoke"
STREAM = f"{INVOKE}-with-response-stream"

READING: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "OpenAI": ("/images/generations", BASE64),
    "Stability": (ENGINE, CONTRACT),
    "Bedrock": (INVOKE, CONTRACT),
    "Bedrock's stream": (STREAM, CONTRACT),
}
"""The routes whose replies hold the image itself."""

SIGNING: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "ours": ("/text-to-image", CONTRACT),
    "OpenAI": ("/images/generations", URL),
}
"""The routes whose replies hold its URL."""

CURL: Mapping[str, str] = {"User-Agent": "curl/8.5.0"}
"""A client that repeats without a mark."""


def post(service: World, path: str, body: Mapping[str, Any], **headers: str) -> Answer:
    """Send one request without a key."""
    return send(create_app(service.services), event("POST", path, body, headers={**CURL, **headers}))


def once(
    service: World, method: Callable[[ImageName], bytes | None], error: Exception
) -> Callable[..., bytes | None]:
    """Return a read of the bucket that fails the first time."""

    def read(_: ImageName) -> bytes | None:
        service.images.read = method  # type: ignore[method-assign,assignment]  # only the first time
        raise error

    return read


def check_repeat(service: World, failed: Answer, path: str, body: Mapping[str, Any]) -> None:
    """Check that the failure told what was paid, and that the repeat of curl gets the image for nothing."""
    id_ = service.store.only().id
    assert failed.status >= 400
    assert failed.headers["x-imagegen-charged"] == "yes"
    assert failed.headers["x-should-retry"] == "false"
    assert failed.headers["location"] == f"/v1/generations/{id_}"
    service.clock.sleep(1)
    again = post(service, path, body)
    assert (again.status, again.headers["idempotent-replayed"]) == (200, "true")
    assert len(service.runtime.calls) == 1


@pytest.mark.parametrize("shape", READING)
@pytest.mark.parametrize("reason", [errors.InternalError("S3 did not respond."), RuntimeError("a defect")])
def test_an_image_that_cannot_be_read_is_told_as_paid_and_repeated_for_nothing(
    shape: str, reason: Exception
) -> None:
    """It is stored: a repeat reads it again."""
    path, body = READING[shape]
    service = world()
    service.images.read = once(service, service.images.read, reason)  # type: ignore[method-assign]
    check_repeat(service, post(service, path, body), path, body)


@pytest.mark.parametrize("shape", SIGNING)
def test_an_image_whose_url_cannot_be_signed_is_told_as_paid_and_repeated_for_nothing(shape: str) -> None:
    """The operator's credentials may have ended."""
    path, body = SIGNING[shape]
    service = world()
    signs = service.images.url

    def fails(*_: object, **__: object) -> None:
        service.images.url = signs  # type: ignore[method-assign]  # only the first time
        raise errors.Misconfigured("The URL could not be signed.")

    service.images.url = fails  # type: ignore[method-assign,assignment]
    check_repeat(service, post(service, path, body), path, body)


@pytest.mark.parametrize("shape", READING)
def test_an_image_that_is_too_large_is_paid_once_however_often_the_client_repeats(shape: str) -> None:
    """Every reply says where it is."""
    path, body = READING[shape]
    service = world(answers=[sdxl_answer(png()[:-12] + b"\0" * 5_000_000 + png()[-12:])])
    for _ in range(3):
        answer = post(service, path, body)
        service.clock.sleep(1)
        assert answer.headers["x-imagegen-charged"] == "yes"
        assert service.store.only().id in answer.body
    assert len(service.runtime.calls) == 1


@pytest.mark.parametrize("images", [1, 2])
def test_an_image_that_a_repeat_cannot_look_for_was_paid(images: int) -> None:
    """A repeat looks whether the image is still there, and the bucket does not respond."""
    service = world()
    body = {"prompt": "tea", "n": images, "response_format": "url"}
    assert post(service, "/images/generations", body).status == 200
    service.images.failures = [errors.InternalError("S3 did not respond.")] * images
    answer = post(service, "/images/generations", body, **{"X-Stainless-Retry-Count": "1"})
    assert (answer.status, answer.headers["x-imagegen-charged"]) == (500, "yes")
    assert len(service.runtime.calls) == images


def test_a_filtered_image_whose_seed_cannot_be_read_was_paid() -> None:
    """Bedrock's shape shows the seed of a filtered image, which is in its record."""
    service = world(answers=[errors.ContentFiltered("Filtered.")])
    looks = service.store.get

    def fails(id_: str) -> Generation | None:
        record = looks(id_)
        if record is not None and record.state == "failed":
            raise errors.InternalError("The table did not respond.")
        return record

    service.store.get = fails  # type: ignore[method-assign]
    answer = post(service, INVOKE, CONTRACT)
    assert (answer.status, answer.headers["x-imagegen-charged"]) == (500, "yes")


# -- several images ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("second", "charged"),
    [
        (errors.ContentFiltered("Filtered."), "yes"),
        (errors.OutcomeUnknown("Closed."), "maybe"),
        (errors.ModelThrottled("Busy."), "no"),
    ],
)
@pytest.mark.parametrize("failing_first", [True, False])
def test_a_series_without_an_image_says_what_all_of_them_cost(
    second: errors.ImagegenError,
    charged: str,
    failing_first: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """One of two was refused without cost; what the other means for the bill counts, whichever came first."""
    service = world()
    seeds: dict[int, errors.ImagegenError] = {7: second, 8: errors.Misconfigured("No right.")}
    if failing_first:
        seeds = {7: seeds[8], 8: seeds[7]}

    def invoke(_: ModelRef, body: bytes) -> bytes:
        raise seeds[json.loads(body)["seed"]]

    service.runtime.invoke = invoke  # type: ignore[method-assign,assignment]
    answer = post(service, "/images/generations", {"prompt": "tea", "n": 2, "seed": 7})
    assert (answer.status >= 400, answer.headers["x-imagegen-charged"]) == (True, charged)


def test_a_series_that_is_in_progress_keeps_its_images_for_the_repeat() -> None:
    """One image is there, the other still running elsewhere: the repeat is free, and gets both."""
    service = world()
    body = {"prompt": "tea", "n": 2, "seed": 7}
    abandoned = threading.Event()

    def leaves() -> None:
        # The first of the two calls goes on elsewhere.
        if not abandoned.is_set():
            abandoned.set()
            raise KeyboardInterrupt

    service.runtime.before = leaves
    assert len(post(service, "/images/generations", body).json["data"]) == 1
    service.runtime.before = None
    assert sorted(record.state for record in service.store.all()) == ["running", "succeeded"]
    service.clock.sleep(2)
    answer = post(service, "/images/generations", body, **{"X-Stainless-Retry-Count": "1"})
    assert (answer.status, answer.headers["x-should-retry"]) == (409, "true")
    assert answer.headers["x-imagegen-charged"] == "yes"
    assert len(service.runtime.calls) == 2
