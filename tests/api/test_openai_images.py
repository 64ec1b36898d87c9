"""POST /images/generations over fakes: batches of generations, partial success, and replays."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

import pytest

from imagegen import errors
from imagegen.generations.stored_record import to_json
from imagegen.http.app import create_app
from tests.support.events import Answer, event, send
from tests.support.fakes import CORE, SDXL, FakeQuotas, World, png, sdxl_answer, world

TEA = {"prompt": "Sri lanka tea plantation."}
KEY = {"Idempotency-Key": "order-2026-11-03-0001"}
FILTERED = sdxl_answer(reason="CONTENT_FILTERED")


def post(service: World, *, headers: dict[str, str] | None = None, **members: Any) -> Answer:
    """Ask for images as OpenAI's clients do."""
    request = event("POST", "/images/generations", {**TEA, **members}, headers=headers)
    return send(create_app(service.services), request)


def test_a_prompt_makes_one_image_with_a_url() -> None:
    """The reply has OpenAI's two members and no others."""
    service = world()
    answer = post(service)
    assert answer.status == 200
    assert set(answer.json) == {"created", "data"}
    assert answer.json["created"] == int(service.clock.now().timestamp())
    (image,) = answer.json["data"]
    assert set(image) == {"url"}
    assert image["url"].startswith("https://bucket.example/images/")


def test_the_request_reaches_the_model_in_its_own_words() -> None:
    """Size and style are translated into the model's members."""
    service = world()
    post(service, size="1344x768", style="vivid", model=SDXL)
    ((model, body),) = service.runtime.calls
    assert model == SDXL
    assert (body["width"], body["height"], body["style_preset"]) == (1344, 768, "enhance")
    assert body["text_prompts"] == [{"text": "Sri lanka tea plantation.", "weight": 1.0}]


def test_base64_is_the_image_itself() -> None:
    """The bytes are those of the model's image."""
    picture = png(1024, 1024, grey=7)
    answer = post(world(answers=[sdxl_answer(picture)]), response_format="b64_json")
    (image,) = answer.json["data"]
    assert set(image) == {"b64_json"}
    assert base64.b64decode(image["b64_json"], validate=True) == picture


def test_n_images_are_generations_of_their_own() -> None:
    """Each image has its own id, seed, call and record."""
    service = world()
    answer = post(service, n=10)
    assert len({image["url"] for image in answer.json["data"]}) == 10
    assert len({body["seed"] for _, body in service.runtime.calls}) == 10
    assert {record.state for record in service.store.all()} == {"succeeded"}
    assert len(service.store.items) == 10


def test_the_images_that_succeeded_are_answered() -> None:
    """The history shows the failures beside them."""
    service = world(answers=[sdxl_answer(), FILTERED, errors.OutcomeUnknown("No answer."), sdxl_answer()])
    answer = post(service, n=4)
    assert (answer.status, len(answer.json["data"])) == (200, 2)
    assert sorted(record.state for record in service.store.all()) == ["failed"] * 2 + ["succeeded"] * 2


def test_nothing_but_failures_is_an_error() -> None:
    """If all images fail, the reply is the error of one of them."""
    answer = post(world(answers=[FILTERED]), n=3)
    assert answer.status == 422
    assert answer.json["error"]["code"] == "content_filtered"
    assert answer.headers["x-should-retry"] == "false"


def test_a_quota_lets_through_what_it_allows() -> None:
    """The quota counts each image of the batch."""
    service = world(quota=2)
    answer = post(service, n=5)
    assert len(answer.json["data"]) == 2
    assert set(service.quotas.taken.values()) == {2}


class BrokenQuotas(FakeQuotas):
    """Counters with a defect: they count one image, and fail for the next."""

    def take(self, owner: str, day: str, *, own_limit: int | None = None) -> None:
        """Count the first image."""
        if self.taken:
            raise RuntimeError("a defect")
        super().take(owner, day, own_limit=own_limit)


def test_a_defect_in_one_image_does_not_lose_the_others() -> None:
    """The defect is reported as usual."""
    service = world()
    submitter = replace(service.submitter, quotas=BrokenQuotas())
    app = create_app(replace(service.services, submitter=submitter))
    answer = send(app, event("POST", "/images/generations", {**TEA, "n": 2}))
    assert (answer.status, len(answer.json["data"])) == (200, 1)
    assert ("defect", "RuntimeError") in service.observer.events


def test_a_repeated_request_finds_each_image_again() -> None:
    """One idempotency key stands for the whole batch."""
    service = world()
    first, second = post(service, n=3, headers=KEY), post(service, n=3, headers=KEY)
    assert len(service.runtime.calls) == 3
    assert second.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers
    paths = [[image["url"].split("?")[0] for image in answer.json["data"]] for answer in (first, second)]
    assert paths[0] == paths[1]


def test_a_repeated_request_makes_what_had_failed_unpaid() -> None:
    """The images that succeeded are not made again."""
    service = world(answers=[sdxl_answer(), errors.Misconfigured("No right.")])
    post(service, n=3, headers=KEY)
    service.runtime.answers = [sdxl_answer()]
    answer = post(service, n=3, headers=KEY)
    assert len(answer.json["data"]) == 3
    assert "idempotent-replayed" not in answer.headers
    assert len(service.runtime.calls) == 5


@pytest.mark.parametrize("first", [1, 2])
@pytest.mark.parametrize(
    "other", [{"n": 3}, {"size": "1344x768"}, {"prompt": "Another."}, {"n": 1, "style": "vivid"}]
)
def test_a_key_used_for_something_else_is_a_conflict_and_costs_nothing(
    first: int, other: dict[str, Any]
) -> None:
    """The whole batch is refused, and no image of it is made."""
    service = world()
    post(service, n=first, headers=KEY)
    answer = post(service, headers=KEY, **{"n": first, **other})
    assert (answer.status, answer.json["error"]["code"]) == (422, "idempotency_conflict")
    assert len(service.runtime.calls) == first


def test_a_key_means_one_thing_on_every_route() -> None:
    """The same request finds the other route's image; any other is a conflict; nothing is paid twice."""
    service = world()
    app = create_app(service.services)
    made = send(
        app, event("POST", "/text-to-image", {"text_prompts": [{"text": TEA["prompt"]}]}, headers=KEY)
    )
    again = post(service, headers=KEY)
    assert (again.status, again.headers["idempotent-replayed"]) == (200, "true")
    assert post(service, headers=KEY, n=2).json["error"]["code"] == "idempotency_conflict"
    assert post(service, headers=KEY, prompt="another").json["error"]["code"] == "idempotency_conflict"
    assert made.status == 200
    assert len(service.runtime.calls) == 1


def test_the_key_of_a_series_is_not_free_on_another_route() -> None:
    """The first image of a batch has the idempotency key itself."""
    service = world()
    post(service, n=2, headers=KEY)
    body = {"text_prompts": [{"text": TEA["prompt"]}]}
    answer = send(create_app(service.services), event("POST", "/text-to-image", body, headers=KEY))
    assert (answer.status, answer.json["code"]) == (422, "idempotency_conflict")
    assert len(service.runtime.calls) == 2


def test_while_one_of_the_images_is_being_made_the_series_is_in_progress() -> None:
    """The client repeats the request later, and gets the whole batch."""
    service = world()
    post(service, n=2, headers=KEY)
    running, _ = service.store.all()
    lease = service.clock.now().replace(hour=23)
    service.store.items[running.id] = to_json(
        replace(running, state="running", image=None, lease_until=lease)
    )
    answer = post(service, n=2, headers=KEY)
    assert (answer.status, answer.json["error"]["code"]) == (409, "in_progress")
    assert answer.headers["x-should-retry"] == "true"
    assert answer.headers["location"] == f"/v1/generations/{running.id}"
    assert int(answer.headers["retry-after"]) > 0
    assert len(service.runtime.calls) == 2


def test_an_image_too_large_for_an_answer_is_not_lost() -> None:
    """The error says where the image is."""
    service = world(answers=[sdxl_answer(png()[:-12] + b"\0" * 5_000_000 + png()[-12:])])
    answer = post(service, response_format="b64_json")
    assert (answer.status, answer.json["error"]["code"]) == (502, "bad_model_response")
    record = service.store.only()
    assert record.state == "succeeded"
    assert f"/v1/generations/{record.id}" in answer.json["error"]["message"]


def test_a_model_that_is_not_enabled_is_refused_by_name() -> None:
    """OpenAI's own models are refused as well."""
    service = world(models=[CORE])
    answer = post(service, model="gpt-image-1")
    assert answer.status == 400
    assert answer.json["error"]["param"] == "model"
    assert answer.json["error"]["type"] == "invalid_request_error"
    assert service.store.items == {}


def test_prefer_has_no_meaning_here() -> None:
    """OpenAI's shape has no reply for an image that comes later."""
    assert post(world(), headers={"Prefer": "respond-async"}).status == 200
