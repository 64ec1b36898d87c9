"""One idempotency key is one generation: the replies to repeated requests, and what they never cost."""

from __future__ import annotations

from typing import Any

import pytest

from imagegen import errors
from imagegen.errors import ImagegenError
from imagegen.generations.model_caller import RETRY_AFTER
from imagegen.http.app import create_app
from tests.support.events import OTHER_KEY, Answer, event, send
from tests.support.fakes import sdxl_answer
from tests.support.world import World, world

TEA = {"text_prompts": [{"text": "Sri lanka tea plantation."}], "steps": 50}
KEY = {"Idempotency-Key": "order-2026-11-03-0001"}
ASYNC = {"Prefer": "respond-async"}


def post(service: World, body: Any = None, **more: Any) -> Answer:
    """Ask for an image with the idempotency key."""
    headers = {**KEY, **more.pop("headers", {})}
    request = event("POST", "/text-to-image", body or TEA, headers=headers, **more)
    return send(create_app(service.services), request)


def test_the_same_key_and_body_are_the_same_generation() -> None:
    """The model is called once; the second reply is marked as replayed, and its URL is new."""
    service = world()
    first, second = post(service), post(service)
    assert len(service.runtime.calls) == 1
    assert "idempotent-replayed" not in first.headers
    assert (second.status, second.headers["idempotent-replayed"]) == (200, "true")
    bodies = [first.json, second.json]
    assert len({body["artifacts"][0].pop("url") for body in bodies}) == 2
    assert bodies[0] == bodies[1]


def test_a_body_in_other_words_is_the_same_body() -> None:
    """The order of the fields and explicit defaults make no difference."""
    service = world()
    post(service)
    other_words = {
        "steps": 50,
        "cfg_scale": 7,
        "text_prompts": [{"weight": 1.0, "text": "Sri lanka tea plantation."}],
    }
    assert post(service, other_words).headers["idempotent-replayed"] == "true"
    assert len(service.runtime.calls) == 1


@pytest.mark.parametrize(
    "other", [{"steps": 51}, {"seed": 7}, {"strict": True}, {"text_prompts": [{"text": "Another."}]}]
)
def test_another_body_with_the_key_is_a_conflict(other: dict[str, Any]) -> None:
    """The reply is a 422, and nothing is made."""
    service = world()
    post(service)
    answer = post(service, {**TEA, **other})
    assert (answer.status, answer.json["code"]) == (422, "idempotency_conflict")
    assert len(service.runtime.calls) == 1


def test_another_callers_key_of_the_same_name_is_another_key() -> None:
    """Two callers may use the same idempotency key."""
    service = world()
    ids = {post(service).json["id"], post(service, key=OTHER_KEY).json["id"]}
    assert len(ids) == 2
    assert len(service.runtime.calls) == 2


def test_requests_without_a_key_are_generations_of_their_own() -> None:
    """Identical requests make two generations."""
    service = world()
    app = create_app(service.services)
    ids = {send(app, event("POST", "/text-to-image", TEA)).json["id"] for _ in range(2)}
    assert len(ids) == 2


def test_a_key_whose_generation_is_not_done_is_in_progress() -> None:
    """The reply is a 409 that says where and when to look."""
    service = world()
    queued = post(service, headers=ASYNC).json["id"]
    answer = post(service)
    assert (answer.status, answer.json["code"]) == (409, "in_progress")
    assert answer.headers["location"] == f"/v1/generations/{queued}"
    assert answer.headers["retry-after"] == "2"
    assert service.runtime.calls == []


@pytest.mark.parametrize(
    "failure",
    [
        errors.ModelThrottled("Busy.", retry_after=RETRY_AFTER),
        errors.ModelUnavailable("Not ready.", retry_after=RETRY_AFTER),
        errors.Misconfigured("No right."),
    ],
)
def test_a_failure_that_cost_nothing_frees_its_key(failure: ImagegenError) -> None:
    """The same request later makes the image, under the same id."""
    service = world(answers=[failure])
    assert post(service).status == failure.kind.status
    failed = service.store.only()
    service.runtime.answers = [sdxl_answer()]
    answer = post(service)
    assert answer.status == 200
    assert "idempotent-replayed" not in answer.headers
    assert answer.json["id"] == failed.id
    assert service.store.only().paid_attempts == 1


@pytest.mark.parametrize(
    "answer",
    [
        errors.OutcomeUnknown("No answer."),
        errors.ModelTimeout("No answer in time."),
        b"{}",
        sdxl_answer(reason="CONTENT_FILTERED"),
    ],
)
def test_a_failure_that_may_have_been_paid_is_replayed(answer: bytes | ImagegenError) -> None:
    """The reply is the same problem again, and the model is not called again."""
    service = world(answers=[answer])
    first = post(service)
    service.runtime.answers = [sdxl_answer()]
    second = post(service)
    assert len(service.runtime.calls) == 1
    assert (second.status, second.body) == (first.status, first.body)
    assert "idempotent-replayed" not in first.headers
    assert second.headers["idempotent-replayed"] == "true"


def test_a_key_whose_generation_was_deleted_is_gone() -> None:
    """The generation cannot be paid for a second time."""
    service = world()
    id_ = post(service).json["id"]
    send(create_app(service.services), event("DELETE", f"/generations/{id_}"))
    answer = post(service)
    assert (answer.status, answer.json["code"]) == (410, "gone")
    assert len(service.runtime.calls) == 1


def test_a_key_whose_image_was_removed_is_gone() -> None:
    """Otherwise the reply would have a URL that leads nowhere."""
    service = world()
    post(service)
    service.images.objects.clear()
    assert (post(service).status, len(service.runtime.calls)) == (410, 1)


@pytest.mark.parametrize(
    "value",
    ["", "x" * 15, "x" * 65, "x" * 15 + "é", "order 2026 11 03 0001", "x" * 15 + "\n", ["x" * 16, "x" * 16]],
)
@pytest.mark.parametrize("path", ["/text-to-image", "/images/generations", "/generation/e/text-to-image"])
def test_a_malformed_or_repeated_key_is_refused(path: str, value: str | list[str]) -> None:
    """The error names the header, on every route that takes it."""
    request = event("POST", path, TEA, headers={"Idempotency-Key": value})
    answer = send(create_app(world().services), request)
    assert answer.status == 400
    assert "Idempotency-Key" in answer.body


@pytest.mark.parametrize("key", ["x" * 16, "x" * 64, "Az09_-Az09_-Az09"])
def test_keys_of_every_allowed_kind_are_taken(key: str) -> None:
    """A key has 16 to 64 letters, digits, underscores and hyphens."""
    assert post(world(), headers={"Idempotency-Key": key}).status == 200
