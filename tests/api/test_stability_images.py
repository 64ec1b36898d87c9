"""Stability's v1 routes over fakes: replies in JSON and in bytes, engines, and replays."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from imagegen.http.app import create_app
from tests.support.events import OTHER_KEY as OTHER
from tests.support.events import Answer, event, send
from tests.support.fakes import CORE, SDXL, png, sdxl_answer
from tests.support.world import World, world

TEA = {
    "text_prompts": [{"text": "A lighthouse on a cliff", "weight": 1}],
    "cfg_scale": 7,
    "steps": 30,
    "samples": 1,
}
ENGINE = "stable-diffusion-xl-1024-v1-0"
OLDER = ("stable-diffusion-xl-1024-v0-9", "stable-diffusion-v1-6")
KEY = {"Idempotency-Key": "order-2026-11-03-0001"}


def post(service: World, *, engine: str = ENGINE, body: Any = None, **headers: str) -> Answer:
    """Ask for an image as Stability's clients do."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    path = f"/generation/{engine}/text-to-image"
    return send(create_app(service.services), event("POST", path, body or TEA, headers=sent))


def test_json_has_the_image_in_base64() -> None:
    """The reply has one artifact with Stability's three members."""
    service = world(answers=[sdxl_answer(png(grey=9), seed=3407)])
    answer = post(service, Accept="application/json")
    assert answer.status == 200
    (artifact,) = answer.json["artifacts"]
    assert base64.b64decode(artifact.pop("base64"), validate=True) == service.stored_image
    assert artifact == {"finishReason": "SUCCESS", "seed": 3407}


def test_png_is_the_image_itself() -> None:
    """Two headers have the facts that JSON would have."""
    service = world(answers=[sdxl_answer(png(grey=9), seed=3407)])
    answer = post(service, Accept="image/png")
    assert answer.base64_encoded
    assert answer.content == service.stored_image
    assert answer.headers["content-type"] == "image/png"
    assert (answer.headers["finish-reason"], answer.headers["seed"]) == ("SUCCESS", "3407")


def test_an_error_is_json_whatever_is_accepted() -> None:
    """Stability's clients read the member `name`."""
    answer = post(world(), body={**TEA, "steps": 9}, Accept="image/png")
    assert (answer.status, answer.headers["content-type"], answer.base64_encoded) == (
        400,
        "application/json",
        False,
    )
    assert answer.json["name"] == "bad_request"
    assert answer.json["message"].startswith("steps must be an integer from 10 to 150.")


@pytest.mark.parametrize(
    ("engine", "model"), [(ENGINE, SDXL), (OLDER[0], SDXL), (OLDER[1], SDXL), (CORE, CORE), (SDXL, SDXL)]
)
def test_the_engine_chooses_the_model(engine: str, model: str) -> None:
    """Stability's own engines leave the choice to the deployment."""
    service = world()
    post(service, engine=engine)
    assert [called for called, _ in service.runtime.calls] == [model]


def test_an_unknown_engine_is_not_found() -> None:
    """The reply is a 404 in Stability's shape, and nothing is made."""
    service = world()
    answer = post(service, engine="stable-diffusion-v1-5")
    assert (answer.status, answer.json["name"]) == (404, "not_found")
    assert service.store.items == {}


@pytest.mark.parametrize(
    ("members", "name"),
    [
        ({"width": 512, "height": 512}, "invalid_sdxl_v1_dimensions"),
        ({"height": 1024}, "invalid_sdxl_v1_dimensions"),
        ({"samples": 2}, "invalid_samples"),
        ({"strict": True}, "bad_request"),
        ({"model": CORE}, "bad_request"),
        ({"text_prompts": None}, "bad_request"),
    ],
)
def test_a_refusal_has_stabilitys_name(members: dict[str, Any], name: str) -> None:
    """A refused request calls no model."""
    service = world()
    answer = post(service, body={**TEA, **members})
    assert (answer.status, answer.json["name"]) == (400, name)
    assert service.runtime.calls == []


def test_more_than_one_sample_is_refused_in_stabilitys_words() -> None:
    """Whatever else is wrong, the number of images is what the client has to change first."""
    answer = post(world(), body={**TEA, "samples": 4, "steps": 1})
    assert (answer.status, answer.json["name"]) == (400, "invalid_samples")
    assert answer.json["message"].startswith("samples must be 1")


def test_null_is_absent() -> None:
    """Typed clients send null for what nobody set."""
    service = world()
    absent = dict.fromkeys(("seed", "sampler", "style_preset", "width", "height", "extras", "samples"))
    assert post(service, body={**TEA, **absent}).status == 200


def test_the_balance_is_what_is_left_of_the_day() -> None:
    """An image takes one credit, and the balance itself takes none."""
    service = world(quota=3)
    balance = event("GET", "/user/balance")
    app = create_app(service.services)
    assert [send(app, balance).json for _ in range(2)] == [{"credits": 3.0}] * 2
    post(service)
    assert send(app, balance).json == {"credits": 2.0}
    assert send(app, event("GET", "/user/balance", key=OTHER)).json == {"credits": 3.0}


def test_the_balance_starts_anew_on_the_next_day() -> None:
    """Days are UTC dates."""
    service = world(quota=1)
    post(service)
    service.clock.sleep(24 * 3600)
    assert send(create_app(service.services), event("GET", "/user/balance")).json == {"credits": 1.0}


def test_without_a_limit_the_balance_is_a_million() -> None:
    """A client that compares it with a price goes on."""
    answer = send(create_app(world().services), event("GET", "/user/balance"))
    assert (answer.status, answer.json) == (200, {"credits": 1_000_000.0})


def test_bytes_are_sent_where_their_quality_is_higher() -> None:
    """The first type is one that the gateway takes for binary."""
    answer = post(world(), Accept="application/json;q=0.5, image/png")
    assert (answer.headers["content-type"], answer.base64_encoded) == ("image/png", True)


def test_a_filtered_image_is_an_error() -> None:
    """A filtered image gives an error; its blurred picture never passes for a success."""
    answer = post(world(answers=[sdxl_answer(reason="CONTENT_FILTERED")]), Accept="image/png")
    assert (answer.status, answer.json["name"]) == (422, "invalid_prompts")


def test_a_repeated_request_is_the_same_image() -> None:
    """The repeated request may ask for bytes instead of JSON, or use our own route."""
    service = world()
    first = post(service, **KEY)
    second = post(service, Accept="image/png", **KEY)
    third = send(create_app(service.services), event("POST", "/text-to-image", TEA, headers=KEY))
    assert len(service.runtime.calls) == 1
    assert second.headers["idempotent-replayed"] == third.headers["idempotent-replayed"] == "true"
    assert second.content == base64.b64decode(first.json["artifacts"][0]["base64"])


def test_an_image_that_was_removed_is_gone() -> None:
    """The reply is a 410, and not an empty artifact."""
    service = world()
    post(service, **KEY)
    service.images.objects.clear()
    assert post(service, **KEY).status == 410


def test_the_engines_are_listed_as_stabilitys_clients_expect() -> None:
    """The reply is an array of the engines that the path takes."""
    service = world()
    answer = send(create_app(service.services), event("GET", "/engines/list"))
    assert [engine["id"] for engine in answer.json] == [ENGINE, *OLDER, SDXL, CORE]
    assert {tuple(sorted(engine)) for engine in answer.json} == {("description", "id", "name", "type")}
